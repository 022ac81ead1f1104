"""A running mean at work where the truth is known: its error, split into start-up, noise and lag.

A population with standard deviation 1 has its mean at `MEAN` when tracking begins, and from then on
the mean moves by `drift` before every mini-batch, as a unit's mean does while the weights below it
learn. Mini-batches are drawn, and an estimator tracks the mean. After t updates of a moving average
with momentum p::

    error = p^t * (initial - MEAN)                  start-up: what is left of the initial value
            - drift * (p + p^2 + ... + p^t)         lag: the average looks back, the mean has moved on
            + sum of p^k (1-p) * noise_(t-k)        noise: mini-batches are samples

Here are the closed forms of the three parts, for three estimators and two ways to draw, and the
simulation that they are to be compared with. `frozen_statistics` does the drawing on a real network.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import batch_statistics
from bn_teach.data import GaussianPopulation, minibatches
from bn_teach.replay import AVERAGES
from bn_teach.running import cumulative_average, exponential_moving_average
from bn_teach.theory import drift_lag, running_mean_std, start_up_weight
from bn_teach.training import Recording

MEAN, STD = 2.0, 1.0
STEPS = 800
RUNS = 100
"""Independent repetitions of a simulation."""
WINDOW = 100
"""Steps at the end that "the typical error" is averaged over."""

SAMPLINGS = ("independent", "epochs")
"""How mini-batches are drawn.

``independent``: each anew from the population. ``epochs``: from a training set, without replacement
until all of it was seen, shuffled anew for every epoch, as most training is; the training set is the
population then, its mean and standard deviation are exactly `MEAN` and `STD` at the start.
"""


@dataclass(frozen=True)
class KnownRun:
    """What is tracked, and how; only the momentum is left open.

    Attributes
    ----------
    batch_size : int
        From 1 to `examples`.
    drift : float
        How far the population mean moves at every step.
    initial : float
        The estimate before the first update. The population mean stands at `MEAN` then.
    estimator : str
        One of `AVERAGES`.
    sampling : str
        One of `SAMPLINGS`.
    examples : int
        Size of the training set that epochs go through, at least 2. What does not fill a mini-batch is
        left out of an epoch.
    """

    batch_size: int = 16
    drift: float = 0.0
    initial: float = 0.0
    estimator: str = "ema"
    sampling: str = "independent"
    examples: int = 1024

    def __post_init__(self):
        examples = _checks.integer("examples", self.examples, 2)
        checked = {
            "batch_size": _checks.integer("batch_size", self.batch_size, 1, examples),
            "drift": _checks.number("drift", self.drift),
            "initial": _checks.number("initial", self.initial),
            "estimator": _checks.choice("estimator", self.estimator, AVERAGES),
            "sampling": _checks.choice("sampling", self.sampling, SAMPLINGS),
            "examples": examples,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def target(self):
        """The population mean that every mini-batch is drawn around, shape (STEPS,)."""
        return MEAN + self.drift * np.arange(1, STEPS + 1)

    def as_if_independent(self):
        """The same with independent mini-batches."""
        return replace(self, sampling="independent")


@dataclass(frozen=True, eq=False)
class ExpectedError:
    """The error of an estimate by the closed forms, one value for every step asked for.

    Attributes
    ----------
    start_up : numpy.ndarray
        What the initial value still contributes, with its sign.
    lag : numpy.ndarray
        How far the estimate trails behind; the error is minus this.
    noise : numpy.ndarray
        Standard deviation from run to run.
    """

    start_up: np.ndarray
    lag: np.ndarray
    noise: np.ndarray

    @property
    def bias(self):
        """The error that all runs have in common: start-up minus lag."""
        return self.start_up - self.lag

    @property
    def total(self):
        """Root of the mean squared error."""
        return np.hypot(self.bias, self.noise)


def expected_error(run, momentum, steps=None):
    """Compute the error of an estimate by closed forms.

    Parameters
    ----------
    run : KnownRun
    momentum : float
        In [0, 1], below 1 for ``debiased``. Not used by ``cumulative``.
    steps : array_like of int, optional
        Updates done, 1 or more each. Default: 1 to `STEPS`.

    Returns
    -------
    ExpectedError

    Notes
    -----
    *Noise.* Whatever the estimator, it is a sum of mini-batch means, each with a weight. If they are
    independent, its variance is ``STD^2 / m`` times the sum of the squared weights. In epochs of n
    examples two mini-batches of one epoch have the covariance ``-STD^2 / (n-1)``: what one took the
    other cannot have. The variance becomes ``STD^2 / (n-1)`` times (n/m times the sum of the squared
    weights, minus the sum over all epochs of the square of an epoch's weight). That takes a new shuffle
    for every epoch, what does not fill a mini-batch left out: dealt in the same order again and again,
    the same mini-batches come back, and the formula does not hold.

    *Lag.* The drift times how many steps the estimator looks back on average: (t-1)/2 for equal
    weights. Debiased, a moving average looks back less, ``p/(1-p) - t p^t/(1-p^t)`` steps: it no
    longer counts the way since the start for what the initial value still held.

    Examples
    --------
    >>> error = expected_error(KnownRun(batch_size=16, drift=0.01), 0.9, steps=[800])
    >>> print(error.lag.round(3), error.noise.round(3))
    [0.09] [0.057]
    """
    t = np.arange(1, STEPS + 1) if steps is None else _checks.integers("steps", steps, 1)
    if run.estimator == "cumulative":
        start_up, lag = np.zeros(t.shape), run.drift * (t - 1) / 2
        return ExpectedError(start_up, lag, _noise(run, t, 1 / t, _equal_weights(run, t)))
    p = _checks.momentum(momentum)
    left = start_up_weight(p, t)
    start_up, lag = left * (run.initial - MEAN), drift_lag(p, run.drift, t)
    noise = _noise(run, t, (1 - p) / (1 + p) * (1 - left**2), _fading_weights(run, t, p))
    if run.estimator == "ema":
        return ExpectedError(start_up, lag, noise)
    if p == 1:
        raise ValueError("momentum must be below 1 for the estimator debiased, got 1: it never lets a mini-batch in")
    return ExpectedError(np.zeros(t.shape), (lag - run.drift * t * left) / (1 - left), noise / (1 - left))


def typical_error(run, momentum):
    """Average an expected error over the last `WINDOW` steps, in the mean square.

    Parameters
    ----------
    run : KnownRun
    momentum : float

    Returns
    -------
    dict of str to float
        Sizes ``total``, ``start_up``, ``noise``, ``lag``, and ``bias``, start-up minus lag with its sign
        at the last step: ``total^2 = bias^2 + noise^2``, up to what changes within the window.

    Examples
    --------
    >>> print(round(typical_error(KnownRun(batch_size=16, drift=0.01), 0.9)["total"], 3))
    0.107
    """
    error = expected_error(run, momentum, np.arange(STEPS - WINDOW + 1, STEPS + 1))
    parts = {"total": error.total, "start_up": error.start_up, "noise": error.noise, "lag": error.lag}
    bias = float(np.copysign(_root_mean_square(error.bias), error.bias[-1]))
    return {**{name: float(_root_mean_square(part)) for name, part in parts.items()}, "bias": bias}


@dataclass(frozen=True, eq=False)
class Simulation:
    """Many runs of the same kind, under several momenta; what is shown of them.

    Attributes
    ----------
    run : KnownRun
    momenta : numpy.ndarray, shape (M,)
    batch_means : numpy.ndarray, shape (STEPS,)
        Of the first run.
    estimates : numpy.ndarray, shape (M, STEPS)
        Of the first run, after every update.
    errors : numpy.ndarray, shape (M, STEPS)
        Root of the mean squared error, over all runs.
    """

    run: KnownRun
    momenta: np.ndarray
    batch_means: np.ndarray
    estimates: np.ndarray
    errors: np.ndarray

    @property
    def typical_errors(self):
        """Root of the mean squared error over all runs and the last `WINDOW` steps, shape (M,)."""
        return _root_mean_square(self.errors[:, -WINDOW:])


def simulate(run, momenta, *, runs=RUNS, seed=0):
    """Draw mini-batches and average them, many times.

    Parameters
    ----------
    run : KnownRun
    momenta : array_like, shape (M,)
        In [0, 1], below 1 for ``debiased``. ``cumulative`` gives the same for all of them.
    runs : int
        How often, at least 1.
    seed : int

    Returns
    -------
    Simulation

    Examples
    --------
    >>> simulation = simulate(KnownRun(drift=0.01), [0.9, 0.99])
    >>> print(simulation.errors.shape, simulation.typical_errors.round(1))
    (2, 800) [0.1 1. ]
    """
    momenta = np.atleast_1d(_checks.momenta(momenta))
    runs, seed = _checks.integer("runs", runs, 1), _checks.integer("seed", seed, 0)
    means = run.target[:, None] + _drawn(run.batch_size, run.sampling, run.examples, runs, seed)
    if run.estimator == "cumulative":
        estimates = np.broadcast_to(cumulative_average(means), (len(momenta), *means.shape))
    else:
        debias = run.estimator == "debiased"
        estimates = exponential_moving_average(means, momenta, initial=run.initial, debias=debias)
    errors = np.sqrt(np.mean((estimates - run.target[:, None]) ** 2, axis=-1))
    return Simulation(run, momenta, means[:, 0], estimates[..., 0], errors)


def epochs_noise_ratio(momentum, batch_size, examples):
    """Noise of a moving average over epochs without replacement, as a share of that over independent batches.

    Parameters
    ----------
    momentum : float
        In [0, 1), the longer the memory the smaller the share.
    batch_size, examples : int
        m, and how many examples an epoch goes through.

    Returns
    -------
    float
        Once the start is forgotten, averaged (in the mean square) over the steps of an epoch, each of which
        is shuffled anew.

    Examples
    --------
    >>> print(round(epochs_noise_ratio(0.99, batch_size=16, examples=1348), 2))
    0.48
    """
    if _checks.momentum(momentum) == 1:
        raise ValueError("momentum must be below 1, got 1: there is no noise to compare")
    run = KnownRun(batch_size=batch_size, sampling="epochs", examples=examples)
    per_epoch = run.examples // run.batch_size
    late = 10**7 * per_epoch + np.arange(1, per_epoch + 1)
    noise = expected_error(run, momentum, late).noise
    return float(_root_mean_square(noise) / running_mean_std(STD, momentum, run.batch_size))


def frozen_statistics(recording, steps, *, sampling="epochs", seed=0):
    """Record mini-batches of a real network's first normalised layer, with the weights of its last checkpoint.

    Parameters
    ----------
    recording : Recording
        With batch norm.
    steps : int
        T, at least 1.
    sampling : str
        One of `SAMPLINGS`: as training draws, or anew from the training set every time.
    seed : int or numpy.random.Generator

    Returns
    -------
    means, variances : numpy.ndarray, float64, shape (T, H)
        Of every mini-batch; the variances are biased.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> from bn_teach.training import TrainingConfig, train
    >>> means, variances = frozen_statistics(train(load_digits(), TrainingConfig(steps=10)), steps=84)
    >>> means.shape
    (84, 100)
    """
    _checks.instance("recording", recording, Recording)
    if not (recording.config.batch_norm and recording.weight):
        raise ValueError("recording must have batch norm and a checkpoint, got one without")
    steps = _checks.integer("steps", steps, 1)
    _checks.choice("sampling", sampling, SAMPLINGS)
    rng, m = _checks.generator(seed), recording.config.batch_size
    network = recording.network_at(len(recording.checkpoint_steps) - 1)
    z = network.layers[0](recording.dataset.train_x.astype(recording.config.dtype)).astype(np.float64)
    if sampling == "epochs":
        chosen = minibatches(len(z), m, steps=steps, seed=rng)
    else:
        chosen = rng.integers(0, len(z), (steps, m))
    pairs = [batch_statistics(z[rows]) for rows in chosen]
    return np.array([mean for mean, _ in pairs]), np.array([var for _, var in pairs])


@lru_cache(maxsize=16)
def _drawn(m, sampling, examples, runs, seed):
    """How far the mean of every mini-batch is from the population's, shape (STEPS, runs)."""
    rng = np.random.default_rng([seed, SAMPLINGS.index(sampling)])
    if sampling == "independent":
        # The mean of m Gaussian values is a Gaussian value too, so there is no need to draw all m.
        return GaussianPopulation(std=STD / math.sqrt(m)).sample(runs, STEPS, rng)
    values = rng.standard_normal(examples)
    values = (values - values.mean()) * (STD / values.std())
    return np.stack([_means_by_epochs(values, m, rng) for _ in range(runs)], axis=1)


def _means_by_epochs(values, m, rng):
    """Take the mini-batches that `minibatches` yields, an epoch at a time: a hand on a slider waits for them."""
    used = len(values) - len(values) % m
    epochs = [rng.permutation(len(values))[:used] for _ in range(math.ceil(STEPS * m / used))]
    return values[np.concatenate(epochs)[: STEPS * m]].reshape(STEPS, m).mean(axis=1)


def _noise(run, t, squared_weights, squared_epochs):
    """From the sum of the squared weights, and the sum over epochs of the squared weight of an epoch."""
    if run.sampling == "independent":
        return STD / math.sqrt(run.batch_size) * np.sqrt(squared_weights)
    left = run.examples / run.batch_size * squared_weights - squared_epochs
    return STD * np.sqrt(np.maximum(left, 0) / (run.examples - 1))  # rounding can push an exact 0 below it


def _position(run, t):
    """Mini-batches in an epoch, in the last epoch so far, and whole epochs before that."""
    per_epoch = run.examples // run.batch_size
    return per_epoch, (t - 1) % per_epoch + 1, (t - 1) // per_epoch


def _equal_weights(run, t):
    per_epoch, latest, before = _position(run, t)
    return (latest**2 + before * per_epoch**2) / t**2


def _fading_weights(run, t, p):
    per_epoch, latest, before = _position(run, t)
    # An epoch's weight is p^(steps since it ended) * (1 - p^its length): summed, a geometric series.
    whole = p**per_epoch
    return (1 - p**latest) ** 2 + p ** (2 * latest) * (1 - whole) / (1 + whole) * (1 - whole ** (2 * before))


def _root_mean_square(values):
    return np.sqrt(np.mean(values**2, axis=-1))
