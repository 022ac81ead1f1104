"""Whose statistics fit weights that are changed after training: pruned, rounded to few bits, averaged."""

from dataclasses import dataclass

import numpy as np

from bn_teach import _checks
from bn_teach._threads import one_blas_thread
from bn_teach.replay import INITIAL_MEAN, INITIAL_VAR, replay
from bn_teach.running import exponential_moving_average
from bn_teach.training import TrainingConfig

AMOUNTS = {
    "pruned": (0, 30, 50, 70, 80, 90, 95, 98),  # per cent of the weights
    "rounded": (32, 8, 6, 5, 4, 3, 2, 1),  # bits; 32 is as trained
    "swa": (1, 2, 5, 10, 20, 40, 60, 80),  # checkpoints, the last ones, all alike
    "ema": (1, 2, 5, 10, 20, 40, 60, 80),  # checkpoints: a moving average that keeps 1 - 1/span of the old weights
}
"""A change to how far it can go; the first of each changes nothing."""

MOVING = TrainingConfig(learning_rate=1.0)
"""Weights that still jump about at the end are worth averaging."""
CONFIGS = {
    "pruned": TrainingConfig(hidden=(100, 100, 100)),
    "rounded": TrainingConfig(hidden=(100, 100, 100)),
    "swa": MOVING,
    "ema": MOVING,
}
FEW = 64


def prune(weight, percent):
    """Set the smallest weights of a layer to 0, so many per cent of them.

    Examples
    --------
    >>> prune(np.array([[0.1, -3.0], [-0.2, 2.0]]), 50)
    array([[ 0., -3.],
           [ 0.,  2.]])
    """
    smallest = np.argsort(np.abs(weight), axis=None)[: round(weight.size * percent / 100)]
    pruned = weight.copy()
    pruned.flat[smallest] = 0
    return pruned


def round_to_bits(weight, bits):
    """Keep so many bits of every weight: steps of equal size from -largest to largest, for each unit its own.

    With one bit only the sign is left, times the average size of the unit's weights.

    Parameters
    ----------
    weight : numpy.ndarray, shape (inputs, units)
    bits : int
        1 to 32; 32 leaves the weight as it is.

    Examples
    --------
    >>> round_to_bits(np.array([[0.1], [-0.8], [1.0]]), 2)
    array([[ 0.],
           [-1.],
           [ 1.]])
    """
    if bits == 32:
        return weight
    size = np.abs(weight)
    if bits == 1:
        return np.where(weight < 0, -1, 1).astype(weight.dtype) * size.mean(axis=0)
    step = np.maximum(size.max(axis=0), np.finfo(weight.dtype).tiny) / (2 ** (bits - 1) - 1)
    return np.round(weight / step) * step


def average(history, change, span):
    """Average the checkpoints of a weight or of a statistic, shape (K, ...), as "swa" or as "ema"."""
    if change == "swa":
        return history[-span:].mean(axis=0)
    return exponential_moving_average(history, 1 - 1 / span, initial=history[0])[-1].astype(history.dtype)


@dataclass(frozen=True, eq=False)
class Changed:
    """A network whose weights were changed after its training, and whose statistics it could be given.

    Attributes
    ----------
    amount : int
        Of `AMOUNTS`.
    statistics : dict of str to list of (mean, var), one for each batch norm layer, each of shape (H,)
        "old": running averages (momentum 0.9) of the weights as trained, at their end. "few": of 64 training images
        in one batch, without their labels. "recomputed": of all training images. Of averaged weights also "never":
        mean 0 and variance 1, as at the start; "first": the running averages when the averaging began;
        "averaged": running averages, averaged as the weights are.
    accuracy : dict of str to float
        Validation accuracy in per cent, under each.
    """

    amount: int
    statistics: dict
    accuracy: dict


@one_blas_thread
def change_weights(recording, change, amounts=None):
    """Change the weights of a trained network, and measure it under several statistics.

    Parameters
    ----------
    recording : Recording
        With batch norm.
    change : str
        A key of `AMOUNTS`. Pruned and rounded are the weights below a batch norm, not those of the last layer.
    amounts : sequence of int, optional
        Default: all of the change.

    Returns
    -------
    list of Changed
    """
    _checks.choice("change", change, tuple(AMOUNTS))
    running = replay(recording, 0.9)
    histories = list(zip(running.mean, running.var, strict=True))
    return [_changed(recording, histories, change, amount) for amount in amounts or AMOUNTS[change]]


def _changed(recording, histories, change, amount):
    dataset, dtype = recording.dataset, recording.config.dtype
    network = recording.network_at(len(recording.checkpoint_steps) - 1)
    if change in ("swa", "ema"):
        _average_weights(network, recording, change, amount)
    else:
        for layer in network.layers[:-1]:
            if "weight" in layer.parameters:
                layer.weight = (prune if change == "pruned" else round_to_bits)(layer.weight, amount)
    z = network.layers[0](dataset.train_x.astype(dtype))
    few = np.random.default_rng(0).permutation(len(z))[:FEW]
    statistics = {
        **(_of_averages(histories, change, amount) if change in ("swa", "ema") else {}),
        "old": [(mean[-1], var[-1]) for mean, var in histories],
        "few": network.population_statistics(z[few]),
        "recomputed": network.population_statistics(z),
    }
    held_out = network.layers[0](dataset.validation_x.astype(dtype))
    accuracy = {
        name: 100 * float(np.mean(network.inference(held_out, given).argmax(axis=1) == dataset.validation_y))
        for name, given in statistics.items()
    }
    return Changed(amount, statistics, accuracy)


def _average_weights(network, recording, change, span):
    linear = [layer for layer in network.layers if "weight" in layer.parameters]
    for layers, name in ((linear, "weight"), (linear, "bias"), (network.norms, "gamma"), (network.norms, "beta")):
        for layer, history in zip(layers, getattr(recording, name), strict=True):
            if history is not None:
                setattr(layer, name, average(history, change, span))


def _of_averages(histories, change, span):
    """Whose statistics averaged weights may be left with by those who do not compute their own."""
    began = -span if change == "swa" else 0
    return {
        "never": [
            (np.full_like(mean[-1], INITIAL_MEAN), np.full_like(var[-1], INITIAL_VAR)) for mean, var in histories
        ],
        "first": [(mean[began], var[began]) for mean, var in histories],
        "averaged": [tuple(average(history, change, span) for history in pair) for pair in histories],
    }
