"""The mistakes that are recognised: a table of planted variants of the reference.

One row is a name, an explanation, and for each exercise in which the mistake can be made one or several
functions that make it. A learner's function that gives the values of such a variant on all inputs of the
exercise (or raises where the variant raises) has made that mistake. To add a mistake, add a row; a
test then tells whether the inputs keep it apart from all others, and show it in a small example.

Explanations name the mistake and what it does. The repair is left to the learner.
"""

from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

# Told by checking.py from how the function behaves, not from the values it gives.
GENERAL = {
    "unanswered": "There is no complete answer here yet. Take your time; the rest of the notebook runs without it.",
    "not-callable": "The check needs the function itself.",
    "wrong-arguments": "Your function cannot be called with the arguments of this exercise.",
    "none-returned": "Your function gave back None. It ran to a point where nothing is returned.",
    "exception": "Your function stopped with an error of its own.",
    "input-edited": (
        "Your function changed what it was given. Whoever called it still needs those values: other layers, "
        "the backward pass, the next cell of this notebook."
    ),
    "wrong-type": "What your function gave back cannot be read as numbers of the kind asked for.",
    "wrong-count": "Your function gave back another number of results than asked for.",
    "wrong-shape": "What your function gave back has another shape than asked for.",
    "not-finite": "There is a NaN or an infinity in what your function gave back, for quite ordinary input.",
    "unrecognised": "The values are not right, and it is none of the mistakes that this check knows by name.",
}


class Row(NamedTuple):
    """One mistake; `variants` maps an exercise to the functions that make the mistake in it."""

    name: str
    explanation: str
    variants: dict


def _row(name, explanation, **variants):
    return Row(name, explanation, {k: v if isinstance(v, list) else [v] for k, v in variants.items()})


# The pieces that variants are built from. As they stand they are right; a row replaces one of them.


def _moments(x):
    return x.mean(axis=0), x.var(axis=0)


def _scaled(x, mean, var, gamma, beta, eps):
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def _average(old, new, p):
    return p * old + (1 - p) * new


def _corrected(mean, var, m):
    return mean, var * m / (m - 1)


def _uncorrected(mean, var, m):
    return mean, var


def _dx(dy, x_hat, gamma, inv_std, *, direct=1, mean_path=1, var_path=1):
    paths = mean_path * dy.mean(axis=0) + var_path * x_hat * (dy * x_hat).mean(axis=0)
    return gamma * inv_std * (direct * dy - paths)


def _inv_std(var, eps):
    return 1 / np.sqrt(var + eps)


def _layer(
    *,
    moments=_moments,
    scaled=_scaled,
    average=_average,
    count=len,
    taken_in=_corrected,
    in_training="batch",  # whose statistics y uses: "batch", "running" (before this call), "updated"
    at_inference="running",
    updates=lambda training: training,
):
    def variant(state, x, training):
        p, learnt = state["momentum"], (state["gamma"], state["beta"], state["eps"])
        running = state["running_mean"], state["running_var"]
        uses = in_training if training else at_inference
        statistics = {"running": running}
        if updates(training) or uses != "running":
            batch = moments(x)
            updated = tuple(average(old, new, p) for old, new in zip(running, taken_in(*batch, count(x))))
            statistics |= {"batch": batch, "updated": updated}
        mean, var = updated if updates(training) else running
        return scaled(x, *statistics[uses], *learnt), {**state, "running_mean": mean, "running_var": var}

    return variant


def _layers(**hooks):
    """Make a mistake in the layer, with m - 1 thought of and without: whoever makes it has often not come that far."""
    return [_layer(**hooks, taken_in=taken_in) for taken_in in (_corrected, _uncorrected)]


def _layers_that(act):
    """Do something wrong around a layer that is right: `act(layer, state, x, training)`."""
    return [partial(act, layer) for layer in _layers()]


def _backward(
    *,
    moments=_moments,
    inv_std=_inv_std,
    dx=_dx,
    dgamma=lambda dy, x_hat, x: (dy * x_hat).sum(axis=0),
    dbeta=lambda dy: dy.sum(axis=0),
):
    def variant(dy, x, gamma, eps):
        mean, var = moments(x)
        r = inv_std(var, eps)
        x_hat = (x - mean) * r
        return dx(dy, x_hat, gamma, r), dgamma(dy, x_hat, x), dbeta(dy)

    return variant


def _with_moments(moments):
    """Take other batch statistics, wherever batch statistics are taken."""
    return {
        "normalize": lambda x, gamma, beta, eps: _scaled(x, *moments(x), gamma, beta, eps),
        "layer": _layers(moments=moments),
        "backward": _backward(moments=moments),
    }


def _with_scaled(scaled):
    """Normalise, scale and shift in another way, wherever that is done."""
    return {
        "normalize": lambda x, gamma, beta, eps: scaled(x, *_moments(x), gamma, beta, eps),
        "inference": scaled,
        "layer": _layers(scaled=scaled),
    }


def _with_average(average):
    """Update the running value in another way, wherever it is updated."""
    return {"running_average": average, "layer": _layers(average=average)}


def _own_dx(dx):
    return _backward(dx=dx)


def _takes_in_output(layer, state, x, training):
    y, new = layer(state, x, training)
    return y, layer(state, y, training)[1] if training else new


def _takes_in_normalised(layer, state, x, training):
    y, new = layer(state, x, training)
    x_hat = _scaled(x, *_moments(x), 1, 0, state["eps"])
    return y, layer(state, x_hat, training)[1] if training else new


def _forgets_state(layer, state, x, training):
    start = {**state, "running_mean": np.zeros(x.shape[1]), "running_var": np.ones(x.shape[1])}
    y, new = layer(state, x, training)
    return y, layer(start, x, training)[1] if training else new


def _keeps_mean(layer, state, x, training):
    y, new = layer(state, x, training)
    return y, {**new, "running_mean": state["running_mean"]}


def _keeps_var(layer, state, x, training):
    y, new = layer(state, x, training)
    return y, {**new, "running_var": state["running_var"]}


def _swaps_state(layer, state, x, training):
    y, new = layer(state, x, training)
    swapped = {"running_mean": new["running_var"], "running_var": new["running_mean"]}
    return y, {**new, **swapped} if training else new


def _population(estimate):
    """Average the means as is right, and estimate the variance by `estimate(means, variances, m)`."""
    return lambda means, variances, m: (means.mean(axis=0), estimate(means, variances, m))


def _std_average(power, factor):
    return _population(lambda means, v, m: (np.sqrt(v).mean(axis=0)) ** power * factor(m))


ROWS = (
    # Statistics of a batch
    _row(
        "unbiased-variance",
        "Your variance of the mini-batch divides by m - 1, where dividing by m is meant. Normalising needs the "
        "spread of exactly these m examples; it does not estimate that of a population.",
        batch_statistics=lambda x: (x.mean(axis=0), x.var(axis=0, ddof=1)),
        normalize=lambda x, gamma, beta, eps: _scaled(x, x.mean(axis=0), x.var(axis=0, ddof=1), gamma, beta, eps),
        layer=_layer(
            moments=lambda x: (x.mean(axis=0), x.var(axis=0, ddof=1)), taken_in=lambda mean, var, m: (mean, var)
        ),
        backward=_backward(moments=lambda x: (x.mean(axis=0), x.var(axis=0, ddof=1))),
    ),
    _row(
        "biased-variance",
        "The variance that you estimate for the population divides by m, where dividing by m - 1 is meant. A "
        "mini-batch's variance is taken around the mini-batch's own mean, and comes out too small on average.",
        layer=_layer(taken_in=_uncorrected),
        population=_population(lambda means, variances, m: variances.mean(axis=0)),
    ),
    _row(
        "std-returned",
        "You give back the standard deviation where the variance is asked for.",
        batch_statistics=lambda x: (x.mean(axis=0), x.std(axis=0)),
        population=_population(lambda means, variances, m: np.sqrt(variances.mean(axis=0) * m / (m - 1))),
    ),
    _row(
        "std-averaged",
        "You average standard deviations where variances are meant. The two do not average alike: standard "
        "deviations come out too low.",
        population=[
            _std_average(power, factor)
            for power in (1, 2)
            for factor in (lambda m: 1, lambda m: m / (m - 1), lambda m: np.sqrt(m / (m - 1)))
        ],
        layer=[
            _layer(taken_in=lambda mean, var, m: (mean, np.sqrt(var))),
            _layer(taken_in=lambda mean, var, m: (mean, np.sqrt(var * m / (m - 1)))),
            _layer(taken_in=lambda mean, var, m: (mean, np.sqrt(var) * m / (m - 1))),
        ],
    ),
    _row(
        "variance-around-zero",
        "Your variance is the mean of the squares themselves: how far the values are from 0, not from their mean.",
        batch_statistics=lambda x: (x.mean(axis=0), (x**2).mean(axis=0)),
        **_with_moments(lambda x: (x.mean(axis=0), (x**2).mean(axis=0))),
    ),
    _row(
        "deviation-not-squared",
        "Your variance averages the deviations from the mean without squaring them.",
        batch_statistics=[
            lambda x: (x.mean(axis=0), np.zeros(x.shape[1])),
            lambda x: (x.mean(axis=0), np.abs(x - x.mean(axis=0)).mean(axis=0)),
        ],
    ),
    _row(
        "sum-instead-of-mean",
        "There is a sum where an average is meant: it grows with the number of examples or batches.",
        batch_statistics=[
            lambda x: (x.mean(axis=0), x.var(axis=0) * len(x)),
            lambda x: (x.sum(axis=0), x.var(axis=0) * len(x)),
            lambda x: (x.sum(axis=0), x.var(axis=0)),
        ],
        normalize=lambda x, gamma, beta, eps: _scaled(x, x.mean(axis=0), x.var(axis=0) * len(x), gamma, beta, eps),
        backward=[
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=len(dy), var_path=len(dy))),
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=len(dy))),
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, var_path=len(dy))),
        ],
        population=[
            lambda means, v, m: (means.sum(axis=0), v.sum(axis=0) * m / (m - 1)),
            _population(lambda means, v, m: v.sum(axis=0) * m / (m - 1)),
        ],
    ),
    _row(
        "wrong-axis",
        "Your averages run along the wrong axis. Every channel (column) stands alone; what is averaged over are the "
        "rows, not the columns.",
        batch_statistics=[
            lambda x: (x.mean(axis=1), x.var(axis=1)),
            lambda x: (x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)),
        ],
        normalize=[
            lambda x, gamma, beta, eps: _scaled(x, x.mean(axis=1), x.var(axis=1), gamma, beta, eps),
            lambda x, gamma, beta, eps: _scaled(x, x.mean(1, keepdims=True), x.var(1, keepdims=True), gamma, beta, eps),
        ],
        layer=[
            *_layers(moments=lambda x: (x.mean(axis=1), x.var(axis=1))),
            *_layers(moments=lambda x: (x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True))),
        ],
        backward=[
            lambda dy, x, gamma, eps: tuple(a.T for a in _backward()(dy.T, x.T, gamma[:, None], eps)),
            _backward(moments=lambda x: (x.mean(axis=1), x.var(axis=1))),
            _backward(moments=lambda x: (x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True))),
            _backward(dgamma=lambda dy, x_hat, x: (dy * x_hat).sum(axis=1), dbeta=lambda dy: dy.sum(axis=1)),
        ],
        population=lambda means, v, m: (means.mean(axis=1), v.mean(axis=1) * m / (m - 1)),
    ),
    _row(
        "all-elements",
        "You average over all numbers at once, and the channels share one value. In batch norm every channel has "
        "its own.",
        batch_statistics=lambda x: (x.mean(), x.var()),
        normalize=lambda x, gamma, beta, eps: _scaled(x, x.mean(), x.var(), gamma, beta, eps),
        layer=[
            *_layers(moments=lambda x: (x.mean(), x.var())),
            _layer(moments=lambda x: (x.mean(), x.var()), count=np.size),
        ],
        backward=[
            _backward(moments=lambda x: (x.mean(), x.var())),
            _backward(dgamma=lambda dy, x_hat, x: (dy * x_hat).sum(), dbeta=lambda dy: dy.sum()),
        ],
        population=lambda means, v, m: (means.mean(), v.mean() * m / (m - 1)),
    ),
    _row(
        "mean-variance-swapped",
        "Mean and variance have changed places.",
        batch_statistics=lambda x: (x.var(axis=0), x.mean(axis=0)),
        normalize=lambda x, gamma, beta, eps: _scaled(x, x.var(axis=0), x.mean(axis=0), gamma, beta, eps),
        inference=lambda x, mean, var, gamma, beta, eps: _scaled(x, var, mean, gamma, beta, eps),
        layer=[
            *_layers_that(_swaps_state),
            *_layers(scaled=lambda x, mean, var, gamma, beta, eps: _scaled(x, var, mean, gamma, beta, eps)),
            _layer(taken_in=lambda mean, var, m: _corrected(mean, var, m)[::-1]),
            _layer(taken_in=lambda mean, var, m: (var, mean)),
        ],
        population=[
            lambda means, v, m: (v.mean(axis=0) * m / (m - 1), means.mean(axis=0)),
            lambda means, v, m: (v.mean(axis=0), means.mean(axis=0) * m / (m - 1)),
        ],
    ),
    # Normalise, scale, shift
    _row(
        "eps-outside-root",
        "You add eps after taking the root. It belongs to the variance, before the root is taken.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) / (np.sqrt(var) + eps) + beta),
        backward=[
            _backward(inv_std=lambda var, eps: 1 / (np.sqrt(var) + eps)),
            # the true gradient of such a forward pass
            lambda dy, x, gamma, eps: _backward(
                inv_std=lambda var, eps: 1 / (np.sqrt(var) + eps),
                dx=lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, var_path=1 / (r * x.std(axis=0))),
            )(dy, x, gamma, eps),
        ],
    ),
    _row(
        "eps-forgotten",
        "The `eps` that your function is given has no effect on its answer. A channel that hardly varies would then "
        "be divided by almost nothing.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, gamma, beta, 0)),
        backward=_backward(inv_std=lambda var, eps: 1 / np.sqrt(var)),
    ),
    _row(
        "root-forgotten",
        "You divide by the variance itself; its root has been forgotten.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) / (var + eps) + beta),
        backward=_backward(inv_std=lambda var, eps: 1 / (var + eps)),
    ),
    _row(
        "root-taken-twice",
        "You take the root of what is a standard deviation already.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, np.sqrt(var), gamma, beta, eps)),
    ),
    _row(
        "mean-not-subtracted",
        "The mean is never subtracted: your output is scaled, but not centred.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, 0, var, gamma, beta, eps)),
    ),
    _row(
        "spread-not-divided",
        "You never divide by the spread: your output is centred, but a wide channel stays wide.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) + beta),
    ),
    _row(
        "gamma-beta-forgotten",
        "You stop after normalising: gamma and beta are not used.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, 1, 0, eps)),
    ),
    _row(
        "gamma-forgotten",
        "gamma is missing from your answer.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, 1, beta, eps)),
        backward=_own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, 1, r)),
    ),
    _row(
        "beta-forgotten",
        "beta is missing from your answer.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, gamma, 0, eps)),
    ),
    _row(
        "gamma-beta-swapped",
        "gamma and beta have changed places: you scale by beta and shift by gamma.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, beta, gamma, eps)),
    ),
    _row(
        "beta-scaled",
        "You shift by beta first and scale by gamma afterwards, so that beta is scaled too.",
        **_with_scaled(lambda x, mean, var, gamma, beta, eps: gamma * _scaled(x, mean, var, 1, beta, eps)),
    ),
    # The running value
    _row(
        "momentum-reversed",
        "You use momentum the wrong way round: it is the weight of the old value here. (PyTorch has it the other "
        "way, so this is easily done.)",
        **_with_average(lambda old, new, p: (1 - p) * old + p * new),
        debias=lambda running, p, step: running / (1 - (1 - p) ** step),
    ),
    _row(
        "new-value-unweighted",
        "You add the new value without its weight. The two weights must add up to 1, or the running value grows "
        "beyond anything it has seen.",
        **_with_average(lambda old, new, p: p * old + new),
    ),
    _row(
        "old-value-unweighted",
        "You keep the old value without its weight. The two weights must add up to 1, or the running value grows "
        "beyond anything it has seen.",
        **_with_average(lambda old, new, p: old + (1 - p) * new),
    ),
    _row(
        "both-unweighted",
        "You add old and new value without any weights: a sum, not an average.",
        **_with_average(lambda old, new, p: old + new),
    ),
    _row(
        "momentum-ignored",
        "You weigh old and new value alike, whatever the momentum is.",
        **_with_average(lambda old, new, p: (old + new) / 2),
    ),
    _row(
        "never-updated",
        "The running value never changes: the new mini-batch leaves no trace in it.",
        **_with_average(lambda old, new, p: old),
    ),
    _row(
        "wholly-replaced",
        "The new value replaces the old one: everything before this mini-batch is forgotten.",
        **_with_average(lambda old, new, p: new),
    ),
    _row(
        "old-value-forgotten",
        "The old value is missing from your answer. Only the weighted new value is there, as if everything had "
        "started at 0 just now.",
        **_with_average(lambda old, new, p: (1 - p) * new),
    ),
    _row(
        "new-value-forgotten",
        "The new value is missing from your answer. Only the weighted old value is there, and it shrinks to 0.",
        **_with_average(lambda old, new, p: p * old),
    ),
    # Debiasing
    _row(
        "not-debiased",
        "You give back the running value as it is: the start at 0 still pulls it down.",
        debias=lambda running, p, step: running,
    ),
    _row(
        "wrong-power",
        "The weight still on the start is a power of momentum, but yours is the wrong power: it does not count the "
        "`step` updates that have been done.",
        debias=[
            lambda running, p, step: running / (1 - p ** (step + 1)),
            lambda running, p, step: running / (1 - p ** (step - 1)),
            lambda running, p, step: running / (1 - p),
            lambda running, p, step: running / (1 - p ** (1 / step)),
            lambda running, p, step: running / (1 - p ** (2 * step)),
            lambda running, p, step: running / (1 - step**p),
        ],
    ),
    _row(
        "product-instead-of-power",
        "You multiply momentum by the number of steps. Each step takes its share of what is left, so the weight on "
        "the start does not shrink in a straight line.",
        debias=lambda running, p, step: running / (1 - p * step),
    ),
    _row(
        "debiased-upside-down",
        "You multiply where dividing is meant: the start at 0 has pulled the value down, and you pull it further.",
        debias=lambda running, p, step: running * (1 - p**step),
    ),
    _row(
        "divided-by-start-weight",
        "You divide by the weight that is still on the start, not by the weight that the mini-batches have.",
        debias=[
            lambda running, p, step: running / p**step,
            lambda running, p, step: running / (1 - p) ** step,
        ],
    ),
    _row(
        "initial-value-wrong",
        "Your running value starts from the wrong place: you compute as if the initial value were another than the one "
        "that this exercise names.",
        debias=lambda running, p, step: (running - p**step) / (1 - p**step),
        layer=_layers_that(_forgets_state),
    ),
    # The layer and its two modes
    _row(
        "batch-statistics-at-inference",
        "At inference you normalise by statistics of the batch you are given. The answer for one example then "
        "depends on the other examples that happen to be with it.",
        inference=[
            lambda x, mean, var, gamma, beta, eps: _scaled(x, *_moments(x), gamma, beta, eps),
            lambda x, mean, var, gamma, beta, eps: _scaled(x, x.mean(axis=0), var, gamma, beta, eps),
            lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, x.var(axis=0), gamma, beta, eps),
        ],
        layer=_layers(at_inference="batch"),
    ),
    _row(
        "updated-at-inference",
        "Your running statistics change at inference. They would then learn from the validation data, and the same "
        "input would get another answer every time.",
        layer=[
            *_layers(updates=lambda training: True),
            *_layers(updates=lambda training: True, at_inference="updated"),
        ],
    ),
    _row(
        "training-flag-ignored",
        "Your function does the same in both modes, whatever `training` says.",
        layer=[
            *_layers(updates=lambda training: True, at_inference="batch"),
            _layer(updates=lambda training: False, in_training="running"),
        ],
    ),
    _row(
        "training-flag-reversed",
        "Your two modes have changed places: you do at inference what belongs to training.",
        layer=_layers(updates=lambda training: not training, in_training="running", at_inference="batch"),
    ),
    _row(
        "running-statistics-in-training",
        "In training mode you normalise by the running statistics. There a mini-batch is normalised by its own mean "
        "and variance; the running ones are only kept up to date for later.",
        layer=_layers(in_training="updated"),
    ),
    _row(
        "updated-after-use",
        "In training mode you normalise by the running statistics as they stood before this mini-batch, and update "
        "them only after using them. The statistics that `y` needs are those of this very mini-batch.",
        layer=_layers(in_training="running"),
    ),
    _row(
        "statistics-of-output",
        "Your running statistics take in the mini-batch after it has been normalised, and so learn nothing about "
        "`x`. The order matters: take the statistics before you overwrite what they describe.",
        layer=_layers_that(_takes_in_normalised) + _layers_that(_takes_in_output),
    ),
    _row(
        "one-statistic-not-updated",
        "In training mode only one of the two running statistics changes; the other one stays as it was.",
        layer=_layers_that(_keeps_mean) + _layers_that(_keeps_var),
    ),
    # The way back
    _row(
        "mean-path-forgotten",
        "Your dx forgets one way in which `x` moves `y`: every example also moves the mini-batch's mean.",
        backward=_own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=0)),
    ),
    _row(
        "variance-path-forgotten",
        "Your dx forgets one way in which `x` moves `y`: every example also moves the mini-batch's variance.",
        backward=_own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, var_path=0)),
    ),
    _row(
        "both-paths-forgotten",
        "Your dx treats the mini-batch's mean and variance as constants. They are not: every example moves both.",
        backward=_own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=0, var_path=0)),
    ),
    _row(
        "direct-path-forgotten",
        "Your dx has the ways through the mini-batch's mean and variance, but not the direct one.",
        backward=_own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, direct=0)),
    ),
    _row(
        "wrong-sign",
        "In your dx, a way through the mini-batch's statistics has the wrong sign.",
        backward=[
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=-1)),
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, var_path=-1)),
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=-1, var_path=-1)),
        ],
    ),
    _row(
        "factor-two-wrong",
        "In your dx, the way through the variance is half or twice what it should be. The derivative of a square and "
        "that of a root each bring a factor: check both.",
        backward=[
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, var_path=0.5)),
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, var_path=2)),
        ],
    ),
    _row(
        "dgamma-dbeta-swapped",
        "dgamma and dbeta have changed places.",
        backward=lambda dy, x, gamma, eps: tuple(_backward()(dy, x, gamma, eps)[i] for i in (0, 2, 1)),
    ),
    _row(
        "gradient-averaged",
        "You average dgamma or dbeta over the mini-batch. All examples share the same gamma and beta, so their "
        "contributions add up.",
        backward=[
            _backward(dgamma=lambda dy, x_hat, x: (dy * x_hat).mean(axis=0), dbeta=lambda dy: dy.mean(axis=0)),
            _backward(dgamma=lambda dy, x_hat, x: (dy * x_hat).mean(axis=0)),
            _backward(dbeta=lambda dy: dy.mean(axis=0)),
        ],
    ),
    _row(
        "gradient-not-summed",
        "Your dgamma or dbeta still has one row per example. All examples share the same gamma and beta.",
        backward=[
            _backward(dgamma=lambda dy, x_hat, x: dy * x_hat, dbeta=lambda dy: dy),
            _backward(dgamma=lambda dy, x_hat, x: dy * x_hat),
            _backward(dbeta=lambda dy: dy),
        ],
    ),
    _row(
        "dgamma-raw-input",
        "Your dgamma is taken against the raw `x`. What gamma multiplies in the forward pass is something else.",
        backward=_backward(dgamma=lambda dy, x_hat, x: (dy * x).sum(axis=0)),
    ),
    _row(
        "dgamma-centred-input",
        "Your dgamma is taken against `x` with its mean subtracted, but not yet divided by its spread. What gamma "
        "multiplies in the forward pass is both.",
        backward=_backward(dgamma=lambda dy, x_hat, x: (dy * (x - x.mean(axis=0))).sum(axis=0)),
    ),
    _row(
        "dgamma-scaled-by-gamma",
        "Your dgamma or dbeta has a factor gamma too many. How much does `y` move when gamma, or beta, does?",
        backward=[
            lambda dy, x, gamma, eps: _backward(
                dgamma=lambda dy, x_hat, x: gamma * (dy * x_hat).sum(axis=0), dbeta=lambda dy: gamma * dy.sum(axis=0)
            )(dy, x, gamma, eps),
            lambda dy, x, gamma, eps: _backward(dgamma=lambda dy, x_hat, x: gamma * (dy * x_hat).sum(axis=0))(
                dy, x, gamma, eps
            ),
        ],
    ),
    # Algorithm 2
    _row(
        "correction-upside-down",
        "Your correction is upside down: it makes a variance smaller that is too small already.",
        population=_population(lambda means, v, m: v.mean(axis=0) * (m - 1) / m),
        layer=_layer(taken_in=lambda mean, var, m: (mean, var * (m - 1) / m)),
    ),
    _row(
        "correction-counts-batches",
        "Your correction counts the mini-batches. It is about how many examples each single variance was taken from.",
        population=_population(lambda means, v, m: v.mean(axis=0) * len(v) / (len(v) - 1)),
    ),
    _row(
        "mean-corrected",
        "You correct the mean as well. Only the variance is biased; the mean of a mini-batch is right on average.",
        population=lambda means, v, m: (means.mean(axis=0) * m / (m - 1), v.mean(axis=0) * m / (m - 1)),
        layer=_layer(taken_in=lambda mean, var, m: (mean * m / (m - 1), var * m / (m - 1))),
    ),
    _row(
        "variance-of-means",
        "You give the variance of the mini-batches' means: how much they differ from each other, and not how much "
        "the examples within them do.",
        population=[
            _population(lambda means, v, m, ddof=ddof, factor=factor: means.var(axis=0, ddof=ddof) * factor(m))
            for ddof in (0, 1)
            for factor in (lambda m: 1, lambda m: m, lambda m: m / (m - 1))
        ],
    ),
    _row(
        "variance-of-means-added",
        "You add the variance of the mini-batches' means. That pools all examples, which is another estimate than "
        "the one that Algorithm 2 makes.",
        population=[
            _population(lambda means, v, m: v.mean(axis=0) * m / (m - 1) + means.var(axis=0)),
            _population(lambda means, v, m: v.mean(axis=0) + means.var(axis=0)),
            _population(lambda means, v, m: (v.mean(axis=0) + means.var(axis=0)) * m / (m - 1)),
        ],
    ),
    _row(
        "last-batch-only",
        "You use one mini-batch alone; the others leave no trace in your answer.",
        population=[
            lambda means, v, m, row=row, factor=factor: (means[row], v[row] * factor(m))
            for row in (-1, 0)
            for factor in (lambda m: 1, lambda m: m / (m - 1))
        ],
    ),
)

MISTAKES = MappingProxyType({**GENERAL, **{row.name: row.explanation for row in ROWS}})


def variants(exercise):
    """List (mistake, function) for one exercise."""
    return [(row.name, function) for row in ROWS for function in row.variants.get(exercise, ())]
