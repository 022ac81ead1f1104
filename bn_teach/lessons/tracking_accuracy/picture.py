"""The picture of `EstimatorRaceExplorer`: six estimators on the same weights, and what early stopping keeps."""

import math

import numpy as np
import plotly.graph_objects as go

from bn_teach.lessons.shared.panels import BATCH, EXACT, GRID, OWN, RUNNING, TEXT, fill, line, panels
from bn_teach.replay import ESTIMATORS

DEBIASED, CUMULATIVE, POPULATION = "#8A63D2", "#C4568B", "#A6761D"
STYLES = {
    "ema": ("moving average", RUNNING, "solid"),
    "debiased": ("freed of its start", DEBIASED, "10px,3px"),
    "cumulative": ("cumulative", CUMULATIVE, "dashdot"),
    "algorithm2": ("Algorithm 2", EXACT, "dash"),
    "population": ("one pass", POPULATION, "8px,2px,2px,2px"),
    "batch": ("own mini-batch", OWN, "dot"),
}
SATURATED = 10.0
"""Percentage points at which the colour of the landscape stops deepening; the number in the cell goes on."""

# See-through, so that the numbers in the cells are readable on white and on dark grey.
_GAIN_TO_LOSS = [[0.0, "rgba(0, 114, 178, 0.65)"], [0.5, "rgba(128, 128, 128, 0)"], [1.0, "rgba(213, 94, 0, 0.65)"]]
_COLOURS = [STYLES[name][1] for name in ESTIMATORS]
_HALO = {"mode": "lines", "line": {"color": "rgba(128, 128, 128, 0.3)", "width": 11}, "hoverinfo": "skip"}


def _marks(symbol, color, size, width=2):
    return {
        "mode": "markers",
        "marker": {"symbol": symbol, "color": color, "size": size, "line": {"color": color, "width": width}},
        "showlegend": False,  # the titles of the axes explain them
    }


_LINES = {
    "highlighted": (1, "highlighted", {**_HALO, "showlegend": False}),
    "highlighted row": (2, "highlighted", {**_HALO, "showlegend": False}),
    **{name: (1, STYLES[name][0], line(STYLES[name][1], STYLES[name][2], 2)) for name in ESTIMATORS},
    "weights kept": (1, "weights kept", _marks("star", _COLOURS, 10, 0)),
    "training stops": (1, "training stops", _marks("x-thin", BATCH, 10, 3)),
    "under exact statistics": (2, "under exact statistics", _marks("line-ns", EXACT, 18)),
    "seen when kept": (2, "seen when kept", _marks("circle-open", _COLOURS, 14)),
    "as restored": (2, "as restored", _marks("circle", _COLOURS, 8, 0)),
    "here": (3, "your choice", _marks("square-open", TEXT, 24, 3)),
}


def race_traces(replays, kept, lost, *, momentum, batch_size, momenta, batch_sizes, chosen, restore, metric):
    """Compute the lines of `race_figure`.

    Parameters
    ----------
    replays : dict of str to Replay
        Of one recording, for each of `bn_teach.replay.ESTIMATORS`.
    kept : dict of str to Kept
        What early stopping keeps under each, watching `metric`.
    lost : dict of int to (numpy.ndarray or None)
        Batch size to the percentage points of accuracy that the moving average loses against exact
        statistics, one for each of `momenta`. None: its training diverged; absent: not known yet.
    momentum, batch_size : float, int
        The current choice.
    momenta, batch_sizes : sequence
        Axes of the landscape.
    chosen : str
        The highlighted estimator.
    restore : str
        "with" the statistics of the step whose weights are kept, or "without": with the latest.
    metric : str
        "validation_accuracy" or "validation_loss".

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray) or, for the landscape, three arrays
    """
    exact = replays["algorithm2"]
    steps = exact.steps.astype(np.float64)
    curves = {name: (steps, getattr(replays[name], metric)) for name in ESTIMATORS}
    rows = np.arange(len(ESTIMATORS), dtype=np.float64)
    best, seen, latest = (
        np.array([getattr(kept[name], which) for name in ESTIMATORS], dtype=np.float64)
        for which in ("best_step", "seen", "latest")
    )
    at_best = np.searchsorted(steps, best)
    stop = float(kept[chosen].stop_step)
    low, high = race_ranges(replays, metric=metric)["xaxis2"]
    row = float(ESTIMATORS.index(chosen))
    return {
        **curves,
        "highlighted": curves[chosen],
        "highlighted row": (np.array([low, high]), np.array([row, row])),
        "weights kept": (best, np.array([curves[name][1][k] for name, k in zip(ESTIMATORS, at_best, strict=True)])),
        "training stops": (np.array([stop]), curves[chosen][1][steps == stop]),
        "under exact statistics": (exact.validation_accuracy[at_best], rows),
        "seen when kept": (seen, rows),
        "as restored": (seen if restore == "with" else latest, rows),
        "landscape": _landscape(lost, momenta, batch_sizes),
        "here": (np.array([float(momenta.index(momentum))]), np.array([float(batch_sizes.index(batch_size))])),
    }


def race_ranges(replays, *, metric, momenta=None, pytorch=False):
    """Axis ranges and titles of `race_figure`: of the run alone, so that they hold still under momentum.

    Parameters
    ----------
    replays : dict of str to Replay
    metric : str
    momenta : sequence of float, optional
        To write along the landscape.
    pytorch : bool
        Write them the PyTorch way.

    Returns
    -------
    dict of str to list of two float, or to a dict of what else changes there
    """
    exact = replays["algorithm2"]
    end, best = exact.validation_accuracy[-1], exact.validation_accuracy.max()
    top = float(min(best + 0.05, 1.02))
    classes = exact.recording.dataset.num_classes
    watched = [float(max(end - 0.3, 0.0)), top]
    if metric == "validation_loss":
        watched = [0.0, math.log(classes)]  # the loss of guessing
    ranges = {
        "xaxis": [0.0, float(max(exact.recording.steps, 1))],
        "yaxis": watched,
        "xaxis2": [float(max(end - 0.5, 0.0)), top],
        "annotations[0]": {"text": metric.replace("_", " ")},
    }
    if momenta is not None:
        ranges["xaxis3"] = {"ticktext": _ticks(momenta, pytorch)}
    return ranges


def race_figure(replays, kept, lost, *, momenta, batch_sizes, pytorch=False, **choice):
    """Draw six estimators on the same weights, what early stopping keeps under each, and the landscape.

    Parameters
    ----------
    replays, kept, lost, momenta, batch_sizes, **choice
        As in `race_traces`. `replays` may be None: axes and empty lines, to be filled later.
    pytorch : bool
        Write momentum the PyTorch way.

    Returns
    -------
    plotly.graph_objects.Figure
        Three panels: what early stopping watches, over steps; the accuracy of the weights it keeps;
        the accuracy lost over momentum and batch size.
    """
    figure = panels(
        ("validation accuracy", "accuracy of the weights kept", "points lost by the moving average"),
        _LINES,
        x_titles=(
            "training step (★ kept, ✕ training stops)",
            "○ seen  ● as restored  | exact",
            "momentum (↑ batch size, □ your choice)",
        ),
        widths=(0.36, 0.26, 0.38),
    )
    figure.add_trace(
        go.Heatmap(
            meta="landscape",
            x=np.empty(0),
            y=np.empty(0),
            z=np.empty(0),
            zmin=-SATURATED,
            zmax=SATURATED,
            colorscale=[
                [0.0, "rgba(0, 114, 178, 0.65)"],
                [0.5, "rgba(128, 128, 128, 0)"],
                [1.0, "rgba(213, 94, 0, 0.65)"],
            ],
            showscale=False,
            texttemplate="%{z:.1f}",
            textfont={"size": 11},
            hovertemplate="%{z:.1f} percentage points lost<extra></extra>",
        ),
        row=1,
        col=3,
    )
    figure.update_yaxes(
        tickvals=list(range(len(ESTIMATORS))),
        ticktext=[STYLES[name][0] for name in ESTIMATORS],
        ticklabelposition="inside top",
        range=[len(ESTIMATORS) - 0.5, -0.9],
        zeroline=False,
        col=2,
    )
    figure.update_xaxes(tickvals=list(range(len(momenta))), ticktext=_ticks(momenta, pytorch), tickangle=0, col=3)
    figure.update_yaxes(tickvals=list(range(len(batch_sizes))), ticktext=[str(m) for m in batch_sizes], col=3)
    figure.update_xaxes(range=[-0.5, len(momenta) - 0.5], showgrid=False, zeroline=False, col=3)
    figure.update_yaxes(range=[-0.5, len(batch_sizes) - 0.5], showgrid=False, zeroline=False, col=3)
    figure.update_layout(shapes=[_frame(len(momenta), len(batch_sizes))])
    if replays is None:
        return figure
    traces = race_traces(replays, kept, lost, momenta=momenta, batch_sizes=batch_sizes, **choice)
    fill(figure, traces, race_ranges(replays, metric=choice["metric"], momenta=momenta, pytorch=pytorch))
    return figure


def _landscape(lost, momenta, batch_sizes):
    """Columns x, y, z of the heat map, NaN where nothing is known: one cell for every pair, whatever is known."""
    x, y = np.meshgrid(np.arange(len(momenta), dtype=np.float64), np.arange(len(batch_sizes), dtype=np.float64))
    unknown = np.full(len(momenta), np.nan)
    rows = [unknown if lost.get(m) is None else lost[m] for m in batch_sizes]
    return x.ravel(), y.ravel(), np.round(np.concatenate(rows), 1) + 0.0  # no minus zero


def _ticks(momenta, pytorch):
    return [f"{1 - p if pytorch else p:.4g}".removeprefix("0") or "0" for p in momenta]


def _frame(columns, rows):
    """An outline of the landscape, so that its empty part is seen to be a part of it."""
    return {
        "type": "rect",
        "xref": "x3",
        "yref": "y3",
        "x0": -0.5,
        "x1": columns - 0.5,
        "y0": -0.5,
        "y1": rows - 0.5,
        "line": {"color": GRID, "width": 1},
    }
