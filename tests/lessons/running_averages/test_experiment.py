"""The three parts of a running mean's error: each closed form exactly, and all of them against simulation.

An estimate is a weighted sum of mini-batch means. The exact tests let each mini-batch speak alone, once, and so
read the weights off the estimators of `running` themselves; bias and noise then follow by linear algebra.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from bn_teach.data import minibatches
from bn_teach.lessons.running_averages.experiment import (
    MEAN,
    SAMPLINGS,
    STD,
    STEPS,
    WINDOW,
    KnownRun,
    epochs_noise_ratio,
    expected_error,
    frozen_statistics,
    simulate,
    typical_error,
)
from bn_teach.running import cumulative_average, exponential_moving_average
from bn_teach.theory import best_momentum, drift_lag, effective_batches, running_mean_std, start_up_weight
from bn_teach.training import TrainingConfig, train

ESTIMATORS = ("ema", "debiased", "cumulative")
SHORT = 50  # steps of the exact tests


def estimate(run, momentum, history):
    if run.estimator == "cumulative":
        return cumulative_average(history)
    return exponential_moving_average(history, momentum, initial=run.initial, debias=run.estimator == "debiased")


def weights(run, momentum):
    """Row t: the weight of every mini-batch in the estimate after t + 1 of them."""
    free = replace(run, initial=0.0)
    return estimate(free, momentum, np.eye(SHORT))


def covariance(run):
    """Of the means of mini-batches, by counting: which of them share an epoch, and how many examples each has."""
    m, n = run.batch_size, run.examples
    if run.sampling == "independent":
        return np.eye(SHORT) / m
    epoch = np.arange(SHORT) // (n // m)
    same = epoch[:, None] == epoch
    # Two different values of a finite set (mean 0, variance 1) have the expected product -1/(n-1).
    return np.where(np.eye(SHORT, dtype=bool), (1 - (m - 1) / (n - 1)) / m, -1.0 * same / (n - 1))


# The closed forms, exactly


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_bias_without_noise_is_exact(estimator, momentum):
    run = KnownRun(drift=0.02, initial=3.5, estimator=estimator)
    error = estimate(run, momentum, run.target) - run.target
    np.testing.assert_allclose(expected_error(run, momentum).bias, error, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("sampling", "batch_size", "examples"),
    [("independent", 4, 1024), ("epochs", 4, 24), ("epochs", 4, 27), ("epochs", 10, 10), ("epochs", 1, 7)],
)
def test_noise_is_that_of_the_weighted_mini_batches(estimator, momentum, sampling, batch_size, examples):
    run = KnownRun(batch_size, estimator=estimator, sampling=sampling, examples=examples)
    given = weights(run, momentum)
    variance = np.einsum("ti,ij,tj->t", given, covariance(run), given)
    expected = expected_error(run, momentum, np.arange(1, SHORT + 1)).noise ** 2
    np.testing.assert_allclose(expected, variance, rtol=1e-9, atol=1e-15)


def test_the_covariance_of_mini_batches_in_epochs_by_brute_force():
    run = KnownRun(4, sampling="epochs", examples=10)  # two mini-batches to the epoch, two examples left out
    rng = np.random.default_rng(0)
    values = rng.normal(size=10)
    values = (values - values.mean()) / values.std()
    rows = np.array([list(minibatches(10, 4, steps=4, seed=rng)) for _ in range(20_000)])
    found = np.cov(values[rows].mean(axis=2), rowvar=False)
    # Each entry is a mean over 20,000 runs of a product whose standard deviation is below 0.2.
    np.testing.assert_allclose(found, covariance(run)[:4, :4], atol=5 * 0.2 / math.sqrt(20_000))


@pytest.mark.parametrize("m", [1, 7, 50, 99, 100])
def test_simulated_epochs_are_those_of_training(m):
    simulation = simulate(KnownRun(m, sampling="epochs", examples=100), 0.9, runs=1)
    rng = np.random.default_rng([0, SAMPLINGS.index("epochs")])
    values = rng.standard_normal(100)
    values = (values - values.mean()) * (STD / values.std())
    means = [values[rows].mean() for rows in minibatches(100, m, steps=STEPS, seed=rng)]
    # Sums of at most 100 values near 1, taken in two orders.
    np.testing.assert_allclose(simulation.batch_means - simulation.run.target, means, atol=1e-13)


def test_start_up_and_lag_of_a_moving_average_are_those_of_the_theory():
    run = KnownRun(drift=0.01, initial=0.5)
    steps = np.array([1, 10, 800])
    error = expected_error(run, 0.95, steps)
    np.testing.assert_allclose(error.start_up, start_up_weight(0.95, steps) * (0.5 - MEAN))
    np.testing.assert_allclose(error.lag, drift_lag(0.95, 0.01, steps))
    np.testing.assert_allclose(error.noise, running_mean_std(1.0, 0.95, 16, steps))


@pytest.mark.parametrize("estimator", ["debiased", "cumulative"])
def test_no_start_up_is_left_where_it_is_taken_out(estimator):
    error = expected_error(KnownRun(initial=-100.0, estimator=estimator), 0.99)
    assert (error.start_up == 0).all()


def test_cumulative_mean_is_exact_at_the_end_of_every_epoch():
    run = KnownRun(64, estimator="cumulative", sampling="epochs")
    error = expected_error(run, 0.0)
    epoch = run.examples // 64
    ends = np.arange(1, STEPS + 1) % epoch == 0
    assert error.total[ends].max() < 1e-8
    assert error.total[~ends].min() > 1e-4
    assert simulate(run, [0.0], runs=2).errors[0][ends].max() < 1e-12


def test_the_star_is_where_the_drawn_curve_is_lowest():
    run = KnownRun(16, drift=0.01)
    best = best_momentum(1.0, 16, 0.01)
    lowest = typical_error(run, best)["total"]
    assert all(typical_error(run, p)["total"] > lowest for p in (best - 0.02, best + 0.02))


@pytest.mark.parametrize("batch_size", [4, 16, 128])
def test_in_epochs_the_formula_for_independent_mini_batches_still_finds_nearly_the_best(batch_size):
    run = KnownRun(batch_size, drift=0.003, sampling="epochs")
    grid = [(memory - 1) / (memory + 1) for memory in np.geomspace(1, 500, 200)]
    errors = [typical_error(run, p)["total"] for p in grid]
    by_formula = typical_error(run, best_momentum(1.0, batch_size, 0.003))["total"]
    assert by_formula < 1.05 * min(errors)


def test_the_typical_error_is_the_mean_square_of_the_last_steps():
    run = KnownRun(drift=0.003)
    error = expected_error(run, 0.99)
    parts = typical_error(run, 0.99)
    assert parts["total"] ** 2 == pytest.approx(np.mean(error.total[-WINDOW:] ** 2))
    assert parts["noise"] ** 2 == pytest.approx(np.mean(error.noise[-WINDOW:] ** 2))


def test_an_average_that_starts_at_the_truth_can_beat_one_that_weighs_all_alike():
    late = expected_error(KnownRun(initial=MEAN), 0.999).noise[-1]
    assert late < expected_error(KnownRun(estimator="cumulative"), 0.0).noise[-1]


# How much epochs save


@pytest.mark.parametrize(("momentum", "measured"), [(0.99, 0.47), (0.999, 0.17)])
def test_epochs_noise_ratio_of_the_digits_is_what_was_measured(momentum, measured):
    assert epochs_noise_ratio(momentum, 16, 1348) == pytest.approx(measured, abs=0.03)


def test_epochs_noise_ratio_in_its_limits():
    assert epochs_noise_ratio(0.0, 16, 10**6) == pytest.approx(1.0, abs=1e-4)
    assert epochs_noise_ratio(0.5, 10, 10) == 0.0  # one mini-batch is the whole training set
    ratios = [epochs_noise_ratio(p, 16, 1024) for p in (0.0, 0.5, 0.9, 0.99, 0.999)]
    assert (np.diff(ratios) < 0).all()


@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_epochs_noise_ratio_is_that_of_a_real_network_with_frozen_weights(digits, momentum):
    recording = train(digits, TrainingConfig(steps=100, hidden=(30,)))
    mean, std = recording.population_mean[0][-1], np.sqrt(recording.population_var[0][-1])
    means, _ = frozen_statistics(recording, 4000)
    off = (exponential_moving_average(means, momentum, initial=mean)[500:] - mean) / std
    share = np.sqrt(np.mean(off**2)) / running_mean_std(1.0, momentum, 16)
    # 3,500 steps hold 3500/(1+p)*(1-p) memories, of 30 units that go together in groups: count them as one.
    error = 1 / math.sqrt(2 * 3500 / effective_batches(momentum))
    assert share == pytest.approx(epochs_noise_ratio(momentum, 16, 1348), rel=3 * error)


# Simulation


@pytest.mark.parametrize("sampling", ["independent", "epochs"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("batch_size", [2, 128])
def test_simulation_has_the_errors_of_the_closed_forms(sampling, estimator, batch_size):
    runs, momenta = 60, [0.0, 0.5, 0.9, 0.99, 0.999]
    run = KnownRun(batch_size, drift=0.001, estimator=estimator, sampling=sampling)
    simulation = simulate(run, momenta, runs=runs, seed=1)
    for p, found in zip(momenta, simulation.errors):
        error = expected_error(run, p)
        # A mean of `runs` squares of a Gaussian with this bias and noise: variance (2 noise^4 + 4 bias^2 noise^2)/runs.
        uncertain = np.sqrt((2 * error.noise**4 + 4 * error.bias**2 * error.noise**2) / runs)
        off = np.abs(found**2 - error.total**2) / np.maximum(uncertain, 1e-12)
        # 800 steps, not independent: 6 standard errors of a skewed sum at each of them.
        assert off.max() < 6, (p, off.argmax())


def test_the_first_run_is_what_the_estimators_make_of_its_mini_batches():
    for estimator in ESTIMATORS:
        run = KnownRun(drift=0.01, initial=1.0, estimator=estimator)
        simulation = simulate(run, [0.5, 0.95], runs=3)
        for p, shown in zip((0.5, 0.95), simulation.estimates):
            np.testing.assert_allclose(shown, estimate(run, p, simulation.batch_means), rtol=1e-12)


def test_the_seed_decides():
    run = KnownRun(sampling="epochs", batch_size=32)
    assert np.array_equal(simulate(run, [0.9], seed=3).errors, simulate(run, [0.9], seed=3).errors)
    assert not np.array_equal(simulate(run, [0.9], seed=3).errors, simulate(run, [0.9], seed=4).errors)


def test_epochs_deal_every_example_out_once():
    run = KnownRun(16, sampling="epochs")
    means = simulate(run, [0.0], runs=1).batch_means
    epoch = 1024 // 16
    whole = means[: STEPS // epoch * epoch].reshape(-1, epoch).mean(axis=1)
    np.testing.assert_allclose(whole, MEAN, atol=1e-12)


# A real network, frozen


def test_frozen_statistics_of_an_epoch_give_the_exact_means(recording):
    per_epoch = len(recording.dataset.train_x) // recording.config.batch_size
    means, variances = frozen_statistics(recording, per_epoch)
    assert means.shape == variances.shape == (15, 7)
    np.testing.assert_allclose(means.mean(axis=0), recording.population_mean[0][-1], atol=1e-5)
    # Within plus between, over equal batches: the variance of everything.
    np.testing.assert_allclose(variances.mean(axis=0) + means.var(axis=0), recording.population_var[0][-1], rtol=1e-4)


def test_frozen_statistics_drawn_independently_differ_from_epochs(recording):
    means, _ = frozen_statistics(recording, 15, sampling="independent", seed=1)
    assert np.abs(means.mean(axis=0) - recording.population_mean[0][-1]).max() > 1e-2


# Bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: KnownRun(0), ValueError, "batch_size must be a whole number from 1 to 1024, got 0"),
        (lambda: KnownRun(8, examples=7), ValueError, "batch_size must be a whole number from 1 to 7, got 8"),
        (lambda: KnownRun(examples=1), ValueError, "examples must be a whole number of at least 2, got 1"),
        (lambda: KnownRun(drift=math.nan), ValueError, "drift must be a finite number, got nan"),
        (lambda: KnownRun(initial="0"), TypeError, "initial must be a finite number, got '0'"),
        (lambda: KnownRun(estimator="median"), ValueError, "estimator must be one of 'ema', .*got 'median'"),
        (lambda: KnownRun(sampling="sorted"), ValueError, "sampling must be one of 'independent', .*got 'sorted'"),
        (lambda: expected_error(KnownRun(), 1.5), ValueError, r"momentum must be between 0 and 1 .*got 1\.5"),
        (lambda: expected_error(KnownRun(), 0.9, [0]), ValueError, "steps must be at least 1 .*got 0"),
        (lambda: expected_error(KnownRun(), 0.9, [1.5]), TypeError, "steps must be a whole number"),
        (lambda: expected_error(KnownRun(estimator="debiased"), 1.0), ValueError, "momentum must be below 1 .*got 1"),
        (lambda: epochs_noise_ratio(1.0, 16, 1024), ValueError, "momentum must be below 1, got 1"),
        (lambda: simulate(KnownRun(), [0.9], runs=0), ValueError, "runs must be a whole number of at least 1, got 0"),
        (lambda: simulate(KnownRun(), [0.9], seed=-1), ValueError, "seed must be a whole number of at least 0, got -1"),
        (lambda: simulate(KnownRun(), [1.9]), ValueError, r"momentum must be between 0 and 1 .*got 1\.9"),
        (lambda: frozen_statistics("run", 5), TypeError, "recording must be a Recording, got 'run'"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_frozen_statistics_needs_batch_norm_and_a_step(recording, plain_recording):
    with pytest.raises(ValueError, match="recording must have batch norm"):
        frozen_statistics(plain_recording, 5)
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got 0"):
        frozen_statistics(recording, 0)
    with pytest.raises(ValueError, match="sampling must be one of"):
        frozen_statistics(recording, 5, sampling="all")
