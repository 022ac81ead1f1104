"""The frameworks side by side, as a table whose rows are found by running each layer.

What a framework's own documentation writes down (its momentum, and what that weighs) is in
`bn_teach.frameworks`. The rest of a row is measured here: a layer `BatchNorm.like(name, 1)` is given a
batch, and then a batch of one. tests/parity hold those layers to the frameworks themselves.
"""

import html
import math
from dataclasses import dataclass

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS

_BATCH = np.array([[7.0], [13.0], [10.0], [14.0], [6.0]])  # mean 10, biased variance 10
_TINY = 1e-4 * _BATCH  # a variance of 1e-7, so small that eps shows


@dataclass(frozen=True)
class Row:
    """What one framework's layer did when it was run.

    Attributes
    ----------
    framework : str
        As people write it.
    own_momentum : float
        The default, in the framework's own convention.
    weighs : str
        What that number multiplies: "old" estimate or "new" batch.
    kept : float
        Weight that the old estimate had in the update.
    divisor : str
        The variance that went into the running variance divides by "n" or "n-1".
    eps : float
        Added to the variance under the root.
    start : tuple of float
        Running mean and variance before the first batch.
    start_is_given : bool
        Whether the framework leaves those two to its user.
    after : tuple of float
        After one batch with mean 10 and variance 10 (divided by n, which is 5).
    batch_of_one : str
        What came of training on a single value, 3 in a layer with beta = 0.5: refused, or the output.
        Where the framework gives NaN our layer refuses, and the row says so.
    """

    framework: str
    own_momentum: float
    weighs: str
    kept: float
    divisor: str
    eps: float
    start: tuple
    start_is_given: bool
    after: tuple
    batch_of_one: str


def run_framework(name):
    """Run a framework's layer on a batch and on a batch of one, and note what it does.

    Parameters
    ----------
    name : str
        A key of `FRAMEWORKS`.

    Returns
    -------
    Row

    Examples
    --------
    >>> run_framework("pytorch").kept, run_framework("pytorch").divisor
    (0.9, 'n-1')
    """
    framework = FRAMEWORKS[_checks.choice("name", name, tuple(FRAMEWORKS))]
    layer = BatchNorm.like(name, 1)
    start = _running(layer)
    layer(_BATCH)
    after = _running(layer)
    batch_mean, batch_var = _BATCH.mean(), _BATCH.var()
    kept = (after[0] - batch_mean) / (start[0] - batch_mean)
    taken = (after[1] - kept * start[1]) / (1 - kept)
    return Row(
        framework=framework.name,
        own_momentum=framework.default_momentum,
        weighs=framework.momentum_weighs,
        kept=_tidy(kept),
        divisor="n" if math.isclose(taken, batch_var) else "n-1",
        eps=_tidy(_eps(BatchNorm.like(name, 1))),
        start=start,
        start_is_given=framework.initial_mean is None,
        after=tuple(_tidy(value) for value in after),
        batch_of_one=_batch_of_one(BatchNorm.like(name, 1), framework.single_example),
    )


class FrameworkTable:
    """All frameworks side by side, each run as the table is made. Display it, or `print` it.

    Parameters
    ----------
    *names : str
        Keys of `FRAMEWORKS`; all of them unless given.

    Attributes
    ----------
    rows : tuple of Row

    Examples
    --------
    >>> [row.divisor for row in FrameworkTable("pytorch", "keras").rows]
    ['n-1', 'n']
    """

    def __init__(self, *names):
        self.rows = tuple(run_framework(name) for name in names or FRAMEWORKS)

    def __str__(self):
        lines = [_HEADS, *(_cells(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines)]
        text = "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines)
        return f"{_CAPTION}\n\n{text}"

    __repr__ = __str__

    def _repr_html_(self):
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in _HEADS)
        body = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th>'
            + "".join(f"<td{_NO_WRAP * (len(cell) < 12)}>{html.escape(cell)}</td>" for cell in cells)
            + "</tr>"
            for name, *cells in map(_cells, self.rows)
        )
        caption = f'<caption style="text-align: start; caption-side: bottom">{html.escape(_CAPTION)}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_HEADS = (
    "framework",
    "default momentum",
    "weighs",
    "old estimate keeps",
    "running variance divides by",
    "eps",
    "mean, variance: start",
    "after one batch",
    "batch of one",
)
_CAPTION = (
    "Each row was run when this table was made. One batch: n = 5 values with mean 10 and variance 10 (12.5 if divided "
    "by n-1). Batch of one: training on the single value 3, in a layer whose beta is 0.5."
)
_NO_WRAP = ' style="white-space: nowrap"'


def _cells(row):
    return (
        row.framework,
        f"{row.own_momentum:g}",
        f"the {row.weighs}",
        f"{row.kept:g}",
        row.divisor,
        f"{row.eps:g}",
        f"yours (here {_pair(row.start)})" if row.start_is_given else _pair(row.start),
        _pair(row.after),
        row.batch_of_one,
    )


def _pair(values):
    return ", ".join(f"{value:g}" for value in values)


def _running(layer):
    return float(layer.running_mean[0]), float(layer.running_var[0])


def _eps(layer):
    """Read eps off an output: (x - mean) / y is the root of variance + eps."""
    y = layer(_TINY)
    return ((_TINY[0, 0] - _TINY.mean()) / y[0, 0]) ** 2 - _TINY.var()


def _batch_of_one(layer, documented):
    layer.beta[:] = 0.5
    try:
        return f"gives {layer(np.array([[3.0]])).item():g}"
    except ValueError:
        return "NaN on a GPU (refused here)" if documented == "nan" else "refused"


def _tidy(value):
    """Leave out what is rounding."""
    return float(f"{value:.8g}")
