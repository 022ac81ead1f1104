"""One trained network in two modes: in one, a prediction depends on its neighbours; in the other, it does not."""

from dataclasses import dataclass
from functools import lru_cache

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
