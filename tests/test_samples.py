"""Batches as samples: populations whose truth is known, and closed forms against simulation.

A simulated number may be off by FIVE standard errors; the standard error is measured by cutting the batches into
GROUPS and looking at how the groups differ.
"""

import math

import numpy as np
import pytest

from bn_teach.data import EmpiricalPopulation, ExponentialPopulation, GaussianPopulation
from bn_teach.samples import sample_batches
from bn_teach.theory import (
    batch_mean_density,
    batch_var_density,
    expected_biased_variance,
    expected_std,
    running_mean_std,
    running_var_std,
)

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


@pytest.mark.parametrize(("m", "factor"), [(2, 0.80), (4, 0.92), (32, 0.99)])
def test_expected_std_has_the_known_values(m, factor):
    assert round(expected_std(1.0, m), 2) == factor


@pytest.mark.parametrize("m", SIZES)
@pytest.mark.parametrize("unbiased", [True, False])
def test_density_of_the_variance_has_area_one_and_the_right_moments(m, unbiased):
    # In u = sqrt(x) the curve is smooth at 0 also for batches of two, where it has no end in x.
    u = np.linspace(1e-6, 3 * math.sqrt(5 if m > 2 else 15), 100_001)
    weight = batch_var_density(u**2, 2.0, m, unbiased=unbiased) * 2 * u
    area, mean = np.trapezoid(weight, u), np.trapezoid(weight * u**2, u)
    square = np.trapezoid(weight * u**4, u)
    factor = 1.0 if unbiased else (m - 1) / m
    assert area == pytest.approx(1, abs=1e-5)
    assert mean == pytest.approx(2.0 * factor, rel=1e-3)
    assert square - mean**2 == pytest.approx((factor * running_var_std(math.sqrt(2.0), 0.0, m)) ** 2, rel=1e-2)


def test_density_of_the_variance_is_zero_where_no_variance_is():
    assert batch_var_density([-1.0, 0.0], 1.0, 2).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("m", [1, 16])
def test_density_of_the_mean_is_a_normal_curve(m):
    x = np.linspace(-10, 20, 30_001)
    y = batch_mean_density(x, 1.5, m, mean=5.0)
    assert np.trapezoid(y, x) == pytest.approx(1)
    assert np.trapezoid(y * x, x) == pytest.approx(5.0)
    assert np.trapezoid(y * (x - 5) ** 2, x) == pytest.approx(1.5**2 / m)


@pytest.mark.parametrize("name", POPULATIONS)
def test_a_population_knows_its_moments(name):
    population = POPULATIONS[name]
    values = population.sample(100, 4000, seed=3).ravel()
    assert_near(np.mean, values, population.mean)
    assert_near(np.var, values, population.std**2)
    standard = (values - population.mean) / population.std
    assert_near(lambda group: np.mean(group**4) - 3, standard, population.excess_kurtosis)


@pytest.mark.parametrize("name", ["gaussian", "skewed"])
def test_a_population_knows_its_density(name):
    population = POPULATIONS[name]
    counts, edges = np.histogram(population.sample(100, 4000, seed=4), bins=60)
    centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    wanted = 400_000 * width * population.density(centres)
    # The curve bends within a bar: 4 % of the height is allowed for that, and a jump at the left end.
    off = np.abs(counts - wanted)[1:]
    assert (off < FIVE * np.sqrt(wanted[1:] + 1) + 0.04 * wanted[1:]).all()


def test_density_of_given_values_is_their_histogram():
    population = EmpiricalPopulation(LOPSIDED)
    x = np.linspace(-1, 12, 13_001)
    assert np.trapezoid(population.density(x), x) == pytest.approx(1, rel=1e-3)
    assert population.density([-0.5, 11.5]).tolist() == [0.0, 0.0]


def test_given_values_are_drawn_with_replacement_and_kept():
    values = np.array([1.0, 2.0, 5.0])
    population = EmpiricalPopulation(values)
    values[0] = 99.0
    assert set(np.unique(population.sample(64, 10, seed=0))) == {1.0, 2.0, 5.0}
    with pytest.raises(ValueError, match="read-only"):
        population.values[0] = 0.0


def test_sample_keeps_the_first_batch_and_the_statistics_of_all():
    population = GaussianPopulation(mean=1.0)
    values = population.sample(8, 50, seed=9)
    sample = sample_batches(population, 8, 50, seed=9)
    assert np.array_equal(sample.first, values[0])
    np.testing.assert_allclose(sample.mean, values.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sample.biased, values.var(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sample.unbiased, values.var(axis=1, ddof=1), rtol=1e-12)
    assert sample.batch_size == 8


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: sample_batches(GaussianPopulation(), 1, 10, 0), "batch_size must be a whole number of at least 2"),
        (lambda: sample_batches(GaussianPopulation(), 4, 0, 0), "steps must be"),
        (lambda: ExponentialPopulation(std=0.0), "std must be .* above 0"),
        (lambda: ExponentialPopulation(mean="1"), "mean must be"),
        (lambda: GaussianPopulation(std=0.0).density([0.0]), "std must be .* above 0"),
        (lambda: EmpiricalPopulation([2.0, 2.0]), "values must not all be equal, got 2 times 2"),
        (lambda: EmpiricalPopulation([[1.0], [2.0]]), "values must"),
        (lambda: EmpiricalPopulation([1.0, math.nan]), "values must be finite"),
        (lambda: batch_mean_density([0.0], 0.0, 4), "sigma must be .* above 0"),
        (lambda: batch_mean_density([0.0], 1.0, 0), "batch_size must be"),
        (lambda: batch_var_density([0.0], 1.0, 1), "batch_size must be"),
        (lambda: batch_var_density([0.0], -1.0, 4), "variance must be"),
        (lambda: batch_var_density([0.0], 1.0, 4, unbiased=1), "unbiased must be True or False"),
        (lambda: expected_std(1.0, 1), "batch_size must be"),
        (lambda: expected_std(-1.0, 4), "sigma must be"),
    ],
)
def test_bad_input_is_refused_by_name(call, named):
    with pytest.raises((TypeError, ValueError), match=named):
        call()
