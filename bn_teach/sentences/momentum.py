"""What the picture of `MomentumExplorer` shows, in words."""

import math

import numpy as np

from bn_teach.sentences.common import LAST, cost, percent
from bn_teach.theory import effective_batches, start_up_weight


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
        "loss_at_end": float(difference[-LAST:].mean()),
    }


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
    numbers = momentum_numbers(replay, exact, layer=layer, unit=unit, step=step)
    return " ".join(
        [
            f"After {numbers['steps']:,} steps ({numbers['epochs']:.1f} epochs): {_accuracy_now(numbers)}",
            f"Layer {layer + 1}, unit {unit}: {_how_far_off(replay, numbers)}",
            _memory(replay, numbers["steps"]),
            f"Averaged over the last {min(LAST, len(replay.steps))} checkpoints of the run, these statistics "
            f"{cost(numbers['loss_at_end'])}.",
        ]
    )


def _accuracy_now(numbers):
    return (
        f"validation accuracy {percent(numbers['accuracy'])} under these statistics, "
        f"{percent(numbers['exact_accuracy'])} under the exact ones."
    )


def _how_far_off(replay, numbers):
    if numbers["mean_offset"] is None:
        return "no running statistics are used."
    mean, var, of = "running mean", "running variance", "the exact one"
    if replay.running_mean is None:
        mean, var, of = "mean used", "variance used", "that of Algorithm 2"
    offset = numbers["mean_offset"]
    side = "above" if offset >= 0 else "below"
    return (
        f"the {mean} is {abs(offset):.2f} population standard deviations {side} {of}, "
        f"the {var} {numbers['var_ratio']:.2f} times {of}."
    )


def _memory(replay, steps):
    if replay.estimator == "cumulative":
        return f"The cumulative average weighs all {steps:,} mini-batches so far alike."
    if replay.estimator in ("algorithm2", "population"):
        return "Exact statistics remember nothing: they need a pass over the training set at every checkpoint."
    if replay.estimator == "batch":
        m = replay.recording.config.batch_size
        return f"Each validation mini-batch of {m} is normalised by itself, so its examples sway each other."
    p = replay.momentum
    if p == 0:
        return "Momentum 0 remembers the latest mini-batch alone."
    if p == 1:
        return "Momentum 1 never lets a mini-batch in."
    batches = effective_batches(p)
    steady = f"{batches:,.{0 if batches >= 10 else 1}f}"
    memory = f"With momentum {p:g} the average is about as steady as one of {steady} mini-batches weighed alike"
    if batches > steps:
        memory += f", once there have been as many ({steps:,} so far)"
    left = start_up_weight(p, steps)
    if replay.estimator == "ema" and left >= 0.005:
        memory += f"; {100 * left:.0f} % of the weight is still on the initial value"
    return f"{memory}."
