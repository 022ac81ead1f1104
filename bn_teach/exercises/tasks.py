"""The exercises: what is asked, a hint, the reference that knows the answer, and the inputs it is tried on.

Inputs come smallest first. The first ones are small enough to follow by hand, and a message quotes the
first one that shows the mistake. The random ones after them make sure: they are not symmetric, gamma
is not 1, beta is not 0, and eps = 0.1 is so large that nobody can lose it unseen. m differs from C, but for
one square input: there even code that mixes up the axes runs through, and can be recognised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bn_teach import batchnorm, running
from bn_teach.exercises.text import Text, indented

EPS = 0.1


@dataclass(frozen=True, repr=False, eq=False)
class Exercise(Text):
    """One exercise; shown in a notebook it is its own statement.

    Attributes
    ----------
    name : str
    parameters : tuple of str
        What the learner's function is given.
    returns : dict of str to int
        What it gives back, each with its number of axes.
    summary : str
        The task in one line, for the stub's docstring.
    statement : str
        The task in full.
    hint : str
    reference : callable
        Gives the right answer.
    inputs : tuple of tuples
        What the learner's function is called with, smallest first.
    """

    name: str
    parameters: tuple
    returns: dict
    summary: str
    statement: str
    hint: str
    reference: Callable
    inputs: tuple

    @property
    def signature(self):
        """The call, as in ``batch_statistics(x)``."""
        return f"{self.name}({', '.join(self.parameters)})"

    @property
    def stub(self):
        """What a learner starts from: a function that runs, and in which every `...` is to be filled in."""
        lines = [f'"""{self.summary}"""', *(f"{name} = ..." for name in self.returns)]
        return "\n    ".join([f"def {self.signature}:", *lines, f"return {', '.join(self.returns)}"]) + "\n"

    @property
    def title(self):
        """A heading for the statement."""
        return f"Exercise `{self.name}`"

    @property
    def body(self):
        """The statement and the stub."""
        return f"{self.statement}\n\n{indented(self.stub.splitlines())}"


def _layer(state, x, training):
    """Play the exercise `layer` with the BatchNorm of this package."""
    layer = batchnorm.BatchNorm(x.shape[1], momentum=state["momentum"], eps=state["eps"])
    layer.training = training
    names = ("gamma", "beta", "running_mean", "running_var")
    for name in names:
        setattr(layer, name, state[name])
    y = layer(x)
    return y, {**state, **{name: getattr(layer, name) for name in names}}


def _backward(dy, x, gamma, eps):
    _, cache = batchnorm.batch_norm_forward(x, gamma, np.zeros_like(gamma), eps=eps)
    return batchnorm.batch_norm_backward(dy, cache)


def _debias(estimate, momentum, step):
    # A history of ones averages to the sum of the weights that the batches have so far.
    return estimate / running.exponential_moving_average(np.ones(step), momentum)[-1]


_random = np.random.default_rng(219808)


def _batch(m, channels):
    """Examples whose channels differ in mean and spread; the means are well above 0."""
    means, stds = _positive(channels) + 1, _positive(channels)
    return means + stds * _random.normal(size=(m, channels))


def _positive(*shape):
    return _random.uniform(0.5, 3.0, size=shape)


def _state(channels, momentum, eps=EPS):
    arrays = ("gamma", "beta", "running_mean", "running_var")
    return {**{name: _positive(channels) for name in arrays}, "momentum": momentum, "eps": eps}


def _array(*values):
    return np.array(values, dtype=np.float64)


_X = _array([1], [5])  # mean 3, variance 4; with eps = 5 the root is 3
_XX = _array([2, 16], [4, 2])  # means 3 and 9, variances 1 and 49; with eps = 15 the roots are 4 and 8
_STATE = {
    "gamma": _array(3), "beta": _array(10), "running_mean": _array(7), "running_var": _array(20),
    "momentum": 0.75, "eps": 5.0,
}  # fmt: skip
_STATES = {  # two channels, for what one channel does not show
    "gamma": _array(3, 6), "beta": _array(10, 20), "running_mean": _array(7, 3), "running_var": _array(20, 4),
    "momentum": 0.75, "eps": 15.0,
}  # fmt: skip
_SHAPES = ((5, 3), (4, 4), (3, 6))

_ALL = (
    Exercise(
        "batch_statistics",
        parameters=("x",),
        returns={"mean": 1, "var": 1},
        summary="Mean and variance of every channel of one mini-batch.",
        statement=(
            "`x` is one mini-batch of shape (m, C): m examples in rows, C channels in columns. Return "
            "`(mean, var)`, two arrays of shape (C,): the mean and the variance of every channel over the "
            "mini-batch. The variance divides by m, as in Algorithm 1."
        ),
        hint=(
            "Each channel is one column. Along which axis do you have to average so that m numbers per column "
            "become one? And the variance is an average too: of what?"
        ),
        reference=batchnorm.batch_statistics,
        inputs=((_X,), (_XX,), *((_batch(*shape),) for shape in _SHAPES)),
    ),
    Exercise(
        "normalize",
        parameters=("x", "gamma", "beta", "eps"),
        returns={"y": 2},
        summary="Batch norm of one mini-batch in training mode.",
        statement=(
            "Batch norm in training mode. `x` is one mini-batch of shape (m, C); `gamma` and `beta` have shape "
            "(C,). Normalise every channel by the mini-batch's own mean and variance (dividing by m), with `eps` "
            "added to the variance under the root; then scale by `gamma` and shift by `beta`. Return `y`, of the "
            "shape of `x`."
        ),
        hint=(
            "Write it in the order of Algorithm 1: mean, variance, `x_hat`, `y`. For gamma = 1, beta = 0 and a "
            "tiny eps, every channel of `y` has mean 0 and variance 1: look at yours."
        ),
        reference=lambda x, gamma, beta, eps: batchnorm.batch_norm_forward(x, gamma, beta, eps=eps)[0],
        inputs=(
            (_X, _array(3), _array(10), 5.0),
            (_XX, _array(3, 6), _array(10, 20), 15.0),
            *((_batch(m, c), _positive(c), _positive(c), EPS) for m, c in _SHAPES),
        ),
    ),
    Exercise(
        "running_average",
        parameters=("running", "batch", "momentum"),
        returns={"new_running": 1},
        summary="The running value after it has taken in one more mini-batch.",
        statement=(
            "`running` is the running value of a statistic (its mean, say) and `batch` the same statistic of the "
            "newest mini-batch, both of shape (C,). Return the new running value. `momentum` is the weight kept "
            "on the old value, as everywhere in these notebooks; the two weights add up to 1."
        ),
        hint=(
            "The new value lies between the old one and the batch's. Where does it lie for momentum = 1? For "
            "momentum = 0? For momentum = 0.9, which of the two is it close to?"
        ),
        reference=lambda running_, batch, momentum: running.exponential_moving_average(
            batch[np.newaxis], momentum, initial=running_
        )[-1],
        inputs=(
            (_array(1), _array(5), 0.75),
            *((_positive(3), _positive(3) + 2, momentum) for momentum in (0.9, 0.2)),
        ),
    ),
    Exercise(
        "debias",
        parameters=("running", "momentum", "step"),
        returns={"estimate": 1},
        summary="The running value freed of its start at 0.",
        statement=(
            "`running`, of shape (C,), started at 0 and has taken in `step` mini-batches, each with weight "
            "1 - `momentum`. What is left of the start at 0 pulls it down. Return the estimate freed of that pull, "
            "so that mini-batches that are all alike give exactly their own value, from the first step on."
        ),
        hint=(
            "Let every mini-batch be exactly 1 and write down `running` after one step, two, three. By what must "
            "you divide each to get 1? What is the weight that is still on the start?"
        ),
        reference=_debias,
        inputs=(
            (_array(9), 0.8, 2),
            *((_positive(3), momentum, step) for momentum, step in ((0.9, 3), (0.6, 5), (0.7, 4))),
        ),
    ),
    Exercise(
        "inference",
        parameters=("x", "running_mean", "running_var", "gamma", "beta", "eps"),
        returns={"y": 2},
        summary="Batch norm in inference mode.",
        statement=(
            "Batch norm in inference mode. `x` has shape (m, C); `running_mean`, `running_var`, `gamma` and `beta` "
            "have shape (C,). Normalise by the given statistics, with `eps` added to the variance under the "
            "root, then scale and shift. Return `y`, of the shape of `x`."
        ),
        hint=(
            "An example must get the same answer whoever else is in the batch. Which quantities in your code "
            "depend on the other rows of `x`?"
        ),
        reference=lambda x, mean, var, gamma, beta, eps: batchnorm.batch_norm_inference(
            x, mean, var, gamma, beta, eps=eps
        ),
        inputs=(
            (_array([1], [7]), _array(2), _array(4), _array(3), _array(10), 5.0),
            (_XX, _array(2, 1), _array(1, 49), _array(3, 6), _array(10, 20), 15.0),
            # so wide that a thousandth of its variance shows
            (_array([-40], [50]), _array(2), _array(4), _array(3), _array(10), 5.0),
            *((_batch(m, c), *_positive(4, c), EPS) for m, c in _SHAPES),
        ),
    ),
    Exercise(
        "layer",
        parameters=("state", "x", "training"),
        returns={"y": 2, "new_state": 0},
        summary="One call of a batch norm layer: (y, new_state).",
        statement=(
            "A whole layer. `state` is a dict with `gamma`, `beta`, `running_mean`, `running_var` (shape (C,)), "
            "`momentum` (the weight on the old value) and `eps`; `x` is a mini-batch of shape (m, C); `training` is "
            "True or False. Return `(y, new_state)`. Leave `state` as it is: `new_state` is a dict with the same "
            "keys.\n\n"
            "In training mode, normalise by the mini-batch's own mean and variance (dividing by m), and let the "
            "running statistics take in this mini-batch. The running variance is an estimate for the whole "
            "population, so what it takes in is the mini-batch's variance dividing by m - 1 (PyTorch does so "
            "too).\n\n"
            "In inference mode, normalise by the running statistics; nothing in the state changes."
        ),
        hint=(
            "Decide two things for each mode before you write: which mean and variance does `y` use, and do the "
            "running statistics change? You have written all the pieces before. `dict(state)` makes a copy to "
            "put new values into."
        ),
        reference=_layer,
        inputs=(
            (_STATE, _X, True),
            (_STATE, _X, False),
            (_STATES, _XX, True),
            *(
                (_state(c, momentum), _batch(m, c), training)
                for (m, c), momentum in zip(_SHAPES, (0.9, 0.2, 0.7))
                for training in (True, False)
            ),
        ),
    ),
    Exercise(
        "backward",
        parameters=("dy", "x", "gamma", "eps"),
        returns={"dx": 2, "dgamma": 1, "dbeta": 1},
        summary="The gradients of batch norm in training mode.",
        statement=(
            "The way back through `normalize`. `x` is the mini-batch of shape (m, C) that went in, and `dy`, of the "
            "same shape, the gradient of the loss with respect to `y`. Return `(dx, dgamma, dbeta)`, the gradients "
            "of the loss with respect to `x` (shape (m, C)), `gamma` and `beta` (shape (C,)). `beta` is not given: "
            "you will not need it."
        ),
        hint=(
            "`x` moves `y` in three ways: directly, through the mini-batch's mean, and through its variance. Two "
            "tests for your `dx`: its sum over the mini-batch is 0 in every channel, and its sum of products with "
            "`x` is nearly 0 when eps is tiny. Which of your ways does each test question?"
        ),
        reference=_backward,
        inputs=(
            (_array([1], [4]), _X, _array(3), 5.0),
            (_array([1, 0], [4, 2]), _XX, _array(3, 6), 15.0),
            *((_random.normal(size=shape) + 0.5, _batch(*shape), _positive(shape[1]), EPS) for shape in _SHAPES),
        ),
    ),
    Exercise(
        "population",
        parameters=("batch_means", "batch_variances", "m"),
        returns={"mean": 1, "var": 1},
        summary="Algorithm 2: the population's mean and variance from many mini-batches.",
        statement=(
            "Algorithm 2, line 10. The weights are frozen, and B mini-batches of `m` examples each have been "
            "processed. `batch_means` and `batch_variances`, of shape (B, C), hold the mean and the variance "
            "(dividing by m) of each. Return `(mean, var)`, of shape (C,): the estimates of the population's mean "
            "and variance, the variance without bias."
        ),
        hint=(
            "All mini-batches count alike. A mini-batch's variance is too small on average, because it is taken "
            "around the mini-batch's own mean: by which factor, for m = 2?"
        ),
        reference=running.population_statistics,
        inputs=(
            (_array([1], [3]), _array([4], [16]), 3),
            (_array([1, 5], [3, 11]), _array([4, 1], [16, 9]), 3),
            (_array([1], [3], [8]), _array([4], [16], [1]), 3),
            *((_positive(b, c), _positive(b, c), m) for (b, c), m in zip(_SHAPES, (3, 6, 7))),
        ),
    ),
)  # fmt: skip

EXERCISES = MappingProxyType({exercise.name: exercise for exercise in _ALL})
