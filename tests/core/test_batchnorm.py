import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_teach.batchnorm import (
    BatchNorm,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_statistics,
    fold,
)
from bn_teach.frameworks import FRAMEWORKS
from bn_teach.running import exponential_moving_average, unbiased_variance

SHAPES = [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 1), (2, 3, 2, 2, 2)]


def random_case(shape, seed=0, dtype="float64"):
    """Input, gamma, beta and an upstream gradient, all random."""
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 2.0, size=shape)
    gamma, beta = rng.normal(size=(2, shape[1]))
    dy = rng.normal(size=shape)
    return [a.astype(dtype) for a in (x, gamma, beta, dy)]


def channel(x, c):
    """All values of one channel, the plain way."""
    return np.array([value for example in x for value in np.ravel(example[c])])


def numerical_gradient(f, x, dy, h=1e-5):
    """Gradient of sum(f(x) * dy) by central differences."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        gradient[i] = np.sum((f(up) - f(down)) * dy) / (2 * h)
    return gradient


# Batch statistics


def test_batch_statistics_by_hand():
    mean, var = batch_statistics([[1.0, 0.0], [3.0, 0.0], [5.0, 6.0]])
    np.testing.assert_allclose(mean, [3.0, 2.0], rtol=1e-15)
    np.testing.assert_allclose(var, [8 / 3, 8.0], rtol=1e-15)  # divided by 3, not by 2


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_statistics_are_over_everything_but_the_channel(shape):
    x, *_ = random_case(shape)
    mean, var = batch_statistics(x)
    for c in range(shape[1]):
        assert mean[c] == pytest.approx(channel(x, c).mean(), rel=1e-12)
        assert var[c] == pytest.approx(channel(x, c).var(), rel=1e-12)


def test_batch_statistics_of_values_far_from_zero():
    x = 1e6 + np.array([[0.0], [1.0], [2.0]])  # mean of squares minus squared mean would lose it in float32
    _, var = batch_statistics(x.astype("float32"))
    assert var[0] == pytest.approx(2 / 3, rel=1e-6)


def test_a_single_example_has_no_variance():
    _, var = batch_statistics([[4.0, -1.0]])
    np.testing.assert_array_equal(var, [0.0, 0.0])


# Forward


def test_forward_by_hand():
    # mean 3, variance 4, so x_hat is -1 and 1 with eps = 0; with eps = 12 the root is 4 instead of 2
    y, _ = batch_norm_forward([[1.0], [5.0]], [10.0], [100.0], eps=0.0)
    np.testing.assert_array_equal(y, [[90.0], [110.0]])
    y, _ = batch_norm_forward([[1.0], [5.0]], [10.0], [100.0], eps=12.0)
    np.testing.assert_array_equal(y, [[95.0], [105.0]])


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_is_algorithm_1_channel_by_channel(shape):
    x, gamma, beta, _ = random_case(shape)
    y, _ = batch_norm_forward(x, gamma, beta, eps=0.1)
    for c in range(shape[1]):
        values = channel(x, c)
        expected = gamma[c] * (values - values.mean()) / np.sqrt(values.var() + 0.1) + beta[c]
        np.testing.assert_allclose(channel(y, c), expected, rtol=1e-10, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-10, 10))
def test_forward_undoes_shift_and_stretch_of_a_batch(seed, stretch, shift):
    x, gamma, beta, _ = random_case((8, 2), seed)
    once, _ = batch_norm_forward(x, gamma, beta, eps=0.0)
    again, _ = batch_norm_forward(stretch * x + shift, gamma, beta, eps=0.0)
    np.testing.assert_allclose(again, once, rtol=1e-8, atol=1e-8)


@given(st.integers(0, 2**32 - 1))
def test_output_has_mean_beta_and_standard_deviation_gamma(seed):
    x, gamma, beta, _ = random_case((8, 2, 3), seed)
    mean, var = batch_statistics(batch_norm_forward(x, gamma, beta, eps=0.0)[0])
    np.testing.assert_allclose(mean, beta, atol=1e-10)
    np.testing.assert_allclose(np.sqrt(var), abs(gamma), atol=1e-10)


def test_a_batch_of_two_is_only_a_matter_of_which_is_larger():
    y, _ = batch_norm_forward([[3.0, 3.0], [3.1, -50.0]], [1.0, 1.0], [0.0, 0.0], eps=0.0)
    np.testing.assert_allclose(y, [[-1.0, 1.0], [1.0, -1.0]], rtol=1e-12)


def test_one_example_becomes_beta():
    y, _ = batch_norm_forward([[7.0, -3.0]], [5.0, 5.0], [0.5, 0.25])
    np.testing.assert_array_equal(y, [[0.5, 0.25]])


def test_the_cache_tells_the_batch_statistics():
    x, gamma, beta, _ = random_case((4, 3, 5))
    _, cache = batch_norm_forward(x, gamma, beta)
    mean, var = batch_statistics(x)
    np.testing.assert_array_equal(cache.mean, mean)
    np.testing.assert_array_equal(cache.var, var)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_is_that_of_x(dtype):
    x, gamma, beta, dy = random_case((4, 3, 5), dtype=dtype)
    y, cache = batch_norm_forward(x, gamma.astype("float64"), beta.astype("float64"))
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    running = batch_norm_inference(x, np.zeros(3), np.ones(3), gamma.astype("float64"), beta.astype("float64"))
    assert {a.dtype for a in (y, dx, dgamma, dbeta, running)} == {np.dtype(dtype)}


def test_integers_are_taken_as_numbers():
    y, _ = batch_norm_forward([[1], [5]], [10], [100], eps=0)
    np.testing.assert_array_equal(y, [[90.0], [110.0]])


# Backward


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_against_finite_differences(shape, eps):
    x, gamma, beta, dy = random_case(shape, seed=1)
    _, cache = batch_norm_forward(x, gamma, beta, eps=eps)
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)

    def forward(x=x, gamma=gamma, beta=beta):
        return batch_norm_forward(x, gamma, beta, eps=eps)[0]

    # Central differences of h = 1e-5 are wrong by about h^2 = 1e-10, times third derivatives of the order 10.
    np.testing.assert_allclose(dx, numerical_gradient(lambda v: forward(x=v), x, dy), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(dgamma, numerical_gradient(lambda v: forward(gamma=v), gamma, dy), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(dbeta, numerical_gradient(lambda v: forward(beta=v), beta, dy), rtol=1e-5, atol=1e-8)


def test_backward_by_hand():
    # x = 0, 0, 3, 3: variance 2.25, and with eps = 4 the root is 2.5, x_hat = -0.6, -0.6, 0.6, 0.6.
    # dy = 1, 0, 0, 0: mean 0.25, mean(dy * x_hat) = -0.15, gamma / root = 2.
    _, cache = batch_norm_forward([[0.0], [0.0], [3.0], [3.0]], [5.0], [0.0], eps=4.0)
    dx, dgamma, dbeta = batch_norm_backward([[1.0], [0.0], [0.0], [0.0]], cache)
    np.testing.assert_allclose(dx.ravel(), [1.32, -0.68, -0.32, -0.32], rtol=1e-12)
    np.testing.assert_allclose([dgamma[0], dbeta[0]], [-0.6, 1.0], rtol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_nothing_flows_back_into_a_shift_or_a_stretch_of_the_batch(seed):
    x, gamma, beta, dy = random_case((6, 2), seed)
    _, cache = batch_norm_forward(x, gamma, beta, eps=0.0)
    dx, _, _ = batch_norm_backward(dy, cache)
    np.testing.assert_allclose(dx.sum(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose((dx * x).sum(axis=0), 0, atol=1e-9)


def test_a_gradient_of_ones_gives_no_gradient_at_all():
    x, gamma, beta, dy = random_case((6, 2))
    _, cache = batch_norm_forward(x, gamma, beta)
    dx, dgamma, _ = batch_norm_backward(np.ones_like(dy), cache)
    np.testing.assert_allclose(dx, 0, atol=1e-12)
    np.testing.assert_allclose(dgamma, 0, atol=1e-12)


def test_backward_of_a_batch_of_one_is_zero():
    _, cache = batch_norm_forward([[7.0]], [5.0], [1.0])
    dx, dgamma, dbeta = batch_norm_backward([[3.0]], cache)
    np.testing.assert_array_equal([dx[0, 0], dgamma[0], dbeta[0]], [0.0, 0.0, 3.0])


# Inference and folding


def test_inference_by_hand():
    # 2 * (9 - 1) / sqrt(12 + 4) + 5 = 9
    y = batch_norm_inference([[9.0]], [1.0], [12.0], [2.0], [5.0], eps=4.0)
    np.testing.assert_array_equal(y, [[9.0]])


@pytest.mark.parametrize("shape", SHAPES)
def test_inference_by_the_batchs_own_statistics_is_training_mode(shape):
    x, gamma, beta, _ = random_case(shape)
    mean, var = batch_statistics(x)
    y, _ = batch_norm_forward(x, gamma, beta, eps=0.1)
    np.testing.assert_allclose(batch_norm_inference(x, mean, var, gamma, beta, eps=0.1), y, rtol=1e-10, atol=1e-12)


def test_examples_do_not_see_each_other_at_inference():
    x, gamma, beta, _ = random_case((6, 3, 2))
    given_statistics = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], gamma, beta)
    together = batch_norm_inference(x, *given_statistics)
    alone = np.concatenate([batch_norm_inference(example[None], *given_statistics) for example in x])
    np.testing.assert_array_equal(together, alone)


def test_fold_by_hand():
    scale, shift = fold([1.0], [12.0], [2.0], [5.0], eps=4.0)
    np.testing.assert_array_equal([scale[0], shift[0]], [0.5, 4.5])


@given(st.integers(0, 2**32 - 1))
def test_folding_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    mean, gamma, beta = rng.normal(size=(3, 4))
    var, x = rng.uniform(0.1, 2, size=4), rng.normal(size=(5, 4))
    scale, shift = fold(mean, var, gamma, beta)
    expected = gamma * (x - mean) / np.sqrt(var + 1e-5) + beta
    np.testing.assert_allclose(scale * x + shift, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(batch_norm_inference(x, mean, var, gamma, beta), x * scale + shift)


# The layer


def batches_of(shape, count, seed=0):
    return [random_case(shape, seed=seed + i)[0] for i in range(count)]


def test_the_running_averages_by_hand():
    # Batch mean 3, biased variance 4, unbiased 8: 0.75 * 0 + 0.25 * 3 and 0.75 * 1 + 0.25 * 8
    layer = BatchNorm(1, momentum=0.75)
    layer([[1.0], [5.0]])
    np.testing.assert_allclose([layer.running_mean[0], layer.running_var[0]], [0.75, 2.75], rtol=1e-15)


def test_biased_running_variance_by_hand():
    layer = BatchNorm(1, momentum=0.75, unbiased=False)
    layer([[1.0], [5.0]])
    np.testing.assert_allclose(layer.running_var, [0.75 + 0.25 * 4.0], rtol=1e-15)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 5)])
@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99, 1.0])
def test_the_layer_keeps_the_averages_of_the_running_module(shape, unbiased, momentum):
    layer = BatchNorm(3, momentum=momentum, unbiased=unbiased)
    batches = batches_of(shape, 5)
    means, variances = (np.array(a) for a in zip(*map(batch_statistics, batches)))
    if unbiased:
        variances = unbiased_variance(variances, batches[0].size // 3)  # m counts batch times spatial positions
    for batch in batches:
        layer(batch)
    np.testing.assert_allclose(layer.running_mean, exponential_moving_average(means, momentum)[-1], rtol=1e-14)
    expected = exponential_moving_average(variances, momentum, initial=1.0)[-1]
    np.testing.assert_allclose(layer.running_var, expected, rtol=1e-14)
    assert layer.num_batches_tracked == 5


def test_momentum_none_weighs_all_batches_alike_whatever_the_start():
    layer = BatchNorm(3, momentum=None, unbiased=False, initial_mean=50.0, initial_var=9.0)
    batches = batches_of((4, 3), 5)
    means, variances = zip(*map(batch_statistics, batches))
    for batch in batches:
        layer(batch)
    np.testing.assert_allclose(layer.running_mean, np.mean(means, axis=0), rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, np.mean(variances, axis=0), rtol=1e-12)


def test_batches_of_unequal_size_each_bring_their_own_m():
    layer = BatchNorm(1, momentum=0.5)
    layer([[0.0], [2.0]])  # unbiased 2:  0.5 + 1
    layer([[0.0], [2.0], [0.0], [2.0]])  # unbiased 4/3:  0.75 + 2/3
    np.testing.assert_allclose(layer.running_var, [0.75 + 2 / 3], rtol=1e-15)


def test_the_initial_statistics_are_0_and_1_unless_told_otherwise():
    layer = BatchNorm(2)
    np.testing.assert_array_equal([layer.running_mean, layer.running_var], [[0.0, 0.0], [1.0, 1.0]])
    layer = BatchNorm(2, initial_mean=3.0, initial_var=0.5)
    np.testing.assert_array_equal([layer.running_mean, layer.running_var], [[3.0, 3.0], [0.5, 0.5]])


def test_gamma_starts_at_one_and_beta_at_zero():
    layer = BatchNorm(2)
    np.testing.assert_array_equal([layer.gamma, layer.beta], [[1.0, 1.0], [0.0, 0.0]])
    assert layer.dgamma is None
    assert layer.dbeta is None


def test_training_mode_normalises_by_the_biased_batch_statistics_whatever_momentum():
    x, gamma, beta, _ = random_case((4, 3))
    expected, _ = batch_norm_forward(x, gamma, beta)
    for momentum in (0.0, 0.9, 1.0, None):
        layer = BatchNorm(3, momentum=momentum, unbiased=True)
        layer.gamma, layer.beta = gamma, beta
        np.testing.assert_array_equal(layer(x), expected)


def test_eval_mode_normalises_by_the_running_averages_and_changes_nothing():
    layer = BatchNorm(3, momentum=0.5, eps=0.1)
    layer.gamma, layer.beta = random_case((4, 3))[1:3]
    for batch in batches_of((4, 3), 3):
        layer(batch)
    before = layer.running_mean.copy(), layer.running_var.copy()
    x = random_case((4, 3), seed=9)[0]
    y = layer.eval()(x)
    expected = layer.gamma * (x - before[0]) / np.sqrt(before[1] + 0.1) + layer.beta
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal([layer.running_mean, layer.running_var], before)
    assert layer.num_batches_tracked == 3


def test_eval_takes_a_single_example():
    assert BatchNorm(2).eval()([[1.0, 2.0]]).shape == (1, 2)


def test_train_and_eval_switch_and_return_the_layer():
    layer = BatchNorm(2)
    assert layer.training
    assert layer.eval() is layer
    assert not layer.training
    assert layer.train() is layer
    assert layer.training


def test_train_and_eval_differ_by_exactly_the_root_of_m_over_m_minus_1():
    # "Train and eval differ, a bug": with p = 0 and eps = 0 both see the same batch, divided by m and by m - 1.
    x = random_case((4, 3))[0]
    layer = BatchNorm(3, momentum=0.0, eps=0.0)
    trained = layer(x)
    np.testing.assert_allclose(trained, layer.eval()(x) * np.sqrt(4 / 3), rtol=1e-12)


def test_the_layers_backward_is_batch_norm_backward():
    x, gamma, beta, dy = random_case((4, 3, 5))
    layer = BatchNorm(3)
    layer.gamma, layer.beta = gamma, beta
    layer(x)
    dx = layer.backward(dy)
    expected = batch_norm_backward(dy, batch_norm_forward(x, gamma, beta)[1])
    for ours, theirs in zip((dx, layer.dgamma, layer.dbeta), expected):
        np.testing.assert_array_equal(ours, theirs)


def test_the_running_averages_are_float64_under_float32_input():
    layer = BatchNorm(3, momentum=0.999)
    y = layer(random_case((4, 3), dtype="float32")[0])
    assert y.dtype == np.float32
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float64
    assert layer.eval()(np.ones((1, 3), "float32")).dtype == np.float32


# Like a framework


@pytest.mark.parametrize(
    ("name", "momentum", "running_mean", "running_var", "eps"),
    [
        # batch 1, 5: mean 3, variance 4 (biased) or 8
        ("pytorch", 0.9, 0.3, 0.9 + 0.8, 1e-5),
        ("mlx", 0.9, 0.3, 0.9 + 0.8, 1e-5),
        ("keras", 0.99, 0.03, 0.99 + 0.04, 1e-3),
        ("tf_keras_fused", 0.99, 0.03, 0.99 + 0.08, 1e-3),
        ("flax", 0.99, 0.03, 0.99 + 0.04, 1e-5),
        ("flax_nnx", 0.99, 0.03, 0.99 + 0.04, 1e-5),
        ("onnx", 0.9, 0.3, 0.9 + 0.4, 1e-5),
        ("cs231n", 0.9, 0.3, 0.4, 1e-5),
        ("d2l", 0.9, 0.3, 0.9 + 0.4, 1e-5),
        ("paddle", 0.9, 0.3, 0.9 + 0.4, 1e-5),
        ("haiku", 0.9, 3.0, 4.0, 1e-5),
        ("caffe", 0.999, 3.0, 8.0, 1e-5),
        ("equinox_batch", 0.99, 3.0, 4.0 + 0.99 / 0.01, 1e-5),
        ("equinox_ema", 0.99, 3.0, 4.0, 1e-5),
        ("makemore", 0.999, 0.003, (0.999 + 0.001 * 8**0.5) ** 2, 0.0),
    ],
)
def test_one_batch_like_each_framework(name, momentum, running_mean, running_var, eps):
    layer = BatchNorm.like(name, 1)
    layer([[1.0], [5.0]])
    assert layer.momentum == pytest.approx(momentum)
    assert layer.running_mean[0] == pytest.approx(running_mean, rel=1e-12)
    assert layer.running_var[0] == pytest.approx(running_var, rel=1e-12)
    assert layer.eps == eps


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_batch_of_one_like_each_framework(name):
    layer = BatchNorm.like(name, 2)
    layer.beta = np.array([3.0, 4.0])
    single = FRAMEWORKS[name].single_example
    if single in ("beta", "average", "input"):  # a first batch of one is its own average
        np.testing.assert_array_equal(layer([[7.0, 8.0]]), [[7.0, 8.0] if single == "input" else [3.0, 4.0]])
        assert layer.num_batches_tracked == (single != "input")
        return
    message = "becomes NaN" if single.startswith("nan") else "a single value has no variance"
    with pytest.raises(ValueError, match=f"x must have at least 2 values per channel .*{message}"):
        layer([[7.0, 8.0]])
    assert layer.num_batches_tracked == 0


def test_a_divisor_that_keras_does_not_have_refuses_a_batch_of_one():
    with pytest.raises(ValueError, match="at least 2 values per channel"):
        BatchNorm.like("keras", 1, unbiased=True)([[7.0]])


def test_every_framework_is_built_with_its_own_layer():
    assert {name for name in FRAMEWORKS if type(BatchNorm.like(name, 1)) is not BatchNorm} == {
        name
        for name, f in FRAMEWORKS.items()
        if (f.training, f.training_var_unbiased, f.start) != ("batch", False, "kept")
    }


def test_divided_averages_are_free_of_a_start_at_0():
    for name in ("haiku", "caffe"):
        layer = BatchNorm.like(name, 3, momentum=0.9, unbiased=False)
        batches = batches_of((4, 3), 5)
        statistics = [batch_statistics(x) for x in batches]
        for x in batches:
            layer(x)
        for ours, history in zip((layer.running_mean, layer.running_var), zip(*statistics)):
            expected = exponential_moving_average(np.array(history), 0.9, debias=True)[-1]
            np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_equinox_divides_a_variance_that_starts_at_1_as_if_it_had_started_at_0():
    layer = BatchNorm.like("equinox_batch", 1)
    read = {}
    for step in range(1, 101):
        layer([[-2.0], [2.0]])
        read[step] = layer.running_var[0]
        assert read[step] == pytest.approx(4 + 0.99**step / (1 - 0.99**step), rel=1e-12)
    assert [round(read[step], 1) for step in (1, 21, 100)] == [103.0, 8.3, 4.6]


def test_equinox_by_default_normalises_training_by_its_averages():
    layer = BatchNorm.like("equinox_ema", 3, momentum=0.75)
    first, second, _ = batches_of((4, 3), 3)
    expected, _ = batch_norm_forward(first, np.ones(3), np.zeros(3))
    np.testing.assert_allclose(layer(first), expected, rtol=1e-10)  # the first is its own average
    y = layer(second)
    mean, var = (0.75 * a + 0.25 * b for a, b in zip(batch_statistics(first), batch_statistics(second)))
    np.testing.assert_allclose(y, batch_norm_inference(second, mean, var, np.ones(3), np.zeros(3)), rtol=1e-12)
    np.testing.assert_array_equal(layer.eval()(second), y)  # training is prediction here


def test_makemore_divides_by_m_minus_1_in_training_too():
    x = random_case((4, 3))[0]
    y = BatchNorm.like("makemore", 3)(x)
    np.testing.assert_allclose(y, (x - x.mean(axis=0)) / x.std(axis=0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("name", ["equinox_batch", "equinox_ema", "makemore"])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
def test_gradients_like_a_framework_against_finite_differences(name, before, shape):
    x, gamma, beta, dy = random_case(shape, seed=1)

    def layer(gamma=gamma, beta=beta):
        built = BatchNorm.like(name, 3, momentum=0.6)
        built.gamma, built.beta = gamma, beta
        for batch in batches_of(shape, before):
            built(batch)
        return built

    ours = layer()
    ours(x)
    gradients = ours.backward(dy), ours.dgamma, ours.dbeta
    functions = (lambda x: layer()(x), lambda gamma: layer(gamma=gamma)(x), lambda beta: layer(beta=beta)(x))
    for gradient, function, at in zip(gradients, functions, (x, gamma, beta)):
        np.testing.assert_allclose(gradient, numerical_gradient(function, at, dy), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_precision_is_that_of_x_like_every_framework(name):
    layer = BatchNorm.like(name, 3)
    x, dy = random_case((4, 3), dtype="float32")[0], random_case((4, 3), dtype="float32")[3]
    for _ in range(2):
        assert layer(x).dtype == layer.backward(dy).dtype == np.float32
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float64


def test_divided_averages_refuse_a_momentum_of_1():
    with pytest.raises(ValueError, match="^momentum must be below 1"):
        BatchNorm.like("haiku", 1, momentum=1.0)([[1.0], [2.0]])


def test_overrides_are_in_our_convention():
    layer = BatchNorm.like("pytorch", 1, momentum=0.75, unbiased=False, eps=0.5)
    assert (layer.momentum, layer.unbiased, layer.eps) == (0.75, False, 0.5)
    layer([[1.0], [5.0]])
    np.testing.assert_allclose(layer.running_mean, [0.25 * 3], rtol=1e-15)


def test_pytorchs_momentum_none():
    assert BatchNorm.like("pytorch", 1, momentum=None).momentum is None


def test_one_example_with_many_positions_is_no_batch_of_one():
    y = BatchNorm.like("pytorch", 2)(random_case((1, 2, 3))[0])
    np.testing.assert_allclose(y.mean(axis=(0, 2)), 0, atol=1e-12)


# Bad input

X = [[1.0, 2.0], [3.0, 5.0]]
ONE, ZERO = [1.0, 1.0], [0.0, 0.0]
CACHE = batch_norm_forward(X, ONE, ZERO)[1]
NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: batch_statistics([1.0, 2.0]), "x"),
        (lambda: batch_statistics(np.empty((0, 3))), "x"),
        (lambda: batch_statistics([[NAN, 1.0]]), "x"),
        (lambda: batch_statistics([[1.0], [1.0, 2.0]]), "x"),
        (lambda: batch_statistics(np.float32([[3e38], [-3e38]])), "x"),
        (lambda: batch_norm_forward(X, [1.0], ZERO), "gamma"),
        (lambda: batch_norm_forward(X, ONE, [ZERO]), "beta"),
        (lambda: batch_norm_forward(X, ONE, [0.0, NAN]), "beta"),
        (lambda: batch_norm_forward(X, ONE, ZERO, eps=-1e-5), "eps"),
        (lambda: batch_norm_forward(X, ONE, ZERO, eps=NAN), "eps"),
        (lambda: batch_norm_forward([[1.0, 7.0], [2.0, 7.0]], ONE, ZERO, eps=0.0), "eps"),
        (lambda: batch_norm_forward(np.float32([[7.0], [7.0]]), [1.0], [0.0], eps=1e-60), "eps"),
        (lambda: batch_norm_forward(np.float32([[3e38], [-3e38]]), [1.0], [0.0]), "x"),
        (lambda: batch_norm_backward([[1.0, 2.0]], CACHE), "dy"),
        (lambda: batch_norm_backward([[1.0, NAN], ONE], CACHE), "dy"),
        (lambda: batch_norm_inference(X, [0.0], ONE, ONE, ZERO), "mean"),
        (lambda: batch_norm_inference(X, ZERO, [1.0, -1.0], ONE, ZERO), "var"),
        (lambda: batch_norm_inference(X, ZERO, [1.0, 0.0], ONE, ZERO, eps=0), "eps"),
        (lambda: batch_norm_inference([1.0], ZERO, ONE, ONE, ZERO), "x"),
        (lambda: fold(ZERO, [1.0], ONE, ZERO), "var"),
        (lambda: fold([ZERO], ONE, ONE, ZERO), "mean"),
        (lambda: fold(ZERO, [-1.0, 1.0], ONE, ZERO), "var"),
        (lambda: fold(ZERO, ZERO, ONE, ZERO, eps=0.0), "eps"),
        (lambda: BatchNorm(0), "num_features"),
        (lambda: BatchNorm(2, momentum=1.1), "momentum"),
        (lambda: BatchNorm(2, eps=-1.0), "eps"),
        (lambda: BatchNorm(2, initial_var=-1.0), "initial_var"),
        (lambda: BatchNorm(2, initial_mean=NAN), "initial_mean"),
        (lambda: BatchNorm(3)(X), "x"),
        (lambda: BatchNorm(3).eval()(X), "x"),
        (lambda: BatchNorm(2)([[1.0, 2.0]]), "x"),
        (lambda: BatchNorm.like("caffe2", 2), "framework"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: batch_statistics("x"), "x"),
        (lambda: batch_statistics([[True, False]]), "x"),
        (lambda: batch_norm_forward(X, ONE, ZERO, eps="1e-5"), "eps"),
        (lambda: batch_norm_backward(X, (1, 2)), "cache"),
        (lambda: BatchNorm(2.0), "num_features"),
        (lambda: BatchNorm(2, momentum="0.9"), "momentum"),
        (lambda: BatchNorm(2, unbiased=1), "unbiased"),
    ],
)
def test_wrong_types_are_named(call, name):
    with pytest.raises(TypeError, match=f"^{name} must"):
        call()


def test_backward_before_forward_says_what_is_missing():
    with pytest.raises(RuntimeError, match="backward needs a forward pass in training mode first"):
        BatchNorm(2).backward(X)


def test_a_refused_batch_leaves_the_layer_as_it_was():
    layer = BatchNorm(2)
    for bad in ([[NAN, 1.0], [1.0, 2.0]], [[1.0, 2.0]], [[1.0], [2.0]]):
        with pytest.raises(ValueError, match="x must"):
            layer(bad)
    np.testing.assert_array_equal([layer.running_mean, layer.running_var], [[0.0, 0.0], [1.0, 1.0]])
    assert layer.num_batches_tracked == 0
