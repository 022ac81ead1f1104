"""The picture of `MomentumExplorer`: one unit's running statistics, and the accuracy under them.

Its words are data: templates with named fields. `words` decides which of them apply to a state and what fills the
fields; whoever has both (`picture`, or the script of the page) puts them together.
"""

import math
from functools import lru_cache

import numpy as np

from bn_teach.lessons.shared.choices import cost, fill_in, percent
from bn_teach.lessons.shared.panels import (
    BATCH,
    EXACT,
    NOTHING,
    OWN,
    RUNNING,
    Picture,
    dots,
    line,
    panels,
    round_up,
    steady_range,
)
from bn_teach.replay import AVERAGES, LAST, at_the_end
from bn_teach.running import unbiased_variance
from bn_teach.theory import effective_batches, start_up_weight

_MINI_BATCHES = "mini-batches"
_RUNNING = "running statistics"
_EXACT = "exact statistics (Algorithm 2)"
_LINES = {
    "batch means": (1, _MINI_BATCHES, dots(BATCH)),
    "running mean": (1, _RUNNING, line(RUNNING)),
    "exact mean": (1, _EXACT, line(EXACT, "dash", 2)),
    "batch variances": (2, _MINI_BATCHES, dots(BATCH)),
    "running variance": (2, _RUNNING, line(RUNNING)),
    "exact variance": (2, _EXACT, line(EXACT, "dash", 2)),
    "training loss": (3, _MINI_BATCHES, dots(BATCH, size=3, opacity=0.35)),
    "accuracy under running statistics": (3, _RUNNING, line(RUNNING)),
    "accuracy under exact statistics": (3, _EXACT, line(EXACT, "dash", 2)),
    "accuracy under the batch's own": (3, "each mini-batch's own statistics", line(OWN, "dot", 2)),
}


def axes():
    """Draw mean, variance and accuracy over steps, without lines; the training loss has a scale at the right."""
    titles = ("running mean", "running variance", "validation accuracy, training loss")
    figure = panels(titles, _LINES, x_titles=("training step",) * 3)
    loss = {"overlaying": "y3", "side": "right", "showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_layout(yaxis4={"anchor": "x3", "title": {"text": "loss", "standoff": 4}, **loss}, margin_r=48)
    figure.update_traces(yaxis="y4", selector={"meta": "training loss"})
    return figure


def picture(replay, exact, own, *, layer, unit, step):
    """Show one unit's running statistics and the validation accuracy under them, up to and including `step`.

    Parameters
    ----------
    replay : Replay
        Of the chosen estimator and one momentum.
    exact, own : Replay
        Of the same recording, with estimators ``algorithm2`` and ``batch``.
    layer, unit : int
        Which batch norm layer and which of its units, both counted from 0.
    step : int
        Updates done.

    Returns
    -------
    Picture
    """
    where = {"layer": layer, "unit": unit}
    sentence = fill_in(TEMPLATES, *words(replay, exact, step=step, **where))
    return Picture(traces(replay, exact, own, step=step, **where), ranges(exact, **where), sentence)


def traces(replay, exact, own, *, layer, unit, step):
    """Return the lines of `picture`, whose arguments these are: x (steps) and y, float64, by key."""
    recording = replay.recording
    steps = np.arange(1.0, min(step, recording.steps) + 1)
    checkpoints = replay.steps[replay.steps <= step].astype(np.float64)
    done, upto = len(steps), len(checkpoints)
    variances = recording.batch_var[layer][:done, unit]
    if replay.unbiased[layer]:
        variances = unbiased_variance(variances, recording.batch_sizes[:done])
    running_mean, running_var = _estimate(replay, layer, unit, steps, checkpoints)
    return {
        "batch means": (steps, recording.batch_mean[layer][:done, unit].astype(np.float64)),
        "running mean": running_mean,
        "exact mean": (checkpoints, exact.mean[layer][:upto, unit]),
        "batch variances": (steps, variances.astype(np.float64)),
        "running variance": running_var,
        "exact variance": (checkpoints, exact.var[layer][:upto, unit]),
        "training loss": (steps, recording.loss[:done]),
        "accuracy under running statistics": (checkpoints, replay.validation_accuracy[:upto]),
        "accuracy under exact statistics": (checkpoints, exact.validation_accuracy[:upto]),
        "accuracy under the batch's own": (checkpoints, own.validation_accuracy[:upto]),
    }


@lru_cache(maxsize=1)  # its quantiles take as long as all the rest of a picture
def ranges(exact, *, layer, unit):
    """Return the axis ranges of `picture`: of the run and the unit alone, so that they hold still under the slider."""
    recording = exact.recording
    means = [recording.batch_mean[layer][:, unit], exact.mean[layer][:, unit], [0.0]]
    # As tall as the dots can get, so that the m/(m-1) switch moves them and not the axis.
    tallest = unbiased_variance(recording.batch_var[layer][:, unit], recording.batch_sizes)
    variances = [tallest, exact.var[layer][:, unit], [0.0, 1.0]]
    # Small differences matter near the top; with the statistics of few images the whole height is needed.
    few = recording.config.batch_size < 8
    lowest = 0.0 if few else max(0.0, round(float(at_the_end(exact.validation_accuracy)) - 0.4, 1))
    steps = [0.0, float(recording.steps)]
    return {
        "xaxis": steps,
        "xaxis2": steps,
        "xaxis3": steps,
        "yaxis": steady_range(means),
        "yaxis2": steady_range(variances, floor=0.0),
        "yaxis3": [lowest, 1.0],
        "yaxis4": [0.0, round_up(float(np.quantile(recording.loss, 0.99)))],
    }


def _estimate(replay, layer, unit, steps, checkpoints):
    """Mean and variance of the estimate: at every step for an average, at checkpoints for an exact one."""
    if replay.mean is None:  # each validation batch has its own: there is no one line to draw
        return NOTHING, NOTHING
    if replay.estimator in AVERAGES:
        return [(steps, values[: len(steps)]) for values in replay.history(layer, unit)]
    return [(checkpoints, values[layer][: len(checkpoints), unit]) for values in (replay.mean, replay.var)]


# In words

_STEADY = "With momentum {momentum} the average is about as steady as one of {steady} mini-batches weighed alike"
_NOT_YET = ", once there have been as many ({steps} so far)"
_START = "; {left} % of the weight is still on the initial value"

TEMPLATES = {
    "now": "After {steps} steps ({epochs} epochs): validation accuracy {accuracy} under these statistics, "
    "{exact_accuracy} under the exact ones.",
    "average": "Layer {layer}, unit {unit}: the running mean is {offset} population standard deviations {side} the "
    "exact one, the running variance {ratio} times the exact one.",
    "exact": "Layer {layer}, unit {unit}: the mean used is {offset} population standard deviations {side} that of "
    "Algorithm 2, the variance used {ratio} times that of Algorithm 2.",
    "no statistics": "Layer {layer}, unit {unit}: no running statistics are used.",
    "memory": f"{_STEADY}.",
    "memory, not yet": f"{_STEADY}{_NOT_YET}.",
    "memory, start": f"{_STEADY}{_START}.",
    "memory, not yet, start": f"{_STEADY}{_NOT_YET}{_START}.",
    "latest alone": "Momentum 0 remembers the latest mini-batch alone.",
    "none let in": "Momentum 1 never lets a mini-batch in.",
    "all alike": "The cumulative average weighs all {steps} mini-batches so far alike.",
    "a pass each": "Exact statistics remember nothing: they need a pass over the training set at every checkpoint.",
    "by itself": "Each validation mini-batch of {batch_size} is normalised by itself, so its examples sway each other.",
    "end": "Averaged over the last {last} checkpoints of the run, these statistics {cost}.",
}
"""Every sentence that there is, by name. A field is a name in braces and no more."""


def words(replay, exact, *, layer, unit, step):
    """Choose the sentences of `picture`, which describe the last checkpoint up to `step`.

    Parameters
    ----------
    replay, exact, layer, unit, step
        As in `picture`.

    Returns
    -------
    names : tuple of str
        Keys of `TEMPLATES`, in order.
    fields : dict of str to str
        For every name in braces, as it is to be written.
    """
    k = max(int(np.searchsorted(replay.steps, step, side="right")) - 1, 0)
    steps = int(replay.steps[k])
    fields = {
        "steps": f"{steps:,}",
        "epochs": f"{replay.recording.epochs[k]:.1f}",
        "accuracy": percent(replay.validation_accuracy[k]),
        "exact_accuracy": percent(exact.validation_accuracy[k]),
        "layer": str(layer + 1),
        "unit": str(unit),
        "last": str(min(LAST, len(replay.steps))),
        "cost": cost(at_the_end(replay.validation_accuracy - exact.validation_accuracy)),
    }
    far_off, more = _how_far_off(replay, exact, layer, (k, unit))
    memory, most = _memory(replay, steps)
    return ("now", far_off, memory, "end"), {**fields, **more, **most}


def _how_far_off(replay, exact, layer, at):
    """Name of a template, and its fields."""
    mean, var = exact.mean[layer][at], exact.var[layer][at]
    if replay.mean is None or var == 0:  # a unit that never varies cannot be off by so many deviations
        return "no statistics", {}
    offset = (replay.mean[layer][at] - mean) / math.sqrt(var)
    fields = {
        "offset": f"{abs(offset):.2f}",
        "side": "above" if offset >= 0 else "below",
        "ratio": f"{replay.var[layer][at] / var:.2f}",
    }
    return "average" if replay.estimator in AVERAGES else "exact", fields


def _memory(replay, steps):
    """Name of a template, and its fields."""
    if replay.estimator == "cumulative":
        return "all alike", {}
    if replay.estimator in ("algorithm2", "population"):
        return "a pass each", {}
    if replay.estimator == "batch":
        return "by itself", {"batch_size": str(replay.recording.config.batch_size)}
    p = replay.momentum
    if p in (0, 1):
        return "none let in" if p else "latest alone", {}
    batches, left = effective_batches(p), start_up_weight(p, steps)
    not_yet = ", not yet" if batches > steps else ""
    start = ", start" if replay.estimator == "ema" and left >= 0.005 else ""
    steady = f"{batches:,.{0 if batches >= 10 else 1}f}"
    return f"memory{not_yet}{start}", {"momentum": f"{p:g}", "steady": steady, "left": f"{100 * left:.0f}"}
