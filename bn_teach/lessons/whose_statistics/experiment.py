"""Whose mean and variance normalise a test image: the training images', its own test batch's, or a mixture of both.

The bench below is plain NumPy, and the page does the same in its script: `corrupt` the held-out images, `group` them
into test batches, and let `mixed` send them through a trained network.
"""

import math
from dataclasses import dataclass

import numpy as np

from bn_teach import _checks
from bn_teach._threads import one_blas_thread
from bn_teach.data import Dataset
from bn_teach.network import BatchNormLayer, Network, in_batches
from bn_teach.training import Recording

# What a new camera does to an image whose pixels lie from 0 (black) to 1.


def blur(pixels):
    """Replace every pixel by the average of its 3 x 3 neighbourhood; beyond the edge its last pixel goes on.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (N, side * side)

    Returns
    -------
    numpy.ndarray, shape of `pixels`
    """
    side = math.isqrt(pixels.shape[1])
    padded = np.pad(pixels.reshape(-1, side, side), ((0, 0), (1, 1), (1, 1)), mode="edge")
    shifted = [padded[:, i : i + side, j : j + side] for i in range(3) for j in range(3)]
    return (sum(shifted) / 9).reshape(pixels.shape)


def noise(shape, seed=0):
    """Draw what the corruption "noise" adds to every pixel: Gaussian, standard deviation 0.35."""
    return (0.35 * _checks.generator(seed).standard_normal(shape)).astype(np.float32)


CORRUPTIONS = {
    "none": lambda pixels: pixels,
    "mist": lambda pixels: 0.3 * pixels + 0.5,
    "contrast": lambda pixels: 0.4 * pixels,
    "noise": lambda pixels: pixels + noise(pixels.shape),
    "blur": blur,
    "brighter": lambda pixels: np.minimum(pixels + 0.4, 1.0),
}
"""Name to what becomes of the pixels. Mist and contrast are ``a * x + b``; brighter is cut off at white."""


def corrupt(images, corruption, *, low=0.0, high=1.0):
    """Take the images with a worse camera.

    Parameters
    ----------
    images : numpy.ndarray, shape (N, D)
    corruption : str
        A key of `CORRUPTIONS`; "blur" needs square images.
    low, high : float
        The values that count as black and as white.

    Returns
    -------
    numpy.ndarray, shape and dtype of `images`

    Examples
    --------
    >>> corrupt(np.array([[0.0, 1.0, 1.0, 0.0]]), "mist")
    array([[0.5, 0.8, 0.8, 0.5]])
    """
    change = CORRUPTIONS[_checks.choice("corruption", corruption, tuple(CORRUPTIONS))]
    if corruption == "blur" and not is_square(images.shape[1]):
        raise ValueError(f"corruption must not be 'blur' for images that are not square, got {images.shape[1]} columns")
    return (low + (high - low) * change((images - low) / (high - low))).astype(images.dtype)


def is_square(columns):
    """Whether so many columns can be the pixels of a square image."""
    return math.isqrt(columns) ** 2 == columns


# Who is together in a test batch.


@dataclass(frozen=True, eq=False)
class Batches:
    """Test batches: B of them, with every one of M images in one.

    Attributes
    ----------
    order : numpy.ndarray of int, shape (M,)
        Rows of the images, batch after batch.
    starts, sizes : numpy.ndarray of int, shape (B,)
        Where each batch begins in `order`, and how many images it has.
    """

    order: np.ndarray
    starts: np.ndarray

    @property
    def sizes(self):
        """Images in each batch, shape (B,)."""
        return np.diff(self.starts, append=len(self.order))


def group(labels, n, *, classes=None, seed=0):
    """Share out images into test batches of n.

    Parameters
    ----------
    labels : numpy.ndarray of int, shape (M,)
    n : int
        From 1 to M. Images that fill no batch join the batch before them.
    classes : int or None
        At most so many classes are together in a batch: neighbouring ones, as if a folder sorted by class were
        read and only so many classes of it shuffled. 1 is sorted by class; None, or all classes, is shuffled.
    seed : int
        Of the shuffle. The same for every n and every number of classes: of one permutation, each batch takes
        the next images that belong to it.

    Returns
    -------
    Batches

    Examples
    --------
    >>> batches = group(np.array([0, 1, 2, 3, 0, 1, 2, 3]), 2, classes=2)
    >>> batches.sizes, np.array([0, 1, 2, 3, 0, 1, 2, 3])[batches.order[:4]].max()
    (array([2, 2, 2, 2]), np.int64(1))
    """
    n = _checks.integer("n", n, 1, len(labels))
    present, of_class = np.unique(labels, return_inverse=True)
    together = _checks.integer("classes", len(present) if classes is None else classes, 1)
    shuffled = _checks.generator(seed).permutation(len(labels))
    order, starts = [], []
    for first in range(0, len(present), together):
        rows = shuffled[of_class[shuffled] // together == first // together]
        starts += [len(order) + batch.start for batch in in_batches(len(rows), n)]
        order += rows.tolist()
    return Batches(np.array(order), np.array(starts))


# Whose statistics: the mixture.


def source_weight(N, n):
    """Weight of the training images in the mixture, N / (N + n): they count as N images among the n of a test batch.

    N = 0 leaves the test batch alone (a forgotten ``eval()``), N = infinity leaves the training images alone (inference
    mode); without a test batch (n = 0) there is nothing else either.
    """
    return np.where(np.isinf(N), 1.0, N / (np.where(np.isinf(N), 0, N) + n))


def mixture(source, batch, weight):
    """Mix a statistic of the training images with one of a test batch: ``weight * source + (1 - weight) * batch``.

    References
    ----------
    Schneider et al. (2020), "Improving robustness against common corruptions by covariate shift adaptation", section 3.
    Variances are mixed as means are; that the two means lie apart adds nothing.
    """
    return weight * source + (1 - weight) * batch


@dataclass(frozen=True, eq=False)
class Mixed:
    """What a network makes of M images in B test batches under mixed statistics.

    Attributes
    ----------
    batches : Batches
    scores : numpy.ndarray, shape (M, classes)
        In the order of the images.
    values : tuple of numpy.ndarray, shape (M, H)
        What came into each batch norm, in the order of `Batches.order`.
    batch : tuple of (mean, var), each of shape (B, H)
        Statistics of the test batches, for each batch norm; the variances divide by n.
    used : tuple of (mean, var), each of shape (B, H)
        The mixtures by which it normalised.
    """

    batches: Batches
    scores: np.ndarray
    values: tuple
    batch: tuple
    used: tuple


@one_blas_thread
def mixed(network, images, batches, source, N):
    """Send images through a network whose batch norms use mixtures of two statistics.

    Parameters
    ----------
    network : Network
        With batch norm.
    images : numpy.ndarray, shape (M, D)
    batches : Batches
    source : sequence of (mean, var), each of shape (H,)
        Statistics of the training images, for each batch norm from below.
    N : float
        0 or more: as how many images of a test batch the training images count; `math.inf`: they alone.

    Returns
    -------
    Mixed
        Every layer is fed through lower ones that use mixtures too.
    """
    N = N if np.isposinf(N) else _checks.number("N", N, 0.0)
    sizes = batches.sizes[:, None]
    weight = source_weight(N, sizes)
    values, own, used, given = [], [], [], iter(source)
    z = network.layers[0](images[batches.order])
    for layer in network.layers[1:]:
        if not isinstance(layer, BatchNormLayer):
            z = layer(z)
            continue
        batch = batch_moments(z, batches)
        by = tuple(mixture(theirs, its, weight) for theirs, its in zip(next(given), batch, strict=True))
        values.append(z)
        own.append(batch)
        used.append(by)
        z = layer.inference(z, *(np.repeat(statistic, batches.sizes, axis=0) for statistic in by))
    scores = np.empty_like(z)
    scores[batches.order] = z
    return Mixed(batches, scores, tuple(values), tuple(own), tuple(used))


def batch_moments(z, batches):
    """Mean and variance (divided by n) of every test batch, each of shape (B, H)."""
    sizes = batches.sizes[:, None]
    mean = np.add.reduceat(z, batches.starts, axis=0) / sizes
    centred = z - np.repeat(mean, batches.sizes, axis=0)
    return mean, np.add.reduceat(centred**2, batches.starts, axis=0) / sizes


@dataclass(frozen=True, eq=False)
class Bench:
    """A trained network with the statistics of its training images, and the held-out images to try it on.

    Attributes
    ----------
    dataset : Dataset
    network : Network
    source : tuple of (mean, var), each of shape (H,), float64
        Exact, by one pass of the training images.
    """

    dataset: Dataset
    network: Network
    source: tuple

    @property
    def extremes(self):
        """What counts as black and as white: the least and the largest value of the training images."""
        low, high = float(self.dataset.train_x.min()), float(self.dataset.train_x.max())
        return low, high if high > low else low + 1.0

    def images(self, corruption="none"):
        """Held-out images, taken with a worse camera: (M, D), as the network takes them."""
        low, high = self.extremes
        images = corrupt(self.dataset.validation_x, corruption, low=low, high=high)
        return images.astype(self.network.layers[0].weight.dtype)

    def training_values(self):
        """What comes into each batch norm from the training images, in inference mode: a tuple of (N, H)."""
        x = self.dataset.train_x.astype(self.network.layers[0].weight.dtype)
        together = Batches(np.arange(len(x)), np.zeros(1, dtype=np.int64))
        return mixed(self.network, x, together, self.source, math.inf).values

    def mixed(self, N, n, *, corruption="none", classes=None, seed=0):
        """Let the network read the held-out images; see `mixed`, `group` and `corrupt`."""
        batches = group(self.dataset.validation_y, n, classes=classes, seed=seed)
        return mixed(self.network, self.images(corruption), batches, self.source, N)

    def accuracy(self, N, n, *, corruption="none", classes=None, seed=0):
        """Share of the held-out images that are read rightly."""
        return float(self.right(self.mixed(N, n, corruption=corruption, classes=classes, seed=seed)).mean())

    def right(self, seen):
        """Whether each held-out image is read rightly, shape (M,); `seen` is a `Mixed`."""
        return seen.scores.argmax(axis=1) == self.dataset.validation_y


def bench(recording):
    """Set up the bench with the network at the end of a recorded run.

    Parameters
    ----------
    recording : Recording
        With batch norm.

    Returns
    -------
    Bench

    Examples
    --------
    >>> from bn_teach.lessons.shared.runs import run
    >>> tried = bench(run())
    >>> [round(tried.accuracy(N, 16), 2) for N in (0, 16, math.inf)]
    [0.96, 0.98, 0.98]
    """
    _checks.instance("recording", recording, Recording)
    if not recording.config.batch_norm:
        raise ValueError("recording must have batch norm, got one with batch_norm=False: it has no statistics to mix")
    source = tuple(
        (mean[-1], var[-1]) for mean, var in zip(recording.population_mean, recording.population_var, strict=True)
    )
    return Bench(recording.dataset, recording.network_at(len(recording.checkpoint_steps) - 1), source)
