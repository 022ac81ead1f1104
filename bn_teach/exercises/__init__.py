"""Exercises in which learners write batch norm themselves, and checks that recognise the mistake.

    check_normalize(normalize)      # a Verdict: right, and why; or a question, and a small example
    hint("normalize")               # on request: how to begin
    hint("normalize", normalize)    # on request: what to change in this answer
    solution("normalize")           # on request: readable code, and why it works

`EXERCISES` holds the statements, `MISTAKES` says for every mistake that has a name what to change. A check raises
nothing for what a learner wrote: also an exception of theirs becomes a Verdict.

The answer counts whatever way it is written: arrays or (nested) lists, float32 or float64, any tuple or
list of results. Shapes are exact: (1, C) where (C,) is asked for is told as such.

One file for each concern: `tasks` (what is asked, and on which inputs it is tried), `table` (the mistakes, one row
each), `checking` (trying and comparing; `hint`), `solutions`, `text` (how it looks). To add a mistake, add a
row to the table.
"""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "checking": (
            "check_backward",
            "check_batch_statistics",
            "check_debias",
            "check_inference",
            "check_layer",
            "check_normalize",
            "check_population",
            "check_running_average",
            "hint",
        ),
        "solutions": ("solution",),
        "table": ("MISTAKES",),
        "tasks": ("EXERCISES", "Exercise"),
        "text": ("Hint", "Solution", "Verdict"),
    },
)
