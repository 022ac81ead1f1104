"""The picture of `MomentumExplorer`: one unit's running statistics, and the accuracy under them."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, EXACT, OWN, RUNNING, dots, fill, line, panels, steady_range
from bn_teach.replay import at_the_end
from bn_teach.running import unbiased_variance

_MINI_BATCHES = "mini-batches"
_RUNNING = "running statistics"
_EXACT = "exact statistics (Algorithm 2)"
_OWN = "each mini-batch's own statistics"
_LINES = {
    "batch means": (1, _MINI_BATCHES, dots(BATCH)),
    "running mean": (1, _RUNNING, line(RUNNING)),
    "exact mean": (1, _EXACT, line(EXACT, "dash", 2)),
    "batch variances": (2, _MINI_BATCHES, dots(BATCH)),
    "running variance": (2, _RUNNING, line(RUNNING)),
    "exact variance": (2, _EXACT, line(EXACT, "dash", 2)),
    "accuracy under running statistics": (3, _RUNNING, line(RUNNING)),
    "accuracy under exact statistics": (3, _EXACT, line(EXACT, "dash", 2)),
    "accuracy under the batch's own": (3, _OWN, line(OWN, "dot", 2)),
}


def momentum_traces(replay, exact, own, *, layer, unit, step):
    """Compute the lines of `momentum_figure`, up to and including `step`.

    Parameters
    ----------
    replay : Replay
        Of the chosen estimator and one momentum.
    exact, own : Replay
        Of the same recording, with estimators ``algorithm2`` and ``batch``.
    layer, unit : int
        Which batch norm layer (0 is the first) and which of its units.
    step : int
        Updates done.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x (steps) and y, float64.
    """
    recording = replay.recording
    done = min(step, recording.steps)
    steps = np.arange(1.0, done + 1)
    checkpoints = replay.steps[replay.steps <= step].astype(np.float64)
    upto = len(checkpoints)
    variances = recording.batch_var[layer][:done, unit]
    if replay.unbiased and done:
        variances = unbiased_variance(variances, recording.batch_sizes[:done])
    running_mean, running_var = _estimate(replay, layer, unit, done, checkpoints)
    return {
        "batch means": (steps, recording.batch_mean[layer][:done, unit].astype(np.float64)),
        "running mean": running_mean,
        "exact mean": (checkpoints, exact.mean[layer][:upto, unit]),
        "batch variances": (steps, variances.astype(np.float64)),
        "running variance": running_var,
        "exact variance": (checkpoints, exact.var[layer][:upto, unit]),
        "accuracy under running statistics": (checkpoints, replay.validation_accuracy[:upto]),
        "accuracy under exact statistics": (checkpoints, exact.validation_accuracy[:upto]),
        "accuracy under the batch's own": (checkpoints, own.validation_accuracy[:upto]),
    }


def momentum_ranges(exact, *, layer, unit):
    """Axis ranges of `momentum_figure`: of the run and the unit alone, so that they hold still under the slider.

    Parameters
    ----------
    exact : Replay
        With estimator ``algorithm2``.
    layer, unit : int

    Returns
    -------
    dict of str to list of two float
        Layout axis to range.
    """
    recording = exact.recording
    means = [recording.batch_mean[layer][:, unit], exact.mean[layer][:, unit], [0.0]]
    # As tall as the dots can get, so that the m/(m-1) switch moves them and not the axis.
    tallest = unbiased_variance(recording.batch_var[layer][:, unit], recording.batch_sizes)
    variances = [tallest, exact.var[layer][:, unit], [0.0, 1.0]]
    # Small differences matter near the top; a poor network (batch size 2) needs the whole height.
    lowest = max(0.0, round(float(at_the_end(exact.validation_accuracy)) - 0.4, 1))
    steps = [0.0, float(max(recording.steps, 1))]
    return {
        "xaxis": steps,
        "xaxis2": steps,
        "xaxis3": steps,
        "yaxis": steady_range(means),
        "yaxis2": steady_range(variances, floor=0.0),
        "yaxis3": [lowest, 1.0],
    }


def momentum_figure(replay, exact, own, *, layer, unit, step):
    """Draw one unit's running statistics, and the validation accuracy under them.

    Parameters
    ----------
    replay, exact, own, layer, unit, step
        As in `momentum_traces`. `replay` may be None: axes and empty lines, to be filled later.

    Returns
    -------
    plotly.graph_objects.Figure
        Three panels: mean, variance, validation accuracy, over steps.
    """
    titles = ("running mean", "running variance", "validation accuracy")
    figure = panels(titles, _LINES, x_titles=("training step",) * 3)
    if replay is None:
        return figure
    fill(figure, momentum_traces(replay, exact, own, layer=layer, unit=unit, step=step))
    for axis, limits in momentum_ranges(exact, layer=layer, unit=unit).items():
        figure.layout[axis].range = limits
    return figure


def _estimate(replay, layer, unit, done, checkpoints):
    """The estimate's mean and variance: every step for an average, at checkpoints for an exact one."""
    if replay.running_mean is not None:
        steps = np.arange(1.0, done + 1)
        return (steps, replay.running_mean[layer][:done, unit]), (steps, replay.running_var[layer][:done, unit])
    if replay.mean is None:  # each validation batch has its own: there is no one line to draw
        return (np.empty(0), np.empty(0)), (np.empty(0), np.empty(0))
    upto = len(checkpoints)
    return (checkpoints, replay.mean[layer][:upto, unit]), (checkpoints, replay.var[layer][:upto, unit])
