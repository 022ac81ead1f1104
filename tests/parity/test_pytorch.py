"""PyTorch beside ours, line by line."""

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm, batch_statistics
from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.running import (
    cumulative_average,
    exponential_moving_average,
    pooled_statistics,
    population_statistics,
    unbiased_variance,
)

torch = pytest.importorskip("torch")

FRAMEWORK = f"PyTorch {torch.__version__}"
C = 5
MOMENTA = [FRAMEWORKS["pytorch"].default_momentum, 0.0, 0.5, 0.999]  # the weight of the new batch


def torch_layer(shape, **options):
    kind = {2: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d}[len(shape)]
    return kind(shape[1], **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_forward_and_gradients(shape, dtype, draw, agree, rounding):
    x, gamma, beta, dy = draw(shape, dtype)
    agree = agree(dtype, rounding(x))

    ours = BatchNorm.like("pytorch", C)
    ours.gamma, ours.beta = gamma, beta
    y = ours(x)
    dx = ours.backward(dy)

    theirs = torch_layer(shape).to(getattr(torch, dtype))
    theirs.load_state_dict({"weight": torch.tensor(gamma), "bias": torch.tensor(beta)}, strict=False)
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = theirs(x_torch)
    y_torch.backward(torch.tensor(dy))

    agree("y", y, y_torch.detach())
    agree("dx", dx, x_torch.grad)
    agree("dgamma", ours.dgamma, theirs.weight.grad)
    agree("dbeta", ours.dbeta, theirs.bias.grad)


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_statistics_over_200_steps(shape, dtype, momentum, stream, agree, rounding):
    batches = stream(dtype)
    agree = agree(dtype, rounding(*batches, updates=200))

    ours = BatchNorm.like("pytorch", C, momentum=kept_fraction("pytorch", momentum))
    our_rows = [(ours(x), ours.running_mean, ours.running_var)[1:] for x in batches]

    theirs = torch_layer(shape, momentum=momentum).to(getattr(torch, dtype))
    their_rows = [run(theirs, x) for x in batches]

    agree("running mean, 200 steps", *columns(our_rows, their_rows, 0))
    agree("running variance, 200 steps", *columns(our_rows, their_rows, 1))
    agree("y in inference", ours.eval()(batches[0]), theirs.eval()(torch.tensor(batches[0])).detach())


@pytest.mark.parametrize("momentum", MOMENTA)
def test_averaging_a_recorded_history_gives_the_same_buffers(shape, momentum, stream, agree):
    agree = agree("float64")
    batches = stream()
    means, variances, sizes = history(batches)
    p = kept_fraction("pytorch", momentum)
    ours = [
        exponential_moving_average(means, p, initial=0.0)[-1],
        exponential_moving_average(unbiased_variance(variances, sizes[:, None]), p, initial=1.0)[-1],
    ]

    theirs = torch_layer(shape, momentum=momentum).double()
    for x in batches:
        theirs(torch.tensor(x))

    agree("history averaged: mean", ours[0], theirs.running_mean)
    agree("history averaged: variance", ours[1], theirs.running_var)


def test_momentum_none_is_the_cumulative_average(shape, stream, agree):
    agree = agree("float64")
    batches = stream()
    ours = BatchNorm.like("pytorch", C, momentum=kept_fraction("pytorch", None))
    our_rows = [(ours(x), ours.running_mean, ours.running_var)[1:] for x in batches]

    theirs = torch_layer(shape, momentum=None).double()
    their_rows = [run(theirs, x) for x in batches]

    agree("momentum=None: mean", *columns(our_rows, their_rows, 0))
    agree("momentum=None: variance", *columns(our_rows, their_rows, 1))
    assert ours.num_batches_tracked == theirs.num_batches_tracked == 200

    means, variances, sizes = history(batches)
    averaged = cumulative_average(unbiased_variance(variances, sizes[:, None]))
    agree("cumulative_average: mean", cumulative_average(means)[-1], theirs.running_mean)
    agree("cumulative_average: variance", averaged[-1], theirs.running_var)


def test_update_bn_on_equal_batches_is_population_statistics(shape, draw, agree):
    agree = agree("float64")
    batches = [draw(shape, seed=step)[0] for step in range(7)]
    means, variances, sizes = history(batches)
    mean, var = population_statistics(means, variances, int(sizes[0]))

    theirs = updated_by_swa_utils(shape, batches)

    agree("update_bn: mean", mean, theirs.running_mean)
    agree("update_bn: variance", var, theirs.running_var)


def test_update_bn_gives_a_small_last_batch_a_full_share_and_pooling_does_not(shape, draw, agree):
    agree = agree("float64")
    batches = [draw(shape, seed=step)[0] for step in range(6)]
    batches.append(draw((2, *shape[1:]), seed=6)[0] + 10.0)  # small, and unlike the others
    means, variances, sizes = history(batches)

    theirs = updated_by_swa_utils(shape, batches)
    averaged = cumulative_average(unbiased_variance(variances, sizes[:, None]))[-1]
    agree("update_bn, small last: mean", cumulative_average(means)[-1], theirs.running_mean)
    agree("update_bn, small last: var.", averaged, theirs.running_var)

    mean, var = pooled_statistics(means, variances, sizes)
    everything = torch.tensor(np.concatenate(batches)).transpose(0, 1).flatten(1)
    exact_var, exact_mean = torch.var_mean(everything, dim=1, correction=0)
    agree("pooled_statistics: mean", mean, exact_mean)
    agree("pooled_statistics: variance", var, exact_var)
    # One batch in seven, but one example in fifty or less: the outlier counts far too much.
    assert np.all(theirs.running_mean.numpy() - mean > 0.5)


def test_a_batch_of_one_is_refused_by_both():
    x = np.ones((1, C))
    ours, theirs = BatchNorm.like("pytorch", C), torch.nn.BatchNorm1d(C).double()
    with pytest.raises(ValueError, match="at least 2 values per channel in training mode, got 1"):
        ours(x)
    with pytest.raises(ValueError, match="more than 1 value per channel when training"):
        theirs(torch.tensor(x))
    assert np.array_equal(ours.running_var, theirs.running_var)
    # PyTorch counts the batch before it refuses it; ours counts only what went into the average.
    assert (ours.num_batches_tracked, int(theirs.num_batches_tracked)) == (0, 1)
    assert ours.eval()(x).shape == theirs.eval()(torch.tensor(x)).shape


def test_one_image_of_several_pixels_is_trained_on_by_both(draw, agree):
    agree = agree("float64")
    x, *_ = draw((1, C, 2, 2))
    ours, theirs = BatchNorm.like("pytorch", C), torch.nn.BatchNorm2d(C).double()
    agree("y, one image", ours(x), theirs(torch.tensor(x)).detach())
    agree("running variance, one image", ours.running_var, theirs.running_var)


def test_eval_before_any_training_uses_the_same_initial_statistics(shape, draw, agree):
    agree = agree("float64")
    x, *_ = draw(shape)
    ours = BatchNorm.like("pytorch", C).eval()
    theirs = torch_layer(shape).double().eval()
    agree("y, zero updates", ours(x), theirs(torch.tensor(x)).detach())


# What PyTorch refuses, ours refuses, with the name of the argument.
# It also refuses whole numbers as input, which ours, like Keras and Flax, takes for float64; and
# eps = 0 in training, which ours takes as long as no variance is zero, because a lesson needs it.
REFUSED = {
    "wrong number of channels": lambda layer, as_input: layer(as_input(np.ones((4, C + 1)))),
    "no batch axis": lambda layer, as_input: layer(as_input(np.ones(C))),
    "one value per channel": lambda layer, as_input: layer(as_input(np.ones((1, C)))),
    "complex numbers": lambda layer, as_input: layer(as_input(np.ones((4, C), dtype=complex))),
    "text": lambda layer, as_input: layer("text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_input_that_pytorch_refuses_is_refused(case):
    attempt = REFUSED[case]
    with pytest.raises((ValueError, TypeError, RuntimeError, NotImplementedError, AttributeError)):
        attempt(torch.nn.BatchNorm1d(C).double(), torch.tensor)
    with pytest.raises((ValueError, TypeError), match="^x must"):
        attempt(BatchNorm.like("pytorch", C), np.asarray)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"num_features": -1}, "num_features"),
        ({"num_features": 2.5}, "num_features"),
        ({"num_features": C, "momentum": "fast"}, "momentum"),
        ({"num_features": C, "eps": -1.0}, "eps"),
    ],
)
def test_arguments_that_pytorch_refuses_are_refused(arguments, name):
    x = np.random.default_rng(0).normal(size=(4, C))
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        torch.nn.BatchNorm1d(**arguments).double()(torch.tensor(x))
    with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
        BatchNorm.like("pytorch", **arguments)


def test_an_upstream_gradient_of_another_shape_is_refused_by_both():
    x = np.random.default_rng(0).normal(size=(4, C))
    ours, theirs = BatchNorm.like("pytorch", C), torch.nn.BatchNorm1d(C).double()
    ours(x)
    y_torch = theirs(torch.tensor(x, requires_grad=True))
    with pytest.raises(RuntimeError, match="shape"):
        y_torch.backward(torch.ones(2, C, dtype=torch.float64))
    with pytest.raises(ValueError, match="^dy must"):
        ours.backward(np.ones((2, C)))


def run(layer, x):
    layer(torch.tensor(x))
    return layer.running_mean.numpy().copy(), layer.running_var.numpy().copy()


def columns(our_rows, their_rows, column):
    return [np.stack([row[column] for row in rows]) for rows in (our_rows, their_rows)]


def history(batches):
    means, variances = zip(*(batch_statistics(x) for x in batches))
    return np.stack(means), np.stack(variances), np.array([x.size // x.shape[1] for x in batches])


def updated_by_swa_utils(shape, batches):
    model = torch.nn.Sequential(torch_layer(shape)).double()
    torch.optim.swa_utils.update_bn([torch.tensor(x) for x in batches], model)
    return model[0]
