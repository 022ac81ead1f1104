"""What the picture of `MomentumExplorer` shows, in words.

The words are data: templates with named fields. Which of them apply, and what fills the fields, is decided here for a
state; whoever has both (the explorer, or the script of a page) puts them together.
"""

import math

import numpy as np

from bn_teach.lessons.shared.choices import cost, fill_in, percent
from bn_teach.replay import LAST, at_the_end
from bn_teach.theory import effective_batches, start_up_weight

_STEADY = "With momentum {momentum} the average is about as steady as one of {steady} mini-batches weighed alike"
_NOT_YET = ", once there have been as many ({steps} so far)"
_START = "; {left} % of the weight is still on the initial value"

MOMENTUM_TEMPLATES = {
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
"""Every sentence that there is, by name."""


def momentum_numbers(replay, exact, *, layer, unit, step):
    """Compute what `momentum_sentence` says.

    Parameters
    ----------
    replay : Replay
        Of the chosen estimator and one momentum.
    exact : Replay
        Of the same recording, with estimator ``algorithm2``.
    layer, unit : int
        Counted from 0.
    step : int
        Updates done; the last checkpoint up to it is described.

    Returns
    -------
    dict
        ``steps``, ``epochs``; ``mean_offset`` (in population standard deviations) and ``var_ratio``
        of the estimate against the exact statistics (None for ``batch``, or for a unit without
        variance); ``accuracy`` and ``exact_accuracy`` now; ``loss_now`` and ``loss_at_end`` (mean
        of the last checkpoints of the run), in accuracy, negative where the estimate is worse.
    """
    k = max(int(np.searchsorted(replay.steps, step, side="right")) - 1, 0)
    difference = replay.validation_accuracy - exact.validation_accuracy
    mean, var = exact.mean[layer][k, unit], exact.var[layer][k, unit]
    comparable = replay.mean is not None and var > 0
    return {
        "steps": int(replay.steps[k]),
        "epochs": float(replay.recording.epochs[k]),
        "mean_offset": float((replay.mean[layer][k, unit] - mean) / math.sqrt(var)) if comparable else None,
        "var_ratio": float(replay.var[layer][k, unit] / var) if comparable else None,
        "accuracy": float(replay.validation_accuracy[k]),
        "exact_accuracy": float(exact.validation_accuracy[k]),
        "loss_now": float(difference[k]),
        "loss_at_end": float(at_the_end(difference)),
    }


def momentum_words(replay, exact, *, layer, unit, step):
    """Choose the templates that describe a state, and what fills them.

    Parameters
    ----------
    replay, exact, layer, unit, step
        As in `momentum_numbers`.

    Returns
    -------
    names : tuple of str
        Keys of `MOMENTUM_TEMPLATES`, in the order of the sentences.
    fields : dict of str to str
        For every name in braces, as it is to be written.
    """
    numbers = momentum_numbers(replay, exact, layer=layer, unit=unit, step=step)
    fields = {
        "steps": f"{numbers['steps']:,}",
        "epochs": f"{numbers['epochs']:.1f}",
        "accuracy": percent(numbers["accuracy"]),
        "exact_accuracy": percent(numbers["exact_accuracy"]),
        "layer": str(layer + 1),
        "unit": str(unit),
        "last": str(min(LAST, len(replay.steps))),
        "cost": cost(numbers["loss_at_end"]),
    }
    far_off, more = _how_far_off(replay, numbers)
    memory, most = _memory(replay, numbers["steps"])
    return ("now", far_off, memory, "end"), {**fields, **more, **most}


def momentum_sentence(replay, exact, *, layer, unit, step):
    """Say what `figures.momentum_figure` shows: how far off, how much memory, at what cost.

    Parameters
    ----------
    replay, exact, layer, unit, step
        As in `momentum_numbers`.

    Returns
    -------
    str
    """
    names, fields = momentum_words(replay, exact, layer=layer, unit=unit, step=step)
    return fill_in(MOMENTUM_TEMPLATES, names, fields)


def _how_far_off(replay, numbers):
    """Name of a template, and its fields."""
    offset = numbers["mean_offset"]
    if offset is None:
        return "no statistics", {}
    fields = {
        "offset": f"{abs(offset):.2f}",
        "side": "above" if offset >= 0 else "below",
        "ratio": f"{numbers['var_ratio']:.2f}",
    }
    return "exact" if replay.running_mean is None else "average", fields


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
