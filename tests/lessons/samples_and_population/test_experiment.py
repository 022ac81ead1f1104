"""Batches as samples: populations whose truth is known, and closed forms against simulation.

A simulated number may be off by FIVE standard errors; the standard error is measured by cutting the batches into
GROUPS and looking at how the groups differ.
"""

import math

import numpy as np
import pytest

from bn_teach.data import EmpiricalPopulation, ExponentialPopulation, GaussianPopulation
from bn_teach.lessons.samples_and_population.experiment import sample_batches
from bn_teach.theory import expected_biased_variance, expected_std, running_mean_std, running_var_std

FIVE = 5
GROUPS = 40
BATCHES = 20_000
SIZES = (2, 4, 16, 256)  # the ends and the usual ones of the explorer's slider
LOPSIDED = np.concatenate([np.zeros(30), np.arange(12.0)])
POPULATIONS = {
    "gaussian": GaussianPopulation(mean=3.0, std=2.0),
    "skewed": ExponentialPopulation(mean=-1.0, std=0.5),
    "empirical": EmpiricalPopulation(LOPSIDED),
}


@pytest.fixture(params=POPULATIONS)
def population(request):
    return POPULATIONS[request.param]


@pytest.fixture(params=SIZES)
def sample(request, population):
    return sample_batches(population, request.param, BATCHES if request.param < 256 else 4000, seed=1)


def assert_near(statistic, values, truth):
    """`statistic` of all values is within FIVE standard errors of the truth."""
    groups = [statistic(group) for group in np.split(values, GROUPS)]
    error = np.std(groups, ddof=1) / math.sqrt(GROUPS)
    assert abs(np.mean(groups) - truth) < FIVE * error, (np.mean(groups), truth, error)


def test_means_centre_on_the_population_and_scatter_by_sigma_over_root_m(sample):
    population, m = sample.population, sample.batch_size
    assert_near(np.mean, sample.mean, population.mean)
    assert_near(np.var, sample.mean, running_mean_std(population.std, 0.0, m) ** 2 * (1 - GROUPS / len(sample.mean)))


def test_variances_are_biased_by_m_minus_1_over_m_or_unbiased(sample):
    variance = sample.population.std**2
    assert_near(np.mean, sample.biased, expected_biased_variance(variance, sample.batch_size))
    assert_near(np.mean, sample.unbiased, variance)


def test_variances_scatter_as_the_kurtosis_says(sample):
    population, m = sample.population, sample.batch_size
    formula = running_var_std(population.std, 0.0, m, excess_kurtosis=population.excess_kurtosis)
    assert_near(np.var, sample.unbiased, formula**2 * (1 - GROUPS / len(sample.mean)))


@pytest.mark.parametrize("m", SIZES)
def test_standard_deviations_average_to_less_than_sigma(m):
    sample = sample_batches(GaussianPopulation(std=3.0), m, 8000, seed=2)
    assert_near(np.mean, np.sqrt(sample.unbiased), expected_std(3.0, m))
    assert expected_std(3.0, m) < 3.0


def test_sample_keeps_the_first_batch_and_the_statistics_of_all():
    population = GaussianPopulation(mean=1.0)
    values = population.sample(8, 50, seed=9)
    sample = sample_batches(population, 8, 50, seed=9)
    assert np.array_equal(sample.first, values[0])
    np.testing.assert_allclose(sample.mean, values.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sample.biased, values.var(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sample.unbiased, values.var(axis=1, ddof=1), rtol=1e-12)
    assert sample.batch_size == 8


@pytest.mark.parametrize(("arguments", "name"), [((1, 10, 0), "batch_size"), ((4, 0, 0), "steps")])
def test_bad_input_is_refused_by_name(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        sample_batches(GaussianPopulation(), *arguments)
