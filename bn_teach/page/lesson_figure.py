"""The picture of the page: that of `MomentumExplorer`, with the spread over seeds behind the accuracy."""

import numpy as np
import plotly.graph_objects as go

from bn_teach.lessons.shared.panels import RUNNING
from bn_teach.lessons.start_here.picture import momentum_figure, momentum_traces

LOWEST, HIGHEST = "accuracy of other seeds, lowest", "accuracy of other seeds, highest"
_FILL = "rgba(0, 114, 178, 0.3)"
_HEIGHT = 290


def lesson_traces(replay, exact, own, spread, *, layer, unit, step):
    """Compute the lines of `lesson_figure`, up to and including `step`.

    Parameters
    ----------
    replay, exact, own, layer, unit, step
        As in `momentum_traces`.
    spread : (numpy.ndarray, numpy.ndarray) or None
        Lowest and highest accuracy over the seeds at every checkpoint, shape (K,); None for a single seed.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x (steps) and y, float64.
    """
    lines = momentum_traces(replay, exact, own, layer=layer, unit=unit, step=step)
    checkpoints, _ = lines["accuracy under exact statistics"]
    upto = len(checkpoints)
    low, high = (np.empty(0), np.empty(0)) if spread is None else (spread[0][:upto], spread[1][:upto])
    return {LOWEST: (checkpoints[: len(low)], low), HIGHEST: (checkpoints[: len(high)], high), **lines}


def lesson_figure(seeds):
    """Draw axes and empty lines, to be filled with `lesson_traces`.

    Parameters
    ----------
    seeds : int
        How many runs the spread is of.

    Returns
    -------
    plotly.graph_objects.Figure
        Three panels side by side.
    """
    figure = momentum_figure(None, None, None, layer=0, unit=0, step=0)
    edge = {"x": np.empty(0), "y": np.empty(0), "mode": "lines", "line": {"width": 0, "color": RUNNING}}
    edge |= {"hoverinfo": "skip", "xaxis": "x3", "yaxis": "y3"}
    name = f"running statistics, {seeds} seeds"
    low = go.Scatter({**edge, "meta": LOWEST, "showlegend": False})
    high = go.Scatter({**edge, "meta": HIGHEST, "name": name, "showlegend": seeds > 1})
    figure.add_traces([low, high.update(fill="tonexty", fillcolor=_FILL)])
    figure.data = figure.data[-2:] + figure.data[:-2]  # drawn first, so that the lines lie on top
    return figure.update_layout(height=_HEIGHT, margin={"t": 24, "b": 36})
