"""The frameworks side by side, as a table whose rows are found by running each layer.

What a framework's own documentation writes down (its momentum, and what that weighs) is in
`bn_teach.frameworks`. The rest of a row is measured here: a layer `BatchNorm.like(name, 1)` is given a
few batches, and then a batch of one. tests/parity hold those layers to the frameworks themselves.

Fifteen rows are too many to take in: rows that differ in nothing but the name are shown as one, and what training is
normalised by, and what becomes of the start, is said once for all rows that share it.
"""

import html
import math
from dataclasses import astuple, dataclass, replace

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS

_BATCH = np.array([[7.0], [13.0], [10.0], [14.0], [6.0]])  # mean 10, biased variance 10
_TINY = 1e-4 * _BATCH  # a variance of 1e-7, so small that eps shows
_FACTOR = {"n": 1.0, "n-1": 5 / 4}  # of the biased variance of five values


@dataclass(frozen=True)
class Row:
    """What one framework's layer did when it was run.

    Attributes
    ----------
    framework : str
        As people write it.
    own_momentum : float or None
        The default, in the framework's own convention; None where there is none.
    weighs : str
        What that number multiplies: "old" estimate or "new" batch.
    kept : float
        Weight that the old estimate has in an update: how much less a batch counts than the next one.
    training : str
        What a training batch is normalised by: its own statistics, the variance divided by "n" or "n-1",
        or the "average".
    divisor : str
        The variance that goes into the running variance divides by "n" or "n-1".
    averages : str
        What is averaged: "variances" or "standard deviations".
    eps : float
        Added to the variance under the root.
    start : tuple of float
        Running mean and variance before the first batch.
    start_is_given : bool
        Whether the framework leaves those two to its user.
    start_is : str
        What the first batches make of them: "kept", "divided" out, divided out of the "mean only", or "replaced".
    after : tuple of float
        After one batch with mean 10 and variance 10 (divided by n, which is 5).
    batch_of_one : str
        What came of training on a single value next, 3 in a layer with beta = 0.5: refused, or the output.
        Where the framework gives NaN our layer refuses, and the row says so.
    """

    framework: str
    own_momentum: float | None
    weighs: str
    kept: float
    training: str
    divisor: str
    averages: str
    eps: float
    start: tuple
    start_is_given: bool
    start_is: str
    after: tuple
    batch_of_one: str


def run_framework(name):
    """Run a framework's layer on a few batches and on a batch of one, and note what it does.

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
    # Means start at 0, so of batches with means 0, 1, 0 and 0, 0, 1 only the one with mean 1 is in the average.
    kept = _running_mean(name, 0, 1, 0) / _running_mean(name, 0, 0, 1)
    training, divisor = _training(name), _divisor(name)
    start_is = _start_is(name, kept, after, divisor)
    return Row(
        framework=framework.name,
        own_momentum=framework.default_momentum,
        weighs=framework.momentum_weighs,
        kept=_tidy(kept),
        training=training,
        divisor=divisor,
        averages=_averages(name),
        eps=_eps(name, _FACTOR.get(training, 1.0)),
        start=start,
        start_is_given=framework.initial_mean is None and start_is == "kept",
        start_is=start_is,
        after=tuple(_tidy(value) for value in after),
        batch_of_one=_batch_of_one(layer, framework.single_example),
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
        One for each framework, also where the table shows several as one.

    Examples
    --------
    >>> [row.divisor for row in FrameworkTable("pytorch", "keras").rows]
    ['n-1', 'n']
    """

    def __init__(self, *names):
        self.rows = tuple(run_framework(name) for name in names or FRAMEWORKS)

    def __str__(self):
        groups = _groups(self.rows)
        widths = [max(map(len, column)) for column in zip(_HEADS, *(cells for _, rows in groups for cells in rows))]

        def line(cells):
            return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()

        blocks = [[line(_HEADS)], *([title, *map(line, rows)] for title, rows in groups)]
        return "\n\n".join([_CAPTION, *("\n".join(block) for block in blocks)])

    __repr__ = __str__

    def _repr_html_(self):
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in _HEADS)
        bodies = "".join(
            f'<tbody><tr><th scope="rowgroup" colspan="{len(_HEADS)}" style="{_TITLE}">{html.escape(title)}'
            f"</th></tr>{''.join(map(_html_row, rows))}</tbody>"
            for title, rows in _groups(self.rows)
        )
        caption = f'<caption style="text-align: start; caption-side: bottom">{html.escape(_CAPTION)}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead>{bodies}</table>"


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
    "Each row was run when this table was made, by a layer rebuilt here to do as the framework does. One batch: n = 5 "
    "values with mean 10 and variance 10 (12.5 if divided by n-1). Batch of one: training goes on with the single "
    "value 3, in a layer whose beta is 0.5. p is what the old estimate keeps, t the number of mini-batches so far."
)
_TRAINING = {
    "n": "Training normalises a mini-batch by its own mean and variance (divided by n).",
    "n-1": "Training normalises a mini-batch by its own mean and variance (divided by n-1).",
    "average": "Training too normalises by the running averages, so momentum changes what is learnt.",
}
_START = {
    "kept": "The start stays in the averages, and fades.",
    "divided": "What is read is divided by 1 - p^t: the start is gone after one batch.",
    "mean only": "What is read is divided by 1 - p^t. That frees the mean of its start at 0; the variance starts at 1, "
    "and comes out far too large at first.",
    "replaced": "The first batch takes the place of a start.",
}
_TITLE = "text-align: start; font-weight: normal; font-style: italic"
_NO_WRAP = ' style="white-space: nowrap"'


def _groups(rows):
    """What rows have in common, in words, and the cells of those rows, the same ones only once."""
    kinds = {}  # in the order in which the first of each comes
    for row in rows:
        kinds.setdefault((row.training, row.start_is, row.averages), []).append(row)
    groups, above = [], None
    for (training, start_is, averages), alike in kinds.items():
        words = ["Training as above." if training == above else _TRAINING[training], _START[start_is]]
        if averages != "variances":
            words.append(f"{averages.capitalize()} are averaged, not variances.")
        groups.append((" ".join(words), [_cells(row) for row in _folded(alike)]))
        above = training
    return groups


def _folded(rows):
    """Rows that differ in nothing but the name become one, with all their names."""
    alike = {}
    for row in rows:
        alike.setdefault(astuple(replace(row, framework="")), []).append(row)
    return [replace(same[0], framework=", ".join(row.framework for row in same)) for same in alike.values()]


def _cells(row):
    none = row.own_momentum is None
    start = "none" if row.start_is == "replaced" else _pair(row.start)
    return (
        row.framework,
        f"yours (here {row.kept:g})" if none else f"{row.own_momentum:g}",
        f"the {row.weighs}",
        f"{row.kept:g}",
        row.divisor,
        f"{row.eps:g}",
        f"yours (here {start})" if row.start_is_given else start,
        _pair(row.after),
        row.batch_of_one,
    )


def _html_row(cells):
    name, *cells = cells
    data = "".join(f"<td{_NO_WRAP * (len(cell) < 12)}>{html.escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{html.escape(name)}</th>{data}</tr>'


def _pair(values):
    return ", ".join(f"{value:g}" for value in values)


def _fed(name, *batches, **overrides):
    layer = BatchNorm.like(name, 1, **overrides)
    for batch in batches:
        layer(batch)
    return layer


def _running(layer):
    return float(layer.running_mean[0]), float(layer.running_var[0])


def _running_mean(name, *means):
    return _running(_fed(name, *(_BATCH - 10 + mean for mean in means)))[0]


def _divisor(name):
    """Without memory the running variance is the batch's own."""
    _, variance = _running(_fed(name, _BATCH, momentum=0.0))
    return "n" if math.isclose(variance, _BATCH.var()) else "n-1"


def _start_is(name, kept, after, divisor):
    """Tell by mean and variance after one batch, and by whether a second has no more weight than any other."""
    mean_is_free, variance_is_free = map(math.isclose, after, (_BATCH.mean(), _BATCH.var() * _FACTOR[divisor]))
    if not mean_is_free:
        return "kept"
    if math.isclose(_running_mean(name, 0, 1), 1 - kept):
        return "replaced"
    return "divided" if variance_is_free else "mean only"


def _training(name):
    """Tell whether a batch that follows another is normalised by its own standard deviation, and by which."""
    y = _fed(name, _BATCH + 5)(2 * _BATCH)
    std = (2 * _BATCH[1, 0] - 20) / y[1, 0]
    return next((by for by, factor in _FACTOR.items() if math.isclose(std**2, 40 * factor, rel_tol=1e-3)), "average")


def _averages(name):
    """Stretch a last batch two- and threefold: an average of variances goes up as its variance does, by 3 and by 8."""
    once, twice, thrice = (_running(_fed(name, _BATCH, stretch * _BATCH))[1] for stretch in (1, 2, 3))
    return "variances" if math.isclose((thrice - once) / (twice - once), 8 / 3) else "standard deviations"


def _eps(name, factor):
    """Read eps off an output: (x - mean) / y is the root of variance + eps."""
    y = _fed(name)(_TINY)
    return _tidy(round(((_TINY[0, 0] - _TINY.mean()) / y[0, 0]) ** 2 - factor * _TINY.var(), 15))


def _batch_of_one(layer, documented):
    layer.beta[:] = 0.5
    try:
        return f"gives {layer(np.array([[3.0]])).item():.3g}"
    except ValueError:
        return {"nan": "NaN on a GPU (refused here)", "nan everywhere": "NaN (refused here)"}.get(documented, "refused")


def _tidy(value):
    """Leave out what is rounding."""
    return float(f"{value:.8g}")
