"""Equinox beside ours, line by line, in both of its modes.

With mode="batch" it trains as others do, and divides what it reads by 1 - p**t. By default, and with mode="ema", it
normalises training by the running averages themselves.
"""

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.network import build_network, cross_entropy, keep_running_averages
from bn_teach.running import exponential_moving_average

jax = pytest.importorskip("jax")
equinox = pytest.importorskip("equinox")

FRAMEWORK = f"Equinox {equinox.__version__}"
C = 5
MODES = ["batch", "ema"]
MOMENTA = [0.99, 0.0, 0.5, 0.999]


@pytest.fixture(autouse=True)
def float64_allowed():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


class EquinoxLayer:
    """A layer of Equinox with its state, called as ours is."""

    def __init__(self, mode, dtype="float64", **options):
        make = equinox.nn.make_with_state(equinox.nn.BatchNorm)
        self.layer, self.state = make(C, axis_name="batch", mode=mode, dtype=dtype, **options)

    def set(self, gamma, beta):
        as_jax = map(jax.numpy.asarray, (gamma, beta))
        self.layer = equinox.tree_at(lambda layer: (layer.weight, layer.bias), self.layer, tuple(as_jax))

    def eval(self):
        self.layer = equinox.nn.inference_mode(self.layer)
        return self

    def __call__(self, x):
        y, self.state = pure(self.layer, self.state, x)
        return y

    def kept(self):
        """What it stores: with mode="batch" not yet divided."""
        index = self.layer.batch_state_index if self.layer.mode == "batch" else self.layer.ema_state_index
        return [np.asarray(value) for value in self.state.get(index)]


@equinox.filter_jit
def pure(layer, state, x):
    return jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)


def divided_by(layer):
    """What our layer has divided its running averages by, as Equinox does when it reads."""
    if type(layer) is type(BatchNorm.like("equinox_batch", C)):
        return 1 - layer.momentum**layer.num_batches_tracked
    return 1


@pytest.mark.parametrize("before", [0, 1, 3], ids="after {} batches".format)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_forward_and_gradients(shape, dtype, mode, before, draw, agree, rounding):
    x, gamma, beta, dy = draw(shape, dtype)
    others = [draw(shape, dtype, seed)[0] for seed in range(1, before + 1)]
    agree = agree(dtype, rounding(x, *others, updates=before))

    ours = BatchNorm.like(f"equinox_{mode}", C)
    ours.gamma, ours.beta = gamma, beta
    theirs = EquinoxLayer(mode, dtype)
    theirs.set(gamma, beta)
    for other in others:
        ours(other)
        theirs(other)
    y = ours(x)
    dx = ours.backward(dy)
    arrays, rest = equinox.partition(theirs.layer, equinox.is_inexact_array)
    y_equinox, pull_back = jax.vjp(lambda x, arrays: pure(equinox.combine(arrays, rest), theirs.state, x)[0], x, arrays)
    dx_equinox, dlayer = pull_back(jax.numpy.asarray(dy))

    agree(f"{mode}: y", y, y_equinox)
    agree(f"{mode}: dx", dx, dx_equinox)
    agree(f"{mode}: dgamma", ours.dgamma, dlayer.weight)
    agree(f"{mode}: dbeta", ours.dbeta, dlayer.bias)


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_statistics_over_200_steps(shape, dtype, mode, momentum, stream, agree, rounding, freed):
    batches = stream(dtype)
    bound = rounding(*batches, updates=200)
    told = agree(dtype, bound)

    ours = BatchNorm.like(f"equinox_{mode}", C, momentum=kept_fraction(f"equinox_{mode}", momentum))
    theirs = EquinoxLayer(mode, dtype, momentum=momentum)
    means, variances = [], []
    for x in batches:
        y, y_equinox = ours(x), theirs(x)
        if dtype == "float64":  # in float32 two values that are alike leave little of their difference
            told(f"{mode}: y in training", y, y_equinox)
        mean, var = theirs.kept()
        means.append((ours.running_mean * divided_by(ours), mean))
        variances.append((ours.running_var * divided_by(ours), var))

    told(f"{mode}: mean, 200 steps", *zip(*means))
    told(f"{mode}: variance, 200 steps", *zip(*variances))
    agree(dtype, bound + freed(momentum))(f"{mode}: y in inference", ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("mode", MODES)
def test_losses_of_a_network_over_20_steps_of_training(mode, agree):
    rng, rate = np.random.default_rng(0), 0.1
    batches = [(rng.normal(size=(8, 4)), rng.integers(0, 3, 8)) for _ in range(20)]
    network = build_network(4, 3, hidden=(C, C), dtype="float64")
    weights = [jax.numpy.asarray(layer.weight) for layer in network.layers[::3]], jax.numpy.zeros(3)
    theirs = [EquinoxLayer(mode) for _ in range(2)]
    arrays, rest = zip(*(equinox.partition(one.layer, equinox.is_inexact_array) for one in theirs))
    states = [one.state for one in theirs]

    def loss_of(learnt, states, x, y):
        (*hidden, last), bias = learnt[0]
        after = []
        for weight, own, fixed, state in zip(hidden, learnt[1], rest, states):
            x, state = pure(equinox.combine(own, fixed), state, x @ weight)
            x, after = jax.numpy.maximum(x, 0), [*after, state]
        scores = jax.nn.log_softmax(x @ last + bias)
        return -scores[jax.numpy.arange(len(y)), y].mean(), after

    ours, learnt, losses = keep_running_averages(network, like=f"equinox_{mode}"), (weights, list(arrays)), []
    for x, y in batches:
        loss, dscores = cross_entropy(ours(x), y)
        ours.backward(dscores)
        ours.descend(rate)
        (expected, states), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            learnt, states, jax.numpy.asarray(x), y
        )
        learnt = jax.tree_util.tree_map(lambda value, gradient: value - rate * gradient, learnt, gradients)
        losses.append((loss, float(expected)))
    agree("float64")(f"{mode}: losses, 20 steps", *zip(*losses))


@pytest.mark.parametrize("mode", MODES)
def test_momentum_changes_training_with_mode_ema_alone(mode, draw):
    outputs = []
    for momentum in (0.5, 0.99):
        layer = EquinoxLayer(mode, momentum=momentum)
        layer(draw((16, C), seed=0)[0])
        outputs.append(np.asarray(layer(draw((16, C), seed=1)[0])))
    assert np.array_equal(*outputs) is (FRAMEWORKS[f"equinox_{mode}"].training == "batch")


def test_the_default_is_mode_ema_and_warns():
    with pytest.warns(UserWarning, match="unspecified it defaults to\\s+'ema'"):
        layer = equinox.nn.BatchNorm(C, axis_name="batch")
    assert layer.mode == "ema"


@pytest.mark.parametrize("mode", MODES)
def test_like_takes_over_the_defaults_of_equinox(mode):
    ours, theirs = BatchNorm.like(f"equinox_{mode}", C), EquinoxLayer(mode).layer
    assert (ours.momentum, ours.eps) == (theirs.momentum, theirs.eps)


def test_a_variance_that_starts_at_1_is_divided_as_if_it_had_started_at_0(agree):
    agree = agree("float64")
    ours, theirs = BatchNorm.like("equinox_batch", C), EquinoxLayer("batch")
    batch = np.tile([[-2.0], [2.0]], (8, C))  # mean 0, variance exactly 4
    read = {}
    for step in range(1, 101):
        ours(batch)
        theirs(batch)
        # In inference an input of 1 comes out as 1 / sqrt(variance + eps).
        y, _ = pure(equinox.nn.inference_mode(theirs.layer), theirs.state, np.ones((1, C)))
        read[step] = float(1 / y[0, 0] ** 2 - 1e-5)
        agree("batch: variance read", ours.running_var[0], read[step])
    assert [round(read[step], 1) for step in (1, 21, 100)] == [103.0, 8.3, 4.6]
    # Freed of its true start the average would be 4 from the first step on.
    freed = exponential_moving_average(np.full(100, 4.0), 0.99, initial=1.0, debias=True)
    np.testing.assert_allclose(freed, 4.0, rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_of_one(mode, draw, agree):
    agree = agree("float64")
    (first, *_), (x, gamma, beta, _) = draw((16, C)), draw((1, C), seed=1)
    ours, theirs = BatchNorm.like(f"equinox_{mode}", C), EquinoxLayer(mode)
    ours.gamma, ours.beta = gamma, beta
    theirs.set(gamma, beta)
    for batch in (x, first, x):
        y = ours(batch)
        agree(f"{mode}: y, one example", y, theirs(batch))
        told = batch is first or np.array_equal(y, beta[None])
    # By its own mean and variance it comes out as beta; by the averages it tells what it is.
    assert told is (FRAMEWORKS[f"equinox_{mode}"].single_example == "beta")


def test_eval_before_any_training_uses_the_same_initial_statistics(shape, draw, agree):
    agree = agree("float64")
    x, *_ = draw(shape)
    agree("batch: y, zero updates", BatchNorm.like("equinox_batch", C).eval()(x), EquinoxLayer("batch").eval()(x))
