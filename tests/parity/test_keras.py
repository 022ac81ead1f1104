"""Keras 3 beside ours, line by line. Keras needs a backend; here it is PyTorch, whose gradients it uses.

In float32 alone: on every backend but TensorFlow Keras computes batch norm in float32 even where the
layer is float64 (its `result_type("float64", "float32")` is float32).
"""

import os
import tempfile

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.lessons.when_training_reads.layers import BatchRenorm

torch = pytest.importorskip("torch", reason="Keras needs a backend that has gradients: install torch")
os.environ["KERAS_BACKEND"] = "torch"
# Keras writes a configuration file when it is first imported; not into somebody's home directory.
with tempfile.TemporaryDirectory() as home:
    os.environ["KERAS_HOME"] = home
    keras = pytest.importorskip("keras", minversion="3.0")

FRAMEWORK = f"Keras {keras.__version__}"
C = 5
MOMENTA = [FRAMEWORKS["keras"].default_momentum, 0.0, 0.5, 0.999]


def keras_layer(shape, **options):
    layer = keras.layers.BatchNormalization(**options)
    layer.build((None, *shape[2:], shape[1]))
    return layer


def test_forward_and_gradients(shape, draw, agree, rounding):
    x, gamma, beta, dy = draw(shape, "float32")
    agree = agree("float32", rounding(x, fast_variance=True))

    ours = BatchNorm.like("keras", C)
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)
    dx = ours.backward(dy)

    theirs = keras_layer(shape)
    theirs.gamma.assign(gamma)
    theirs.beta.assign(beta)
    x_keras = channels_last(x).requires_grad_()
    y_keras = theirs(x_keras, training=True)
    y_keras.backward(channels_last(dy))

    agree("y", y, channels_first(y_keras))
    agree("dx", dx, channels_first(x_keras.grad))
    agree("dgamma", ours.dgamma, theirs.gamma.value.grad)
    agree("dbeta", ours.dbeta, theirs.beta.value.grad)


@pytest.mark.parametrize("momentum", MOMENTA)
def test_running_statistics_over_200_steps(shape, momentum, stream, agree, rounding):
    batches = stream("float32")
    agree = agree("float32", rounding(*batches, updates=200, fast_variance=True))

    ours = BatchNorm.like("keras", C, momentum=kept_fraction("keras", momentum))
    theirs = keras_layer(shape, momentum=momentum)
    means, variances = [], []
    for x in batches:
        ours(x)
        theirs(channels_last(x), training=True)
        means.append((ours.running_mean, to_numpy(theirs.moving_mean)))
        variances.append((ours.running_var, to_numpy(theirs.moving_variance)))

    agree("running mean, 200 steps", *zip(*means))
    agree("running variance, 200 steps", *zip(*variances))
    agree("y in inference", ours.eval()(x), channels_first(theirs(channels_last(x), training=False)))


def test_like_takes_over_the_defaults_of_keras():
    ours, theirs = BatchNorm.like("keras", C), keras.layers.BatchNormalization()
    assert (ours.momentum, ours.eps) == (theirs.momentum, theirs.epsilon)


def test_a_batch_of_one_comes_out_as_beta_and_shrinks_the_running_variance(draw, agree, rounding):
    x, gamma, beta, _ = draw((1, C), "float32")
    agree = agree("float32", rounding(updates=1))

    ours = BatchNorm.like("keras", C)
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)

    theirs = keras_layer((1, C))
    theirs.gamma.assign(gamma)
    theirs.beta.assign(beta)
    y_keras = theirs(torch.tensor(x), training=True)

    agree("y, one example", y, y_keras.detach())
    agree("running mean, one example", ours.running_mean, to_numpy(theirs.moving_mean))
    agree("running variance, one example", ours.running_var, to_numpy(theirs.moving_variance))
    assert np.array_equal(y, beta[None])


def test_a_wrong_number_of_channels_is_refused_by_both():
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 5"):
        keras_layer((4, C))(torch.ones(4, C + 1), training=True)
    with pytest.raises(ValueError, match=r"x must have shape \(any, 5, \.\.\.\), got \(4, 6\)"):
        BatchNorm.like("keras", C)(np.ones((4, C + 1)))


def test_an_empty_batch_that_makes_kerass_variance_nan_is_refused_by_ours():
    theirs = keras_layer((4, C))
    theirs(torch.ones(0, C), training=True)
    assert np.isnan(to_numpy(theirs.moving_variance)).all()
    with pytest.raises(ValueError, match=r"x must not be empty, got shape \(0, 5\)"):
        BatchNorm.like("keras", C)(np.ones((0, C)))


# Batch Renormalization. The limits of Keras stand still; ours may open slowly (`start`, `ramp`).


LIMITS = {"open": (1e6, 1e6), "usual": (3.0, 5.0), "narrow": (1.1, 0.1), "closed": (1.0, 0.0)}
renorm = pytest.mark.skipif(not hasattr(keras.layers.BatchNormalization(), "renorm"), reason="this Keras has no renorm")


def renorm_layers(shape, limits, momentum):
    r_max, d_max = LIMITS[limits]
    ours = BatchRenorm(C, r_max=r_max, d_max=d_max, momentum=momentum, eps=FRAMEWORKS["keras"].eps)
    clipping = {"rmax": r_max, "rmin": 1 / r_max, "dmax": d_max}
    theirs = keras_layer(shape, renorm=True, renorm_clipping=clipping, renorm_momentum=momentum, momentum=momentum)
    return ours, theirs


@renorm
@pytest.mark.parametrize("before", [0, 1, 3], ids="after {} batches".format)
@pytest.mark.parametrize("limits", LIMITS)
def test_renorm_forward_and_gradients(shape, limits, before, draw, agree, rounding):
    x, gamma, beta, dy = draw(shape, "float32")
    others = [draw(shape, "float32", seed)[0] for seed in range(1, before + 1)]
    agree = agree("float32", rounding(x, *others, updates=before, fast_variance=True))

    ours, theirs = renorm_layers(shape, limits, 0.7)
    ours.gamma, ours.beta = gamma, beta
    theirs.gamma.assign(gamma)
    theirs.beta.assign(beta)
    for other in others:
        ours(other)
        theirs(channels_last(other), training=True)
    y = ours(x)
    dx = ours.backward(dy)
    x_keras = channels_last(x).requires_grad_()
    y_keras = theirs(x_keras, training=True)
    y_keras.backward(channels_last(dy))

    agree("renorm: y", y, channels_first(y_keras))
    agree("renorm: dx", dx, channels_first(x_keras.grad))
    agree("renorm: dgamma", ours.dgamma, theirs.gamma.value.grad)
    agree("renorm: dbeta", ours.dbeta, theirs.beta.value.grad)


@renorm
@pytest.mark.parametrize("momentum", MOMENTA)
def test_renorm_averages_and_corrections_over_200_steps(shape, momentum, stream, agree, rounding):
    batches = stream("float32")
    bound = rounding(*batches, updates=200, fast_variance=True)
    agree, near = (
        agree("float32", bound),
        agree("float32", 4 * bound),
    )  # r and d: a ratio of two, of which d is a difference

    ours, theirs = renorm_layers(shape, "usual", momentum)
    kept, corrections = [], []
    for x in batches:
        mean, variance = theirs._moments(channels_last(x), None)
        r, d, _, _ = theirs._renorm_correction_and_moments(mean, variance)
        ours(x)
        corrections.append(((ours.r, r.detach().numpy()), (ours.d, d.detach().numpy())))
        theirs(channels_last(x), training=True)
        kept.append(
            (
                (ours.running_mean, to_numpy(theirs.renorm_mean)),
                (ours.running_std, to_numpy(theirs.renorm_stddev)),
                (ours.running_mean, to_numpy(theirs.moving_mean)),
                (ours.running_var, to_numpy(theirs.moving_variance)),
            )
        )
    for what, pairs in zip(("mean", "std", "mean read", "variance read"), zip(*kept)):
        agree(f"renorm: {what}, 200", *zip(*pairs))
    for what, pairs in zip("rd", zip(*corrections)):
        near(f"renorm: {what}, 200", *zip(*pairs))
    agree("renorm: y in inference", ours.eval()(x), channels_first(theirs(channels_last(x), training=False)))


def channels_last(x):
    return torch.tensor(np.moveaxis(x, 1, -1).copy())


def channels_first(tensor):
    return np.moveaxis(tensor.detach().numpy(), -1, 1)


def to_numpy(variable):
    return variable.value.detach().numpy().copy()
