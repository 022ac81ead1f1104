"""Closed forms: what running averages do when batches are independent draws from one population.

Throughout, batches of size m come independently from a population with mean mu and variance
sigma^2, and `momentum` p is the weight kept on the old estimate. Real training draws *without*
replacement, epoch by epoch. If it shuffles anew for every epoch, its averages vary less than these
formulas say (notebook 03 shows it).

Two numbers tell how much an average remembers. It *looks back* p/(1-p) steps on average
(`drift_lag`), and it is *as steady as* (1+p)/(1-p) mini-batches weighed alike (`effective_batches`).

What is not allowed raises a ValueError or a TypeError that names the argument.
"""

import math

import numpy as np

from bn_teach import _checks


def start_up_weight(momentum, steps):
    """Weight that the initial value still has after `steps` updates: p^steps.

    Parameters
    ----------
    momentum : float in [0, 1]
    steps : int or array_like of int, 0 or more

    Returns
    -------
    float or numpy.ndarray

    Examples
    --------
    >>> print(round(start_up_weight(0.99, 100), 3))
    0.366
    """
    return _plain(_checks.momentum(momentum) ** _checks.integers("steps", steps, 0))


def memory_weights(momentum, steps):
    """Return what is inside a running average: the weight of its start, and of every mini-batch so far.

    Parameters
    ----------
    momentum : float in [0, 1]
    steps : int, 0 or more
        Updates done.

    Returns
    -------
    start : float
        p^steps, of the initial value; the same as `start_up_weight`.
    batches : numpy.ndarray, float64, shape (steps,)
        ``(1-p) p^k`` of the mini-batch k steps ago, the newest first. With `start` they sum to 1.

    Examples
    --------
    >>> start, batches = memory_weights(0.5, 3)
    >>> print(start, batches)
    0.125 [0.5   0.25  0.125]
    """
    p, done = _checks.momentum(momentum), _checks.integer("steps", steps, 0)
    return float(p**done), (1 - p) * p ** np.arange(done, dtype=np.float64)


def effective_batches(momentum):
    """Return how steady an average is: as many equally weighted batches would give the same variance.

    Equal weights on n batches leave 1/n of a batch's variance; fading weights (1-p) p^k leave
    (1-p)/(1+p) of it, so n = (1+p)/(1-p).

    Parameters
    ----------
    momentum : float in [0, 1]

    Returns
    -------
    float
        From 1 (momentum 0: only the latest batch) to infinity (momentum 1: nothing ever enters).

    Examples
    --------
    >>> print(round(effective_batches(0.9), 6))
    19.0
    """
    p = _checks.momentum(momentum)
    return math.inf if p == 1 else (1 + p) / (1 - p)


def running_mean_std(sigma, momentum, batch_size, steps=None):
    """Return the standard deviation of the running mean.

    The batches' weights are (1-p) p^k, and squared they sum to (1-p)/(1+p) * (1 - p^(2 steps)).

    Parameters
    ----------
    sigma : float, standard deviation of the population
    momentum : float in [0, 1]
    batch_size : int, at least 1
    steps : int or array_like of int, optional
        Updates done since a fixed initial value; None is the limit of infinitely many.

    Returns
    -------
    float or numpy.ndarray
        ``sigma / sqrt(m) * sqrt((1-p)/(1+p) * (1 - p^(2 steps)))``.

    Examples
    --------
    >>> print(running_mean_std(1.0, 0.0, batch_size=16))
    0.25
    """
    sigma, m = _checks.number("sigma", sigma, 0.0), _checks.integer("batch_size", batch_size, 1)
    return _plain(sigma / math.sqrt(m) * _noise_left(momentum, steps))


def running_var_std(sigma, momentum, batch_size, steps=None, *, excess_kurtosis=0.0):
    """Return the standard deviation of the running variance, fed with unbiased batch variances.

    Parameters
    ----------
    sigma, momentum, steps
        As in `running_mean_std`.
    batch_size : int, at least 2
    excess_kurtosis : float
        0 for a Gaussian population; at least -2 for any.

    Returns
    -------
    float or numpy.ndarray
        ``sigma^2 * sqrt(2/(m-1) + excess_kurtosis/m) * sqrt((1-p)/(1+p) * (1 - p^(2 steps)))``.

    Examples
    --------
    >>> print(running_var_std(1.0, 0.0, batch_size=9))
    0.5
    """
    sigma, m = _checks.number("sigma", sigma, 0.0), _checks.integer("batch_size", batch_size, 2)
    kurtosis = _checks.number("excess_kurtosis", excess_kurtosis, -2.0)
    # Only rounding can push the sum below zero: at kurtosis -2 it is 2/(m-1) - 2/m > 0.
    return _plain(sigma**2 * math.sqrt(2 / (m - 1) + kurtosis / m) * _noise_left(momentum, steps))


def drift_lag(momentum, drift_per_step, steps=None):
    """Distance by which the average trails a target that moves by `drift_per_step` at every step.

    The average looks back p/(1-p) steps on average, so it lags by that many steps of drift. One
    update multiplies a distance to the target by p, and the target steps away before each:
    ``lag_t = p * (lag_(t-1) + drift)``, so ``lag_t = drift * (p + p^2 + ... + p^t)``. The target
    stands where the average starts; what the start is off by is `start_up_weight` times that.

    Parameters
    ----------
    momentum : float in [0, 1]
    drift_per_step : float
        Movement of the population mean, in the units of the data.
    steps : int or array_like of int, optional
        Updates done since the target began to move; None is the limit of infinitely many.

    Returns
    -------
    float or numpy.ndarray
        ``drift * p/(1-p) * (1 - p^steps)``; for momentum 1 all the way the target went, which has no
        limit: infinite without `steps`.

    Examples
    --------
    >>> print(round(drift_lag(0.9, 0.01), 6), round(drift_lag(0.9, 0.01, steps=10), 6))
    0.09 0.058619
    """
    p, drift = _checks.momentum(momentum), _checks.number("drift_per_step", drift_per_step)
    if steps is not None:
        done = _checks.integers("steps", steps, 0)
        return _plain(drift * (done if p == 1 else p / (1 - p) * (1 - p**done)))
    if drift == 0:
        return 0.0
    return math.copysign(math.inf, drift) if p == 1 else drift * p / (1 - p)


def expected_biased_variance(variance, batch_size):
    """Return the mean of the mini-batch variance that divides by m: (m-1)/m of the truth.

    For m values that are drawn independently. Dealt out of N without replacement, they come to
    N/(N-1) times as much.

    Parameters
    ----------
    variance : float
        sigma^2 of the population.
    batch_size : int, at least 1

    Returns
    -------
    float

    References
    ----------
    Ioffe & Szegedy (2015), section 3.1 (the correction m/(m-1) is its inverse).

    Examples
    --------
    >>> print(expected_biased_variance(1.0, 2), round(expected_biased_variance(1.0, 32), 3))
    0.5 0.969
    """
    variance, m = _checks.number("variance", variance, 0.0), _checks.integer("batch_size", batch_size, 1)
    return (m - 1) / m * variance


def batch_mean_density(x, sigma, batch_size, *, mean=0.0):
    """Return the density of the mean of one mini-batch of Gaussian values: a normal curve.

    Its standard deviation, sigma / sqrt(m), holds for values of any distribution. Its shape is exact
    for Gaussian values, and approached by others as m grows (the central limit theorem).

    Parameters
    ----------
    x : array_like
    sigma : float, standard deviation of the population, above 0
    batch_size : int, at least 1
    mean : float
        Of the population.

    Returns
    -------
    numpy.ndarray, float64, shape of `x`

    Examples
    --------
    >>> print(batch_mean_density([0.0], 1.0, batch_size=16).round(3))
    [1.596]
    """
    x, mean = _checks.array("x", x).astype(np.float64), _checks.number("mean", mean)
    spread = _checks.number("sigma", sigma, above=0.0) / math.sqrt(_checks.integer("batch_size", batch_size, 1))
    return np.exp(-(((x - mean) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))


def batch_var_density(x, variance, batch_size, *, unbiased=True):
    """Return the density of the variance of one mini-batch of Gaussian values: a scaled chi-square curve.

    The sum of squared deviations from the batch's own mean is sigma^2 times a chi-square variable with
    m - 1 degrees of freedom. Unlike that of the mean, this curve does *not* fit other distributions,
    however large m is: see `running_var_std` for what the kurtosis does to its width.

    Parameters
    ----------
    x : array_like
        The density is 0 at 0 and below (with m = 2 it grows without bound towards 0).
    variance : float above 0
        sigma^2 of the population.
    batch_size : int, at least 2
    unbiased : bool
        Whether the variance of the batch divides by m - 1 or by m.

    Returns
    -------
    numpy.ndarray, float64, shape of `x`

    Examples
    --------
    >>> print(batch_var_density([0.5, 1.0], 1.0, batch_size=3).round(3))
    [0.607 0.368]
    """
    x, m = _checks.array("x", x).astype(np.float64), _checks.integer("batch_size", batch_size, 2)
    degrees = m - 1
    divisor = degrees if _checks.boolean("unbiased", unbiased) else m
    scale = _checks.number("variance", variance, above=0.0) / divisor  # of one unit of chi-square
    chi = np.maximum(x, 0) / scale
    log_constant = -degrees / 2 * math.log(2) - math.lgamma(degrees / 2) - math.log(scale)
    inside = x > 0
    log_chi = np.log(chi, where=inside, out=np.zeros_like(chi))
    return np.where(inside, np.exp(log_constant + (degrees / 2 - 1) * log_chi - chi / 2), 0.0)


def expected_std(sigma, batch_size):
    """Return the mean of the standard deviation of a mini-batch of Gaussian values, dividing by m - 1.

    The variance under its root is right on average; the root is not. It is bent, so that a variance
    that is too small lowers it by more than one that is too large by the same amount raises it.

    Parameters
    ----------
    sigma : float, standard deviation of the population
    batch_size : int, at least 2

    Returns
    -------
    float
        ``sigma * sqrt(2/(m-1)) * Gamma(m/2) / Gamma((m-1)/2)``, which is below sigma.

    Examples
    --------
    >>> print(round(expected_std(1.0, 2), 3), round(expected_std(1.0, 32), 3))
    0.798 0.992
    """
    sigma, m = _checks.number("sigma", sigma, 0.0), _checks.integer("batch_size", batch_size, 2)
    return sigma * math.sqrt(2 / (m - 1)) * math.exp(math.lgamma(m / 2) - math.lgamma((m - 1) / 2))


def best_momentum(sigma, batch_size, drift_per_step):
    """Return the momentum with the least mean squared error of the running mean: noise against lag.

    Minimises ``sigma^2/m * (1-p)/(1+p) + (drift * p/(1-p))^2``, once the start is forgotten. Setting the
    derivative to zero gives ``drift^2 p (1+p)^2 = sigma^2/m * (1-p)^3``. The left side grows with p
    and the right side falls, so there is exactly one solution, found by bisection.

    Parameters
    ----------
    sigma : float, standard deviation of the population
    batch_size : int, at least 1
    drift_per_step : float
        Movement of the population mean.

    Returns
    -------
    float
        In [0, 1]; without drift 1.0, for then more memory means less noise.

    Examples
    --------
    >>> print(round(best_momentum(1.0, 16, 0.01), 3))
    0.835
    """
    sigma, m = _checks.number("sigma", sigma, 0.0), _checks.integer("batch_size", batch_size, 1)
    drift = _checks.number("drift_per_step", drift_per_step)
    if drift == 0:
        return 1.0
    # In q = 1 - p, which keeps its precision where p is close to 1; scaled so that nothing overflows.
    ratio = sigma / (abs(drift) * math.sqrt(m))
    low, high = 0.0, 1.0
    for _ in range(100):
        q = (low + high) / 2
        if (1 - q) * (2 - q) ** 2 > (ratio * q) * (ratio * q) * q:
            low = q
        else:
            high = q
    return 1 - high


def _noise_left(momentum, steps):
    p = _checks.momentum(momentum)
    faded = 1.0 if steps is None else 1 - p ** (2 * _checks.integers("steps", steps, 0))
    return np.sqrt((1 - p) / (1 + p) * faded)


def _plain(value):
    return float(value) if np.ndim(value) == 0 else value
