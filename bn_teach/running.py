"""Running statistics: every way to turn the statistics of many mini-batches into one estimate.

A *history* is an array `(T, ...)`: row t holds what the mini-batch of step t had to say, oldest
first. An estimate made from it has the same rows: row t is its value *after* the update of step t.

`momentum` is the weight kept on the **old** estimate::

    running = momentum * running + (1 - momentum) * batch

This is the convention of Keras, Flax and ONNX; PyTorch's number is the weight of the *new* value,
1 minus ours.

Arrays must not be empty, and must be finite. What is not allowed raises a ValueError or a TypeError
that names the argument.
"""

from itertools import accumulate

import numpy as np

from bn_teach import _checks


def exponential_moving_average(history, momentum, *, initial=0.0, debias=False):
    """Average a history with weights that fade by `momentum` at every step.

    Parameters
    ----------
    history : array_like, shape (T, ...)
    momentum : float or array_like, shape (M,)
        Weight kept on the old estimate, in [0, 1]. Several momenta are computed in one pass.
    initial : float or array_like, broadcastable to one row
        The estimate before the first update. Most frameworks use 0 for means and 1 for variances.
    debias : bool
        Take out what is left of `initial`: after t updates the estimate r becomes
        ``(r - momentum**t * initial) / (1 - momentum**t)``, the correction known from Adam. Not for a
        momentum of 1: such an estimate has seen no batch at all.

    Returns
    -------
    numpy.ndarray, float64, shape (T, ...), or (M, T, ...) for several momenta

    References
    ----------
    Ioffe & Szegedy (2015), section 3.1; Kingma & Ba (2015), section 3, for the debiasing.

    Examples
    --------
    >>> exponential_moving_average([4.0, 4.0, 4.0], 0.5)
    array([2. , 3. , 3.5])
    >>> exponential_moving_average([4.0, 4.0, 4.0], 0.5, debias=True)
    array([4., 4., 4.])
    """
    history, momentum = _history("history", history), _checks.momenta(momentum)
    if debias:
        _checks.debiasable(momentum)
    return fading_average(history, momentum, _initial(initial, history.shape[1:]), debias=debias)


FEW = 4  # numbers a row, which Python's own arithmetic averages in a fifth of the time that arrays take


def fading_average(history, momentum, initial, *, debias=False, out=None):
    """The bare mathematics of `exponential_moving_average`, on arrays; `out` may be `history` itself."""
    # A trailing axis of length one for every axis of a row lets (M,) momenta meet rows of any shape.
    p = np.reshape(momentum, np.shape(momentum) + (1,) * (history.ndim - 1))
    out = np.empty(np.shape(momentum) + history.shape) if out is None else out
    weighted, estimates = (history[:, None], np.moveaxis(out, 1, 0)) if np.ndim(momentum) else (history, out)
    # running = p * running + (1 - p) * batch, with the second term computed for all steps at once.
    np.multiply(1 - p, weighted, out=estimates)
    if np.ndim(momentum) == 0 and history.ndim == 2 and history.shape[1] <= FEW:
        for column, first in zip(estimates.T, np.broadcast_to(initial, history.shape[1:])):
            steps = accumulate(column.tolist(), lambda running, new: momentum * running + new, initial=first)
            column[:] = list(steps)[1:]
    else:
        running = initial
        for t in range(len(history)):
            estimates[t] += p * running
            running = estimates[t]
    if debias:
        updates = np.arange(1, len(history) + 1).reshape(-1, *(1,) * (estimates.ndim - 1))
        left = p**updates
        estimates -= left * initial
        estimates /= 1 - left
    return out


def cumulative_average(history):
    """Average all rows so far with equal weights: row t is the mean of rows 0 to t.

    It needs no momentum and no initial value (PyTorch: ``momentum=None``), but it never forgets:
    while the network still learns, it mixes the statistics of weights that are long gone.

    Parameters
    ----------
    history : array_like, shape (T, ...)

    Returns
    -------
    numpy.ndarray, float64, shape (T, ...)

    Examples
    --------
    >>> cumulative_average([4.0, 2.0, 0.0])
    array([4., 3., 2.])
    """
    history = _history("history", history)
    updates = np.arange(1, len(history) + 1).reshape(-1, *(1,) * (history.ndim - 1))
    return np.cumsum(history, axis=0) / updates


def unbiased_variance(var, m):
    """Turn a variance that divides by m into one that divides by m - 1: ``m / (m - 1) * var``.

    The deviations of a sample are taken from the sample's *own* mean, which lies closer to the
    sample than the true mean does. The variance of a mini-batch is therefore too small, by the
    factor (m - 1) / m on average; this function undoes it.

    Parameters
    ----------
    var : array_like, 0 or more
    m : int or array_like of int, broadcastable with `var`, at least 2
        How many values each variance was computed from (batch size times spatial positions).

    Returns
    -------
    numpy.ndarray

    References
    ----------
    Ioffe & Szegedy (2015), section 3.1 and Algorithm 2, line 10.

    Examples
    --------
    >>> print(unbiased_variance(0.25, 2))
    0.5
    """
    var = _checks.array("var", var, minimum=0)
    m = _checks.integers("m", m, 2)
    try:
        return (m / (m - 1)).astype(var.dtype) * var
    except ValueError:
        raise ValueError(f"m must be a number or fit var, of shape {var.shape}; got shape {m.shape}") from None


def population_statistics(means, variances, m):
    """Estimate the population's mean and variance from many mini-batches, as the paper does.

    Right for batches drawn at random. Where batches differ in kind (sorted by class, say), the mean
    of the batch variances misses the variance *between* the batches: see `pooled_statistics`.

    Parameters
    ----------
    means, variances : array_like, shape (B, ...)
        Mean and biased variance of each of B mini-batches, taken with *frozen* weights.
    m : int
        The size of every mini-batch, at least 2.

    Returns
    -------
    mean, var : numpy.ndarray, float64, shape (...)
        ``E[x] = mean of the means`` and ``Var[x] = m / (m - 1) * mean of the variances``.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2, line 10.

    Examples
    --------
    >>> mean, var = population_statistics([1.0, 3.0], [0.5, 1.5], m=2)
    >>> print(mean, var)
    2.0 2.0
    """
    means, variances = _paired(means, variances)
    m = _checks.integer("m", m, 2)
    return means.mean(axis=0), unbiased_variance(variances.mean(axis=0), m)


def pooled_statistics(means, variances, sizes):
    """Compute the exact mean and biased variance of all the data that the batches came from.

    The variance is that *within* the batches plus that *between* their means.

    Parameters
    ----------
    means, variances : array_like, shape (B, ...)
        Mean and biased variance of each batch.
    sizes : int or array_like of int, shape (B,)
        Number of values in each batch; batches of unequal size are weighed by it.

    Returns
    -------
    mean, var : numpy.ndarray, float64, shape (...)

    Examples
    --------
    >>> data = np.array([0.0, 2.0, 10.0])
    >>> mean, var = pooled_statistics([1.0, 10.0], [1.0, 0.0], sizes=[2, 1])
    >>> print(np.isclose(mean, data.mean()), np.isclose(var, data.var()))
    True True
    """
    means, variances = _paired(means, variances)
    sizes = _checks.integers("sizes", sizes, 1)
    if sizes.shape not in ((), (len(means),)):
        raise ValueError(f"sizes must be one number or have shape ({len(means)},), got {sizes.shape}")
    weights = np.broadcast_to(sizes, len(means)) / np.broadcast_to(sizes, len(means)).sum()
    mean = np.tensordot(weights, means, axes=1)
    within = np.tensordot(weights, variances, axes=1)
    between = np.tensordot(weights, (means - mean) ** 2, axes=1)
    return mean, within + between


def _history(name, value, **limits):
    return _checks.array(name, value, **{"shape": (None, ...), **limits}).astype(np.float64, copy=False)


def _initial(value, row_shape):
    initial = _checks.array("initial", value).astype(np.float64)
    try:
        return np.broadcast_to(initial, row_shape)
    except ValueError:
        raise ValueError(f"initial must be a number or fit one row of shape {row_shape}, got {initial.shape}") from None


def _paired(means, variances):
    means = _history("means", means)
    return means, _history("variances", variances, shape=means.shape, minimum=0)
