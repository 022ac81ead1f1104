"""Figure 1 of the paper: accuracy with and without batch norm, and what one sigmoid is given over the training."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, EXACT, RUNNING, fill, line, panels
from bn_teach.lessons.the_paper.experiment import PERCENTILES

_WITHOUT, _WITH = "without batch norm", "with batch norm"
TARGETS = (0.90, 0.93)


def _lines():
    table = {f"accuracy {target:.2f}": (1, "0.90 and 0.93", line(BATCH, "dot", 1)) for target in TARGETS}
    for panel, side, color, dash in ((2, _WITHOUT, EXACT, "dash"), (3, _WITH, RUNNING, "solid")):
        table[f"accuracy {side}"] = (1, side, line(color, dash))
        for percentile in PERCENTILES:
            width = 2.5 if percentile == 50 else 1.2
            table[f"{percentile}th percentile {side}"] = (panel, side, line(color, dash, width))
    return table


_LINES = _lines()


def paper_traces(without, with_norm):
    """Compute the lines of `paper_figure`.

    Parameters
    ----------
    without, with_norm : Side
        From `bn_teach.lessons.the_paper.experiment.run_figure`.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x (steps) and y, float64.
    """
    ends = np.array([0.0, float(with_norm.recording.steps)])
    traces = {f"accuracy {target:.2f}": (ends, np.full(2, target)) for target in TARGETS}
    for name, side in ((_WITHOUT, without), (_WITH, with_norm)):
        steps = side.recording.checkpoint_steps.astype(np.float64)
        traces[f"accuracy {name}"] = (steps, side.accuracy)
        for row, percentile in enumerate(PERCENTILES):
            traces[f"{percentile}th percentile {name}"] = (steps, side.inputs[:, row, side.unit])
    return traces


def paper_ranges(without, with_norm):
    """Axis ranges of `paper_figure`: the two right panels share theirs, so that they can be compared by eye.

    Parameters
    ----------
    without, with_norm : Side

    Returns
    -------
    dict of str to list of two float
    """
    shown = np.concatenate([side.inputs[:, :, side.unit].ravel() for side in (without, with_norm)])
    margin = 0.05 * (shown.max() - shown.min())
    inputs = [float(shown.min() - margin), float(shown.max() + margin)]
    steps = [0.0, float(with_norm.recording.steps)]
    return {"xaxis": steps, "xaxis2": steps, "xaxis3": steps, "yaxis": [0.0, 1.0], "yaxis2": inputs, "yaxis3": inputs}


def paper_figure(without, with_norm):
    """Draw Figure 1: (a) validation accuracy; (b, c) percentiles of the input of one sigmoid of the last layer.

    Parameters
    ----------
    without, with_norm : Side or None
        From `bn_teach.lessons.the_paper.experiment.run_figure`; None: not trained yet.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    titles = ("(a) validation accuracy", "(b) a sigmoid's input, without", "(c) a sigmoid's input, with")
    figure = panels(titles, _LINES, x_titles=("training step",) * 3)
    if with_norm is not None:
        fill(figure, paper_traces(without, with_norm), paper_ranges(without, with_norm))
    return figure
