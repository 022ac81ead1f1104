"""Mini-batches as samples: what thousands of them say about the one population they come from."""

from dataclasses import dataclass

import numpy as np

from bn_teach import _checks
from bn_teach.running import unbiased_variance


@dataclass(frozen=True, eq=False)
class BatchSample:
    """The means and variances of B independent mini-batches of m values.

    Attributes
    ----------
    population : GaussianPopulation, ExponentialPopulation or EmpiricalPopulation
        Where they come from; its `mean`, `std` and `excess_kurtosis` are known.
    first : numpy.ndarray, shape (m,)
        The values of the first mini-batch.
    mean, biased : numpy.ndarray, float64, shape (B,)
        Mean and variance of each mini-batch, the variance dividing by m.
    """

    population: object
    first: np.ndarray
    mean: np.ndarray
    biased: np.ndarray

    @property
    def batch_size(self):
        """The number of values in each mini-batch, m."""
        return len(self.first)

    @property
    def unbiased(self):
        """Variance of each mini-batch, dividing by m - 1."""
        return unbiased_variance(self.biased, self.batch_size)


def sample_batches(population, batch_size, batches, seed):
    """Draw independent mini-batches and keep their means and variances.

    Parameters
    ----------
    population : GaussianPopulation, ExponentialPopulation or EmpiricalPopulation
    batch_size : int
        m, at least 2.
    batches : int
        B, at least 1.
    seed : int or numpy.random.Generator

    Returns
    -------
    BatchSample

    Examples
    --------
    >>> from bn_teach.data import GaussianPopulation
    >>> sample = sample_batches(GaussianPopulation(mean=5.0), 16, batches=1000, seed=0)
    >>> print(sample.mean.mean().round(1), sample.mean.std().round(2))
    5.0 0.25
    """
    values = population.sample(_checks.integer("batch_size", batch_size, 2), batches, seed)
    mean = values.mean(axis=1)
    centred = values - mean[:, None]
    biased = np.einsum("bm,bm->b", centred, centred) / values.shape[1]
    return BatchSample(population, values[0].copy(), mean, biased)
