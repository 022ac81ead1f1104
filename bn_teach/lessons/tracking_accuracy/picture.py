"""The picture of `EstimatorRaceExplorer`: six estimators on the same weights, and what early stopping keeps."""

import math

import numpy as np
import plotly.graph_objects as go

from bn_teach.lessons.shared.choices import ESTIMATOR_WORDS, MOMENTA, cost, percent
from bn_teach.lessons.shared.panels import (
    BATCH,
    ESTIMATOR_STYLES,
    EXACT,
    GRID,
    NOTHING,
    TEXT,
    Picture,
    line,
    panels,
    see_through,
)
from bn_teach.replay import ESTIMATORS, MOVED_BY_MOMENTUM

NEAR = 0.1  # accuracy that the left panel shows below the exact statistics of the second half of a run
_COLOURS = [color for color, _ in ESTIMATOR_STYLES.values()]


def _marks(symbol, color, size, width=2):
    """They have no place in the legend: the titles of the axes explain them."""
    marker = {"symbol": symbol, "color": color, "size": size, "line": {"color": color, "width": width}}
    return {"mode": "markers", "marker": marker, "showlegend": False}


_HALO = {
    "mode": "lines",
    "line": {"color": "rgba(128, 128, 128, 0.3)", "width": 11},
    "hoverinfo": "skip",
    "showlegend": False,
}
# Where lines lie on top of each other, that of the chosen estimator lies on top of them all: each is there twice, thin
# and strong, and of the strong ones only one has points.
THIN, STRONG = 1.2, 3.5
_LINES = {
    "highlighted row": (2, "highlighted", _HALO),
    **{name: (1, ESTIMATOR_WORDS[name].short, line(*style, THIN)) for name, style in ESTIMATOR_STYLES.items()},
    **{
        f"{name}, highlighted": (1, ESTIMATOR_WORDS[name].short, line(*style, STRONG) | {"showlegend": False})
        for name, style in ESTIMATOR_STYLES.items()
    },
    "weights kept": (1, "weights kept", _marks("star", _COLOURS, 10, 0)),
    "training stops": (1, "training stops", _marks("x-thin", BATCH, 10, 3)),
    "under exact statistics": (2, "under exact statistics", _marks("line-ns", EXACT, 18)),
    "seen when kept": (2, "seen when kept", _marks("circle-open", _COLOURS, 14)),
    "as restored": (2, "as restored", _marks("circle", _COLOURS, 8, 0)),
    "here": (3, "your choice", _marks("square-open", TEXT, 24, 3)),
}


def axes(batch_sizes):
    """Draw what early stopping watches over steps, the accuracy of what it keeps, and the landscape, all empty.

    Parameters
    ----------
    batch_sizes : tuple of int
        Rows of the landscape; its columns are `MOMENTA`.
    """
    figure = panels(
        ("validation accuracy", "accuracy of the weights kept", "points lost by the moving average"),
        _LINES,
        x_titles=(
            "training step (★ kept, ✕ training stops)",
            "○ seen  ● restored  | Alg. 2",
            "momentum (↑ batch size, □ your choice)",
        ),
        widths=(0.36, 0.26, 0.38),
    )
    figure.add_trace(_heat_map(), row=1, col=3)
    figure.update_yaxes(
        tickvals=list(range(len(ESTIMATORS))),
        ticktext=[words.short for words in ESTIMATOR_WORDS.values()],
        ticklabelposition="inside top",
        range=[len(ESTIMATORS) - 0.5, -0.9],
        zeroline=False,
        col=2,
    )
    columns, rows = len(MOMENTA), len(batch_sizes)
    common = {"showgrid": False, "zeroline": False, "col": 3}
    figure.update_xaxes(
        tickvals=list(range(columns)), ticktext=_ticks(False), tickangle=0, range=[-0.5, columns - 0.5], **common
    )
    figure.update_yaxes(
        tickvals=list(range(rows)), ticktext=[str(m) for m in batch_sizes], range=[-0.5, rows - 0.5], **common
    )
    # An outline of the landscape, so that its empty part is seen to be a part of it.
    ends = {"x0": -0.5, "x1": columns - 0.5, "y0": -0.5, "y1": rows - 0.5}
    figure.add_shape(type="rect", xref="x3", yref="y3", line={"color": GRID, "width": 1}, **ends)
    return figure


def _heat_map():
    most = 10.0  # percentage points at which the colour stops deepening; the number in the cell goes on
    return go.Heatmap(
        meta="landscape",
        x=np.empty(0),
        y=np.empty(0),
        z=np.empty(0),
        zmin=-most,
        zmax=most,
        # Shades of no estimator's colour, and see-through: numbers in the cells are readable on white and on dark grey.
        colorscale=[[0.0, see_through(TEXT, 0)], [0.5, see_through(TEXT, 0)], [1.0, see_through(TEXT, 0.65)]],
        showscale=False,
        texttemplate="%{z:.1f}",
        textfont={"size": 11},
        hovertemplate="%{z:.1f} percentage points lost<extra></extra>",
    )


def picture(state, batch_sizes, replays, kept, lost):
    """Show how six estimators judge the same weights, what early stopping keeps under each, and where the valley lies.

    Parameters
    ----------
    state : EstimatorRaceState
    batch_sizes : tuple of int
        As in `axes`.
    replays : dict of str to Replay
        Of one recording, for each of `bn_teach.replay.ESTIMATORS`.
    kept : dict of str to Kept
        What early stopping keeps under each.
    lost : dict of int to (numpy.ndarray or None)
        Batch size to the percentage points of accuracy that the moving average loses against exact
        statistics, one for each of `MOMENTA`. None: its training diverged; absent: not asked for, or not
        known yet.

    Returns
    -------
    Picture
    """
    ranges = _ranges(state, replays)
    traces = {
        **_traces(state, replays, kept, ranges["xaxis2"]),
        "landscape": _landscape(batch_sizes, lost),
        "here": (
            np.array([float(MOMENTA.index(state.momentum))]),
            np.array([float(batch_sizes.index(state.batch_size))]),
        ),
    }
    return Picture(traces, ranges, _sentence(state, batch_sizes, replays, kept, lost))


def _traces(state, replays, kept, whole_row):
    exact, chosen = replays["algorithm2"], state.estimator
    steps = exact.steps.astype(np.float64)
    curves = {name: (steps, getattr(replays[name], state.metric)) for name in ESTIMATORS}
    rows = np.arange(len(ESTIMATORS), dtype=np.float64)
    best, seen, latest = (
        np.array([getattr(kept[name], which) for name in ESTIMATORS], dtype=np.float64)
        for which in ("best_step", "seen", "latest")
    )
    at_best = np.searchsorted(steps, best)
    stop = float(kept[chosen].stop_step)
    return {
        **curves,
        **{f"{name}, highlighted": curve if name == chosen else NOTHING for name, curve in curves.items()},
        "highlighted row": (np.array(whole_row), np.full(2, float(ESTIMATORS.index(chosen)))),
        "weights kept": (best, np.array([curves[name][1][k] for name, k in zip(ESTIMATORS, at_best)])),
        "training stops": (np.array([stop]), curves[chosen][1][steps == stop]),
        "under exact statistics": (exact.validation_accuracy[at_best], rows),
        "seen when kept": (seen, rows),
        "as restored": (seen if state.restore == "with" else latest, rows),
    }


def _ranges(state, replays):
    """Of the run and of lines that momentum does not move, so that they hold still under it."""
    exact = replays["algorithm2"]
    end, best = exact.validation_accuracy[-1], exact.validation_accuracy.max()
    top = float(min(best + 0.05, 1.02))
    # Near enough to tell points apart; what lies below comes in from below.
    half = len(exact.steps) // 2
    low = exact.validation_accuracy[half:].min() - NEAR
    if state.estimator not in MOVED_BY_MOMENTUM:
        low = min(low, replays[state.estimator].validation_accuracy[half:].min())
    watched = [float(max(low, 0.0)), float(best + NEAR / 8)]
    if state.metric == "validation_loss":
        watched = [0.0, math.log(exact.recording.dataset.num_classes)]  # the loss of guessing
    return {
        "xaxis": [0.0, float(max(exact.recording.steps, 1))],
        "yaxis": watched,
        "xaxis2": [float(max(end - 0.5, 0.0)), top],
        "annotations[0]": {"text": state.metric.replace("_", " ")},
        "xaxis3": {"ticktext": _ticks(state.pytorch_momentum)},
    }


def _landscape(batch_sizes, lost):
    """Columns x, y, z of the heat map, NaN where nothing is known: one cell for every pair, whatever is known."""
    x, y = np.meshgrid(np.arange(float(len(MOMENTA))), np.arange(float(len(batch_sizes))))
    unknown = np.full(len(MOMENTA), np.nan)
    rows = [unknown if lost.get(m) is None else lost[m] for m in batch_sizes]
    return x.ravel(), y.ravel(), np.round(np.concatenate(rows), 1) + 0.0  # no minus zero


def _ticks(pytorch):
    return [f"{1 - p if pytorch else p:.4g}".removeprefix("0") or "0" for p in MOMENTA]


# In words


def _sentence(state, batch_sizes, replays, kept, lost):
    """Say which weights are kept, what they are worth, and where the valley lies."""
    choice, exact = kept[state.estimator], replays["algorithm2"]
    by_algorithm2, by_one_pass = (
        percent(float(replays[name].validation_accuracy[exact.steps == choice.best_step][0]))
        for name in ("algorithm2", "population")
    )
    momentum = f" with momentum {state.momentum:g}" if state.estimator in MOVED_BY_MOMENTUM else ""
    return " ".join(
        [
            f"{ESTIMATOR_WORDS[state.estimator].subject}{momentum}: {_stopped(state, choice, exact.steps.tolist())}",
            _restored(state, choice),
            f"Under exact statistics the same weights have {by_algorithm2} by Algorithm 2, {by_one_pass} by one pass.",
            _others(kept),
            *_valley(state, batch_sizes, lost),
        ]
    )


def _stopped(state, choice, checkpoints):
    watched = state.metric.replace("_", " ")
    waited = checkpoints.index(choice.stop_step) - checkpoints.index(choice.best_step)
    end = "; the run ends before patience does"
    if waited >= state.patience:
        end = f" and stops at step {choice.stop_step}"
    return f"early stopping on {watched} keeps the weights of step {choice.best_step}{end}."


def _restored(state, choice):
    seen, latest = percent(choice.seen), percent(choice.latest)
    if state.estimator == "batch":
        return f"They have {seen}, and there is no statistic to restore: every mini-batch brings its own."
    if state.restore == "with":
        return (
            f"Restored with the statistics of that step they have the accuracy that was seen, {seen}; with the latest "
            f"ones it would be {latest}."
        )
    return (
        f"{seen} was seen then. Restored with the latest statistics, of step {choice.stop_step}, they have {latest}: "
        f"the newer statistics {cost(choice.latest - choice.seen)}."
    )


def _others(kept):
    steps = sorted({one.best_step for one in kept.values()})
    if len(steps) == 1:
        return "All six estimators keep the same checkpoint."
    return f"The six estimators keep {len(steps)} different checkpoints, of steps {steps[0]} to {steps[-1]}."


def _valley(state, batch_sizes, lost):
    """Of the current batch size, and what is known of the others."""
    if (here := lost.get(state.batch_size)) is not None:
        yield f"Landscape, batch size {state.batch_size}: {_cheap(here)}."
    if diverged := [str(m) for m, points in lost.items() if points is None]:
        yield f"Training diverged at batch size {', '.join(diverged)}."
    wanted = len(batch_sizes) if state.landscape else 1
    if len(lost) < wanted:
        yield f"({len(lost)} of {wanted} batch sizes so far; the others are being trained.)"


def _cheap(points_lost):
    """Say under which momenta less than a percentage point is lost."""
    cheap = [k for k, points in enumerate(points_lost) if points < 1]
    if not cheap:
        return "every momentum loses a percentage point or more"
    if len(cheap) == len(MOMENTA):
        return "no momentum loses as much as a percentage point"
    if cheap == list(range(cheap[0], cheap[-1] + 1)) and len(cheap) > 1:
        return f"momenta from {MOMENTA[cheap[0]]:g} to {MOMENTA[cheap[-1]]:g} lose less than a percentage point"
    return f"less than a percentage point is lost with momentum {', '.join(f'{MOMENTA[k]:g}' for k in cheap)}"
