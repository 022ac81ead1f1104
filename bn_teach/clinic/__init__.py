"""The clinic: twelve broken training runs, each met by real people, each reproduced here for real.

A `Case` holds a small experiment (the same run broken and fixed), how large its effect was over several seeds, and the
words that explain it. Nothing runs before it is asked for.
"""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "case": ("Case", "Effect", "Experiment", "NotReproducedError", "Run"),
        "cases": ("CASES",),
        "causes": ("CAUSES",),
    },
)
