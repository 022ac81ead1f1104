"""Each closed form against simulation, and its limits by hand.

A simulation repeats `RUNS` independent runs. What it measures differs from the closed form by chance,
so every comparison allows `ERRORS` standard errors, derived where it is used. Five of them are exceeded
once in 1.7 million comparisons; the seeds are fixed, so a test that passes goes on passing.
"""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_teach.data import GaussianPopulation
from bn_teach.running import exponential_moving_average, unbiased_variance
from bn_teach.theory import (
    batch_mean_density,
    batch_var_density,
    best_momentum,
    drift_lag,
    effective_batches,
    expected_biased_variance,
    expected_std,
    memory_weights,
    running_mean_std,
    running_var_std,
    start_up_weight,
)

RUNS = 2000
ERRORS = 5
LONG = 60  # steps after which momenta up to 0.9 have forgotten their start: 0.9^60 = 0.002

SETTINGS = list(product([0.0, 0.5, 0.9, 0.99], [2, 4, 16], [1, 12])) + list(product([0.0, 0.5, 0.9], [2, 8], [LONG]))


def batches(draw, m, steps, runs=RUNS, seed=0):
    """`runs` independent runs of `steps` mini-batches of `m`: means and biased variances, shape (steps, runs)."""
    x = draw(np.random.default_rng(seed), (steps, runs, m))
    return x.mean(axis=-1), x.var(axis=-1)


def normal(rng, size):
    return rng.normal(1.0, 3.0, size)


def assert_std_is(values, expected):
    """Compare a sample standard deviation with the true one.

    The sample variance s^2 of n values has the variance sigma^4 (kurtosis - 1) / n (kurtosis 3 for a Gaussian), so s is
    uncertain by s sqrt((kurtosis - 1) / (4 n)).
    """
    centred = values - values.mean()
    kurtosis = np.mean(centred**4) / np.mean(centred**2) ** 2
    error = expected * math.sqrt((kurtosis - 1) / (4 * len(values)))
    assert abs(values.std(ddof=1) - expected) < ERRORS * error


# The weight left on the start


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99, 0.999, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_start_up_weight_is_what_is_left_of_the_start(momentum, steps):
    left = exponential_moving_average(np.zeros(steps), momentum, initial=1.0)[-1]
    np.testing.assert_allclose(start_up_weight(momentum, steps), left, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("steps", [0, 1, 2, 100])
def test_memory_weights_are_what_each_batch_gives_to_the_average(momentum, steps):
    start, weights = memory_weights(momentum, steps)
    assert start == pytest.approx(
        start_up_weight(momentum, steps), rel=1e-12
    )  # powers of arrays and of numbers round differently
    assert start + weights.sum() == pytest.approx(1)
    for k in {0, steps // 2, steps - 1} & set(range(steps)):  # k steps ago one batch said 1, and all others 0
        history = np.zeros(steps)
        history[steps - 1 - k] = 1.0
        assert exponential_moving_average(history, momentum)[-1] == pytest.approx(weights[k])


def test_start_up_weight_before_the_first_step_is_one():
    assert [start_up_weight(p, 0) for p in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]


def test_start_up_weight_of_0_99_after_100_steps():
    assert start_up_weight(0.99, 100) == pytest.approx(0.366, abs=5e-4)


def test_start_up_weight_at_many_steps_at_once():
    np.testing.assert_array_equal(start_up_weight(0.5, np.arange(4)), [1.0, 0.5, 0.25, 0.125])


# How many batches an average remembers


@pytest.mark.parametrize("momentum", [*np.linspace(0, 0.95, 20), 0.99])
def test_effective_batches_is_one_over_the_sum_of_squared_weights(momentum):
    impulse = np.zeros(3000)
    impulse[0] = 1
    weights = exponential_moving_average(impulse, momentum)  # the weight of a batch 0, 1, 2, ... steps later
    np.testing.assert_allclose(effective_batches(momentum), 1 / np.sum(weights**2), rtol=1e-9)


def test_effective_batches_by_hand():
    assert effective_batches(0.0) == 1
    assert effective_batches(0.5) == 3
    assert effective_batches(1.0) == math.inf


@given(st.floats(0, 0.999), st.integers(1, 64))
def test_effective_batches_explain_the_std_of_the_running_mean(momentum, m):
    equal_weights = 2.0 / math.sqrt(m * effective_batches(momentum))
    assert running_mean_std(2.0, momentum, m) == pytest.approx(equal_weights, rel=1e-9)


# The noise of the running mean


@pytest.mark.parametrize(("momentum", "m", "steps"), SETTINGS)
def test_std_of_the_running_mean(momentum, m, steps):
    means, _ = batches(normal, m, steps)
    running = exponential_moving_average(means, momentum, initial=7.0)[-1]
    assert_std_is(running, running_mean_std(3.0, momentum, m, steps))


@pytest.mark.parametrize(("momentum", "m"), list(product([0.0, 0.3, 0.6, 0.8, 0.9], [1, 2, 5, 10])))
def test_std_of_the_running_mean_in_the_limit(momentum, m):
    means, _ = batches(normal, m, LONG, seed=1)
    assert_std_is(exponential_moving_average(means, momentum)[-1], running_mean_std(3.0, momentum, m))


def test_std_of_the_running_mean_by_hand():
    assert running_mean_std(3.0, 0.0, 9) == 1.0  # only the latest batch: sigma / sqrt(m)
    assert running_mean_std(3.0, 1.0, 9) == 0.0  # nothing ever enters
    assert running_mean_std(3.0, 0.75, 9, steps=1) == pytest.approx(0.25)  # one batch, weight 1/4
    assert running_mean_std(3.0, 0.75, 9, steps=0) == 0.0  # the initial value is a constant
    assert running_mean_std(1.0, 0.6, 1) == pytest.approx(0.5)  # sqrt(0.4 / 1.6)
    assert running_mean_std(0.0, 0.5, 9) == 0.0


@given(st.floats(0, 0.999), st.integers(1, 100))
def test_std_of_the_running_mean_grows_to_its_limit(momentum, m):
    by_step = running_mean_std(1.0, momentum, m, np.arange(0, 20_000, 100))
    assert (np.diff(by_step) >= 0).all()
    assert by_step[-1] == pytest.approx(running_mean_std(1.0, momentum, m), rel=1e-9)


def test_steps_of_a_small_integer_type_do_not_overflow():
    assert running_mean_std(1.0, 0.99, 1, np.int8(100)) == running_mean_std(1.0, 0.99, 1, 100)


# The noise of the running variance


@pytest.mark.parametrize(("momentum", "m", "steps"), SETTINGS)
def test_std_and_mean_of_the_running_variance(momentum, m, steps):
    _, variances = batches(normal, m, steps, seed=2)
    running = exponential_moving_average(unbiased_variance(variances, m), momentum, initial=1.0)[-1]
    std = running_var_std(3.0, momentum, m, steps)
    assert_std_is(running, std)
    left = start_up_weight(momentum, steps)
    expected = left * 1.0 + (1 - left) * 9.0
    assert abs(running.mean() - expected) < ERRORS * std / math.sqrt(RUNS)


POPULATIONS = {
    # name: (how to draw, variance, excess kurtosis)
    "coin": (lambda rng, size: rng.integers(0, 2, size) * 2.0 - 1, 1.0, -2.0),
    "uniform": (lambda rng, size: rng.uniform(-1, 1, size), 1 / 3, -1.2),
    "laplace": (lambda rng, size: rng.laplace(0, 1, size), 2.0, 3.0),
    "exponential": (lambda rng, size: rng.exponential(1, size), 1.0, 6.0),
}


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize(("momentum", "m"), list(product([0.0, 0.5, 0.9], [3, 10])))
def test_std_of_the_running_variance_depends_on_the_kurtosis(population, momentum, m):
    draw, variance, kurtosis = POPULATIONS[population]
    _, variances = batches(draw, m, LONG, seed=3)
    running = exponential_moving_average(unbiased_variance(variances, m), momentum, initial=variance)[-1]
    assert_std_is(running, running_var_std(math.sqrt(variance), momentum, m, LONG, excess_kurtosis=kurtosis))


def test_std_of_the_running_variance_by_hand():
    assert running_var_std(1.0, 0.0, 2) == pytest.approx(math.sqrt(2))  # chi-squared, 1 degree of freedom
    assert running_var_std(3.0, 0.0, 9) == pytest.approx(9 * 0.5)  # sqrt(2 / 8)
    assert running_var_std(3.0, 1.0, 9) == 0.0
    assert running_var_std(1.0, 0.75, 9, steps=1) == pytest.approx(0.5 * 0.25)
    assert running_var_std(1.0, 0.0, 4, excess_kurtosis=-2.0) == pytest.approx(math.sqrt(2 / 3 - 1 / 2))


# A moving target


@pytest.mark.parametrize(("momentum", "drift", "m"), list(product([0.0, 0.5, 0.8, 0.9], [-0.1, 0.01, 0.3], [2, 16])))
def test_the_running_mean_lags_behind_a_moving_target(momentum, drift, m):
    runs, steps = 100, 150  # 0.9^150 is 1e-7
    population = GaussianPopulation(mean=5.0, std=2.0)
    means = population.sample(m * runs, steps, seed=0).reshape(steps, runs, m).mean(axis=-1)
    means += drift * np.arange(steps)[:, None]
    running = exponential_moving_average(means, momentum, initial=5.0)[-1]
    target = 5.0 + drift * (steps - 1)
    error = running_mean_std(2.0, momentum, m) / math.sqrt(runs)
    assert abs((target - running.mean()) - drift_lag(momentum, drift)) < ERRORS * error


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.95])
def test_the_lag_without_noise_is_exact(momentum):
    means = 0.1 * np.arange(1000)
    running = exponential_moving_average(means, momentum)
    assert means[-1] - running[-1] == pytest.approx(drift_lag(momentum, 0.1), rel=1e-9, abs=1e-12)


def test_drift_lag_by_hand():
    assert drift_lag(0.0, 0.3) == 0.0
    assert drift_lag(0.5, 0.3) == pytest.approx(0.3)
    assert drift_lag(0.75, -0.1) == pytest.approx(-0.3)
    assert drift_lag(1.0, 0.0) == 0.0
    assert drift_lag(1.0, 0.1) == math.inf
    assert drift_lag(1.0, -0.1) == -math.inf
    assert drift_lag(1.0, 0.5, 10) == 5.0  # all the way that the target went


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("steps", [0, 1, 2, 10, 200])
def test_the_lag_after_a_number_of_steps(momentum, steps):
    target = 0.3 * np.arange(1, steps + 1)  # it stood at 0, where the average starts, and moved before every update
    running = exponential_moving_average(target, momentum)[-1] if steps else 0.0
    assert drift_lag(momentum, 0.3, steps) == pytest.approx(0.3 * steps - running, rel=1e-9, abs=1e-12)


def test_the_lag_by_steps_grows_to_its_limit():
    by_step = drift_lag(0.9, -0.1, np.arange(500))
    assert by_step[0] == 0
    assert (np.diff(by_step) <= 0).all()
    assert by_step[-1] == pytest.approx(drift_lag(0.9, -0.1), rel=1e-9)


# Bias of the mini-batch variance


@pytest.mark.parametrize("m", [*range(2, 21), 32])
def test_the_biased_variance_is_too_small_by_m_minus_1_over_m(m):
    _, variances = batches(normal, m, steps=1, runs=5000, seed=m)
    # A Gaussian's biased variance has the standard deviation sigma^2 sqrt(2 (m-1)) / m.
    error = 9.0 * math.sqrt(2 * (m - 1)) / m / math.sqrt(variances.size)
    assert abs(variances.mean() - expected_biased_variance(9.0, m)) < ERRORS * error


def test_expected_biased_variance_by_hand():
    assert expected_biased_variance(9.0, 1) == 0.0  # a single value has no variance
    assert expected_biased_variance(9.0, 2) == 4.5
    assert expected_biased_variance(1.0, 32) == pytest.approx(0.97, abs=2e-3)


@given(st.floats(0, 1e6), st.integers(2, 1000))
def test_unbiased_variance_undoes_the_bias(variance, m):
    restored = unbiased_variance(expected_biased_variance(variance, m), m)
    assert restored == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize("m", [*range(2, 21), 32])
def test_the_standard_deviation_is_too_small_even_where_the_variance_is_unbiased(m):
    _, variances = batches(normal, m, steps=1, runs=5000, seed=m)
    stds = np.sqrt(unbiased_variance(variances, m))
    error = math.sqrt(9.0 - expected_std(3.0, m) ** 2) / math.sqrt(stds.size)  # Var[s] = E[s^2] - E[s]^2
    assert abs(stds.mean() - expected_std(3.0, m)) < ERRORS * error


def test_expected_std_by_hand():
    assert expected_std(3.0, 2) == pytest.approx(3 * math.sqrt(2 / math.pi))  # |N(0, 1)| has the mean sqrt(2 / pi)
    assert expected_std(1.0, 3) == pytest.approx(math.sqrt(math.pi) / 2)  # Rayleigh
    assert expected_std(1.0, 10_000) == pytest.approx(1, abs=1e-4)
    assert expected_std(0.0, 5) == 0.0


# Where the statistics of one mini-batch lie


def assert_density_fits(density, values, grid):
    """Compare the share of `values` below each point of `grid` with the area under the curve.

    The share of n values is uncertain by at most sqrt(1/4 / n).
    """
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    assert area[-1] == pytest.approx(1, abs=2e-3)
    below = np.searchsorted(np.sort(values), grid) / len(values)
    assert abs(below - area).max() < ERRORS * math.sqrt(0.25 / len(values)) + 2e-3  # and the trapezoids' error


@pytest.mark.parametrize("m", [1, 2, 5, 16])
def test_density_of_the_batch_mean(m):
    means, _ = batches(normal, m, steps=1, runs=20_000, seed=5)
    grid = np.linspace(-20, 20, 2001)
    assert_density_fits(batch_mean_density(grid, 3.0, m, mean=1.0), means[0], grid)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("m", [3, 5, 16])  # with m = 2 the curve has no highest point, which trapezoids cannot follow
def test_density_of_the_batch_variance(m, unbiased):
    _, variances = batches(normal, m, steps=1, runs=20_000, seed=6)
    grid = np.linspace(1e-9, 120, 20_001)
    values = unbiased_variance(variances[0], m) if unbiased else variances[0]
    assert_density_fits(batch_var_density(grid, 9.0, m, unbiased=unbiased), values, grid)


def test_densities_by_hand():
    assert batch_mean_density([1.0], 3.0, 9, mean=1.0)[0] == pytest.approx(1 / math.sqrt(2 * math.pi))
    # Two values: (a - b)^2 / 2 of standard normals is chi-squared with one degree of freedom.
    assert batch_var_density([1.0], 1.0, 2)[0] == pytest.approx(math.exp(-0.5) / math.sqrt(2 * math.pi))
    # Three values, divided by m - 1 = 2: exponential with mean 1. Divided by 3: with mean 2/3.
    np.testing.assert_allclose(batch_var_density([0.5, 2.0], 1.0, 3), np.exp([-0.5, -2.0]))
    np.testing.assert_allclose(batch_var_density([0.5], 1.0, 3, unbiased=False), 1.5 * np.exp([-0.75]))
    np.testing.assert_array_equal(batch_var_density([-1.0, 0.0], 1.0, 5), [0.0, 0.0])


# The best momentum


def mean_squared_error(momentum, sigma, m, drift):
    """Of the running mean, long after the start: variance plus squared lag, from the weights themselves."""
    return sigma**2 / m * (1 - momentum) / (1 + momentum) + (drift * momentum / (1 - momentum)) ** 2


@pytest.mark.parametrize(("sigma", "m", "drift"), list(product([0.5, 1.0, 10.0], [1, 2, 16, 256], [1e-4, 0.01, 1.0])))
def test_best_momentum_against_brute_force(sigma, m, drift):
    grid = 1 - np.geomspace(1e-6, 1, 200_001)  # steps of 1e-4 relative in 1 - p
    errors = mean_squared_error(grid, sigma, m, drift)
    found = best_momentum(sigma, m, drift)
    assert mean_squared_error(found, sigma, m, drift) <= errors.min() * (1 + 1e-12)
    assert 1 - found == pytest.approx(1 - grid[errors.argmin()], rel=2e-4)


def test_best_momentum_is_best_in_simulation():
    # sigma 1, m 16, drift 0.01: about 0.835
    momenta = np.array([0.3, 0.6, best_momentum(1.0, 16, 0.01), 0.93, 0.98])
    means = GaussianPopulation().sample(16 * 500, 300, seed=0).reshape(300, 500, 16).mean(axis=-1)
    means += 0.01 * np.arange(300)[:, None]
    running = exponential_moving_average(means, momenta)[:, -1]
    errors = np.mean((running - 0.01 * 299) ** 2, axis=1)
    assert errors.argmin() == 2
    # A squared error of mostly Gaussian noise, averaged over 500 runs, is uncertain by at most sqrt(2 / 500).
    expected = mean_squared_error(momenta, 1.0, 16, 0.01)
    np.testing.assert_allclose(errors, expected, rtol=ERRORS * math.sqrt(2 / 500))


def test_best_momentum_in_the_limits():
    assert best_momentum(1.0, 16, 0.0) == 1.0  # nothing moves: remember everything
    assert best_momentum(0.0, 16, 0.1) == 0.0  # no noise: follow at once
    assert best_momentum(1.0, 16, 1e9) == pytest.approx(0.0, abs=1e-9)
    assert best_momentum(1.0, 16, 1e-320) == 1.0


@given(st.floats(0.01, 100), st.integers(1, 100), st.floats(1e-6, 10), st.floats(0.1, 10))
def test_best_momentum_knows_neither_the_unit_nor_the_direction(sigma, m, drift, unit):
    p = best_momentum(sigma, m, drift)
    assert best_momentum(sigma, m, -drift) == p
    assert best_momentum(sigma * unit, m, drift * unit) == pytest.approx(p, rel=1e-9, abs=1e-12)


@given(st.floats(0.01, 100), st.integers(1, 100), st.floats(1e-4, 10))
def test_best_momentum_falls_with_drift_and_with_batch_size(sigma, m, drift):
    p = best_momentum(sigma, m, drift)
    assert best_momentum(sigma, m, 2 * drift) <= p
    assert best_momentum(sigma, 2 * m, drift) <= p
    assert 0 <= p <= 1


# Bad input


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: start_up_weight(1.1, 5), "momentum"),
        (lambda: start_up_weight(0.9, -1), "steps"),
        (lambda: start_up_weight(0.9, np.zeros(0, int)), "steps"),
        (lambda: effective_batches(-0.1), "momentum"),
        (lambda: effective_batches(math.nan), "momentum"),
        (lambda: running_mean_std(-1.0, 0.9, 4), "sigma"),
        (lambda: running_mean_std(math.inf, 0.9, 4), "sigma"),
        (lambda: running_mean_std(1.0, 0.9, 0), "batch_size"),
        (lambda: running_mean_std(1.0, 2, 4), "momentum"),
        (lambda: running_mean_std(1.0, 0.9, 4, steps=-2), "steps"),
        (lambda: running_var_std(1.0, 0.9, 1), "batch_size"),
        (lambda: running_var_std(1.0, 0.9, 4, excess_kurtosis=-2.1), "excess_kurtosis"),
        (lambda: drift_lag(0.9, math.nan), "drift_per_step"),
        (lambda: expected_biased_variance(-1.0, 4), "variance"),
        (lambda: expected_biased_variance(1.0, 0), "batch_size"),
        (lambda: drift_lag(0.9, 0.1, -1), "steps"),
        (lambda: expected_std(1.0, 1), "batch_size"),
        (lambda: expected_std(-1.0, 4), "sigma"),
        (lambda: batch_mean_density([math.nan], 1.0, 4), "x"),
        (lambda: batch_mean_density([0.0], 0.0, 4), "sigma"),
        (lambda: batch_mean_density([0.0], 1.0, 0), "batch_size"),
        (lambda: batch_var_density([0.0], -1.0, 4), "variance"),
        (lambda: batch_var_density([0.0], 1.0, 1), "batch_size"),
        (lambda: batch_var_density([], 1.0, 4), "x"),
        (lambda: best_momentum(1.0, 0, 0.1), "batch_size"),
        (lambda: best_momentum(-1.0, 4, 0.1), "sigma"),
        (lambda: best_momentum(10**400, 4, 0.1), "sigma"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: start_up_weight(0.9, 1.5), "steps"),
        (lambda: effective_batches([0.9]), "momentum"),
        (lambda: running_mean_std("1", 0.9, 4), "sigma"),
        (lambda: running_mean_std(1.0, 0.9, 4.0), "batch_size"),
        (lambda: running_mean_std(1.0, 0.9, True), "batch_size"),
        (lambda: batch_var_density([0.0], 1.0, 4, unbiased=1), "unbiased"),
        (lambda: best_momentum(1.0, 4, None), "drift_per_step"),
    ],
)
def test_wrong_types_are_named(call, name):
    with pytest.raises(TypeError, match=f"^{name} must"):
        call()
