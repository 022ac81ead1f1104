"""What the page shows: every state of its controls, computed before the page is written.

The picture is that of `MomentumExplorer`, with the spread over seeds behind the accuracy.
"""

from dataclasses import dataclass, replace

import numpy as np
import plotly.graph_objects as go

from bn_teach.lessons.shared.choices import cost
from bn_teach.lessons.shared.panels import NOTHING, RUNNING
from bn_teach.lessons.start_here import drawing, picture
from bn_teach.page.whose import whose_of
from bn_teach.replay import ESTIMATORS, MOVED_BY_MOMENTUM, at_the_end
from bn_teach.replay import replay as replay_one
from bn_teach.sweep import sweep
from bn_teach.training import train

SPREAD = "accuracy of other seeds, lowest", "accuracy of other seeds, highest"


@dataclass(frozen=True)
class Row:
    """One way to get statistics for inference; momentum is None where the estimator uses none."""

    estimator: str
    momentum: float | None


def rows_of(momenta):
    """Every row of the page: an estimator with each momentum that it uses.

    The two that use one alternate: their curves end alike, and what is alike and near packs well.

    Parameters
    ----------
    momenta : tuple of float

    Returns
    -------
    tuple of Row
    """
    return (
        *(Row(name, p) for p in momenta for name in MOVED_BY_MOMENTUM),
        *(Row(name, None) for name in ESTIMATORS if name not in MOVED_BY_MOMENTUM),
    )


@dataclass(frozen=True)
class Unit:
    """A unit that the page shows; layer and number count from 0."""

    layer: int
    number: int
    why: str

    @property
    def label(self):
        """What the choice says, layers counted from 1 as in the sentences."""
        return f"layer {self.layer + 1}, unit {self.number}: {self.why}"


def choose_units(recording):
    """Choose three units: the explorer's, the one whose mean moves most, and one of the last layer.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    tuple of Unit
        Fewer if two of them are the same.
    """
    mean, var = recording.algorithm2_mean[0], recording.algorithm2_var[0]
    usual = min(7, mean.shape[1] - 1)
    moved = np.abs(mean[-1] - mean[0]) / np.sqrt(np.maximum(var[-1], np.finfo(np.float32).tiny))
    last = len(recording.algorithm2_mean) - 1
    chosen = [
        Unit(0, usual, "as in the notebooks"),
        Unit(0, int(moved.argmax()), "its mean moves most"),
        Unit(last, min(7, recording.algorithm2_mean[last].shape[1] - 1), "the last layer"),
    ]
    distinct = {(unit.layer, unit.number): unit for unit in reversed(chosen)}
    return tuple(unit for unit in chosen if distinct[unit.layer, unit.number] is unit)


@dataclass(frozen=True)
class Run:
    """One batch size: what the controls can show of it.

    Attributes
    ----------
    batch_size : int
    steps : numpy.ndarray of int, shape (K,)
        Updates done at each checkpoint.
    lines : dict of (Row, Unit) to dict of str to (x, y)
        The spread and what `picture.traces` gives at the last step; an earlier step shows the beginning of them.
    ranges : dict of Unit to dict of str to list
        Axis ranges.
    words : dict of (Row, Unit) to list of (names, fields)
        What `picture.words` gives at each checkpoint, and `drawing.fields`, but for what curves tell.
    sentences_of_seeds : dict of Row to str
    lost : dict of Row to float
        Accuracy lost against exact statistics at the end, averaged over seeds.
    """

    batch_size: int
    steps: np.ndarray
    lines: dict
    ranges: dict
    words: dict
    sentences_of_seeds: dict
    lost: dict


@dataclass(frozen=True)
class Lesson:
    """Everything that a page says and shows, before it is written as HTML."""

    dataset: object
    config: object
    batch_sizes: tuple
    momenta: tuple
    seeds: tuple
    units: tuple
    rows: tuple
    runs: tuple
    whose: object

    @property
    def default(self):
        """Which momentum, batch size, unit and estimator the page opens with: those of the explorer."""
        nearest = nearest_to_usual(self.momenta)
        batch_size = self.config.batch_size if self.config.batch_size in self.batch_sizes else self.batch_sizes[0]
        return {"momentum": nearest, "batch_size": batch_size, "estimator": "ema", "unit": self.units[0]}

    def axes(self):
        """Draw the three panels without lines."""
        figure = picture.axes()
        (lowest, highest), seeds = SPREAD, len(self.seeds)
        edge = {"mode": "lines", "line": {"width": 0, "color": RUNNING}, "hoverinfo": "skip"}
        band = {"name": f"running statistics, {seeds} seeds", "fill": "tonexty", "fillcolor": "rgba(0, 114, 178, 0.3)"}
        low = go.Scatter({**edge, "meta": lowest, "showlegend": False})
        high = go.Scatter({**edge, **band, "meta": highest, "showlegend": seeds > 1})
        figure.add_traces([low, high], rows=1, cols=3)
        figure.data = figure.data[-2:] + figure.data[:-2]  # drawn first, so that the lines lie on top
        return figure.update_layout(height=290, margin={"t": 24, "b": 36})


def nearest_to_usual(momenta):
    """The momentum with which the page opens."""
    return min(momenta, key=lambda p: abs(p - 0.9))


def make_lesson(dataset, config, batch_sizes, momenta, seeds, units, *, executor=None, progress=None):
    """Train, replay and put into words all that the page can show.

    Parameters
    ----------
    dataset, config, batch_sizes, momenta, seeds, units, executor, progress
        As in `write_page`, checked; `units` may be None.

    Returns
    -------
    Lesson
    """
    report = progress or (lambda done, total: None)
    total, rows = len(batch_sizes) * len(seeds), rows_of(momenta)
    configs = [replace(config, batch_size=m, seed=seed) for m in batch_sizes for seed in seeds[1:]]
    others = None
    if configs:
        others = sweep(
            dataset, configs, momenta, estimators=ESTIMATORS, executor=executor, progress=lambda n, _: report(n, total)
        )
    usual = config.batch_size if config.batch_size in batch_sizes else batch_sizes[0]
    # The run that the page opens with comes first: it decides which units are shown.
    runs = {}
    for batch_size in sorted(batch_sizes, key=lambda m: m != usual):
        recording = train(dataset, replace(config, batch_size=batch_size, seed=seeds[0]))
        units = choose_units(recording) if units is None else units
        if batch_size == usual:
            shown = units[0].number if units[0].layer == 0 else 0
            whose = whose_of(recording, shown, nearest_to_usual(momenta))
        beside = None
        if others is not None:
            at = batch_sizes.index(batch_size) * (len(seeds) - 1)
            beside = others.accuracy[at : at + len(seeds) - 1]
        runs[batch_size] = _run(recording, rows, momenta, units, beside)
        report(len(configs) + len(runs), total)
    ordered = tuple(runs[batch_size] for batch_size in batch_sizes)
    return Lesson(dataset, config, batch_sizes, momenta, seeds, units, rows, ordered, whose)


def _run(recording, rows, momenta, units, beside):
    """All that is shown of one recording; `beside` are the curves of the other seeds, (S - 1, M, E, K)."""
    exact, own = (replay_one(recording, estimator=name) for name in ("algorithm2", "batch"))
    lines, words, sentences, lost = {}, {}, {}, {}
    reference = _over_seeds(exact, Row("algorithm2", None), momenta, beside)
    for row in rows:
        replay = replay_one(recording, 0.9 if row.momentum is None else row.momentum, estimator=row.estimator)
        curves = _over_seeds(replay, row, momenta, beside)
        edges = [(replay.steps.astype(np.float64), edge) for edge in (curves.min(axis=0), curves.max(axis=0))]
        spread = dict(zip(SPREAD, edges if len(curves) > 1 else (NOTHING, NOTHING)))
        lost_by_seed = at_the_end(reference - curves)
        sentences[row], lost[row] = seeds_sentence(lost_by_seed), float(lost_by_seed.mean())
        for unit in units:
            where = {"layer": unit.layer, "unit": unit.number}
            lines[row, unit] = spread | picture.traces(replay, exact, own, step=recording.steps, **where)
            words[row, unit] = [_words(replay, exact, step=int(step), **where) for step in replay.steps]
    ranges = {unit: picture.ranges(exact, layer=unit.layer, unit=unit.number) for unit in units}
    return Run(recording.config.batch_size, exact.steps, lines, ranges, words, sentences, lost)


def _words(replay, exact, **where):
    names, fields = picture.words(replay, exact, **where)
    shown = {name: text for name, text in drawing.fields(replay, **where).items() if name not in drawing.CURVES}
    return names, {**fields, **shown}


def _over_seeds(replay, row, momenta, beside):
    """Accuracy curves of one row over all seeds, the one that is shown first, shape (S, K)."""
    shown = replay.validation_accuracy[None]
    if beside is None:
        return shown
    at = 0 if row.momentum is None else momenta.index(row.momentum)
    return np.concatenate([shown, beside[:, at, ESTIMATORS.index(row.estimator)]])


def seeds_sentence(lost):
    """Say what statistics cost at the end of runs that differ in nothing but the seed.

    Parameters
    ----------
    lost : numpy.ndarray, shape (S,)
        Accuracy lost against the exact statistics, averaged over the last checkpoints, for every seed.

    Returns
    -------
    str
        Empty for a single seed.

    Examples
    --------
    >>> seeds_sentence(np.array([0.04, 0.06]))
    'Over 2 seeds, such statistics cost 5.0 percentage points at the end on average; the loss lies between 4.0 and 6.0.'
    """
    if len(lost) == 1:
        return ""
    # Adding 0.0 makes a "-0.0" that rounding may leave a "0.0".
    low, high = (f"{round(100 * float(end), 1) + 0.0:.1f}" for end in (lost.min(), lost.max()))
    average = f"such statistics {cost(-float(lost.mean()))} at the end on average"
    return f"Over {len(lost)} seeds, {average}; the loss lies between {low} and {high}."
