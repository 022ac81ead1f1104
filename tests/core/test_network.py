import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_teach.batchnorm import BatchNorm, batch_norm_forward, batch_norm_inference, batch_statistics
from bn_teach.network import (
    BatchNormLayer,
    Linear,
    ReLU,
    Sigmoid,
    build_network,
    cross_entropy,
    keep_running_averages,
)

# Central differences with this step are wrong by about h^2 = 1e-10 (truncation) and 1e-16 / h = 1e-11 (rounding),
# times numbers of the order 100.
STEP, CLOSE = 1e-5, {"rtol": 1e-5, "atol": 1e-8}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def numerical_gradient(loss, array):
    """Gradient of `loss()` with respect to `array`, which is nudged in place, one entry at a time."""
    gradient = np.empty_like(array)
    for i in np.ndindex(array.shape):
        before = array[i]
        array[i] = before + STEP
        up = loss()
        array[i] = before - STEP
        gradient[i] = (up - loss()) / (2 * STEP)
        array[i] = before
    return gradient


def assert_gradients_are_right(forward, backward, x, layers):
    """Compare dx and the gradient of every parameter with finite differences, under a random upstream gradient."""
    dy = normal(*forward(x).shape, seed=99)

    def loss():
        return float(np.sum(forward(x) * dy))

    loss()
    dx = backward(dy)
    found = [(layer, name, getattr(layer, "d" + name).copy()) for layer in layers for name in layer.parameters]
    if dx is not None:
        np.testing.assert_allclose(dx, numerical_gradient(loss, x), **CLOSE)
    for layer, name, gradient in found:
        np.testing.assert_allclose(gradient, numerical_gradient(loss, getattr(layer, name)), **CLOSE, err_msg=name)


def float64_network(*, seed=0, **options):
    """A small network with random gamma, beta and biases, so that none of them is at a special value."""
    network = build_network(4, 3, dtype="float64", seed=seed, **options)
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        for name in set(layer.parameters) - {"weight"}:
            getattr(layer, name)[...] = rng.normal(size=getattr(layer, name).shape)
    return network


# Layers


def test_linear_by_hand():
    y = Linear(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0]))(np.array([[1.0, 1.0]]))
    np.testing.assert_array_equal(y, [[14.0, 26.0]])


@pytest.mark.parametrize("bias", [None, normal(3, seed=2)])
def test_gradients_of_linear(bias):
    layer = Linear(normal(4, 3), bias)
    assert_gradients_are_right(layer, layer.backward, normal(5, 4, seed=1), [layer])
    assert layer.parameters == (("weight",) if bias is None else ("weight", "bias"))


def test_gradients_of_batch_norm():
    layer = BatchNormLayer(normal(3), normal(3, seed=1), eps=0.1)
    assert_gradients_are_right(layer, layer.backward, normal(5, 3, seed=2), [layer])


def test_the_batch_norm_layer_is_algorithm_1():
    x, gamma, beta = normal(5, 3), normal(3, seed=1), normal(3, seed=2)
    np.testing.assert_array_equal(BatchNormLayer(gamma, beta, 0.1)(x), batch_norm_forward(x, gamma, beta, eps=0.1)[0])


def test_the_batch_norm_layers_inference_is_algorithm_2():
    x, gamma, beta, mean = normal(5, 3), normal(3, seed=1), normal(3, seed=2), normal(3, seed=3)
    var = mean**2 + 0.5
    ours = BatchNormLayer(gamma, beta, 0.1).inference(x, mean, var)
    np.testing.assert_allclose(ours, batch_norm_inference(x, mean, var, gamma, beta, eps=0.1), rtol=1e-12)


def test_relu_by_hand():
    layer = ReLU()
    np.testing.assert_array_equal(layer(np.array([[-2.0, 0.0, 3.0]])), [[0.0, 0.0, 3.0]])
    np.testing.assert_array_equal(layer.backward(np.array([[5.0, 5.0, 5.0]])), [[0.0, 0.0, 5.0]])


def test_sigmoid_by_hand():
    layer = Sigmoid()
    np.testing.assert_allclose(layer(np.array([[0.0, math.log(3), -800.0]])), [[0.5, 0.75, 0.0]], atol=1e-15)
    np.testing.assert_allclose(layer.backward(np.ones((1, 3))), [[0.25, 0.1875, 0.0]], atol=1e-15)


@pytest.mark.parametrize("activation", [ReLU, Sigmoid])
def test_gradients_of_the_activations(activation):
    layer = activation()
    assert_gradients_are_right(layer, layer.backward, normal(5, 3), [])


# The loss


def test_cross_entropy_by_hand():
    # Scores log 1, log 3: probabilities 1/4 and 3/4. Scores 0, 0: one half each.
    loss, dscores = cross_entropy(np.log([[1.0, 3.0], [1.0, 1.0]]), np.array([1, 0]))
    assert loss == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    np.testing.assert_allclose(dscores, [[0.125, -0.125], [-0.25, 0.25]], rtol=1e-12)


def test_gradient_of_cross_entropy():
    scores, labels = normal(5, 3), np.array([0, 2, 1, 1, 0])
    _, dscores = cross_entropy(scores, labels)
    expected = numerical_gradient(lambda: cross_entropy(scores, labels)[0], scores)
    np.testing.assert_allclose(dscores, expected, **CLOSE)


@given(st.integers(0, 2**32 - 1), st.floats(-1000, 1000))
def test_cross_entropy_does_not_see_a_shift_of_all_scores(seed, shift):
    scores, labels = normal(4, 3, seed=seed), np.array([0, 1, 2, 0])
    assert cross_entropy(scores + shift, labels)[0] == pytest.approx(cross_entropy(scores, labels)[0], rel=1e-9)


def test_cross_entropy_of_huge_scores_does_not_overflow():
    loss, dscores = cross_entropy(np.array([[1e4, 0.0]]), np.array([1]))
    assert loss == 1e4
    np.testing.assert_array_equal(dscores, [[1.0, -1.0]])


@given(st.integers(0, 2**32 - 1))
def test_the_gradients_of_one_example_sum_to_zero(seed):
    _, dscores = cross_entropy(normal(4, 3, seed=seed), np.array([0, 1, 2, 0]))
    np.testing.assert_allclose(dscores.sum(axis=1), 0, atol=1e-15)


# The whole network


@pytest.mark.parametrize(
    ("hidden", "activation", "batch_norm"),
    list(product([(), (5,), (5, 4), (4, 3, 5)], ["relu", "sigmoid"], [True, False])),
)
def test_gradients_of_the_whole_network(hidden, activation, batch_norm):
    network = float64_network(hidden=hidden, activation=activation, batch_norm=batch_norm, eps=0.1)
    assert_gradients_are_right(network, network.backward, normal(6, 4, seed=5), network.layers)


def test_gradients_of_the_loss_through_the_whole_network():
    network, x, labels = float64_network(hidden=(5, 4), eps=0.1), normal(6, 4, seed=5), np.array([0, 1, 2, 0, 1, 2])
    network.backward(cross_entropy(network(x), labels)[1])
    for layer in network.layers:
        for name in layer.parameters:
            found = getattr(layer, "d" + name).copy()
            expected = numerical_gradient(lambda: cross_entropy(network(x), labels)[0], getattr(layer, name))
            network(x)
            np.testing.assert_allclose(found, expected, **CLOSE)


def test_descending_takes_a_step_against_every_gradient():
    network, x = float64_network(hidden=(5,)), normal(6, 4)
    network(x)
    network.backward(normal(6, 3, seed=1))
    expected = [
        getattr(layer, name) - 0.5 * getattr(layer, "d" + name) for layer in network.layers for name in layer.parameters
    ]
    network.descend(0.5)
    found = [getattr(layer, name) for layer in network.layers for name in layer.parameters]
    assert len(found) == 5  # weight; gamma, beta; weight, bias
    for ours, theirs in zip(found, expected):
        np.testing.assert_array_equal(ours, theirs)


def test_descending_lowers_the_loss():
    network, x, labels = float64_network(hidden=(5, 4)), normal(30, 4), np.arange(30) % 3
    losses = []
    for _ in range(20):
        loss, dscores = cross_entropy(network(x), labels)
        network.backward(dscores)
        network.descend(0.05)
        losses.append(loss)
    assert (np.diff(losses) < 0).all()


# Building


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def test_layers_with_batch_norm():
    network = build_network(4, 3, (6, 5))
    assert kinds(network) == ["Linear", "BatchNormLayer", "ReLU"] * 2 + ["Linear"]
    assert [layer.bias is None for layer in network.layers if isinstance(layer, Linear)] == [True, True, False]
    assert network.norms == [network.layers[1], network.layers[4]]


def test_layers_without_batch_norm():
    network = build_network(4, 3, (6, 5), activation="sigmoid", batch_norm=False)
    assert kinds(network) == ["Linear", "Sigmoid"] * 2 + ["Linear"]
    assert all(layer.bias is not None for layer in network.layers if isinstance(layer, Linear))
    assert network.norms == []


def test_no_hidden_layer_is_a_linear_classifier():
    assert kinds(build_network(4, 3, ())) == ["Linear"]


def test_shapes_of_the_weights():
    network = build_network(4, 3, (6, 5))
    assert [layer.weight.shape for layer in network.layers if isinstance(layer, Linear)] == [(4, 6), (6, 5), (5, 3)]


def test_gamma_starts_at_one_beta_and_biases_at_zero():
    network = build_network(4, 3, (6,))
    np.testing.assert_array_equal(network.norms[0].gamma, np.ones(6))
    np.testing.assert_array_equal(network.norms[0].beta, np.zeros(6))
    np.testing.assert_array_equal(network.layers[-1].bias, np.zeros(3))


@pytest.mark.parametrize(("weight_scale", "expected"), [(None, math.sqrt(2 / 400)), (0.3, 0.3)])
def test_spread_of_the_initial_weights(weight_scale, expected):
    weight = build_network(400, 2, (100,), weight_scale=weight_scale).layers[0].weight
    # 40,000 values: the standard deviation is known to 1 / sqrt(80,000) = 0.35 %. Five of that.
    assert weight.std() == pytest.approx(expected, rel=0.018)


def test_batch_norm_makes_the_scale_of_the_weights_below_it_irrelevant():
    x = normal(8, 4)
    scores = [build_network(4, 3, (6,), dtype="float64", weight_scale=scale, eps=0.0) for scale in (0.01, 10.0)]
    small, large = (network.layers[2](network.layers[1](network.layers[0](x))) for network in scores)
    np.testing.assert_allclose(small, large, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_has_the_dtype_asked_for(dtype):
    network = build_network(4, 3, (6,), dtype=dtype)
    scores = network(normal(8, 4).astype(dtype))
    network.backward(scores)
    arrays = [scores] + [getattr(layer, d + n) for layer in network.layers for n in layer.parameters for d in ("", "d")]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}
    given_float64 = [(np.zeros(6), np.ones(6))]
    assert network.inference(network.layers[0](normal(8, 4).astype(dtype)), given_float64).dtype == dtype


def test_the_seed_decides_the_weights():
    def first(seed):
        return build_network(4, 3, (6,), seed=seed).layers[0].weight

    np.testing.assert_array_equal(first(1), first(1))
    np.testing.assert_array_equal(first(1), first(np.random.default_rng(1)))
    assert not np.array_equal(first(1), first(2))


# Inference and exact statistics, against the plain way


def layer_by_layer(network, x, through):
    """Run `x` through `network`; every batch norm's input goes through the function `through(norm_number, norm, z)`."""
    number = 0
    for layer in network.layers:
        if isinstance(layer, BatchNormLayer):
            x = through(number, layer, x)
            number += 1
        else:
            x = layer(x)
    return x


def population_statistics_the_plain_way(network, x):
    statistics = []

    def through(_, norm, z):
        mean, var = np.mean(z, axis=0), np.var(z, axis=0)
        statistics.append((mean, var))
        return batch_norm_inference(z, mean, var, norm.gamma, norm.beta, eps=norm.eps)

    layer_by_layer(network, x, through)
    return statistics


def algorithm2_statistics_the_plain_way(network, x, m):
    seen = [[] for _ in network.norms]

    def through(number, norm, z):
        seen[number].append(batch_statistics(z))
        return batch_norm_forward(z, norm.gamma, norm.beta, eps=norm.eps)[0]

    for start in range(0, len(x) - m + 1, m):
        layer_by_layer(network, x[start : start + m], through)
    return [
        (np.mean([mean for mean, _ in layer], axis=0), m / (m - 1) * np.mean([var for _, var in layer], axis=0))
        for layer in seen
    ]


def assert_same_statistics(ours, theirs, count):
    assert len(ours) == len(theirs) == count
    for (mean, var), (expected_mean, expected_var) in zip(ours, theirs):
        assert mean.dtype == var.dtype == np.float64
        np.testing.assert_allclose(mean, expected_mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(var, expected_var, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4, 6)])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_population_statistics_against_the_plain_way(hidden, activation):
    network, x = float64_network(hidden=hidden, activation=activation), normal(23, 4)
    ours = network.population_statistics(network.layers[0](x))
    assert_same_statistics(ours, population_statistics_the_plain_way(network, x), len(hidden))


@pytest.mark.parametrize("m", [2, 5, 23])
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4, 6)])
def test_algorithm_2_statistics_against_the_plain_way(hidden, m):
    network, x = float64_network(hidden=hidden), normal(23, 4)  # 23 = 11 * 2 + 1 = 4 * 5 + 3: a rest is left out
    ours = network.algorithm2_statistics(network.layers[0](x), m)
    assert_same_statistics(ours, algorithm2_statistics_the_plain_way(network, x, m), len(hidden))


def test_inference_against_the_plain_way():
    network, x = float64_network(hidden=(5, 4)), normal(7, 4)
    statistics = [(normal(5, seed=1), np.full(5, 0.5)), (normal(4, seed=2), np.full(4, 2.0))]

    def through(number, norm, z):
        return batch_norm_inference(z, *statistics[number], norm.gamma, norm.beta, eps=norm.eps)

    expected = layer_by_layer(network, x, through)
    np.testing.assert_allclose(network.inference(network.layers[0](x), statistics), expected, rtol=1e-10, atol=1e-12)


def test_inference_without_batch_norm_is_the_network_itself():
    network, x = float64_network(hidden=(5, 4), batch_norm=False), normal(7, 4)
    np.testing.assert_array_equal(network.inference(network.layers[0](x), []), network(x))


@pytest.mark.parametrize(
    ("n", "m", "sizes"), [(12, 4, [4, 4, 4]), (10, 4, [4, 6]), (11, 4, [4, 7]), (3, 4, [3]), (4, 4, [4]), (5, 4, [5])]
)
def test_scores_by_batch_are_training_mode_and_a_remainder_joins_the_batch_before_it(n, m, sizes):
    network, x = float64_network(hidden=(5, 4)), normal(n, 4)
    expected = np.concatenate([network(rows) for rows in np.split(x, np.cumsum(sizes)[:-1])])
    np.testing.assert_allclose(network.scores_by_batch(network.layers[0](x), m), expected, rtol=1e-9, atol=1e-12)


# With running averages


def test_running_averages_take_the_place_of_memoryless_batch_norm():
    network, x = float64_network(hidden=(5, 4), eps=0.1), normal(7, 4)
    averaging = keep_running_averages(network, momentum=0.75, unbiased=False)
    np.testing.assert_array_equal(averaging(x), network(x))
    layers = [layer for layer in averaging.layers if isinstance(layer, BatchNorm)]
    assert [(layer.momentum, layer.unbiased, layer.eps) for layer in layers] == [(0.75, False, 0.1)] * 2
    for layer, norm in zip(layers, network.norms):
        np.testing.assert_allclose(layer.running_mean, 0.25 * norm.cache.mean, rtol=1e-12)
        assert layer.gamma is norm.gamma


def test_running_averages_as_another_framework_keeps_them_take_a_batch_of_one():
    x = normal(1, 4)
    averaging = keep_running_averages(float64_network(hidden=(5,)), like="keras")
    assert (averaging.layers[1].momentum, averaging.layers[1].unbiased) == (0.99, False)
    averaging(x)
    with pytest.raises(ValueError, match="at least 2 values"):
        keep_running_averages(float64_network(hidden=(5,)))(x)


def test_layers_of_ones_own_take_the_place_of_memoryless_batch_norm():
    class Louder(BatchNorm):
        pass

    network = float64_network(hidden=(5, 4), eps=0.1)
    averaging = keep_running_averages(network, like=Louder, momentum=0.5)
    layers = averaging.layers[1::3]
    assert [(type(layer), layer.num_features, layer.eps, layer.momentum) for layer in layers] == [
        (Louder, 5, 0.1, 0.5),
        (Louder, 4, 0.1, 0.5),
    ]
    assert all(layer.gamma is norm.gamma for layer, norm in zip(layers, network.norms))


def test_the_network_switches_the_modes_of_layers_that_have_one():
    network, x = keep_running_averages(float64_network(hidden=(5, 4)), momentum=0.5), normal(6, 4)
    norms = [layer for layer in network.layers if isinstance(layer, BatchNorm)]
    assert network.eval() is network
    alone, together = network(x[:1]), network(x)
    np.testing.assert_allclose(together[:1], alone, rtol=1e-12)  # in inference mode neighbours do not matter
    assert network.train() is network
    network(x)
    assert [norm.num_batches_tracked for norm in norms] == [1, 1]


# Bad input


def small_network():
    return build_network(4, 3, (5,))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: small_network().inference(normal(2, 5), []), "statistics"),
        (lambda: small_network().algorithm2_statistics(normal(8, 5), 9), "batch_size"),
        (lambda: small_network().algorithm2_statistics(normal(8, 5), 1), "batch_size"),
        (lambda: small_network().scores_by_batch(normal(8, 5), 0), "batch_size"),
        (lambda: keep_running_averages(small_network(), momentum=2.0), "momentum"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call()


def test_the_first_layer_learns_without_carrying_the_gradient_to_the_examples():
    network, x, labels = float64_network(hidden=(5,)), normal(6, 4), np.array([0, 1, 2, 0, 1, 2])
    network.backward(cross_entropy(network(x), labels)[1])
    found = network.layers[0].dweight.copy()
    np.testing.assert_allclose(
        found,
        numerical_gradient(lambda: cross_entropy(network(x), labels)[0], network.layers[0].weight),
        **CLOSE,
    )
