"""The mistakes that are recognised: a table of planted variants of the reference.

One row is a name, the question that is asked first, what to change (told on request), and for each exercise in
which the mistake can be made one or several functions that make it. A part of a learner's answer that has the values
of such a variant on all inputs of the exercise (or raises where the variant raises) has that mistake, whatever its
other parts do. Two kinds of mistake need no variant, because they show when something is changed in the inputs: an
argument that is forgotten moves nothing (the row says which one it `ignores`), and what belongs apart moves together
(`keeps`). To add a mistake, add a row; a test then tells whether the inputs keep it apart from all others, and show it
in a small example.

A question leads to the mistake and does not name it. What to change is true of every variant of its row.
"""

from functools import partial
from itertools import permutations
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from bn_teach.exercises.tasks import EXERCISES

# Told by checking.py from how the function behaves, not from the values it gives: (title, explanation).
GENERAL = {
    "unanswered": (
        "",
        "There is no complete answer here yet. Take your time; the rest of the notebook runs without it.",
    ),
    "not-callable": ("that is not a function", "The check needs the function itself."),
    "wrong-arguments": (
        "it takes other arguments",
        "Your function cannot be called with the arguments of this exercise.",
    ),
    "arguments-out-of-order": (
        "in which order do the arguments come?",
        "Your function takes its arguments in another order than this exercise gives them.",
    ),
    "none-returned": (
        "nothing came back",
        "Your function gave back None. It ran to a point where nothing is returned.",
    ),
    "exception": ("it stopped with an error", "Your function stopped with an error of its own."),
    "input-edited": (
        "what it was given has changed",
        "Your function changed what it was given. Whoever called it still needs those values: other layers, the "
        "backward pass, the next cell of this notebook.",
    ),
    "trailing-comma": (
        "a tuple came back",
        "A comma at the end of a line makes a tuple: `y = 3,` is a tuple that holds 3. Is there one in your code?",
    ),
    "wrong-type": ("these are not the numbers asked for", "What your function gave back is not of the kind asked for."),
    "wrong-count": (
        "how many results are asked for?",
        "Your function gave back another number of results than asked for.",
    ),
    "wrong-shape": ("the shape is another one", "What your function gave back has another shape than asked for."),
    "not-finite": (
        "some of it is not a number",
        "There is a NaN or an infinity in what your function gave back, for quite ordinary input.",
    ),
    "unrecognised": (
        "can you follow this example by hand?",
        "The values are not right, and it is none of the mistakes that this check knows by name.",
    ),
}


class Row(NamedTuple):
    """One mistake.

    Attributes
    ----------
    name, question, change : str
    variants : dict of str to list of callable
        By exercise, functions that make the mistake in it.
    whole : bool
        Whether one wrong part alone does not show it, like half of an exchange.
    ignores : tuple of str
        Arguments (or entries of `state`) that move the right answer, and not that of who makes the mistake.
    keeps : dict of str to (change, look)
        By exercise, a function that changes the inputs, and one that looks where the right answer stays as it is.
    """

    name: str
    question: str
    change: str
    variants: dict
    whole: bool
    ignores: tuple
    keeps: dict


def _row(name, question, change, *places, whole=False, ignores=(), keeps=MappingProxyType({}), **variants):
    """Make a row of `variants` and of `places`, dicts like it; what they hold for one exercise is put together."""
    joined = {}
    for exercise, its in (pair for place in (*places, variants) for pair in place.items()):
        joined.setdefault(exercise, []).extend(its if isinstance(its, list) else [its])
    return Row(name, question, change, joined, whole, ignores, keeps)


# The pieces that variants are built from. As they stand they are right; a row replaces one of them.


def _mean(x):
    return x.mean(axis=0)


def _squares(x):
    """Sum the squared deviations."""
    return x.var(axis=0) * len(x)


def _moments(x):
    return x.mean(axis=0), x.var(axis=0)


def _scaled(x, mean, var, gamma, beta, eps):
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def _average(old, new, p):
    return p * old + (1 - p) * new


def _corrected(mean, var, m):
    return mean, var * m / (m - 1)


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
            updated = tuple(average(old, new, p) for old, new in zip(running, taken_in(*batch, len(x))))
            statistics |= {"batch": batch, "updated": updated}
        mean, var = updated if updates(training) else running
        return scaled(x, *statistics[uses], *learnt), {**state, "running_mean": mean, "running_var": var}

    return variant


def _layer_that(act):
    """Do something wrong around a layer that is right: `act(layer, state, x, training)`."""
    return partial(act, _layer())


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


def _with_moments(*wrong):
    """Take other batch statistics, wherever batch statistics are taken."""
    return {
        "batch_statistics": list(wrong),
        "normalize": [
            lambda x, gamma, beta, eps, moments=moments: _scaled(x, *moments(x), gamma, beta, eps) for moments in wrong
        ],
        "layer": [_layer(moments=moments) for moments in wrong],
        "backward": [_backward(moments=moments) for moments in wrong],
    }


def _with_scaled(*wrong):
    """Normalise, scale and shift in another way, wherever that is done."""
    return {
        "normalize": [
            lambda x, gamma, beta, eps, scaled=scaled: scaled(x, *_moments(x), gamma, beta, eps) for scaled in wrong
        ],
        "inference": list(wrong),
        "layer": [_layer(scaled=scaled) for scaled in wrong],
    }


def _with_average(*wrong):
    """Update the running value in another way, wherever it is updated."""
    return {"running_average": list(wrong), "layer": [_layer(average=average) for average in wrong]}


def _with_inv_std(*wrong):
    return {"backward": [_backward(inv_std=inv_std) for inv_std in wrong]}


def _own_dx(dx):
    return _backward(dx=dx)


def _paths(**weights):
    """Weigh the ways on which `x` moves `y` by other numbers than 1."""
    return _own_dx(partial(_dx, **weights))


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


def _reads(names, factor):
    """Multiply the running statistics `names` by `factor(state, x)` when they are read at inference."""

    def variant(layer, state, x, training):
        y, new = layer(state, x, training)
        read = {**state, **{name: state[name] * factor(state, x) for name in names}}
        return (y if training else layer(read, x, training)[0]), new

    return _layer_that(variant)


def _keeps(name):
    def variant(layer, state, x, training):
        y, new = layer(state, x, training)
        return y, {**new, name: state[name]}

    return _layer_that(variant)


def _swaps_state(layer, state, x, training):
    y, new = layer(state, x, training)
    swapped = {"running_mean": new["running_var"], "running_var": new["running_mean"]}
    return y, {**new, **swapped} if training else new


def _transposes(layer, state, x, training):
    y, new = layer(state, x, training)
    return y.T, new


def _population(estimate):
    """Average the means as is right, and estimate the variance by `estimate(means, variances, m)`."""
    return lambda means, variances, m: (means.mean(axis=0), estimate(means, variances, m))


_FACTORS = (lambda m: 1, lambda m: m / (m - 1))  # the variance as it is, or corrected


# What stays apart: ways to change the inputs, and where to look.


def _other_channels(args):
    """Change every channel but the first."""
    return tuple(map(_beyond_the_first, args))


def _beyond_the_first(value):
    if isinstance(value, dict):
        return {name: _beyond_the_first(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray):
        return np.concatenate([value[..., :1], value[..., 1:] / 2], axis=-1)
    return value


def _first_channel(part):
    return np.atleast_1d(part)[..., :1]


def _first_example(part):
    return np.atleast_1d(part)[:1]


# Of rows that explain an answer equally well, the first is told.
ROWS = (
    # The running value
    _row(
        "momentum-reversed",
        "for a momentum close to 1, which should weigh more, the past or the newest mini-batch?",
        "You use momentum the wrong way round: it is the weight of the old value here, and 1 - momentum that of the "
        "new one. (PyTorch has it the other way, so this is easily done.)",
        _with_average(lambda old, new, p: _average(new, old, p)),
        debias=lambda running, p, step: running / (1 - (1 - p) ** step),
    ),
    _row(
        "new-value-unweighted",
        "if the old value and the new one are both 1, what should come out?",
        "You add the new value without its weight. The two weights must add up to 1, or the running value grows beyond "
        "anything it has seen: weigh the new one by 1 - momentum.",
        _with_average(lambda old, new, p: p * old + new, lambda old, new, p: (1 - p) * old + new),
    ),
    _row(
        "old-value-unweighted",
        "if the old value and the new one are both 1, what should come out?",
        "You keep the old value without its weight. The two weights must add up to 1, or the running value grows "
        "beyond anything it has seen: weigh the old one by momentum.",
        _with_average(lambda old, new, p: old + (1 - p) * new, lambda old, new, p: old + p * new),
    ),
    _row(
        "both-unweighted",
        "if the old value and the new one are both 1, what should come out?",
        "You add old and new value without any weights: a sum, not an average. Weigh the old one by momentum, the new "
        "one by 1 - momentum.",
        _with_average(lambda old, new, p: old + new),
    ),
    _row(
        "same-weight",
        "if the old value and the new one are both 1, what should come out?",
        "You give the old value and the new one the same weight. Weigh the old one by momentum, the new one by 1 - "
        "momentum.",
        _with_average(lambda old, new, p: p * (old + new), lambda old, new, p: (1 - p) * (old + new)),
    ),
    _row(
        "new-value-subtracted",
        "if the mini-batch's value grows, what should the running value do?",
        "You subtract where adding is meant: a larger value of the mini-batch makes your running value smaller.",
        _with_average(
            lambda old, new, p: p * old - (1 - p) * new,
            lambda old, new, p: old + (1 - p) * (old - new),
            lambda old, new, p: p * (old - new),
        ),
    ),
    _row(
        "never-updated",
        "how far does the new mini-batch move your running value?",
        "The running value never changes: the new mini-batch leaves no trace in it. Let it come in with weight 1 - "
        "momentum.",
        _with_average(lambda old, new, p: old),
    ),
    _row(
        "wholly-replaced",
        "what is left of the old value?",
        "The new value replaces the old one, and everything before this mini-batch is forgotten. Keep the old one with "
        "weight momentum.",
        _with_average(lambda old, new, p: new),
    ),
    _row(
        "old-value-forgotten",
        "what is left of the old value?",
        "The old value is missing from your answer, as if everything had started at 0 just now. Add it with weight "
        "momentum.",
        _with_average(lambda old, new, p: (1 - p) * new, lambda old, new, p: p * new),
    ),
    _row(
        "new-value-forgotten",
        "how much of the new value is in your answer?",
        "The new value is missing from your answer, and the old one shrinks to 0 step by step. Add the new one with "
        "weight 1 - momentum.",
        _with_average(lambda old, new, p: p * old, lambda old, new, p: (1 - p) * old),
    ),
    _row(
        "momentum-ignored",
        "what does your answer do when momentum changes?",
        "The `momentum` that your function is given is missing where it should have an effect. Use it instead of a "
        "number of your own.",
        ignores=("momentum",),
    ),
    # Statistics of a batch
    _row(
        "unbiased-variance",
        "of how many squared deviations is your variance the average?",
        "Your variance of the mini-batch divides by m - 1. Divide by m: normalising needs the spread of exactly these "
        "m examples; it does not estimate that of a population.",
        _with_moments(lambda x: (x.mean(axis=0), x.var(axis=0, ddof=1))),
    ),
    _row(
        "std-returned",
        "if the numbers that come in were metres, in what unit would your `var` be?",
        "You give back the standard deviation. Give back its square, the variance.",
        batch_statistics=[
            lambda x: (x.mean(axis=0), x.std(axis=0)),
            lambda x: (x.mean(axis=0), x.std(axis=0, ddof=1)),
        ],
        population=_population(lambda means, variances, m: np.sqrt(variances.mean(axis=0) * m / (m - 1))),
    ),
    _row(
        "std-averaged",
        "what is it that you average: variances, or something else?",
        "You average standard deviations. Average the variances: the two do not average alike, and standard deviations "
        "come out too low.",
        population=[
            _population(lambda means, v, m, power=power, factor=factor: _mean(np.sqrt(v)) ** power * factor(m))
            for power in (1, 2)
            for factor in (*_FACTORS, lambda m: np.sqrt(m / (m - 1)))
        ],
        layer=[
            _layer(taken_in=lambda mean, var, m: (mean, np.sqrt(var))),
            _layer(taken_in=lambda mean, var, m: (mean, np.sqrt(var * m / (m - 1)))),
            _layer(taken_in=lambda mean, var, m: (mean, np.sqrt(var) * m / (m - 1))),
        ],
    ),
    _row(
        "variance-around-zero",
        "if 100 were added to every number in `x`, what would your variance do?",
        "Your variance is the mean of the squares themselves: how far the values are from 0. Take their deviations "
        "from the mean, and square those.",
        _with_moments(lambda x: (x.mean(axis=0), (x**2).mean(axis=0))),
    ),
    _row(
        "deviations-cancel",
        "what do all deviations from a mean add up to?",
        "You average the deviations from the mean before they are squared. Those above and those below cancel, and "
        "your variance is 0 whatever the data. Square each of them first, then average.",
        _with_moments(lambda x: (x.mean(axis=0), np.zeros(x.shape[1])), lambda x: (x.mean(axis=0), 0.0)),
    ),
    _row(
        "deviation-not-squared",
        "how much more than a deviation of 1 does one of 2 count in your variance?",
        "Your variance averages the deviations without their signs. Average their squares.",
        _with_moments(lambda x: (x.mean(axis=0), np.abs(x - x.mean(axis=0)).mean(axis=0))),
    ),
    _row(
        "shortcut-wrong",
        "for a channel in which every value is 3, what is your variance?",
        "The short way to a variance is the mean of the squares, minus the square of the mean. Yours is another "
        "difference.",
        _with_moments(lambda x: (x.mean(axis=0), (x**2).mean(axis=0) - x.mean(axis=0))),
    ),
    _row(
        "sum-instead-of-mean",
        "if twice as many came in, would your numbers stay about as large as they are?",
        "There is a sum where an average is meant: it grows with the number of examples or batches. Divide it by that "
        "number.",
        _with_moments(
            lambda x: (x.mean(axis=0), _squares(x)),
            lambda x: (x.sum(axis=0), x.var(axis=0)),
            lambda x: (x.sum(axis=0), _squares(x)),
        ),
        backward=[
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=len(dy), var_path=len(dy))),
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, mean_path=len(dy))),
            _own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, r, var_path=len(dy))),
        ],
        population=lambda means, v, m: (means.sum(axis=0), v.sum(axis=0) * m / (m - 1)),
    ),
    _row(
        "not-averaged",
        "of how many numbers in a channel should one be left?",
        "You still give every one of them. Average over the rows, so that one number is left for each channel.",
        batch_statistics=lambda x: (x.mean(axis=0), (x - x.mean(axis=0)) ** 2),
        population=lambda means, v, m: (means, v * m / (m - 1)),
    ),
    _row(
        "divided-by-wrong-number",
        "how many numbers do you add up, and by which number do you divide?",
        "You divide by another number than you have added up. In a channel there are m of them, one for each example.",
        _with_moments(
            lambda x: (x.sum(axis=0) / x.shape[1], ((x - x.sum(axis=0) / x.shape[1]) ** 2).sum(axis=0) / x.shape[1]),
            lambda x: (x.mean(axis=0), _squares(x) / x.shape[1]),
            lambda x: (x.sum(axis=0) / x.size, _squares(x) / x.size),
            lambda x: (x.sum(axis=0) / (len(x) - 1), x.var(axis=0)),
        ),
    ),
    _row(
        "wrong-axis",
        "does each of your averages and sums stay within one channel?",
        "Your averages or sums run along the wrong axis, the columns. Every channel is a column and stands alone: run "
        "along the rows, axis 0.",
        _with_moments(
            lambda x: (x.mean(axis=1), x.var(axis=1)),
            lambda x: (x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)),
        ),
        backward=[
            lambda dy, x, gamma, eps: tuple(a.T for a in _backward()(dy.T, x.T, gamma[:, None], eps)),
            _backward(dgamma=lambda dy, x_hat, x: (dy * x_hat).sum(axis=1), dbeta=lambda dy: dy.sum(axis=1)),
        ],
        population=lambda means, v, m: (means.mean(axis=1), v.mean(axis=1) * m / (m - 1)),
    ),
    _row(
        "all-elements",
        "does each channel have numbers of its own, taken from that channel alone?",
        "You take the numbers of several channels together, or give one number for all of them. In batch norm every "
        "channel stands alone: average or add up along axis 0 only.",
        keeps=dict.fromkeys(EXERCISES, (_other_channels, _first_channel)),
    ),
    _row(
        "mean-variance-swapped",
        "which of your two numbers says where the values lie, and which how far they spread?",
        "Mean and variance have changed places. Use each where the other stands.",
        whole=True,
        batch_statistics=lambda x: (x.var(axis=0), x.mean(axis=0)),
        normalize=lambda x, gamma, beta, eps: _scaled(x, x.var(axis=0), x.mean(axis=0), gamma, beta, eps),
        inference=lambda x, mean, var, gamma, beta, eps: _scaled(x, var, mean, gamma, beta, eps),
        layer=[
            _layer_that(_swaps_state),
            _layer(scaled=lambda x, mean, var, gamma, beta, eps: _scaled(x, var, mean, gamma, beta, eps)),
            _layer(taken_in=lambda mean, var, m: _corrected(mean, var, m)[::-1]),
            _layer(taken_in=lambda mean, var, m: (var, mean)),
        ],
        population=[
            lambda means, v, m: (v.mean(axis=0) * m / (m - 1), means.mean(axis=0)),
            lambda means, v, m: (v.mean(axis=0), means.mean(axis=0) * m / (m - 1)),
        ],
    ),
    # How it is written down
    _row(
        "brackets-missing",
        "in which order does Python work out your line?",
        "Python multiplies and divides before it adds and subtracts. Put a pair of brackets around the sum or "
        "difference that belongs together.",
        _with_scaled(
            lambda x, mean, var, gamma, beta, eps: gamma * (x - mean / np.sqrt(var + eps)) + beta,
            lambda x, mean, var, gamma, beta, eps: gamma * x - mean / np.sqrt(var + eps) + beta,
        ),
        _with_average(lambda old, new, p: p * old + 1 - p * new),
        batch_statistics=lambda x: (x.mean(axis=0), (x - x.mean(axis=0) ** 2).mean(axis=0)),
        debias=lambda running, p, step: running / 1 - p**step,
        backward=_own_dx(
            lambda dy, x_hat, gamma, r: gamma * r * dy - dy.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0)
        ),
        population=[
            _population(lambda means, v, m: v.mean(axis=0) * m / m - 1),
            _population(lambda means, v, m: m / m - 1 * v.mean(axis=0)),
        ],
    ),
    _row(
        "transposed",
        "row 0 of `x` is one example: where does it stand in your answer?",
        "Rows and columns have changed places in what you give back. Turn it round with `.T`.",
        normalize=lambda x, gamma, beta, eps: _scaled(x, *_moments(x), gamma, beta, eps).T,
        inference=lambda *args: _scaled(*args).T,
        layer=_layer_that(_transposes),
        backward=_own_dx(lambda *args: _dx(*args).T),
    ),
    _row(
        "results-out-of-order",
        "in which order are the results asked for?",
        "Your results come in another order than asked for.",
        whole=True,
        backward=[
            lambda *args, order=order: tuple(_backward()(*args)[i] for i in order)
            for order in permutations(range(3))
            if order[0] != 0
        ],
    ),
    # Normalise, scale, shift
    _row(
        "eps-outside-root",
        "for a variance of 0, by what do you divide, and by what should you?",
        "You add eps after taking the root. Add it to the variance, before the root is taken.",
        _with_scaled(
            lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) / (np.sqrt(var) + eps) + beta,
            lambda x, mean, var, gamma, beta, eps: gamma * ((x - mean) / np.sqrt(var) + eps) + beta,
            lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) / np.sqrt(var) + eps + beta,
        ),
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
        "root-forgotten",
        "if the numbers in `x` were metres, in what unit would your normalised values be?",
        "You divide by the variance itself. Divide by its root.",
        _with_scaled(
            lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) / (var + eps) + beta,
            lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) / var + beta,
        ),
        _with_inv_std(lambda var, eps: 1 / (var + eps), lambda var, eps: 1 / var),
    ),
    _row(
        "root-taken-twice",
        "how many roots are taken on the way from the variance to what you divide by?",
        "You take the root of what is a standard deviation already. Take it once, of the variance.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, np.sqrt(var), gamma, beta, eps)),
        _with_inv_std(lambda var, eps: _inv_std(np.sqrt(var), eps)),
    ),
    _row(
        "variance-squared",
        "is what you square a variance already?",
        "You square the variance, as if it were a standard deviation. It is a square already: use it as it is.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var**2, gamma, beta, eps)),
        _with_inv_std(lambda var, eps: _inv_std(var**2, eps)),
    ),
    _row(
        "multiplied-by-spread",
        "what should become of a channel that spreads far: more spread, or less?",
        "You multiply by the spread. Divide by it.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) * np.sqrt(var + eps) + beta),
        _with_inv_std(lambda var, eps: np.sqrt(var + eps)),
    ),
    _row(
        "mean-not-subtracted",
        "if 100 were added to every number in `x`, what would your answer do?",
        "The mean is never subtracted: your output is scaled, but not centred. Subtract it before you divide.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, 0, var, gamma, beta, eps)),
    ),
    _row(
        "deviation-reversed",
        "for gamma above 0, should the largest `x` give the largest `y`?",
        "You subtract `x` from the mean. Subtract the mean from `x`.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, -gamma, beta, eps)),
        backward=_backward(dgamma=lambda dy, x_hat, x: -(dy * x_hat).sum(axis=0)),
    ),
    _row(
        "spread-not-divided",
        "if all numbers in `x` were ten times as large, what would your answer do?",
        "You never divide by the spread: a wide channel stays wide. Divide by the root of the variance and eps.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: gamma * (x - mean) + beta),
        backward=_own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, gamma, 1)),
    ),
    _row(
        "gamma-beta-forgotten",
        "what does your answer do when gamma and beta change?",
        "gamma and beta are missing where they should have an effect: scale by gamma, then shift by beta.",
        ignores=("gamma", "beta"),
    ),
    _row(
        "gamma-forgotten",
        "what does your answer do when gamma doubles?",
        "gamma is missing where it should have an effect. It scales what has been normalised.",
        ignores=("gamma",),
    ),
    _row(
        "beta-forgotten",
        "what does your answer do when beta grows?",
        "beta is missing where it should have an effect. Add it at the end.",
        ignores=("beta",),
    ),
    _row(
        "eps-forgotten",
        "what does your answer do when eps grows?",
        "`eps` is missing where it should have an effect. Add the one that your function is given to the variance, "
        "under the root: a channel that hardly varies would otherwise be divided by almost nothing.",
        ignores=("eps",),
    ),
    _row(
        "gamma-beta-swapped",
        "for gamma = 0, what should be left of `y`?",
        "gamma and beta have changed places: you scale by beta and shift by gamma. Scale by gamma, shift by beta.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, beta, gamma, eps)),
    ),
    _row(
        "beta-subtracted",
        "if beta grows, what should `y` do?",
        "You subtract beta. Add it.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, gamma, -beta, eps)),
    ),
    _row(
        "gamma-divided",
        "if gamma doubles, what should the spread of `y` do?",
        "You divide by gamma. Multiply by it.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: _scaled(x, mean, var, 1 / gamma, beta, eps)),
        backward=_own_dx(lambda dy, x_hat, gamma, r: _dx(dy, x_hat, 1 / gamma, r)),
    ),
    _row(
        "beta-scaled",
        "if gamma doubles, what should happen to the part of `y` that comes from beta?",
        "You shift by beta first and scale by gamma afterwards, so that beta is scaled too. Scale first.",
        _with_scaled(lambda x, mean, var, gamma, beta, eps: gamma * _scaled(x, mean, var, 1, beta, eps)),
    ),
    # Debiasing
    _row(
        "not-debiased",
        "if all mini-batches were 1, what would your function give back?",
        "You give back the running value as it is: the start at 0 still pulls it down. Divide by the weight that the "
        "mini-batches have.",
        debias=lambda running, p, step: running,
    ),
    _row(
        "wrong-power",
        "after one step, what is the weight on the start? After two, and after three?",
        "The weight still on the start is momentum, multiplied with itself once for each of the `step` updates that "
        "have been done. Yours does not count each of them once.",
        ignores=("step",),
        debias=[
            lambda running, p, step: running / (1 - p ** (step + 1)),
            lambda running, p, step: running / (1 - p ** (step - 1)),
            lambda running, p, step: running / (1 - p ** (1 / step)),
            lambda running, p, step: running / (1 - p ** (2 * step)),
        ],
    ),
    _row(
        "wrong-base",
        "after one step, what is the weight on the start? After two, and after three?",
        "You take a power, but not that of momentum. Every step leaves the fraction `momentum` on the start: raise "
        "that to the power `step` first, and then take it from 1.",
        debias=[
            lambda running, p, step: running / (1 - p) ** step,
            lambda running, p, step: running / (1 - step**p),
        ],
    ),
    _row(
        "product-instead-of-power",
        "after one step, what is the weight on the start? After two, and after three?",
        "You multiply momentum by the number of steps. Each step takes its share of what is left, so raise momentum to "
        "the power `step`.",
        debias=lambda running, p, step: running / (1 - p * step),
    ),
    _row(
        "debiased-upside-down",
        "has the start at 0 made the running value too large or too small?",
        "The start at 0 has pulled the value down, and your correction pulls it further. Divide instead of "
        "multiplying.",
        debias=[lambda running, p, step: running * (1 - p**step), lambda running, p, step: running * p**step],
    ),
    _row(
        "divided-by-start-weight",
        "after very many steps, how much should your correction still change?",
        "You divide by the weight that is still on the start. Divide by the weight that the mini-batches have: what is "
        "missing to 1.",
        debias=lambda running, p, step: running / p**step,
    ),
    _row(
        "weight-below-zero",
        "can an average of numbers above 0 be below 0?",
        "You subtract 1 from the weight on the start. Subtract that weight from 1.",
        debias=lambda running, p, step: running / (p**step - 1),
    ),
    _row(
        "start-weight-added",
        "if all mini-batches were 1, which weights would add up to what came out?",
        "You add the weight that is on the start. Subtract it from 1 to get that of the mini-batches, and divide by "
        "it.",
        debias=[
            lambda running, p, step: running / (1 + p**step),
            lambda running, p, step: running + p**step,
            lambda running, p, step: running * (1 + p**step),
        ],
    ),
    _row(
        "batch-weight-forgotten",
        "with which weight did the newest mini-batch come in?",
        "You add up powers of momentum, but each mini-batch came in with weight 1 - momentum as well. Multiply by it.",
        debias=lambda running, p, step: running * (1 - p) / (1 - p**step),
    ),
    _row(
        "other-correction",
        "what does your correction do after the very first step?",
        "n / (n - 1) is made for another bias: that of a variance around its own mean. Here the start at 0 is the "
        "cause: divide by the weight that the mini-batches have.",
        debias=[
            lambda running, p, step: running * step / (step - 1),
            lambda running, p, step: running * (step - 1) / step,
            lambda running, p, step: running / (step - 1),
        ],
    ),
    _row(
        "initial-value-wrong",
        "from which value did your running value start?",
        "You compute as if the running value had started from another value than it did. Take the start as the "
        "exercise gives it.",
        running_average=lambda old, new, p: _average(old, new, p) / (1 - p),
        debias=lambda running, p, step: (running - p**step) / (1 - p**step),
        layer=[
            _layer_that(_forgets_state),
            _reads(("running_mean", "running_var"), lambda state, x: 1 / (1 - state["momentum"])),
            _reads(("running_var",), lambda state, x: 1 / (1 - state["momentum"])),
            _layer(average=lambda old, new, p: _average(old, new, p) / (1 - p)),
        ],
    ),
    # The layer and its two modes
    _row(
        "batch-statistics-at-inference",
        "if the other examples of the batch changed, would the answer for this one stay?",
        "At inference the batch that you are given enters your statistics. The answer for one example then depends on "
        "the others that happen to be with it. Use the running statistics as they are.",
        keeps={
            "inference": (lambda args: (args[0][:1], *args[1:]), _first_example),
            "layer": (lambda args: args if args[2] else (args[0], args[1][:1], False), _first_example),
        },
        layer=_layer(at_inference="batch"),
    ),
    _row(
        "updated-at-inference",
        "may the examples that you predict change the statistics that you predict them with?",
        "Your running statistics take in the batch at inference. They would then learn from the validation data, and "
        "the same input would get another answer every time. Leave them as they are.",
        layer=[
            _layer(updates=lambda training: True),
            _layer(updates=lambda training: True, at_inference="updated"),
        ],
    ),
    _row(
        "training-flag-ignored",
        "what does your function do differently when `training` changes?",
        "`training` makes no difference where it should. Take apart what belongs to training and what to inference.",
        layer=[
            _layer(updates=lambda training: True, at_inference="batch"),
            _layer(updates=lambda training: False, in_training="running"),
        ],
    ),
    _row(
        "training-flag-reversed",
        "in which of the two modes should the running statistics change?",
        "Your two modes have changed places: you do at inference what belongs to training.",
        layer=_layer(updates=lambda training: not training, in_training="running", at_inference="batch"),
    ),
    _row(
        "running-statistics-in-training",
        "in training mode, whose mean and variance does `y` need?",
        "In training mode you normalise by running statistics. There a mini-batch is normalised by its own mean and "
        "variance; the running ones are only kept up to date for later.",
        layer=[_layer(in_training="running"), _layer(in_training="updated")],
    ),
    _row(
        "statistics-of-output",
        "which numbers do your running statistics describe: what came in, or what goes out?",
        "Your running statistics take in the mini-batch after it has been normalised, and so learn nothing about `x`. "
        "Take the statistics before you overwrite what they describe.",
        layer=[_layer_that(_takes_in_normalised), _layer_that(_takes_in_output)],
    ),
    _row(
        "one-statistic-not-updated",
        "which of the running statistics change in training mode?",
        "In training mode only one of the two running statistics changes. Let the other one take in the mini-batch, "
        "too.",
        layer=[_keeps("running_mean"), _keeps("running_var")],
    ),
    # The way back
    _row(
        "mean-path-forgotten",
        "what does your dx add up to over the mini-batch, and what should it?",
        "Your dx forgets one way in which `x` moves `y`: every example also moves the mini-batch's mean.",
        backward=_paths(mean_path=0),
    ),
    _row(
        "variance-path-forgotten",
        "when a whole channel is stretched, `y` hardly moves: does your dx know that?",
        "Your dx forgets one way in which `x` moves `y`: every example also moves the mini-batch's variance.",
        backward=_paths(var_path=0),
    ),
    _row(
        "both-paths-forgotten",
        "in how many ways does one number in `x` move `y`?",
        "Your dx treats the mini-batch's mean and variance as constants. They are not: every example moves both.",
        backward=_paths(mean_path=0, var_path=0),
    ),
    _row(
        "direct-path-forgotten",
        "in how many ways does one number in `x` move `y`?",
        "Your dx has the ways through the mini-batch's mean and variance, but not the direct one. Add it.",
        backward=_paths(direct=0),
    ),
    _row(
        "wrong-sign",
        "do the ways through mean and variance go along with the direct one, or against it?",
        "In your dx, a way through the mini-batch's statistics has the wrong sign. Both are subtracted from the direct "
        "one.",
        backward=[
            _paths(mean_path=-1),
            _paths(var_path=-1),
            _paths(mean_path=-1, var_path=-1),
        ],
    ),
    _row(
        "factor-two-wrong",
        "what are the derivatives of a square and of a root?",
        "In your dx, the way through the variance is half or twice what it should be. The derivative of a square and "
        "that of a root each bring a factor, and the two cancel: check both.",
        backward=[
            _paths(var_path=0.5),
            _paths(var_path=2),
        ],
    ),
    _row(
        "dgamma-dbeta-swapped",
        "for which of the two does it matter what stood in `x`?",
        "dgamma and dbeta have changed places.",
        whole=True,
        backward=lambda dy, x, gamma, eps: tuple(_backward()(dy, x, gamma, eps)[i] for i in (0, 2, 1)),
    ),
    _row(
        "gradient-averaged",
        "all examples share one gamma and one beta: what becomes of their contributions?",
        "You average dgamma or dbeta over the mini-batch. Add up the contributions of all examples.",
        backward=_backward(dgamma=lambda dy, x_hat, x: (dy * x_hat).mean(axis=0), dbeta=lambda dy: dy.mean(axis=0)),
    ),
    _row(
        "gradient-not-summed",
        "all examples share one gamma and one beta: what becomes of their contributions?",
        "Your dgamma or dbeta still has one row per example. Add up the contributions of all examples.",
        backward=_backward(dgamma=lambda dy, x_hat, x: dy * x_hat, dbeta=lambda dy: dy),
    ),
    _row(
        "dgamma-raw-input",
        "what does gamma multiply in the forward pass?",
        "Your dgamma is taken against the raw `x`. gamma multiplies `x_hat`: take it against that.",
        backward=_backward(dgamma=lambda dy, x_hat, x: (dy * x).sum(axis=0)),
    ),
    _row(
        "dgamma-centred-input",
        "what does gamma multiply in the forward pass?",
        "Your dgamma is taken against `x` with its mean subtracted, but not yet divided by its spread. gamma "
        "multiplies `x_hat`, which is both.",
        backward=_backward(dgamma=lambda dy, x_hat, x: (dy * (x - x.mean(axis=0))).sum(axis=0)),
    ),
    _row(
        "dgamma-scaled-by-gamma",
        "how far does `y` move when gamma, or beta, moves by 1?",
        "Your dgamma or dbeta has a factor gamma too many. Leave it out.",
        backward=lambda dy, x, gamma, eps: _backward(
            dgamma=lambda dy, x_hat, x: gamma * (dy * x_hat).sum(axis=0), dbeta=lambda dy: gamma * dy.sum(axis=0)
        )(dy, x, gamma, eps),
    ),
    # Algorithm 2
    _row(
        "correction-upside-down",
        "is the variance of a mini-batch too large or too small on average, and what does your factor do to it?",
        "Your correction is upside down: it makes a variance smaller that is too small already. Turn the fraction "
        "round.",
        population=_population(lambda means, v, m: v.mean(axis=0) * (m - 1) / m),
        layer=_layer(taken_in=lambda mean, var, m: (mean, var * (m - 1) / m)),
    ),
    _row(
        "correction-counts-batches",
        "how many examples went into each single variance?",
        "Your correction counts the mini-batches. It is about how many examples each single variance was taken from: "
        "m.",
        population=_population(lambda means, v, m: v.mean(axis=0) * len(v) / (len(v) - 1)),
    ),
    _row(
        "corrected-when-read",
        "how often is the running variance corrected before it is used?",
        "You correct the running variance when you read it. It was corrected when it took in each mini-batch: use it "
        "as it is.",
        layer=_reads(("running_var",), lambda state, x: len(x) / (len(x) - 1)),
    ),
    _row(
        "mean-corrected",
        "which of the two is wrong on average, a mini-batch's mean or its variance?",
        "You correct the mean as well. The mean of a mini-batch is right on average: leave it as it is.",
        population=lambda means, v, m: (means.mean(axis=0) * m / (m - 1), v.mean(axis=0) * m / (m - 1)),
        layer=_layer(taken_in=lambda mean, var, m: (mean * m / (m - 1), var * m / (m - 1))),
    ),
    _row(
        "variance-of-means",
        "if all mini-batches had the same mean, what would your variance be?",
        "You give the variance of the mini-batches' means: how much they differ from each other. How much the examples "
        "within them differ stands in `batch_variances`.",
        population=[
            _population(lambda means, v, m, ddof=ddof, factor=factor: means.var(axis=0, ddof=ddof) * factor(m))
            for ddof in (0, 1)
            for factor in (*_FACTORS, lambda m: m)
        ],
    ),
    _row(
        "variance-of-means-added",
        "which averages does line 10 of Algorithm 2 take, and do you take another one?",
        "You add the variance of the mini-batches' means. That pools all examples, which is another estimate than the "
        "one that Algorithm 2 makes. Leave it out.",
        population=[
            _population(lambda means, v, m: v.mean(axis=0) + means.var(axis=0)),
            _population(lambda means, v, m: v.mean(axis=0) * m / (m - 1) + means.var(axis=0)),
            _population(lambda means, v, m: (v.mean(axis=0) + means.var(axis=0)) * m / (m - 1)),
        ],
    ),
    _row(
        "last-batch-only",
        "how many mini-batches leave a trace in your answer?",
        "You use one mini-batch alone. Average over all of them.",
        population=[
            lambda means, v, m, row=row, factor=factor: (means[row], v[row] * factor(m))
            for row in (-1, 0)
            for factor in _FACTORS
        ],
    ),
    _row(
        "order-of-batches",
        "do the first mini-batch and the last one count alike?",
        "Your answer changes when the mini-batches come in another order, like a running average, in which later ones "
        "count more. Algorithm 2 has all of them at hand, and lets them count alike: take plain averages.",
        keeps={"population": (lambda args: (args[0][::-1], args[1][::-1], args[2]), lambda part: part)},
    ),
    # Last, because it is often there beside another mistake, which is to be told first.
    _row(
        "biased-variance",
        "around which mean was each variance taken: the population's, or its own mini-batch's?",
        "The variance that you estimate for the population divides by m. Divide by m - 1: a mini-batch's variance is "
        "taken around the mini-batch's own mean, and comes out too small on average.",
        population=_population(lambda means, variances, m: variances.mean(axis=0)),
        layer=_layer(taken_in=lambda mean, var, m: (mean, var)),
    ),
)

MISTAKES = MappingProxyType(
    {name: meaning for name, (_, meaning) in GENERAL.items()} | {row.name: row.change for row in ROWS}
)
ASKS = MappingProxyType(
    {name: title for name, (title, _) in GENERAL.items()} | {row.name: row.question for row in ROWS}
)


def variants(exercise):
    """List (row, function) for one exercise."""
    return [(row, function) for row in ROWS for function in row.variants.get(exercise, ())]
