"""The questions that notebooks ask before they show: each is answered by an experiment, run on demand.

A question holds its words and the function that measures the right answer. The words of the reveal
stand here and not in the notebook, so that nobody reads them before having committed an answer. One
file for each notebook.
"""

from bn_teach.questions import (
    paper,
    running_averages,
    samples,
    start_here,
    tracking_accuracy,
    two_modes,
    your_framework,
)
from bn_teach.questions.question import Question

QUESTIONS = {
    **start_here.QUESTIONS,
    **two_modes.QUESTIONS,
    **samples.QUESTIONS,
    **running_averages.QUESTIONS,
    **tracking_accuracy.QUESTIONS,
    **paper.QUESTIONS,
    **your_framework.QUESTIONS,
}
"""Name to `Question`."""

__all__ = ["QUESTIONS", "Question"]
