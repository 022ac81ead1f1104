"""A small fully connected network, forward and backward side by side.

Every layer has `__call__` (forward, which remembers what backward needs), `backward` (which takes
the gradient with respect to the output and returns that with respect to the input), and names its
learnt arrays in `parameters`; the gradient of `weight` is left in `dweight`, and so on.

The batch norm layer here has *no memory*: training needs none. It normalises by the mini-batch in
front of it, and at inference it must be told which statistics to use. Where those come from, a
running average or an exact pass, is somebody else's business (`running`, `replay`).
"""

from functools import partial
from itertools import pairwise

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import BatchNorm, batch_sum, moments, normalize, normalize_backward, scale_and_shift
from bn_teach.running import population_statistics


class Linear:
    """``y = x @ weight (+ bias)``. Below a batch norm no bias is needed: beta does its work."""

    def __init__(self, weight, bias=None):
        self.weight, self.bias = weight, bias
        self.parameters = ("weight",) if bias is None else ("weight", "bias")

    def __call__(self, x):
        self.x = x
        y = x @ self.weight
        return y if self.bias is None else y + self.bias

    def backward(self, dy):
        self.gradients(dy)
        return dy @ self.weight.T

    def gradients(self, dy):
        """Leave the gradients, without carrying `dy` further down: all that the first layer needs."""
        self.dweight = self.x.T @ dy
        if self.bias is not None:
            self.dbias = batch_sum(dy)


class BatchNormLayer:
    """Batch norm without running averages: see `batchnorm` for the mathematics."""

    parameters = ("gamma", "beta")

    def __init__(self, gamma, beta, eps):
        self.gamma, self.beta, self.eps = gamma, beta, eps

    def __call__(self, x):
        y, self.cache = normalize(x, self.gamma, self.beta, self.eps)
        return y

    def backward(self, dy):
        dx, self.dgamma, self.dbeta = normalize_backward(dy, self.cache)
        return dx

    def inference(self, x, mean, var):
        """Normalise by given statistics, shape (C,) or one row per batch (B, 1, C)."""
        scale, shift = scale_and_shift(mean, var, self.gamma, self.beta, self.eps)
        y = x * scale.astype(x.dtype)
        y += shift.astype(x.dtype)
        return y


class ReLU:
    """``y = max(x, 0)``."""

    parameters = ()

    def __call__(self, x):
        # NumPy compares with a row of zeros in less time than with a single one.
        self.y = np.maximum(x, np.zeros(x.shape[-1], x.dtype))
        return self.y

    def backward(self, dy):
        return dy * (self.y > 0)


class Sigmoid:
    """``y = 1 / (1 + exp(-x))``, written with tanh, which cannot overflow."""

    parameters = ()

    def __call__(self, x):
        self.y = 0.5 + 0.5 * np.tanh(0.5 * x)
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)


ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid}


class Network:
    """Layers in a row, from examples `(N, D)` to class scores `(N, classes)`.

    Attributes
    ----------
    layers : list
        `Linear`, `BatchNormLayer`, activations; the first one is `Linear`.
    norms : list of BatchNormLayer
        The batch norm layers among them, from below.
    """

    def __init__(self, layers):
        self.layers = list(layers)
        self.norms = [layer for layer in self.layers if isinstance(layer, BatchNormLayer)]

    def train(self):
        """Switch layers that have modes to training mode, and return the network."""
        return self._switched("train")

    def eval(self):
        """Switch layers that have modes to inference mode, and return the network."""
        return self._switched("eval")

    def _switched(self, mode):
        for layer in self.layers:
            getattr(layer, mode, bool)()  # of those that have modes
        return self

    def __call__(self, x):
        """Class scores in training mode: every batch norm uses the mini-batch `x` itself."""
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, dscores):
        """Leave the gradient of every parameter on its layer."""
        first, *others = self.layers
        for layer in reversed(others):
            dscores = layer.backward(dscores)
        first.gradients(dscores)

    def descend(self, learning_rate):
        """Take one step of stochastic gradient descent."""
        for layer in self.layers:
            for name in layer.parameters:
                parameter = getattr(layer, name)
                parameter -= learning_rate * getattr(layer, "d" + name)

    def inference(self, z, statistics):
        """Class scores in inference mode, by given statistics.

        Parameters
        ----------
        z : numpy.ndarray, shape (N, H)
            What the first layer makes of the examples: ``network.layers[0](x)``. No statistics
            enter before it, so whoever tries many of them computes it once.
        statistics : sequence of (mean, var), each of shape (H,)
            One pair for every batch norm layer, from below.

        Returns
        -------
        numpy.ndarray, shape (N, classes)
        """
        statistics = list(statistics)
        if len(statistics) != len(self.norms):
            raise ValueError(
                f"statistics must hold one (mean, var) for each of the {len(self.norms)} batch norm layers, "
                f"got {len(statistics)}"
            )
        given = iter(statistics)
        for layer in self.layers[1:]:
            z = layer.inference(z, *next(given)) if isinstance(layer, BatchNormLayer) else layer(z)
        return z

    def population_statistics(self, z):
        """Exact statistics by one pass of all examples, each layer fed through *exact* lower ones.

        Parameters
        ----------
        z : numpy.ndarray, shape (N, H)
            ``network.layers[0](x)`` for the whole training set.

        Returns
        -------
        list of (mean, var), each of shape (H,), float64
            One pair for every batch norm layer; the variance divides by N.
        """
        # Normalising all examples as one batch *is* inference under the statistics of all of them.
        _, found = self._by_batch(z, len(z), scores=False)
        return [(mean[0].astype(np.float64), var[0].astype(np.float64)) for mean, var in found]

    def algorithm2_statistics(self, z, batch_size):
        """Exact statistics by the paper's Algorithm 2, line 10: each layer is fed through batch-normalised lower ones.

        Parameters
        ----------
        z : numpy.ndarray, shape (N, H)
            ``network.layers[0](x)`` for the whole training set, in random order. Examples that do
            not fill a batch are left out.
        batch_size : int
            m of the training, 2 to N.

        Returns
        -------
        list of (mean, var), each of shape (H,), float64
            Mean of the batch means, and m/(m-1) times the mean of the batch variances.
        """
        m = _checks.integer("batch_size", batch_size, 2 if self.norms else 1, len(z))
        _, found = self._by_batch(z[: len(z) - len(z) % m], m, scores=False)
        return [population_statistics(mean, var, m) for mean, var in found]

    def scores_by_batch(self, z, batch_size):
        """Class scores if every batch norm uses the mini-batch in front of it, as after a forgotten `eval()`.

        Parameters
        ----------
        z : numpy.ndarray, shape (N, H)
            ``network.layers[0](x)``.
        batch_size : int
            Rows are taken in order; a remainder joins the batch before it.

        Returns
        -------
        numpy.ndarray, shape (N, classes)
        """
        _checks.integer("batch_size", batch_size, 1)
        last = in_batches(len(z), batch_size)[-1].start
        scores, _ = self._by_batch(z[last:], len(z) - last)
        if last == 0:
            return scores
        return np.concatenate([self._by_batch(z[:last], batch_size)[0], scores])

    def _by_batch(self, z, batch_size, *, scores=True):
        """Training-mode forward for many batches at once: rows 0 to m-1 of `z` are the first, and so on.

        Returns the scores (None if nobody wants them) and, for every batch norm layer, the batch means
        and variances (B, H).
        """
        found = []
        for layer in self.layers[1:]:
            if not isinstance(layer, BatchNormLayer):
                z = layer(z)
                continue
            batches = z.reshape(-1, batch_size, z.shape[-1])
            mean, _, var = moments(batches)
            found.append((mean, var))
            if not scores and layer is self.norms[-1]:
                return None, found
            z = layer.inference(batches, mean[:, None], var[:, None]).reshape(z.shape)
        return z, found


def in_batches(n, batch_size):
    """Cut n rows into mini-batches, in order: a list of slices. A remainder joins the batch before it."""
    starts = range(0, max(n // batch_size, 1) * batch_size, batch_size)
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], n], strict=True)]


def keep_running_averages(network, like="pytorch", **options):
    """Exchange every memoryless batch norm for one that keeps running averages, as frameworks have it.

    Parameters
    ----------
    network : Network
    like : str or callable
        The framework whose layers they are, as in `bn_teach.batchnorm.BatchNorm.like`; or what makes one, called as
        ``like(units, eps=eps, **options)``, such as a class of layers.
    **options
        What is otherwise with them: momentum, unbiased, ...

    Returns
    -------
    Network
        With the *same* weight arrays; its batch norms have `train()` and `eval()`.

    Examples
    --------
    >>> network = keep_running_averages(build_network(64, 10), momentum=0.99)
    >>> network.layers[1].momentum
    0.99
    """
    make = like if callable(like) else partial(BatchNorm.like, like)
    layers = []
    for layer in network.layers:
        if isinstance(layer, BatchNormLayer):
            averaging = make(len(layer.gamma), eps=layer.eps, **options)
            averaging.gamma, averaging.beta = layer.gamma, layer.beta
            layer = averaging
        layers.append(layer)
    return Network(layers)


def cross_entropy(scores, labels):
    """Mean loss of class scores after a softmax, and its gradient.

    Parameters
    ----------
    scores : numpy.ndarray, shape (N, classes)
    labels : numpy.ndarray of int, shape (N,)

    Returns
    -------
    loss : float
        Mean of ``-log softmax(scores)[label]``, in nats.
    dscores : numpy.ndarray, shape (N, classes)

    Examples
    --------
    >>> loss, dscores = cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> print(round(loss, 3), dscores)
    0.693 [[-0.5  0.5]]
    """
    rows = np.arange(len(scores))
    shifted = scores - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    loss = float((np.log(sums[:, 0]) - shifted[rows, labels]).sum()) / len(scores)
    dscores = exponentials / sums
    dscores[rows, labels] -= 1
    dscores /= len(scores)
    return loss, dscores


def build_network(
    num_features,
    num_classes,
    hidden=(100, 100),
    *,
    activation="relu",
    batch_norm=True,
    eps=1e-5,
    weight_scale=None,
    dtype="float32",
    seed=0,
):
    """Build an untrained network. The arguments are those of a `TrainingConfig`, which checks them.

    Parameters
    ----------
    num_features, num_classes : int
    hidden : sequence of int
        Units of every hidden layer: linear, batch norm (unless switched off: biases instead), activation.
    activation, batch_norm, eps, dtype
        As in `bn_teach.training.TrainingConfig`.
    weight_scale : float or None
        Standard deviation of every weight; None is He initialisation, ``sqrt(2 / inputs)``.
    seed : int or numpy.random.Generator

    Returns
    -------
    Network

    References
    ----------
    He et al. (2015), "Delving deep into rectifiers", for the initialisation.

    Examples
    --------
    >>> network = build_network(64, 10, hidden=(100,))
    >>> network(np.zeros((5, 64), dtype="float32")).shape
    (5, 10)
    """
    rng = np.random.default_rng(seed)
    sizes = [num_features, *hidden, num_classes]

    def draw(inputs, outputs):
        scale = np.sqrt(2 / inputs) if weight_scale is None else weight_scale
        return (scale * rng.standard_normal((inputs, outputs))).astype(dtype)

    layers = []
    for inputs, outputs in pairwise(sizes[:-1]):
        if batch_norm:
            norm = BatchNormLayer(np.ones(outputs, dtype), np.zeros(outputs, dtype), eps)
            layers += [Linear(draw(inputs, outputs)), norm, ACTIVATIONS[activation]()]
        else:
            layers += [Linear(draw(inputs, outputs), np.zeros(outputs, dtype)), ACTIVATIONS[activation]()]
    layers.append(Linear(draw(*sizes[-2:]), np.zeros(num_classes, dtype)))
    return Network(layers)
