"""Flax beside ours, line by line."""

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS, kept_fraction

jax = pytest.importorskip("jax")
flax = pytest.importorskip("flax")
linen = pytest.importorskip("flax.linen")
nnx = pytest.importorskip("flax.nnx")

FRAMEWORK = f"Flax {flax.__version__}"
C = 5
MOMENTA = [FRAMEWORKS["flax"].default_momentum, 0.0, 0.5, 0.999]


@pytest.fixture(autouse=True)
def float64_allowed():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def apply(layer, x, params, statistics):
    y, updated = layer.apply({"params": params, "batch_stats": statistics}, x, mutable=["batch_stats"])
    return y, updated["batch_stats"]


def initial_statistics(layer, x):
    """Flax starts in float32 whatever the input; in the input's precision the first 0.99 * 1 is not rounded."""
    statistics = layer.init(jax.random.key(0), x)["batch_stats"]
    return {name: value.astype(x.dtype) for name, value in statistics.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_forward_and_gradients(shape, dtype, draw, agree, rounding):
    x, gamma, beta, dy = draw(shape, dtype)
    agree = agree(dtype, rounding(x, fast_variance=True))

    ours = BatchNorm.like("flax", C)
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)
    dx = ours.backward(dy)

    theirs = linen.BatchNorm(use_running_average=False)
    x_flax, params = channels_last(x), {"scale": gamma, "bias": beta}
    statistics = initial_statistics(theirs, x_flax)
    y_flax, pull_back = jax.vjp(lambda x, params: apply(theirs, x, params, statistics)[0], x_flax, params)
    dx_flax, dparams = pull_back(jax.numpy.asarray(channels_last(dy)))

    agree("y", y, channels_first(y_flax))
    agree("dx", dx, channels_first(dx_flax))
    agree("dgamma", ours.dgamma, dparams["scale"])
    agree("dbeta", ours.dbeta, dparams["bias"])


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_statistics_over_200_steps(shape, dtype, momentum, stream, agree, rounding):
    batches = stream(dtype)
    agree = agree(dtype, rounding(*batches, updates=200, fast_variance=True))

    ours = BatchNorm.like("flax", C, momentum=kept_fraction("flax", momentum))
    theirs = linen.BatchNorm(use_running_average=False, momentum=momentum)
    params = {"scale": np.ones(C, dtype), "bias": np.zeros(C, dtype)}
    statistics = initial_statistics(theirs, channels_last(batches[0]))
    update = jax.jit(lambda x, statistics: apply(theirs, x, params, statistics))
    means, variances = [], []
    for x in batches:
        ours(x)
        _, statistics = update(channels_last(x), statistics)
        means.append((ours.running_mean, statistics["mean"]))
        variances.append((ours.running_var, statistics["var"]))

    agree("running mean, 200 steps", *zip(*means))
    agree("running variance, 200 steps", *zip(*variances))
    inference = linen.BatchNorm(use_running_average=True)
    y_flax = inference.apply({"params": params, "batch_stats": statistics}, channels_last(x))
    agree("y in inference", ours.eval()(x), channels_first(y_flax))


def test_the_newer_interface_keeps_the_same_statistics(stream, agree, rounding):
    batches = stream("float32")
    agree = agree("float32", rounding(*batches, updates=200, fast_variance=True))
    ours = BatchNorm.like("flax_nnx", C)
    theirs = nnx.BatchNorm(C, rngs=nnx.Rngs(0), use_running_average=False)
    means, variances = [], []
    for x in batches:
        y, y_flax = ours(x), theirs(channels_last(x))
        means.append((ours.running_mean, theirs.mean[...]))
        variances.append((ours.running_var, theirs.var[...]))
    agree("nnx: y", y, channels_first(y_flax))  # of the last batch
    agree("nnx: running mean", *zip(*means))
    agree("nnx: running variance", *zip(*variances))


def test_like_takes_over_the_defaults_of_flax():
    for name, theirs in (("flax", linen.BatchNorm()), ("flax_nnx", nnx.BatchNorm(C, rngs=nnx.Rngs(0)))):
        ours = BatchNorm.like(name, C)
        assert (ours.momentum, ours.eps) == (theirs.momentum, theirs.epsilon)


def test_a_batch_of_one_comes_out_as_beta_and_shrinks_the_running_variance(draw, agree):
    agree = agree("float64")
    x, gamma, beta, _ = draw((1, C))

    ours = BatchNorm.like("flax", C)
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)

    theirs = linen.BatchNorm(use_running_average=False)
    y_flax, statistics = apply(theirs, x, {"scale": gamma, "bias": beta}, initial_statistics(theirs, x))

    agree("y, one example", y, y_flax)
    agree("running mean, one example", ours.running_mean, statistics["mean"])
    agree("running variance, one example", ours.running_var, statistics["var"])
    assert np.array_equal(y, beta[None])


def test_a_wrong_number_of_channels_is_refused_by_both():
    theirs = linen.BatchNorm(use_running_average=False)
    variables = theirs.init(jax.random.key(0), np.ones((4, C)))
    with pytest.raises(TypeError, match="incompatible shapes"):
        theirs.apply(variables, np.ones((4, C + 1)), mutable=["batch_stats"])
    with pytest.raises(ValueError, match="^x must"):
        BatchNorm.like("flax", C)(np.ones((4, C + 1)))


def test_an_empty_batch_that_makes_flaxs_variance_nan_is_refused_by_ours():
    theirs, x = linen.BatchNorm(use_running_average=False), np.ones((0, C))
    params = {"scale": np.ones(C), "bias": np.zeros(C)}
    _, statistics = apply(theirs, x, params, initial_statistics(theirs, x))
    assert np.isnan(statistics["var"]).all()
    with pytest.raises(ValueError, match="^x must"):
        BatchNorm.like("flax", C)(x)


def channels_last(x):
    return np.moveaxis(x, 1, -1)


def channels_first(x):
    return np.moveaxis(np.asarray(x), -1, 1)
