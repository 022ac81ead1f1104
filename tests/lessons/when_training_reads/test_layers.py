"""Layers whose training reads the averages, and those around them: gradients, limits, and what each is equal to."""

from functools import partial

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.lessons.when_training_reads.layers import BatchRenorm, Dropout, Frozen, Grouped, GroupNorm
from bn_teach.network import build_network, cross_entropy, keep_running_averages

C = 6


def normal(*shape, seed=0):
    return 1 + 2 * np.random.default_rng(seed).normal(size=shape)


def with_memory(layer, batches=3):
    """A layer that has seen some batches, and whose gamma and beta are none in particular."""
    layer.gamma, layer.beta = normal(C, seed=20), normal(C, seed=21)
    for seed in range(batches):
        layer(normal(8, C, seed=seed + 1))
    return layer


# Layers that read, made so that every limit and every mode is met.
LAYERS = {
    "renorm, open": partial(BatchRenorm, r_max=100, d_max=100),
    "renorm, clipped": partial(BatchRenorm, r_max=1.1, d_max=0.1),
    "renorm, before its start": partial(BatchRenorm, start=100),
    "renorm, half open": partial(BatchRenorm, r_max=1.4, d_max=0.4, start=1, ramp=4),
    "frozen": partial(Frozen, start=3),
    "before it is frozen": partial(Frozen, start=100),
    "in groups": partial(Grouped, group=4),
    "in groups, frozen": partial(Grouped, group=4, start=6),
}


def numerical(forward, array, dy, step=1e-6):
    """The gradient of ``sum(dy * forward())`` with respect to each number of an array, by nudging it."""
    gradient = np.empty_like(array)
    for at in np.ndindex(array.shape):
        held = array[at]
        sums = []
        for nudge in (step, -step):
            array[at] = held + nudge
            sums.append((dy * forward()).sum())
        array[at] = held
        gradient[at] = (sums[0] - sums[1]) / (2 * step)
    return gradient


def memory_of(layer):
    names = "running_mean", "running_var", "running_std", "num_batches_tracked"
    return {name: np.copy(getattr(layer, name)) for name in names if hasattr(layer, name)}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_with_a_random_upstream_gradient(name):
    layer, x, dy = with_memory(LAYERS[name](C, momentum=0.7)), normal(8, C, seed=9), normal(8, C, seed=10)
    memory = memory_of(layer)

    def restored():
        vars(layer).update({key: value.copy() for key, value in memory.items()})

    def forward():
        restored()
        return layer(x)

    forward()
    dx = layer.backward(dy)
    dgamma, dbeta = layer.dgamma, layer.dbeta
    # A central difference is off by about step^2 (the third derivative) and rounding / step: 1e-12 and 1e-9.
    close = partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6)
    close(dgamma, numerical(forward, layer.gamma, dy))
    close(dbeta, numerical(forward, layer.beta, dy))
    if not name.startswith("renorm"):
        close(dx, numerical(forward, x, dy))
        return
    # Batch Renormalization takes r and d for constants, so they are held while x is nudged.
    restored()
    layer(x)
    r, d = layer.r, layer.d

    def held():
        plain = BatchNorm(C)
        return layer.gamma * (plain(x) * r + d) + layer.beta

    close(dx, numerical(held, x, dy))


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_gradients_of_group_norm(groups):
    layer, x, dy = GroupNorm(C, groups=groups), normal(5, C), normal(5, C, seed=1)
    layer.gamma, layer.beta = normal(C, seed=2), normal(C, seed=3)
    layer(x)
    dx = layer.backward(dy)
    dgamma, dbeta = layer.dgamma, layer.dbeta
    for found, array in ((dx, x), (dgamma, layer.gamma), (dbeta, layer.beta)):
        np.testing.assert_allclose(found, numerical(lambda: layer(x), array, dy), rtol=1e-5, atol=1e-6)


def test_gradients_of_dropout():
    x, dy = normal(5, C), normal(5, C, seed=1)
    layer = Dropout(0.5, np.random.default_rng(0))
    layer(x)
    dx = layer.backward(dy)

    def again():
        layer.rng = np.random.default_rng(0)
        return layer(x)

    np.testing.assert_allclose(dx, numerical(again, x, dy), atol=1e-8)


# Batch Renormalization


def test_renorm_without_limits_is_inference_of_the_averages_as_they_were():
    layer = with_memory(BatchRenorm(C, r_max=1e9, d_max=1e9, momentum=0.9))
    before, x = memory_of(layer), normal(8, C, seed=9)
    expected = layer.gamma * (x - before["running_mean"]) / before["running_std"] + layer.beta
    np.testing.assert_allclose(layer(x), expected, rtol=1e-10, atol=1e-10)
    assert not np.array_equal(layer.running_mean, before["running_mean"])


def test_renorm_with_closed_limits_is_batch_norm():
    x = normal(8, C, seed=9)
    for closed in (BatchRenorm(C, r_max=1, d_max=0), BatchRenorm(C, start=10)):
        np.testing.assert_array_equal(with_memory(closed)(x), with_memory(BatchNorm(C))(x))


def test_renorm_gradients_differ_from_those_of_its_own_inference():
    layer, x, dy = with_memory(BatchRenorm(C, r_max=1e9, d_max=1e9)), normal(8, C, seed=9), normal(8, C, seed=10)
    as_given = Frozen.of(layer)
    np.testing.assert_allclose(as_given(x), layer(x), rtol=1e-6)  # but for eps, the same function
    # Its gradient is that of batch norm: what shifts or stretches the whole batch is taken out of it.
    np.testing.assert_allclose(layer.backward(dy).sum(axis=0), 0, atol=1e-12)
    assert np.abs(as_given.backward(dy).sum(axis=0)).max() > 1


def test_limits_open_from_start_over_the_ramp():
    layer = BatchRenorm(1, r_max=3, d_max=5, start=2, ramp=4)
    seen = []
    for seed in range(8):
        seen.append(layer.limits())
        layer(normal(4, 1, seed=seed))
    assert seen == [(1, 0), (1, 0), (1, 0), (1.5, 1.25), (2, 2.5), (2.5, 3.75), (3, 5), (3, 5)]
    assert BatchRenorm(1, r_max=2, d_max=1).limits() == (2, 1)


def test_corrections_stay_within_their_limits_and_reach_them():
    layer = with_memory(BatchRenorm(C, r_max=1.5, d_max=0.5, momentum=0.9))
    for scale, shift in ((10, 50), (0.01, -50)):
        layer(scale * normal(8, C, seed=9) + shift)
        np.testing.assert_allclose(layer.r, 1.5 if scale > 1 else 1 / 1.5)
        np.testing.assert_allclose(layer.d, np.copysign(0.5, shift))


def test_what_renorm_averages_are_standard_deviations():
    layer = BatchRenorm(1, momentum=0.75, eps=0.0)
    layer([[0.0], [8.0]])  # mean 4, standard deviation 4
    np.testing.assert_allclose([layer.running_mean, layer.running_std], [[1.0], [0.75 + 0.25 * 4]])
    np.testing.assert_allclose(layer.eval()([[1.0 + 1.75]]), [[1.0]])


# Frozen


def test_frozen_is_batch_norm_until_its_start_and_inference_after_it():
    layer, plain = Frozen(C, start=3), BatchNorm(C)
    for seed in range(3):
        x = normal(8, C, seed=seed)
        np.testing.assert_array_equal(layer(x), plain(x))
    plain.eval()
    for seed in range(3, 6):
        x = normal(8, C, seed=seed)
        np.testing.assert_allclose(layer(x), plain(x), rtol=1e-10, atol=1e-12)
        assert memory_of(layer)["num_batches_tracked"] == 3
        np.testing.assert_array_equal(layer.running_mean, plain.running_mean)


def test_frozen_averages_take_nothing_in_whoever_tells_them():
    layer = Frozen(C, start=2)
    for told in range(4):
        layer.update(np.full(C, 10.0), np.full(C, 10.0), 8)
        assert layer.frozen is (told >= 1)
    assert layer.num_batches_tracked == 2
    np.testing.assert_allclose(layer.running_mean, 10 * (1 - 0.9**2))


def test_frozen_keeps_float32():
    layer = with_memory(Frozen(C, start=3))
    layer.gamma, layer.beta = layer.gamma.astype("float32"), layer.beta.astype("float32")
    y = layer(normal(8, C).astype("float32"))
    assert y.dtype == layer.backward(y).dtype == np.float32


# In groups


def by_accumulation(network, x, y, group):
    """Loss and gradients of a mini-batch as who accumulates them gets them: a pass for each group, all added up."""
    sums = {}
    for rows in np.split(np.arange(len(x)), len(x) // group):
        _, dscores = cross_entropy(network(x[rows]), y[rows])
        network.backward(dscores * group / len(x))
        for at, layer in enumerate(network.layers):
            for name in layer.parameters:
                sums[at, name] = sums.get((at, name), 0) + getattr(layer, "d" + name)
    return sums


@pytest.mark.parametrize("group", [2, 4, 8])
def test_one_pass_in_groups_is_gradient_accumulation(group):
    x, y = normal(8, 4), np.arange(8) % 3
    plain = build_network(4, 3, hidden=(C, 5), dtype="float64")
    one = keep_running_averages(plain, like=partial(Grouped, group=group), momentum=0.8)
    many = keep_running_averages(plain, momentum=0.8)
    expected = by_accumulation(many, x, y, group)
    _, dscores = cross_entropy(one(x), y)
    one.backward(dscores)
    for (at, name), gradient in expected.items():
        np.testing.assert_allclose(getattr(one.layers[at], "d" + name), gradient, rtol=1e-9, atol=1e-12)
    for grouped, usual in zip(one.layers, many.layers):
        if isinstance(usual, BatchNorm):
            np.testing.assert_allclose(grouped.running_mean, usual.running_mean, rtol=1e-12)
            np.testing.assert_allclose(grouped.running_var, usual.running_var, rtol=1e-12)
            assert grouped.num_batches_tracked == usual.num_batches_tracked == 8 // group


def test_a_single_group_is_batch_norm():
    x = normal(8, C)
    np.testing.assert_allclose(with_memory(Grouped(C, group=8))(x), with_memory(BatchNorm(C))(x), rtol=1e-12)


# Layers without averages


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_group_norm_normalises_each_example_by_itself(groups):
    x = normal(5, C)
    y = GroupNorm(C, groups=groups, eps=0)(x)
    parts = x.reshape(5, groups, -1)
    expected = (parts - parts.mean(axis=2, keepdims=True)) / parts.std(axis=2, keepdims=True)
    np.testing.assert_allclose(y, expected.reshape(5, C), rtol=1e-10)
    np.testing.assert_allclose(GroupNorm(C, groups=groups, eps=0)(x[:1]), y[:1], rtol=1e-12)  # no neighbour matters


def test_group_norm_is_pytorchs():
    torch = pytest.importorskip("torch")
    x, gamma, beta = normal(5, C), normal(C, seed=1), normal(C, seed=2)
    layer = GroupNorm(C, groups=3)
    layer.gamma, layer.beta = gamma, beta
    theirs = torch.nn.functional.group_norm(*map(torch.tensor, (x,)), 3, torch.tensor(gamma), torch.tensor(beta), 1e-5)
    np.testing.assert_allclose(layer(x), theirs.numpy(), rtol=1e-10, atol=1e-12)


def test_dropout_drops_the_share_that_it_should_and_keeps_the_mean():
    x = np.ones((400, 400))
    layer = Dropout(0.75, np.random.default_rng(0))
    y = layer(x)
    assert set(np.unique(y)) == {0.0, 4.0}
    # 160,000 values: the share has a standard error of 0.0011, the mean four times as much.
    assert np.mean(y == 0) == pytest.approx(0.75, abs=0.005)
    assert y.mean() == pytest.approx(1, abs=0.02)
    layer.eval()
    np.testing.assert_array_equal(layer(x), x)


# Bad input


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BatchRenorm(C, r_max=0.5), r"r_max must be a finite number of at least 1.0, got 0.5"),
        (lambda: BatchRenorm(C, d_max=-1), r"d_max must be a finite number of at least 0.0, got -1"),
        (lambda: BatchRenorm(C, ramp=-1), r"ramp must be a whole number of at least 0, got -1"),
        (lambda: BatchRenorm(C, start=1.5), r"start must be a whole number of at least 0, got 1.5"),
        (lambda: Frozen(C, start=-1), r"start must be a whole number of at least 0, got -1"),
        (lambda: Grouped(C, group=1), r"group must be a whole number of at least 2, got 1"),
        (lambda: Grouped(C, group=3)(normal(8, C)), r"group must divide the mini-batch of 8, got 3"),
        (lambda: GroupNorm(C, groups=4), r"groups must divide the 6 units, got 4"),
        (lambda: GroupNorm(C, groups=0), r"groups must be a whole number of at least 1, got 0"),
        (lambda: Dropout(1.0, None), r"q must be a finite number from 0.0 to 0.99, got 1.0"),
        (lambda: Frozen(C)(normal(8, C + 1)), r"x must have shape \(any, 6\), got \(8, 7\)"),
        (lambda: BatchRenorm(C, momentum=2), r"momentum must be between 0 and 1"),
    ],
)
def test_bad_input_is_named_with_what_is_allowed(make, said):
    with pytest.raises((TypeError, ValueError), match=said):
        make()
