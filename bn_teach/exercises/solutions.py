"""One readable solution for every exercise. The functions are shown to learners as they stand here."""

import inspect

import numpy as np

from bn_teach import _checks
from bn_teach.exercises.text import Solution

# ruff: noqa: D103


def batch_statistics(x):
    mean = x.mean(axis=0)
    var = ((x - mean) ** 2).mean(axis=0)
    return mean, var


def normalize(x, gamma, beta, eps):
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma * x_hat + beta


def running_average(running, batch, momentum):
    return momentum * running + (1 - momentum) * batch


def debias(running, momentum, step):
    still_on_the_start = momentum**step
    return running / (1 - still_on_the_start)


def inference(x, running_mean, running_var, gamma, beta, eps):
    x_hat = (x - running_mean) / np.sqrt(running_var + eps)
    return gamma * x_hat + beta


def layer(state, x, training):
    new_state = dict(state)  # a new dict; its arrays are replaced, not edited, and `state` stays as it was
    if training:
        m = len(x)
        mean, var = x.mean(axis=0), x.var(axis=0)
        p = state["momentum"]
        new_state["running_mean"] = p * state["running_mean"] + (1 - p) * mean
        new_state["running_var"] = p * state["running_var"] + (1 - p) * var * m / (m - 1)
    else:
        mean, var = state["running_mean"], state["running_var"]
    x_hat = (x - mean) / np.sqrt(var + state["eps"])
    return state["gamma"] * x_hat + state["beta"], new_state


def backward(dy, x, gamma, eps):
    inv_std = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inv_std
    dgamma = (dy * x_hat).sum(axis=0)
    dbeta = dy.sum(axis=0)
    through_mean = dy.mean(axis=0)
    through_var = x_hat * (dy * x_hat).mean(axis=0)
    dx = gamma * inv_std * (dy - through_mean - through_var)
    return dx, dgamma, dbeta


def population(batch_means, batch_variances, m):
    mean = batch_means.mean(axis=0)
    var = m / (m - 1) * batch_variances.mean(axis=0)
    return mean, var


_WHY = {
    batch_statistics: (
        "The examples are in rows, so averaging along axis 0 leaves one number per channel. The variance is an "
        "average as well: of the squared deviations from the mean. `x.var(axis=0)` does the same, and divides by m "
        "unless it is told otherwise."
    ),
    normalize: (
        "Subtracting the mean centres every channel, dividing by the root of the variance gives it spread 1. eps "
        "stands beside the variance, so it bounds the divisor from below even where a channel does not vary at "
        "all. gamma and beta then let the network choose any other spread and centre that it finds useful."
    ),
    running_average: (
        "The weights add up to 1, so the result lies between the old value and the new one. Each step multiplies "
        "all older weights by momentum once more: a mini-batch that is t steps old counts momentum**t times as "
        "much as the newest."
    ),
    debias: (
        "Every step leaves the fraction `momentum` of the start's weight, so after `step` of them it is "
        "momentum**step. The mini-batches have the rest. As the start is 0 it adds nothing to the sum, and dividing "
        "by the weight of the mini-batches makes their weights add up to 1 again. Adam does the same."
    ),
    inference: (
        "Only given numbers are used, so each row of `x` is treated alone: its answer does not depend on who else "
        "is in the batch. Per channel it is a straight line in `x`."
    ),
    layer: (
        "`training` decides which mean and variance `y` uses, and whether the running ones change. In training "
        "mode they are written and never read; at inference they are read and never written. The two variances "
        "serve two purposes: normalising needs the spread of these m examples (divide by m), the running variance "
        "estimates that of the population (divide by m - 1)."
    ),
    backward: (
        "`dgamma` and `dbeta` sum what every example contributes, since all share the same gamma and beta. `x` "
        "reaches `y` directly, through the mean and through the variance. A shift of the whole channel does not "
        "move `y`, so the average of `dy` is taken out; a stretch of the whole channel hardly does (not at all for "
        "eps = 0), so the part of `dy` along `x_hat` is taken out too. What is left is scaled like the forward pass."
    ),
    population: (
        "Equally large mini-batches count alike, so both estimates start from plain averages. A variance around "
        "the mini-batch's own mean is too small by the factor (m - 1) / m on average, because that mean lies closer "
        "to these m examples than the population's does; the factor m / (m - 1) undoes it."
    ),
}

SOLUTIONS = {
    function.__name__: Solution(function.__name__, inspect.getsource(function), why) for function, why in _WHY.items()
}


def solution(name):
    """Return a readable solution of the exercise `name`, a key of `EXERCISES`: its source and why it works."""
    return SOLUTIONS[_checks.choice("name", name, tuple(SOLUTIONS))]
