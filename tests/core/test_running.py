import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bn_teach.running import (
    cumulative_average,
    exponential_moving_average,
    fading_average,
    pooled_statistics,
    population_statistics,
    unbiased_variance,
)

histories = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 3)),
    elements=st.floats(-100, 100, allow_subnormal=False),
)
momenta = st.floats(0, 1)


def updated_one_by_one(history, momentum, initial=0.0):
    """The update formula, read literally."""
    running, rows = initial, []
    for batch in history:
        running = momentum * running + (1 - momentum) * batch
        rows.append(running)
    return np.array(rows)


# The exponential moving average


def test_ema_by_hand():
    # 0.75 * 0 + 0.25 * 4 = 1;  0.75 * 1 + 0.25 * 8 = 2.75;  0.75 * 2.75 + 0.25 * 0 = 2.0625
    np.testing.assert_array_equal(exponential_moving_average([4.0, 8.0, 0.0], 0.75), [1.0, 2.75, 2.0625])


def test_momentum_is_the_weight_of_the_old_estimate():
    first = exponential_moving_average([1.0], 0.9, initial=0.0)
    np.testing.assert_allclose(first, [0.1], rtol=1e-12)


def test_momentum_zero_is_the_latest_batch():
    np.testing.assert_array_equal(exponential_moving_average([3.0, 1.0, 2.0], 0, initial=7.0), [3.0, 1.0, 2.0])


def test_momentum_one_never_leaves_the_initial_value():
    np.testing.assert_array_equal(exponential_moving_average([3.0, 1.0, 2.0], 1, initial=7.0), [7.0, 7.0, 7.0])


def test_a_step_of_one_weighs_initial_and_batch():
    np.testing.assert_array_equal(exponential_moving_average([8.0], 0.25, initial=4.0), [7.0])


def test_initial_may_differ_by_channel():
    rows = exponential_moving_average([[2.0, 2.0]], 0.5, initial=[0.0, 4.0])
    np.testing.assert_array_equal(rows, [[1.0, 3.0]])


@given(histories, momenta, st.floats(-10, 10))
def test_ema_is_the_update_formula(history, momentum, initial):
    ours = exponential_moving_average(history, momentum, initial=initial)
    np.testing.assert_allclose(ours, updated_one_by_one(history, momentum, initial), rtol=1e-12, atol=1e-12)


@given(histories, momenta)
def test_ema_is_the_weighted_sum_of_the_closed_form(history, momentum):
    t = len(history)
    weights = (1 - momentum) * momentum ** np.arange(t - 1, -1, -1.0)
    expected = momentum**t * 3.0 + weights @ history
    last = exponential_moving_average(history, momentum, initial=3.0)[-1]
    np.testing.assert_allclose(last, expected, rtol=1e-9, atol=1e-9)


@given(histories, momenta)
def test_ema_stays_between_the_smallest_and_the_largest_value_seen(history, momentum):
    rows = exponential_moving_average(history, momentum, initial=history[0])
    assert (rows >= history.min(axis=0) - 1e-9).all()
    assert (rows <= history.max(axis=0) + 1e-9).all()


@pytest.mark.parametrize("row_shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("debias", [False, True])
def test_several_momenta_equal_one_by_one_bit_for_bit(row_shape, debias):
    history = np.random.default_rng(0).normal(size=(50, *row_shape))
    several = np.array([0.0, 0.1, 0.9, 0.999])
    together = exponential_moving_average(history, several, initial=0.5, debias=debias)
    assert together.shape == (4, 50, *row_shape)
    for p, rows in zip(several, together):
        np.testing.assert_array_equal(rows, exponential_moving_average(history, p, initial=0.5, debias=debias))


def test_float32_history_is_averaged_in_float64():
    assert exponential_moving_average(np.ones(3, "float32"), 0.9).dtype == np.float64


def test_the_history_is_left_alone():
    history = np.ones((4, 2))
    exponential_moving_average(history, 0.5, initial=3.0)
    np.testing.assert_array_equal(history, np.ones((4, 2)))


# Debiasing


@pytest.mark.parametrize("debias", [False, True])
@pytest.mark.parametrize("momentum", [0.9, np.array([0.0, 0.5, 0.99])])
def test_the_history_can_give_its_place_to_the_estimates(momentum, debias):
    history = np.random.default_rng(0).normal(size=(7, 2))
    expected = exponential_moving_average(history, momentum, initial=0.5, debias=debias)
    out = np.empty(expected.shape)
    held = out[0] if np.ndim(momentum) else out
    held[...] = history
    fading_average(held, momentum, 0.5, debias=debias, out=out)
    np.testing.assert_array_equal(out, expected)


def test_debias_by_hand():
    # r = 0.5, 1.75 from the start at 0; divided by 1 - 0.5^t = 0.5, 0.75
    np.testing.assert_allclose(exponential_moving_average([1.0, 3.0], 0.5, debias=True), [1.0, 1.75 / 0.75], rtol=1e-15)


@given(histories, st.floats(0, 0.99), st.floats(-10, 10))
def test_debiased_does_not_know_the_initial_value(history, momentum, initial):
    with_start = exponential_moving_average(history, momentum, initial=initial, debias=True)
    without = exponential_moving_average(history, momentum, debias=True)
    # What cancels is at most 10, and is divided by 1 - p >= 0.01: rounding grows by 1000.
    np.testing.assert_allclose(with_start, without, rtol=1e-9, atol=1e-10)


@given(momenta.filter(lambda p: p < 0.999))
def test_debiased_is_right_at_once_when_all_batches_agree(momentum):
    rows = exponential_moving_average(np.full(20, 5.0), momentum, initial=1.0, debias=True)
    np.testing.assert_allclose(rows, 5.0, rtol=1e-10)


def test_debiased_weights_of_the_batches_sum_to_one():
    p, t = 0.9, 7
    weights = [exponential_moving_average(batch, p, debias=True)[-1] for batch in np.eye(t)]
    np.testing.assert_allclose(sum(weights), 1, rtol=1e-12)
    np.testing.assert_allclose(weights[0] / weights[1], p, rtol=1e-12)


# The cumulative average


def test_cumulative_average_by_hand():
    np.testing.assert_array_equal(cumulative_average([[1.0], [5.0], [0.0]]), [[1.0], [3.0], [2.0]])


@given(histories)
def test_cumulative_average_is_the_mean_so_far(history):
    expected = [history[: t + 1].mean(axis=0) for t in range(len(history))]
    np.testing.assert_allclose(cumulative_average(history), expected, rtol=1e-12, atol=1e-12)


def test_cumulative_mean_of_one_epoch_of_equal_batches_is_the_mean_of_the_data():
    data = np.random.default_rng(0).normal(size=(12, 5))
    batch_means = data.reshape(4, 3, 5).mean(axis=1)
    np.testing.assert_allclose(cumulative_average(batch_means)[-1], data.mean(axis=0), rtol=1e-12)


# Variance


@pytest.mark.parametrize(("m", "factor"), [(2, 2.0), (3, 1.5), (5, 1.25), (101, 1.01)])
def test_unbiased_variance_by_hand(m, factor):
    np.testing.assert_allclose(unbiased_variance([3.0, 0.0], m), [3.0 * factor, 0.0], rtol=1e-15)


@given(arrays(np.float64, st.integers(2, 30), elements=st.floats(-1e3, 1e3)))
def test_unbiased_variance_is_numpys_ddof_1(values):
    np.testing.assert_allclose(unbiased_variance(values.var(), len(values)), values.var(ddof=1), rtol=1e-12, atol=1e-12)


def test_every_row_may_have_its_own_m():
    np.testing.assert_array_equal(unbiased_variance(np.ones((2, 2)), np.array([[2], [3]])), [[2.0, 2.0], [1.5, 1.5]])


def test_unbiased_variance_keeps_float32():
    assert unbiased_variance(np.ones(2, "float32"), 4).dtype == np.float32


# Population statistics


def test_population_statistics_by_hand():
    # mean (1 + 2 + 6) / 3 = 3;  variance 4/3 * (1 + 2 + 3) / 3 = 8/3
    mean, var = population_statistics([[1.0], [2.0], [6.0]], [[1.0], [2.0], [3.0]], m=4)
    np.testing.assert_allclose(mean, [3.0], rtol=1e-15)
    np.testing.assert_allclose(var, [8 / 3], rtol=1e-15)


def test_population_statistics_of_random_batches_are_unbiased():
    rng = np.random.default_rng(0)
    batches = rng.normal(2.0, 3.0, size=(20_000, 4))
    mean, var = population_statistics(batches.mean(axis=1), batches.var(axis=1), 4)
    # Standard errors: 3 / sqrt(80,000) = 0.0106 and 9 sqrt(2 / 3 / 20,000) = 0.052. Five of each.
    assert abs(mean - 2.0) < 0.053
    assert abs(var - 9.0) < 0.26


def test_batches_sorted_by_class_hide_the_variance_between_them():
    data = np.concatenate([np.random.default_rng(0).normal(centre, 1.0, size=50) for centre in (-10, 0, 10)])
    batches = data.reshape(3, 50)
    _, paper = population_statistics(batches.mean(axis=1), batches.var(axis=1), 50)
    _, pooled = pooled_statistics(batches.mean(axis=1), batches.var(axis=1), 50)
    np.testing.assert_allclose(pooled, data.var(), rtol=1e-12)
    assert paper < data.var() / 10


def test_pooled_statistics_by_hand():
    # The data are 1, 3 (mean 2, variance 1) and 8 (variance 0): mean 4, variance (9 + 1 + 16) / 3
    mean, var = pooled_statistics([2.0, 8.0], [1.0, 0.0], [2, 1])
    np.testing.assert_allclose([mean, var], [4.0, 26 / 3], rtol=1e-15)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_pooled_statistics_are_those_of_the_data(sizes, seed):
    data = np.random.default_rng(seed).normal(5.0, 2.0, size=(sum(sizes), 3))
    batches = np.split(data, np.cumsum(sizes)[:-1])
    mean, var = pooled_statistics([b.mean(axis=0) for b in batches], [b.var(axis=0) for b in batches], sizes)
    np.testing.assert_allclose(mean, data.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(var, data.var(axis=0), rtol=1e-10, atol=1e-20)


def test_a_last_batch_of_one_gets_114_times_its_share_from_equal_weights():
    # 1025 examples in batches of 128: eight full ones and one of a single example, which is 1 where all others are 0.
    sizes = [128] * 8 + [1]
    means = [0.0] * 8 + [1.0]
    equal = cumulative_average(means)[-1]
    fair, _ = pooled_statistics(means, np.zeros(9), sizes)
    assert fair == pytest.approx(1 / 1025)
    assert round(equal / fair) == 114


# Bad input

GOOD = [1.0, 2.0]
NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: exponential_moving_average([], 0.9), "history"),
        (lambda: exponential_moving_average(3.0, 0.9), "history"),
        (lambda: exponential_moving_average([1.0, NAN], 0.9), "history"),
        (lambda: exponential_moving_average([[1.0], [1.0, 2.0]], 0.9), "history"),
        (lambda: exponential_moving_average(GOOD, 1.5), "momentum"),
        (lambda: exponential_moving_average(GOOD, -0.1), "momentum"),
        (lambda: exponential_moving_average(GOOD, NAN), "momentum"),
        (lambda: exponential_moving_average(GOOD, [0.5, 2.0]), "momentum"),
        (lambda: exponential_moving_average(GOOD, []), "momentum"),
        (lambda: exponential_moving_average(GOOD, [[0.5]]), "momentum"),
        (lambda: exponential_moving_average(GOOD, [[0.5], 0.5]), "momentum"),
        (lambda: exponential_moving_average(GOOD, 1.0, debias=True), "momentum"),
        (lambda: exponential_moving_average(GOOD, [0.5, 1.0], debias=True), "momentum"),
        (lambda: exponential_moving_average(GOOD, 0.5, initial=GOOD), "initial"),
        (lambda: exponential_moving_average(GOOD, 0.5, initial=NAN), "initial"),
        (lambda: cumulative_average([]), "history"),
        (lambda: cumulative_average([np.inf]), "history"),
        (lambda: unbiased_variance(1.0, 1), "m"),
        (lambda: unbiased_variance(GOOD, [2, 1]), "m"),
        (lambda: unbiased_variance([1.0, 2.0, 3.0], [2, 3]), "m"),
        (lambda: unbiased_variance(1.0, [[2], [2, 3]]), "m"),
        (lambda: unbiased_variance(-1.0, 4), "var"),
        (lambda: unbiased_variance(NAN, 4), "var"),
        (lambda: population_statistics(GOOD, [1.0], 4), "variances"),
        (lambda: population_statistics(GOOD, GOOD, 1), "m"),
        (lambda: population_statistics([], [], 4), "means"),
        (lambda: population_statistics(GOOD, [1.0, -1.0], 4), "variances"),
        (lambda: population_statistics([NAN, 1.0], GOOD, 4), "means"),
        (lambda: pooled_statistics(GOOD, GOOD, [1, 0]), "sizes"),
        (lambda: pooled_statistics(GOOD, GOOD, [1, 2, 3]), "sizes"),
        (lambda: pooled_statistics(GOOD, [1.0, NAN], 2), "variances"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: exponential_moving_average(["a"], 0.9), "history"),
        (lambda: exponential_moving_average([1j], 0.9), "history"),
        (lambda: exponential_moving_average(None, 0.9), "history"),
        (lambda: exponential_moving_average(GOOD, "0.9"), "momentum"),
        (lambda: exponential_moving_average(GOOD, None), "momentum"),
        (lambda: exponential_moving_average(GOOD, True), "momentum"),
        (lambda: unbiased_variance(1.0, 2.5), "m"),
        (lambda: unbiased_variance(1.0, True), "m"),
        (lambda: population_statistics(GOOD, GOOD, 4.0), "m"),
        (lambda: pooled_statistics(GOOD, GOOD, [1.5, 2.0]), "sizes"),
    ],
)
def test_wrong_types_are_named(call, name):
    with pytest.raises(TypeError, match=f"^{name} must"):
        call()


@pytest.mark.parametrize("debias", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.999])
def test_a_few_columns_are_averaged_as_in_company(momentum, debias):
    history = np.random.default_rng(0).normal(size=(50, 20))
    together = fading_average(history, momentum, np.full(20, 3.0), debias=debias)
    for column in (0, 7):
        alone = fading_average(history[:, [column]], momentum, 3.0, debias=debias)
        np.testing.assert_array_equal(alone[:, 0], together[:, column])
