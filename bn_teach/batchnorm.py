"""Batch normalisation: training, gradients, inference, and the layer that keeps running averages.

The mathematics is in the functions; `BatchNorm` at the end is bookkeeping on top of them.

Arrays are `(N, C)` or `(N, C, *spatial)`: N examples, C channels (features), each normalised on its
own. A channel's statistics are taken over everything but the channel axis, so the m of the paper
counts examples times spatial positions. Inside, an array is therefore laid out as `(m, C)`: one row
for every value that a channel has in this batch.

Arrays must not be empty, and must be finite. What is not allowed raises a ValueError or a TypeError
that names the argument.
"""

import math
from typing import NamedTuple

import numpy as np

from bn_teach import _checks
from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.running import unbiased_variance


class Cache(NamedTuple):
    """What the forward pass leaves for the backward pass, and for whoever records the statistics."""

    x_hat: np.ndarray  # (m, C), the normalised input
    mean: np.ndarray  # (C,)
    var: np.ndarray  # (C,), biased
    inv_std: np.ndarray  # (C,), 1 / sqrt(var + eps)
    gamma: np.ndarray  # (C,)
    shape: tuple  # of x


def batch_statistics(x):
    """Compute the mean and the biased variance (divided by m) of every channel of one mini-batch.

    Parameters
    ----------
    x : array_like, shape (N, C) or (N, C, *spatial)

    Returns
    -------
    mean, var : numpy.ndarray, shape (C,)

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 1, lines 1 and 2.

    Examples
    --------
    >>> mean, var = batch_statistics([[1.0, 10.0], [3.0, 10.0]])
    >>> print(mean, var)
    [ 2. 10.] [1. 0.]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, _, var = moments(_rows(_checks.array("x", x, shape=_BATCH)))
    return mean, _finite(var)


def batch_norm_forward(x, gamma, beta, *, eps=1e-5):
    """Normalise a mini-batch by its own statistics, then scale and shift: training mode.

    Parameters
    ----------
    x : array_like, shape (N, C) or (N, C, *spatial)
    gamma, beta : array_like, shape (C,)
        Learnt scale and shift.
    eps : float
        Added to the variance under the root; above 0 where a channel has no variance.

    Returns
    -------
    y : numpy.ndarray, shape of `x`
        ``gamma * (x - mean) / sqrt(var + eps) + beta``.
    cache : Cache
        For `batch_norm_backward`; `cache.mean` and `cache.var` are the batch statistics.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 1.

    Examples
    --------
    >>> y, cache = batch_norm_forward([[1.0], [3.0]], [1.0], [0.0], eps=0.0)
    >>> print(y.ravel())
    [-1.  1.]
    """
    x = _checks.array("x", x, shape=_BATCH)
    gamma = _checks.array("gamma", gamma, shape=x.shape[1:2])
    beta = _checks.array("beta", beta, shape=x.shape[1:2])
    return _forward(x, gamma, beta, _checks.number("eps", eps, 0.0))


def batch_norm_backward(dy, cache):
    """Carry a gradient back through `batch_norm_forward`.

    x moves y directly, through the batch mean, and through the batch variance. The three paths
    together come to ``dx = gamma / std * (dy - mean(dy) - x_hat * mean(dy * x_hat))``: what is left
    of dy after everything that a shift or a stretch of the whole batch could do is taken out,
    because the normalisation undoes shifts and stretches.

    Parameters
    ----------
    dy : array_like, shape of `x`
        Gradient of the loss with respect to `y`.
    cache : Cache
        From the forward pass.

    Returns
    -------
    dx : numpy.ndarray, shape of `x`
    dgamma, dbeta : numpy.ndarray, shape (C,)

    References
    ----------
    Ioffe & Szegedy (2015), section 3 (the six gradients after Algorithm 1, here in one formula).

    Examples
    --------
    >>> y, cache = batch_norm_forward([[0.0], [1.0], [5.0]], [2.0], [0.0])
    >>> dx, dgamma, dbeta = batch_norm_backward([[1.0], [1.0], [1.0]], cache)
    >>> print(abs(dx).max() < 1e-12, dbeta)
    True [3.]
    """
    _checks.instance("cache", cache, Cache, " from batch_norm_forward")
    dy = _checks.array("dy", dy, shape=cache.shape)
    dx, dgamma, dbeta = normalize_backward(_rows(dy), cache)
    return _unrows(dx, dy.shape), dgamma, dbeta


def batch_norm_inference(x, mean, var, gamma, beta, *, eps=1e-5):
    """Normalise by *given* statistics: inference mode, in which examples do not see each other.

    Parameters
    ----------
    x : array_like, shape (N, C) or (N, C, *spatial)
    mean, var : array_like, shape (C,)
        Estimates of the population's statistics: running averages, or exact ones.
    gamma, beta, eps
        As in training.

    Returns
    -------
    numpy.ndarray, shape of `x`

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2, line 11.

    Examples
    --------
    >>> print(batch_norm_inference([[3.0]], [1.0], [4.0], [1.0], [0.0], eps=0.0))
    [[1.]]
    """
    x = _checks.array("x", x, shape=_BATCH)
    return _inference(x, *_given(x.shape[1:2], mean, var, gamma, beta, eps))


def fold(mean, var, gamma, beta, *, eps=1e-5):
    """Fold statistics, gamma and beta into one scale and one shift: ``y = scale * x + shift``.

    With fixed statistics batch norm is only a straight line per channel, which a deployed network
    can merge into the layer before it.

    Parameters
    ----------
    mean, var, gamma, beta : array_like, shape (C,)
    eps : float

    Returns
    -------
    scale, shift : numpy.ndarray, shape (C,)
        ``scale = gamma / sqrt(var + eps)`` and ``shift = beta - mean * scale``.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2, line 11.

    Examples
    --------
    >>> scale, shift = fold([1.0], [4.0], [6.0], [0.0], eps=0.0)
    >>> print(scale, shift)
    [3.] [-3.]
    """
    return scale_and_shift(*_given((None,), mean, var, gamma, beta, eps))


# The bare mathematics, on arrays laid out as (m, C) or (batches, m, C). The functions above check
# their arguments first; the network's layers, whose arrays need no check, call these directly.


def normalize(x, gamma, beta, eps):
    """Algorithm 1 on `x` of shape (m, C)."""
    mean, centred, var = moments(x)
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = centred * inv_std
    return gamma * x_hat + beta, Cache(x_hat, mean, var, inv_std, gamma, x.shape)


def normalize_backward(dy, cache):
    """Gradients of `normalize` for `dy` of shape (m, C)."""
    m = len(dy)
    dbeta = batch_sum(dy)
    dgamma = batch_sum(dy * cache.x_hat)
    dx = cache.gamma * cache.inv_std * (dy - dbeta / m - cache.x_hat * (dgamma / m))
    return dx, dgamma, dbeta


def scale_and_shift(mean, var, gamma, beta, eps):
    """Algorithm 2, line 11."""
    scale = gamma / np.sqrt(var + eps)
    return scale, beta - mean * scale


def moments(x):
    """Mean, deviations from it, and biased variance: Algorithm 1, lines 1 and 2."""
    m = x.shape[-2]
    mean = batch_sum(x) / m
    centred = x - mean[..., None, :]
    return mean, centred, batch_sum(centred**2) / m


def batch_sum(x):
    """Sum over the examples: ``x.sum(axis=-2)`` as a matrix product, which takes a fraction of the time."""
    return np.ones(x.shape[-2], x.dtype) @ x


class BatchNorm:
    """A batch norm layer with running averages, as deep-learning frameworks have it.

    Call it in training mode and it normalises by the mini-batch *and* updates its running averages;
    call it after `eval()` and it normalises by the running averages and changes nothing.

    Parameters
    ----------
    num_features : int
        C, the number of channels.
    momentum : float or None
        Weight kept on the old running estimate, in [0, 1] (PyTorch's number is 1 minus this one).
        None: cumulative average, all batches alike.
    eps : float
        Added to the variance under the root.
    unbiased : bool
        Multiply the batch variance by m/(m-1) before the running variance takes it in. The
        normalisation of a training batch always divides by m.
    initial_mean, initial_var : float
        Running statistics before the first update.

    Attributes
    ----------
    gamma, beta : numpy.ndarray, shape (C,)
        Learnt scale and shift; they start at 1 and 0.
    dgamma, dbeta : numpy.ndarray, shape (C,), or None before the first `backward`
    running_mean, running_var : numpy.ndarray, float64, shape (C,)
    num_batches_tracked : int
    cache : Cache, or None before the first training batch
        What the last training batch left: its statistics among it.
    training : bool
        Set by `train()` and `eval()`.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 1 (training), Algorithm 2 (inference), section 3.1.

    Examples
    --------
    >>> layer = BatchNorm(1, momentum=0.9, unbiased=False)
    >>> y = layer([[1.0], [3.0]])
    >>> print(layer.running_mean.round(3), layer.running_var.round(3))
    [0.2] [1.]
    >>> print(layer.eval()([[0.2]]).round(3))
    [[0.]]
    """

    parameters = ("gamma", "beta")

    def __init__(
        self,
        num_features,
        *,
        momentum=0.9,
        eps=1e-5,
        unbiased=True,
        initial_mean=0.0,
        initial_var=1.0,
    ):
        self.num_features = _checks.integer("num_features", num_features, 1)
        self.momentum = None if momentum is None else _checks.momentum(momentum)
        self.eps = _checks.number("eps", eps, 0.0)
        self.unbiased = _checks.boolean("unbiased", unbiased)
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.dgamma = self.dbeta = None
        self.running_mean = np.full(num_features, _checks.number("initial_mean", initial_mean))
        self.running_var = np.full(num_features, _checks.number("initial_var", initial_var, 0.0))
        self.num_batches_tracked = 0
        self.training = True
        self._single_example = "error"
        self.cache = None

    @classmethod
    def like(cls, framework, num_features, **overrides):
        """Build a layer with a framework's defaults and its peculiarities.

        Where the framework would give NaN, this one raises and says so. Where it has no default, here
        momentum is 0.9 and the running statistics start at 0 and 1, unless overridden.

        Parameters
        ----------
        framework : str
            A name in `bn_teach.frameworks.FRAMEWORKS`.
        num_features : int
        **overrides
            Any keyword of `BatchNorm`. `momentum` is *ours*, the weight on the old estimate, for
            every framework.

        Returns
        -------
        BatchNorm

        Examples
        --------
        >>> BatchNorm.like("pytorch", 3).momentum, BatchNorm.like("keras", 3).momentum
        (0.9, 0.99)
        """
        chosen = FRAMEWORKS[_checks.choice("framework", framework, tuple(FRAMEWORKS))]
        own = chosen.default_momentum
        defaults = {
            "momentum": None if own is None else kept_fraction(framework, own),
            "eps": chosen.eps,
            "unbiased": chosen.running_var_unbiased,
            "initial_mean": chosen.initial_mean,
            "initial_var": chosen.initial_var,
        }
        known = {name: value for name, value in defaults.items() if value is not None}
        layer = _PECULIAR.get(framework, cls)(num_features, **{**known, **overrides})
        # m/(m-1) where the framework has none: a single value would divide by zero.
        stranger = layer.unbiased and not chosen.running_var_unbiased
        layer._single_example = "error" if stranger else chosen.single_example
        return layer

    def train(self):
        """Switch to training mode and return the layer."""
        self.training = True
        return self

    def eval(self):
        """Switch to inference mode and return the layer."""
        self.training = False
        return self

    def __call__(self, x):
        """Normalise `x`, (N, C) or (N, C, *spatial); in training mode, update the averages too."""
        x = _checks.array("x", x, shape=(None, self.num_features, ...))
        if not self.training:
            _divisible(self.running_var, self.eps)
            return _inference(x, self.running_mean, self.running_var, self.gamma, self.beta, self.eps)
        m = x.size // self.num_features
        if m == 1 and self._single_example == "input":
            return x.copy()
        self._refuse_single(m)
        y, self.cache = self._normalize(x, m)
        self.update(self.cache.mean, self.cache.var, m)
        return y

    def backward(self, dy):
        """Return dx for the last training batch; leave `dgamma` and `dbeta` on the layer."""
        if self.cache is None:
            raise RuntimeError("backward needs a forward pass in training mode first: call the layer on a batch")
        dx, self.dgamma, self.dbeta = batch_norm_backward(dy, self.cache)
        return dx

    def _normalize(self, x, m):
        return _forward(x, self.gamma, self.beta, self.eps)

    def update(self, batch_mean, batch_var, m):
        """Take one mini-batch into the running averages: its mean and its biased variance, and m, their values."""
        self.num_batches_tracked += 1
        if self.unbiased and m > 1:  # a single value has variance 0 with or without the factor
            batch_var = unbiased_variance(batch_var, m)
        old, new = self._weights()
        self.running_mean = old * self.running_mean + new * batch_mean.astype(np.float64)
        self.running_var = old * self.running_var + new * batch_var.astype(np.float64)

    def _weights(self):
        """Weights of the old running estimate and of the new batch."""
        # Cumulative: the t-th batch gets weight 1/t, so that all batches weigh the same.
        p = 1 - 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        return p, 1 - p

    def _refuse_single(self, m):
        if m < 2 and self._single_example not in ("beta", "average"):
            why = (
                "this framework's m/(m-1) divides by zero here, and its running variance becomes NaN"
                if self._single_example.startswith("nan")
                else "a single value has no variance (call eval() to predict one example)"
            )
            raise ValueError(f"x must have at least 2 values per channel in training mode, got 1: {why}")


# What a few frameworks do otherwise; `BatchNorm.like` builds these layers.


class _Divided(BatchNorm):
    """Haiku, Caffe, and Equinox with mode="batch": what is read is the average divided by ``1 - p**t``.

    That is the weight which t batches have in it, so a start at 0 is gone, as in Adam. Equinox's variance starts
    at 1 and is divided all the same: ``p**t / (1 - p**t)`` too much.
    """

    def _weights(self):
        if self.momentum is None:
            return super()._weights()
        _checks.debiasable(self.momentum)
        p, t = self.momentum, self.num_batches_tracked
        before = 1 - p ** (t - 1) if t > 1 else 1  # what the old estimate was divided by
        return p * before / (1 - p**t), (1 - p) / (1 - p**t)


class _ReadsAverage(BatchNorm):
    """Equinox by default, mode="ema": training too normalises by the running averages, once they have moved.

    The first batch takes the place of their start.
    """

    def __call__(self, x):
        y = super().__call__(x)
        if self.training:
            x = _checks.array("x", x)
            y = _inference(x, self.running_mean, self.running_var, self.gamma, self.beta, self.eps)
        return y

    def _weights(self):
        return (0.0, 1.0) if self.num_batches_tracked == 1 else super()._weights()

    def backward(self, dy):
        """As `normalize_backward`, but the batch moves mean and variance only as far as its weight in the averages."""
        super().backward(dy)  # refuses what must be refused
        batch, (_, new) = self.cache, self._weights()
        dtype, dy = batch.x_hat.dtype, _rows(_checks.array("dy", dy))
        inv_std = (1 / np.sqrt(self.running_var + self.eps)).astype(dtype)
        centred = batch.x_hat / batch.inv_std
        x_hat = (centred + (batch.mean - self.running_mean).astype(dtype)) * inv_std
        self.dbeta, self.dgamma = batch_sum(dy), batch_sum(dy * x_hat)
        through_both = (self.dbeta + centred * inv_std * self.dgamma) / len(dy)
        return _unrows(batch.gamma * inv_std * (dy - new * through_both), batch.shape)


class _Makemore(BatchNorm):
    """makemore, part 3: training divides by m-1, and standard deviations are averaged.

    Dividing by m-1 makes every output smaller by ``sqrt((m-1)/m)``, as a smaller gamma would.
    """

    def _normalize(self, x, m):
        self._shrink = math.sqrt((m - 1) / m)
        return _forward(x, self._shrink * self.gamma, self.beta, self._shrink**2 * self.eps)

    def backward(self, dy):
        dx = super().backward(dy)
        self.dgamma = self._shrink * self.dgamma
        return dx

    def update(self, batch_mean, batch_var, m):
        """As ever, but of standard deviations."""
        std = np.sqrt(self.running_var)
        super().update(batch_mean, batch_var, m)
        old, new = self._weights()
        self.running_var = (old * std + new * np.sqrt(unbiased_variance(batch_var, m))) ** 2


_PECULIAR = {
    "haiku": _Divided,
    "caffe": _Divided,
    "equinox_batch": _Divided,
    "equinox_ema": _ReadsAverage,
    "makemore": _Makemore,
}

_BATCH = (None, None, ...)  # (N, C, *spatial)


def _given(channels, mean, var, gamma, beta, eps):
    """Statistics and parameters as somebody gave them, checked: `channels` is the shape that the mean must have."""
    mean = _checks.array("mean", mean, shape=channels)
    var = _checks.array("var", var, shape=mean.shape, minimum=0)
    gamma = _checks.array("gamma", gamma, shape=mean.shape)
    beta = _checks.array("beta", beta, shape=mean.shape)
    eps = _checks.number("eps", eps, 0.0)
    _divisible(var, eps)
    return mean, var, gamma, beta, eps


def _forward(x, gamma, beta, eps):
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # refused below
        y, cache = normalize(_rows(x), gamma.astype(x.dtype, copy=False), beta.astype(x.dtype, copy=False), eps)
    _divisible(_finite(cache.var), eps)
    return _unrows(y, x.shape), cache._replace(shape=x.shape)


def _inference(x, mean, var, gamma, beta, eps):
    scale, shift = scale_and_shift(mean, var, gamma, beta, eps)
    return _unrows(_rows(x) * scale.astype(x.dtype) + shift.astype(x.dtype), x.shape)


def _rows(x):
    """Lay out (N, C, *spatial) as (m, C)."""
    return x if x.ndim == 2 else np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def _unrows(rows, shape):
    """Undo `_rows`."""
    if len(shape) == 2:
        return rows
    n, channels, *spatial = shape
    return np.moveaxis(rows.reshape(n, *spatial, channels), -1, 1)


def _finite(var):
    if not np.isfinite(var).all():
        raise ValueError(f"x must be small enough for its variance to fit {var.dtype}, got an overflow")
    return var


def _divisible(var, eps):
    if not np.all(var + eps > 0):
        raise ValueError(
            f"eps must be above 0 when a variance is zero, got eps={eps:g} ({var.dtype}) and zero variance in "
            f"channel {np.argmin(var)}"
        )
