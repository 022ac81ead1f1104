"""The questions that notebooks ask before they show: each is answered by an experiment, run on demand.

A question holds its words and the function that measures the right answer. The words of the reveal
stand here and not in the notebook, so that nobody reads them before having committed an answer. One
file for each notebook.
"""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "by_name": ("QUESTIONS",),
        "question": ("Question",),
    },
)
