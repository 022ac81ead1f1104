"""Exercises in which learners write batch norm themselves, and checks that recognise the mistake.

    check_normalize(normalize)    # a Verdict: right, or which mistake it is and where it shows
    hint("normalize")             # on request
    solution("normalize")         # on request: readable code, and why it works

`EXERCISES` holds the statements, `MISTAKES` explains every mistake that has a name. A check raises
nothing for what a learner wrote: also an exception of theirs becomes a Verdict.

The answer counts whatever way it is written: arrays or (nested) lists, float32 or float64, any tuple or
list of results. Shapes are exact: (1, C) where (C,) is asked for is told as such.

One file for each concern: `tasks` (what is asked, and on which inputs it is tried), `table` (the mistakes, one row
each), `checking` (trying and comparing), `solutions`, `text` (how it looks). To add a mistake, add a
row to the table.
"""

from bn_teach import _checks
from bn_teach.exercises.checking import check
from bn_teach.exercises.solutions import SOLUTIONS
from bn_teach.exercises.table import MISTAKES
from bn_teach.exercises.tasks import EXERCISES, Exercise
from bn_teach.exercises.text import Hint, Solution, Verdict

__all__ = [
    "EXERCISES",
    "MISTAKES",
    "Exercise",
    "Hint",
    "Solution",
    "Verdict",
    "check_backward",
    "check_batch_statistics",
    "check_debias",
    "check_inference",
    "check_layer",
    "check_normalize",
    "check_population",
    "check_running_average",
    "hint",
    "solution",
]


def check_batch_statistics(f):
    """Return the Verdict on ``f(x) -> (mean, var)``."""
    return check(EXERCISES["batch_statistics"], f)


def check_normalize(f):
    """Return the Verdict on ``f(x, gamma, beta, eps) -> y``, batch norm in training mode."""
    return check(EXERCISES["normalize"], f)


def check_running_average(f):
    """Return the Verdict on ``f(running, batch, momentum)`` -> the new running value."""
    return check(EXERCISES["running_average"], f)


def check_debias(f):
    """Return the Verdict on ``f(running, momentum, step)`` -> the estimate freed of its start at 0."""
    return check(EXERCISES["debias"], f)


def check_inference(f):
    """Return the Verdict on ``f(x, running_mean, running_var, gamma, beta, eps) -> y``."""
    return check(EXERCISES["inference"], f)


def check_layer(f):
    """Return the Verdict on ``f(state, x, training) -> (y, new_state)``."""
    return check(EXERCISES["layer"], f)


def check_backward(f):
    """Return the Verdict on ``f(dy, x, gamma, eps) -> (dx, dgamma, dbeta)``."""
    return check(EXERCISES["backward"], f)


def check_population(f):
    """Return the Verdict on ``f(batch_means, batch_variances, m) -> (mean, var)``, Algorithm 2."""
    return check(EXERCISES["population"], f)


def hint(name):
    """Return a hint for the exercise `name`, a key of `EXERCISES`."""
    return Hint(name, EXERCISES[_checks.choice("name", name, tuple(EXERCISES))].hint)


def solution(name):
    """Return a readable solution of the exercise `name`, a key of `EXERCISES`: its source and why it works."""
    return SOLUTIONS[_checks.choice("name", name, tuple(EXERCISES))]
