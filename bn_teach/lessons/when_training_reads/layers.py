"""Batch norm whose training reads its running averages, and what people do around it, as small variants of `BatchNorm`.

Each is made by `bn_teach.network.keep_running_averages(network, like=...)`. The one that normalises training by the
averages from the first step on is `BatchNorm.like("equinox_ema", ...)`.
"""

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import (
    BatchNorm,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_statistics,
    batch_sum,
    fold,
)


class BatchRenorm(BatchNorm):
    """Batch Renormalization: a mini-batch is normalised by itself, and then corrected towards the running averages.

    ``x_hat = (x - batch_mean) / batch_std * r + d`` with ``r = batch_std / running_std`` and
    ``d = (batch_mean - running_mean) / running_std``, which would be ``(x - running_mean) / running_std``, were it not
    for two things: r and d have limits, and gradients take them for constants.

    Parameters
    ----------
    num_features : int
    r_max : float
        r stays from 1 / r_max to r_max; 1 or more.
    d_max : float
        d stays from -d_max to d_max; 0 or more.
    start, ramp : int
        Steps of plain batch norm; steps in which the limits then open, from 1 and 0 to `r_max` and `d_max`.
    **options
        Of `BatchNorm`. What is averaged are standard deviations, with eps in them and without m/(m-1).

    References
    ----------
    Ioffe (2017), "Batch Renormalization", Algorithm 1.

    Examples
    --------
    >>> layer = BatchRenorm(1, momentum=0.5, eps=0.0)
    >>> print(layer([[1.0], [3.0]]).ravel())  # as by mean 0 and standard deviation 1, with which the averages start
    [1. 3.]
    """

    def __init__(self, num_features, *, r_max=3.0, d_max=5.0, start=0, ramp=0, **options):
        super().__init__(num_features, **options)
        self.r_max, self.d_max = _checks.number("r_max", r_max, 1.0), _checks.number("d_max", d_max, 0.0)
        self.start, self.ramp = _checks.integer("start", start, 0), _checks.integer("ramp", ramp, 0)
        self.running_std = np.sqrt(self.running_var)

    def limits(self):
        """How far r and d may go in the next step: the largest r, and the largest d."""
        since = self.num_batches_tracked - self.start
        opened = float(np.clip(since / self.ramp, 0, 1)) if self.ramp else float(since >= 0)
        return 1 + opened * (self.r_max - 1), opened * self.d_max

    def _normalize(self, x, m):
        mean, var = batch_statistics(x)
        r_max, d_max = self.limits()
        self.r = np.clip(np.sqrt(var + self.eps) / self.running_std, 1 / r_max, r_max)
        self.d = np.clip((mean - self.running_mean) / self.running_std, -d_max, d_max)
        # gamma * (x_hat * r + d) + beta: batch norm with another gamma and beta.
        return batch_norm_forward(x, self.gamma * self.r, self.beta + self.gamma * self.d, eps=self.eps)

    def backward(self, dy):
        """Return dx, where r and d are constants; leave `dgamma` and `dbeta` on the layer."""
        dx = super().backward(dy)
        self.dgamma = self.r * self.dgamma + self.d * self.dbeta
        return dx

    def update(self, batch_mean, batch_var, m):
        """Take one mini-batch into the averages: its mean and its standard deviation."""
        super().update(batch_mean, batch_var, m)
        old, new = self._weights()
        self.running_std = old * self.running_std + new * np.sqrt(batch_var + self.eps)
        self.running_var = np.maximum(self.running_std**2 - self.eps, 0)


class Frozen(BatchNorm):
    """Batch norm until a given step; from then on training, too, normalises by the averages, and leaves them alone.

    Mean and variance are constants then, and the layer is a straight line: the gradient of x is that of y times its
    slope.

    Parameters
    ----------
    num_features : int
    start : int
        Mini-batches that the averages take in before.
    **options
        Of `BatchNorm`.

    Examples
    --------
    >>> layer = Frozen(1, eps=0.0)  # mean 0 and variance 1, and so it stays
    >>> print(layer([[1.0], [3.0]]).ravel())
    [1. 3.]
    """

    def __init__(self, num_features, *, start=0, **options):
        super().__init__(num_features, **options)
        self.start = _checks.integer("start", start, 0)

    @classmethod
    def of(cls, layer):
        """Freeze a batch norm as it is now: the same gamma, beta and averages."""
        frozen = cls(layer.num_features, eps=layer.eps)
        frozen.gamma, frozen.beta = layer.gamma, layer.beta
        frozen.running_mean, frozen.running_var = layer.running_mean, layer.running_var
        return frozen

    @property
    def frozen(self):
        """Whether the averages have stopped."""
        return self.num_batches_tracked >= self.start

    def __call__(self, x):
        """Normalise `x`, (N, C)."""
        x = _checks.array("x", x, shape=(None, self.num_features))
        self._straight = self.training and self.frozen
        if not self._straight:
            return super().__call__(x)
        statistics, ones = (self.running_mean, self.running_var), np.ones_like(self.gamma)
        self._slope = fold(*statistics, self.gamma, self.beta, eps=self.eps)[0].astype(x.dtype)
        self._x_hat = batch_norm_inference(x, *statistics, ones, 0 * ones, eps=self.eps)
        return self.gamma * self._x_hat + self.beta

    def backward(self, dy):
        """Return dx; leave `dgamma` and `dbeta` on the layer."""
        if not self._straight:
            return super().backward(dy)
        self.dgamma, self.dbeta = batch_sum(dy * self._x_hat), batch_sum(dy)
        return dy * self._slope

    def update(self, batch_mean, batch_var, m):
        """Take one mini-batch into the averages, unless they have stopped."""
        if not self.frozen:
            super().update(batch_mean, batch_var, m)


class Grouped(Frozen):
    """Batch norm of one mini-batch in groups, each normalised by itself.

    That is what a step does whose gradients are accumulated over several small mini-batches, or come from several
    devices. The averages take in the groups one after the other.

    Parameters
    ----------
    num_features : int
    group : int
        Examples in each group; at least 2, and a divisor of the mini-batch.
    start : int or None
        After so many *groups* the layer is frozen; None: never.
    **options
        Of `BatchNorm`.
    """

    def __init__(self, num_features, *, group, start=None, **options):
        super().__init__(num_features, start=0 if start is None else start, **options)
        self.start = np.inf if start is None else self.start
        self.group = _checks.integer("group", group, 2)

    def _normalize(self, x, m):
        if m % self.group:
            raise ValueError(f"group must divide the mini-batch of {m}, got {self.group}")
        # Every unit of every group is a channel of its own.
        gamma, beta = (np.tile(one, m // self.group) for one in (self.gamma, self.beta))
        y, cache = batch_norm_forward(self._apart(x), gamma, beta, eps=self.eps)
        return self._together(y), cache

    def backward(self, dy):
        """Return dx; leave `dgamma` and `dbeta`, summed over the groups, on the layer."""
        if self._straight:
            return super().backward(dy)
        dx, *sums = batch_norm_backward(self._apart(dy), self.cache)
        self.dgamma, self.dbeta = (self._by_group(one).sum(axis=0) for one in sums)
        return self._together(dx)

    def update(self, batch_mean, batch_var, m):
        """Take the groups into the averages, one after the other."""
        for mean, var in zip(self._by_group(batch_mean), self._by_group(batch_var), strict=True):
            super().update(mean, var, self.group)

    def _apart(self, x):
        return x.reshape(-1, self.group, self.num_features).swapaxes(0, 1).reshape(self.group, -1)

    def _together(self, y):
        return y.reshape(self.group, -1, self.num_features).swapaxes(0, 1).reshape(-1, self.num_features)

    def _by_group(self, values):
        return values.reshape(-1, self.num_features)


class GroupNorm:
    """Group norm: each example is normalised by itself, in groups of its units. No batch, and nothing to average.

    Parameters
    ----------
    num_features : int
    groups : int
        A divisor of `num_features`; 1 is layer norm.
    eps : float

    References
    ----------
    Wu & He (2018), "Group Normalization"; Ba, Kiros & Hinton (2016), "Layer Normalization".
    """

    parameters = ("gamma", "beta")

    def __init__(self, num_features, *, groups=1, eps=1e-5):
        self.groups, self.eps = _checks.integer("groups", groups, 1), eps
        if num_features % groups:
            raise ValueError(f"groups must divide the {num_features} units, got {groups}")
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)

    def __call__(self, x):
        """Normalise `x`, (N, C)."""
        # An example's group turned on its side is a mini-batch of its units, for a layer without gamma and beta.
        units = x.reshape(len(x) * self.groups, -1).T
        ones = np.ones(units.shape[1], x.dtype)
        x_hat, self.cache = batch_norm_forward(units, ones, 0 * ones, eps=self.eps)
        self.x_hat = x_hat.T.reshape(x.shape)
        return self.gamma * self.x_hat + self.beta

    def backward(self, dy):
        """Return dx; leave `dgamma` and `dbeta` on the layer."""
        self.dgamma, self.dbeta = batch_sum(dy * self.x_hat), batch_sum(dy)
        dx, _, _ = batch_norm_backward((dy * self.gamma).reshape(len(dy) * self.groups, -1).T, self.cache)
        return dx.T.reshape(dy.shape)


class Dropout:
    """Dropout: in training mode each value becomes 0 with probability q, and the others are divided by 1 - q.

    Parameters
    ----------
    q : float
        From 0 to less than 1.
    rng : numpy.random.Generator
    """

    parameters = ()

    def __init__(self, q, rng):
        self.q, self.rng, self.training = _checks.number("q", q, 0.0, 0.99), rng, True

    def train(self):
        """Switch to training mode."""
        self.training = True

    def eval(self):
        """Switch to inference mode, in which nothing is dropped."""
        self.training = False

    def __call__(self, x):
        """Drop values of `x`."""
        kept = self.rng.random(x.shape) >= self.q if self.training else np.ones(x.shape)
        self.factor = (kept / (1 - self.q if self.training else 1)).astype(x.dtype)
        return x * self.factor

    def backward(self, dy):
        """Return dx."""
        return dy * self.factor
