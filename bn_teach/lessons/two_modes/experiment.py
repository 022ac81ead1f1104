"""One trained network in two modes: in one, a prediction depends on its neighbours; in the other, it does not."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import BatchNorm
from bn_teach.data import Dataset
from bn_teach.network import Network, in_batches, keep_running_averages
from bn_teach.replay import replay
from bn_teach.training import Recording

COMPANY = ("any", "same")
"""Who the neighbours of an image are: any images, or only images of the same class."""


class Model(Network):
    """A network whose batch norms have running averages and a mode, as in deep-learning frameworks."""

    def accuracy(self, x, labels, batch_size):
        """Predict in mini-batches, in the order given, and count what is right.

        Parameters
        ----------
        x : numpy.ndarray, shape (N, D)
        labels : numpy.ndarray of int, shape (N,)
        batch_size : int
            From 1 to N; a remainder joins the batch before it.

        Returns
        -------
        float
        """
        batches = in_batches(len(x), _checks.integer("batch_size", batch_size, 1, len(x)))
        return float(np.concatenate([self(x[rows]).argmax(axis=1) == labels[rows] for rows in batches]).mean())


def model_from(recording, momentum=0.9):
    """Build the network at the end of a recorded run, with the running averages it would have had.

    Parameters
    ----------
    recording : Recording
        With batch norm.
    momentum : float
        Weight kept on the old estimate.

    Returns
    -------
    Model
        In training mode, as a framework's would be at the end of its training.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> from bn_teach.training import TrainingConfig, train
    >>> digits = load_digits()
    >>> model = model_from(train(digits, TrainingConfig())).eval()
    >>> model.accuracy(digits.validation_x, digits.validation_y, 16) > 0.95
    True
    """
    network, statistics = _trained(recording, _checks.momentum(momentum))
    model = Model(keep_running_averages(network, momentum=momentum).layers)
    norms = [layer for layer in model.layers if isinstance(layer, BatchNorm)]
    for norm, (mean, var) in zip(norms, statistics, strict=True):
        norm.running_mean, norm.running_var = mean.copy(), var.copy()
        norm.num_batches_tracked = recording.steps
    return model


@dataclass(frozen=True, eq=False)
class BothModes:
    """What a network makes of one validation image in inference mode, and in training mode among neighbours.

    Attributes
    ----------
    dataset : Dataset
    rows : numpy.ndarray of int, shape (draws, m)
        The mini-batches, as rows of the validation set; the image itself comes first in each.
    inference : numpy.ndarray, float64, shape (classes,)
        Probabilities in inference mode.
    training : numpy.ndarray, float64, shape (draws, classes)
        Probabilities in training mode, in each of the mini-batches.
    """

    dataset: Dataset
    rows: np.ndarray
    inference: np.ndarray
    training: np.ndarray

    @property
    def image(self):
        """Which validation image."""
        return int(self.rows[0, 0])

    @property
    def label(self):
        """Its true class."""
        return int(self.dataset.validation_y[self.image])

    @property
    def batch_size(self):
        """The image and its neighbours together, m."""
        return self.rows.shape[1]


def predict_both_ways(recording, image, *, batch_size=16, company="any", draws=40, seed=0, momentum=0.9):
    """Predict one validation image alone in inference mode, and among drawn neighbours in training mode.

    Parameters
    ----------
    recording : Recording
        With batch norm; the weights at its end are used.
    image : int
        Row of the validation set.
    batch_size : int
        m: the image and m - 1 neighbours, at least 1. A larger batch keeps the neighbours of a smaller one.
    company : str
        One of `COMPANY`.
    draws : int
        How many mini-batches.
    seed : int
        Decides the neighbours, drawn with replacement.
    momentum : float
        Of the running averages used in inference mode.

    Returns
    -------
    BothModes

    Raises
    ------
    ValueError, TypeError
        For a recording of the wrong kind or without batch norm, an image that is not there, or one
        without any image of its class beside it.
    """
    network, statistics = _trained(recording, _checks.momentum(momentum))
    dataset = recording.dataset
    labels = dataset.validation_y
    image = _checks.integer("image", image, 0, len(labels) - 1)
    m = _checks.integer("batch_size", batch_size, 1)
    draws = _checks.integer("draws", draws, 1)
    others = np.arange(len(labels)) != image
    if _checks.choice("company", company, COMPANY) == "same":
        others &= labels == labels[image]
    pool = np.flatnonzero(others)
    if len(pool) == 0:
        raise ValueError(
            f"image must have neighbours to draw, got {image}, the only one of its class ({labels[image]})"
        )
    # Always as many numbers, so that a larger batch keeps the neighbours of a smaller one.
    drawn = _checks.generator(seed).integers(0, len(pool), (draws, max(m - 1, 255)))[:, : m - 1]
    rows = np.concatenate([np.full((draws, 1), image), pool[drawn]], axis=1)
    z = network.layers[0](dataset.validation_x.astype(recording.config.dtype))
    together = network.scores_by_batch(z[rows.ravel()], m)[::m]
    alone = network.inference(z[[image]], statistics)
    return BothModes(dataset, rows, _probabilities(alone)[0], _probabilities(together))


# What a forgotten eval() does to the numbers that one reads, and to the model.


FORGOTTEN_FILE = Path(__file__).with_name("forgotten_eval.json")
"""Accuracies over 16 seeds; ``python tools/forgotten_eval.py`` measures them."""


def forgotten_eval(recording):
    """Measure a trained network in inference mode, and in training mode as after a forgotten `eval()`.

    Every look is one of a model of its own, for a look in training mode also writes its running averages.

    Parameters
    ----------
    recording : Recording
        With batch norm; the weights at its end are used.

    Returns
    -------
    dict of str to float
        Validation accuracy in per cent, by how it was measured.
    """
    x, y = recording.dataset.validation_x, recording.dataset.validation_y
    by_class = np.argsort(y, kind="stable")
    looks = {"inference mode": model_from(recording).eval().accuracy(x, y, 16)}
    for m in (4, 16, 64):
        looks[f"training mode, {m} at a time"] = model_from(recording).train().accuracy(x, y, m)
    looks["training mode, 16 at a time, sorted"] = model_from(recording).train().accuracy(x[by_class], y[by_class], 16)
    for order, look in ((slice(None), "a shuffled look"), (by_class, "a sorted look")):
        model = model_from(recording).train()
        model.accuracy(x[order], y[order], 16)
        looks[f"inference mode, after {look}"] = model.eval().accuracy(x, y, 16)
    return {name: 100 * accuracy for name, accuracy in looks.items()}


def load_forgotten(path=FORGOTTEN_FILE):
    """Read what ``tools/forgotten_eval.py`` wrote: how it was measured, to an accuracy in per cent for every seed."""
    return {name: np.array(values) for name, values in json.loads(Path(path).read_text(encoding="utf-8")).items()}


# An example is among those that its batch's statistics are taken from.


@dataclass(frozen=True, eq=False)
class Slopes:
    """By how much the output of batch norm rises when its own input rises by 1, on average over mini-batches.

    Attributes
    ----------
    training : float, or numpy.ndarray of one value a unit
        Of the line that fits the outputs of training mode best (least squares).
    inference : float or numpy.ndarray
        With the exact mean and variance: 1 / standard deviation.
    average_std : float or numpy.ndarray
        Of the standard deviations of the mini-batches, each dividing by m.
    """

    training: float | np.ndarray
    inference: float | np.ndarray
    average_std: float | np.ndarray


def own_slopes(batches):
    """Compare how strongly an example's output follows its own input, in training mode and in inference mode.

    In training mode x is in the mean and in the standard deviation s of its own mini-batch. Deviations from
    a mini-batch's mean add up to 0, and so do its outputs, so that the sum of ``x * y`` over the batch is that of
    ``(x - mean) * y``, which is ``(x - mean)^2 / s``; averaged over the batch, that is s. Therefore the slope
    is the average of s divided by the variance of x, for any data: average of s / sigma times the slope in
    inference mode, 1 / sigma. For Gaussian data that is ``sqrt(2/m) * Gamma(m/2) / Gamma((m-1)/2)``.

    Parameters
    ----------
    batches : array_like, shape (batches, m) or (batches, m, C)
        Values of a unit, or of several; together they are the population. gamma is 1, beta and eps are 0.

    Returns
    -------
    Slopes

    Examples
    --------
    >>> slopes = own_slopes([[-1.0, 1.0], [-2.0, 2.0]])  # comes out as -1, 1, -1, 1
    >>> print(slopes.training, slopes.inference.round(2))
    0.6 0.63
    """
    x = _checks.array("batches", batches, shape=(None, None, ...))
    deviations, from_all = x - x.mean(axis=1, keepdims=True), x - x.mean(axis=(0, 1))
    stds, variance = x.std(axis=1, keepdims=True), (from_all**2).mean(axis=(0, 1))
    y = deviations / np.where(stds == 0, 1, stds)
    return Slopes((from_all * y).mean(axis=(0, 1)) / variance, 1 / np.sqrt(variance), stds.mean(axis=(0, 1)))


def batches_of_layer_1(recording, batch_size, *, epochs=20, seed=0):
    """Shuffle what the units of the first layer make of the training images, and cut it into mini-batches.

    Parameters
    ----------
    recording : Recording
        The weights at its end are used.
    batch_size, epochs, seed : int
        A remainder is left out.

    Returns
    -------
    numpy.ndarray, float64, shape (batches, m, C)
        What goes into the first batch norm.
    """
    network, _ = _trained(recording, 0.9)
    values = network.layers[0](recording.dataset.train_x.astype(recording.config.dtype)).astype(np.float64)
    n = len(values) // batch_size * batch_size
    rng = _checks.generator(seed)
    return np.concatenate(
        [values[rng.permutation(len(values))[:n]].reshape(-1, batch_size, values.shape[1]) for _ in range(epochs)]
    )


@lru_cache(maxsize=4)
def _trained(recording, momentum):
    """The network at the end of a run, and its running (mean, var) for each batch norm."""
    _checks.instance("recording", recording, Recording)
    if not recording.config.batch_norm:
        raise ValueError("recording must have batch norm, got one with batch_norm=False, which has one mode only")
    averages = replay(recording, momentum)
    network = recording.network_at(len(recording.checkpoint_steps) - 1)
    return network, [(mean[-1], var[-1]) for mean, var in zip(averages.mean, averages.var, strict=True)]


def _probabilities(scores):
    exponentials = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
