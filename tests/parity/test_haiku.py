"""Haiku beside ours, line by line.

It keeps the plain average, `hidden`, and what is read, `average`, which is freed of its start.
"""

from importlib.metadata import version

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.running import exponential_moving_average

jax = pytest.importorskip("jax")
haiku = pytest.importorskip("haiku")

FRAMEWORK = f"Haiku {version('dm-haiku')}"
C = 5
MOMENTA = [0.9, 0.0, 0.5, 0.999]


@pytest.fixture(autouse=True)
def float64_allowed():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


class HaikuLayer:
    """A layer of Haiku with its parameters and its state, called as ours is."""

    def __init__(self, x, decay_rate=0.9):
        def layer(x, training):
            return haiku.BatchNorm(True, True, decay_rate, data_format="channels_first")(x, training)

        init, apply = haiku.transform_with_state(layer)
        (path,), (self.params,) = zip(*init(None, x, True)[0].items())
        self.state = init(None, x, True)[1]
        self.pure = jax.jit(
            lambda params, state, x, training: apply({path: params}, state, None, x, training), static_argnums=3
        )

    def set(self, gamma, beta):
        self.params = {
            name: value.reshape(self.params[name].shape) for name, value in (("scale", gamma), ("offset", beta))
        }

    def __call__(self, x, training=True):
        y, state = self.pure(self.params, self.state, x, training)
        if training:
            self.state = state
        return y

    def averages(self, name="average"):
        return [np.ravel(self.state[f"batch_norm/~/{which}_ema"][name]) for which in ("mean", "var")]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_forward_and_gradients(shape, dtype, draw, agree, rounding):
    x, gamma, beta, dy = draw(shape, dtype)
    agree = agree(dtype, rounding(x, fast_variance=True))

    ours = BatchNorm.like("haiku", C)
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)
    dx = ours.backward(dy)

    theirs = HaikuLayer(x)
    theirs.set(gamma, beta)
    y_haiku, pull_back = jax.vjp(lambda x, params: theirs.pure(params, theirs.state, x, True)[0], x, theirs.params)
    dx_haiku, dparams = pull_back(jax.numpy.asarray(dy))

    agree("y", y, y_haiku)
    agree("dx", dx, dx_haiku)
    agree("dgamma", ours.dgamma, dparams["scale"].ravel())
    agree("dbeta", ours.dbeta, dparams["offset"].ravel())


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_statistics_over_200_steps(shape, dtype, momentum, stream, agree, rounding, freed):
    batches = stream(dtype)
    agree = agree(dtype, rounding(*batches, updates=200, fast_variance=True) + freed(momentum))

    ours = BatchNorm.like("haiku", C, momentum=kept_fraction("haiku", momentum))
    theirs = HaikuLayer(batches[0], momentum)
    means, variances = [], []
    for x in batches:
        ours(x)
        theirs(x)
        mean, var = theirs.averages()
        means.append((ours.running_mean, mean))
        variances.append((ours.running_var, var))

    agree("running mean, 200 steps", *zip(*means))
    agree("running variance, 200 steps", *zip(*variances))
    agree("y in inference", ours.eval()(x), theirs(x, training=False))


@pytest.mark.parametrize("momentum", MOMENTA)
def test_what_is_read_is_the_debiased_average_of_the_batches(shape, momentum, stream, agree):
    agree = agree("float64")
    batches = stream()
    theirs = HaikuLayer(batches[0], momentum)
    rows = []
    for x in batches:
        theirs(x)
        rows.append(theirs.averages())
    axes = (0, *range(2, len(shape)))
    history = np.stack([x.mean(axis=axes) for x in batches]), np.stack([x.var(axis=axes) for x in batches])
    for what, ours, column in zip(("mean", "variance"), history, zip(*rows)):
        agree(f"debiased {what}", exponential_moving_average(ours, momentum, debias=True), column)


def test_the_first_batch_is_all_that_is_read_after_it(draw, agree):
    agree = agree("float64")
    x, *_ = draw((16, C))
    theirs = HaikuLayer(x, 0.999)
    theirs(x)
    agree("freed mean, one batch", x.mean(axis=0), theirs.averages()[0])
    agree("plain mean, one batch", 0.001 * x.mean(axis=0), theirs.averages("hidden")[0])


def test_like_takes_over_the_defaults_of_haiku(draw):
    ours, theirs = BatchNorm.like("haiku", C), haiku.transform(lambda: haiku.BatchNorm(True, True, 0.9).eps)
    assert ours.eps == theirs.apply({}, None)
    assert FRAMEWORKS["haiku"].default_momentum is None
    with pytest.raises(TypeError, match="decay_rate"):
        haiku.transform(lambda: haiku.BatchNorm(True, True)).init(None)


def test_before_any_training_it_reads_the_batch_that_it_was_made_with(draw, agree):
    agree = agree("float64")
    (made_with, *_), (x, *_) = draw((16, C)), draw((16, C), seed=1)
    theirs = HaikuLayer(made_with)
    agree("mean, zero updates", made_with.mean(axis=0), theirs.averages()[0])
    theirs(x)  # and nothing of that batch is left after the first update
    agree("mean, one update", x.mean(axis=0), theirs.averages()[0])


def test_a_batch_of_one_comes_out_as_beta_and_shrinks_the_running_variance(draw, agree):
    agree = agree("float64")
    (first, *_), (x, gamma, beta, _) = draw((16, C)), draw((1, C), seed=1)

    ours, theirs = BatchNorm.like("haiku", C), HaikuLayer(x)
    ours.gamma, ours.beta = gamma, beta
    theirs.set(gamma, beta)
    ours(first)
    theirs(first)
    before = ours.running_var
    y = ours(x)

    agree("y, one example", y, theirs(x))
    mean, var = theirs.averages()
    agree("running mean, one example", ours.running_mean, mean)
    agree("running variance, one example", ours.running_var, var)
    assert np.array_equal(y, beta[None])
    assert np.all(ours.running_var < before)
