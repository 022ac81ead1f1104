"""Data: real handwritten digits, any arrays of your own, and populations whose truth is known.

What is not allowed raises a ValueError or a TypeError that names the argument.
"""

import math
from dataclasses import dataclass
from importlib import resources

import numpy as np

from bn_teach import _checks


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and validation data for classification, checked on construction and read-only.

    Attributes
    ----------
    train_x, validation_x : numpy.ndarray, shape (N, D), float32 or float64
    train_y, validation_y : numpy.ndarray, shape (N,), int64
        Class numbers from 0.
    name : str
    """

    train_x: np.ndarray
    train_y: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray
    name: str

    def __post_init__(self):
        for part in ("train", "validation"):
            x = _floats(_checks.reals(f"{part}_x", getattr(self, f"{part}_x"), shape=(None, None)))
            y = _labels(f"{part}_y", getattr(self, f"{part}_y"), len(x))
            object.__setattr__(self, f"{part}_x", _read_only(x))
            object.__setattr__(self, f"{part}_y", _read_only(y))
        if self.train_x.shape[1] != self.validation_x.shape[1]:
            columns = self.train_x.shape[1], self.validation_x.shape[1]
            raise ValueError("validation_x must have as many columns as train_x ({}), got {}".format(*columns))
        _checks.instance("name", self.name, str)

    @property
    def num_features(self):
        """D, the number of inputs of one example."""
        return self.train_x.shape[1]

    @property
    def num_classes(self):
        """One more than the largest class number in either part."""
        return int(max(self.train_y.max(), self.validation_y.max())) + 1

    @classmethod
    def from_arrays(cls, x, y, *, validation_fraction=0.25, seed=0, name="custom"):
        """Shuffle examples and split them into a training and a validation part.

        Parameters
        ----------
        x : array_like, shape (N, ...)
            Examples; further axes are flattened. Scale them yourself (to [0, 1], say). Numbers of one or two
            bytes are kept as float32, which holds them exactly.
        y : array_like of int, shape (N,)
            Class numbers from 0.
        validation_fraction : float
            Share held out, between 0 and 1; at least one example goes to each part.
        seed : int or numpy.random.Generator
            Decides the shuffle.
        name : str

        Returns
        -------
        Dataset

        Raises
        ------
        ValueError, TypeError
            For arrays that do not fit (a column of a DataFrame is named), masked ones, and labels that look like
            years or ids: above 100, with large gaps or hardly twice the same.

        Examples
        --------
        >>> dataset = Dataset.from_arrays(np.eye(8), [0, 1] * 4)
        >>> dataset.train_x.shape, dataset.validation_x.shape
        ((6, 8), (2, 8))
        """
        x = _checks.reals("x", x, shape=(None, None, ...))
        x, y = x.reshape(len(x), -1), _ask_what_they_are("y", _labels("y", y, len(x)))
        held_out = _held_out(len(x), validation_fraction)
        order = _checks.generator(seed).permutation(len(x))
        train, validation = order[held_out:], order[:held_out]
        # Each part is converted alone: bytes are four times as large as floats.
        parts = [_floats(x[rows]) for rows in (train, validation)]
        for part in parts:
            part.flags.writeable = False  # nobody else has them, so that no copy is needed
        return cls(parts[0], y[train], parts[1], y[validation], name)


def load_digits(*, validation_fraction=0.25, seed=0):
    """Load the handwritten digits that come with the package.

    1,797 grey images of 8 x 8 pixels from the UCI repository (Alpaydin & Kaynak, 1998, "Optical
    Recognition of Handwritten Digits", doi:10.24432/C50P49, CC BY 4.0; the test part, which
    scikit-learn also ships). Pixels, 0 to 16 in the file, are divided by 16.

    Parameters
    ----------
    validation_fraction : float
        Share held out for validation, between 0 and 1.
    seed : int or numpy.random.Generator
        Decides the split.

    Returns
    -------
    Dataset
        64 features in [0, 1], float32; 10 classes.

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.train_x.shape, digits.validation_x.shape
    ((1348, 64), (449, 64))
    """
    file = resources.files("bn_teach").joinpath("digits.npz")
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
        images, labels = stored["images"], stored["labels"]
    pixels = images.astype(np.float32) / 16
    return Dataset.from_arrays(pixels, labels, validation_fraction=validation_fraction, seed=seed, name="digits")


@dataclass(frozen=True)
class GaussianPopulation:
    """A population whose mean and standard deviation are known, because we made it.

    Attributes
    ----------
    mean : float
    std : float
        0 or more.
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "mean", _checks.number("mean", self.mean))
        object.__setattr__(self, "std", _checks.number("std", self.std, 0.0))

    def sample(self, batch_size, steps, seed):
        """Draw one independent mini-batch for every step.

        Parameters
        ----------
        batch_size, steps : int, at least 1
        seed : int or numpy.random.Generator

        Returns
        -------
        numpy.ndarray, float64, shape (steps, batch_size)

        Examples
        --------
        >>> GaussianPopulation(mean=5.0, std=2.0).sample(16, steps=3, seed=0).shape
        (3, 16)
        """
        shape = _sample_shape(batch_size, steps)
        return self.mean + self.std * _checks.generator(seed).standard_normal(shape)

    @property
    def excess_kurtosis(self):
        """How much heavier than Gaussian the tails are: 0."""
        return 0.0

    def density(self, x):
        """Return how densely the values lie around each `x`; `std` must be above 0."""
        spread = _checks.number("std", self.std, above=0.0)
        standard = (_checks.array("x", x).astype(np.float64) - self.mean) / spread
        return np.exp(-(standard**2) / 2) / (spread * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class ExponentialPopulation:
    """A lopsided population whose mean, standard deviation and kurtosis are known: most values small, a few large.

    ``mean + std * (E - 1)``, where E is exponential with mean 1.

    Attributes
    ----------
    mean : float
    std : float above 0
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "mean", _checks.number("mean", self.mean))
        object.__setattr__(self, "std", _checks.number("std", self.std, above=0.0))

    @property
    def excess_kurtosis(self):
        """How much heavier than Gaussian the tails are: 6."""
        return 6.0

    def density(self, x):
        """Return how densely the values lie around each `x`."""
        standard = (_checks.array("x", x).astype(np.float64) - self.mean) / self.std
        return np.where(standard >= -1, np.exp(-np.maximum(standard, -1) - 1), 0.0) / self.std

    def sample(self, batch_size, steps, seed):
        """Draw one independent mini-batch for every step, as `GaussianPopulation.sample` does."""
        shape = _sample_shape(batch_size, steps)
        return self.mean + self.std * (_checks.generator(seed).standard_exponential(shape) - 1)


class EmpiricalPopulation:
    """A population that consists of given values, such as what one unit makes of every training example.

    Parameters
    ----------
    values : array_like, shape (N,)
        Not all equal.

    Attributes
    ----------
    values : numpy.ndarray, float64, shape (N,), read-only
    mean, std, excess_kurtosis : float
        Exact: of all the values.
    """

    def __init__(self, values):
        self.values = _read_only(_checks.array("values", values, shape=(None,)).astype(np.float64))
        self.mean, self.std = float(self.values.mean()), float(self.values.std())
        if self.values.min() == self.values.max():
            raise ValueError(f"values must not all be equal, got {len(self.values)} times {self.values[0]:g}")
        self.excess_kurtosis = float((((self.values - self.mean) / self.std) ** 4).mean()) - 3
        self._heights, self._edges = np.histogram(self.values, bins=40, density=True)

    def density(self, x):
        """Return how densely the values lie around each `x`, by a histogram of 40 bars."""
        heights = np.concatenate([[0.0], self._heights, [0.0]])
        return heights[np.searchsorted(self._edges, _checks.array("x", x), side="right")]

    def sample(self, batch_size, steps, seed):
        """Draw one independent mini-batch for every step, as `GaussianPopulation.sample` does: with replacement.

        Training draws without replacement, epoch by epoch; `minibatches` does that.
        """
        shape = _sample_shape(batch_size, steps)
        return self.values[_checks.generator(seed).integers(0, len(self.values), shape)]


def minibatches(n, batch_size, *, steps, seed, drop_last=True):
    """Yield the row numbers of every mini-batch: shuffled epochs, without replacement within one.

    Parameters
    ----------
    n : int
        Number of training examples.
    batch_size : int
        From 1 to n.
    steps : int
        How many batches to yield.
    seed : int or numpy.random.Generator
    drop_last : bool
        Leave out the examples of an epoch that do not fill a batch; otherwise they form a smaller one.

    Yields
    ------
    numpy.ndarray of int, shape (batch_size,), or less for the last batch of an epoch

    Examples
    --------
    >>> [len(rows) for rows in minibatches(5, 2, steps=4, seed=0, drop_last=False)]
    [2, 2, 1, 2]
    """
    _checks.integer("batch_size", batch_size, 1, n)  # or an epoch would have no batch, and this no end
    rng = np.random.default_rng(seed)
    used = n - n % batch_size if drop_last else n
    while steps > 0:
        order = rng.permutation(n)
        for start in range(0, used, batch_size)[:steps]:
            yield order[start : min(start + batch_size, used)]
            steps -= 1


def _sample_shape(batch_size, steps):
    m = _checks.integer("batch_size", batch_size, 1)
    return _checks.integer("steps", steps, 1), m


def _held_out(n, fraction):
    fraction = _checks.number("validation_fraction", fraction, above=0.0)
    if n < 2 or fraction >= 1:
        raise ValueError(
            "validation_fraction must be below 1 and there must be at least 2 examples to split, "
            f"got validation_fraction={fraction} and {n} example(s)"
        )
    return min(max(round(fraction * n), 1), n - 1)


def _labels(name, value, length):
    try:
        return _checks.integers(name, value, 0, shape=(length,))
    except TypeError as error:
        error.add_note("Classes are numbered from 0; np.unique(labels, return_inverse=True) numbers other labels.")
        raise


def _ask_what_they_are(name, labels):
    """Refuse numbers that are no classes: a network has an output for each, up to the largest."""
    classes, found = int(labels.max()) + 1, len(np.unique(labels))
    if classes > 100 and (classes > 10 * found or 2 * found > len(labels)):
        raise ValueError(
            f"{name} must be class numbers from 0, got {found} different ones up to {classes - 1} in {len(labels)} "
            "examples: are they years, ids, or something measured? np.unique(labels, return_inverse=True)[1] numbers "
            "what there is from 0"
        )
    return labels


def _floats(values):
    """Floats as they are; whole numbers as float64, or as float32 if that holds them exactly."""
    if values.dtype in (np.float32, np.float64):
        return values
    return values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)


def _read_only(array):
    if array.flags.writeable or array.base is not None:
        array = array.copy()  # whoever changes their own array later does not change the dataset
        array.flags.writeable = False
    return array
