"""Two trainings that differ in momentum alone, while somebody reads the averages; and what a replay says of them."""

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import BatchNorm
from bn_teach.lessons.when_training_reads.layers import BatchRenorm, Frozen
from bn_teach.network import keep_running_averages
from bn_teach.training import TrainingConfig, check_run, check_tracked, learn, untrained

READERS = ("nobody", "renorm", "average", "frozen")
"""Who reads the running averages while training goes on: nobody (plain batch norm), Batch Renormalization, a layer that
normalises training by them (Equinox by default), or one that is frozen after some steps."""

LOST = 100.0
"""Nats: a loss beyond is called divergence. Whoever guesses among ten digits pays 2.3."""


@dataclass(frozen=True)
class Setting:
    """Two trainings to compare: same start, same mini-batches, two momenta.

    Attributes
    ----------
    config : TrainingConfig
        With batch norm, a hidden layer and at least one step.
    reader : str
        One of `READERS`.
    momentum, other : float
        Weights kept on the old estimate: of the first training, which is recorded, and of the second.
    start : int
        Steps of plain batch norm, before "renorm" and "frozen" begin to read; from 1 to the steps of the run.
    ramp : int
        Steps in which the limits of "renorm" then open; there they must end within the run.
    r_max, d_max : float
        Those limits: 1 or more, 0 or more.

    Raises
    ------
    ValueError, TypeError

    Examples
    --------
    >>> Setting(reader="frozen", start=100).reads
    True
    """

    config: TrainingConfig = field(default_factory=lambda: TrainingConfig(steps=400))
    reader: str = "nobody"
    momentum: float = 0.9
    other: float = 0.99
    start: int = 100
    ramp: int = 100
    r_max: float = 3.0
    d_max: float = 5.0

    def __post_init__(self):
        _checks.instance("config", self.config, TrainingConfig)
        _checks.choice("reader", self.reader, READERS)
        _checks.momentum(self.momentum)
        _checks.momentum(self.other, "other")
        steps = self.config.steps
        _checks.integer("start", self.start, 1, steps)
        _checks.number("r_max", self.r_max, 1.0)
        _checks.number("d_max", self.d_max, 0.0)
        left = steps - self.start
        if _checks.integer("ramp", self.ramp, 0) > left and self.reader == "renorm":
            raise ValueError(
                f"ramp must end within the run, got {self.ramp} steps from step {self.start} on, where {left} of "
                f"{steps} are left"
            )

    @property
    def batch_size(self):
        """Of the mini-batches."""
        return self.config.batch_size

    @property
    def reads(self):
        """Whether training reads the averages at any time."""
        return self.reader in ("average", "frozen") or (self.reader == "renorm" and (self.r_max, self.d_max) != (1, 0))

    def network(self, start, momentum):
        """Put layers that read as the setting says into a network, which keeps its weights."""
        limits = {"start": self.start, "ramp": self.ramp, "r_max": self.r_max, "d_max": self.d_max}
        like = {
            "nobody": "pytorch",
            "renorm": partial(BatchRenorm, **limits),
            "average": "equinox_ema",
            "frozen": partial(Frozen, start=self.start),
        }
        return keep_running_averages(start, like=like[self.reader], momentum=momentum)


@dataclass(frozen=True, eq=False)
class Averages:
    """What running averages were, and the validation accuracy under them.

    Attributes
    ----------
    mean : numpy.ndarray, shape (T, H)
        Running means of the first layer after every step.
    accuracy : numpy.ndarray, shape (K,)
        At every look.
    """

    mean: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True, eq=False)
class Lived:
    """One training, T steps and K looks, with the averages that it really kept and those that a replay makes of it.

    Attributes
    ----------
    steps : int
        How many there were to be; T is smaller if numbers were no longer finite.
    loss : numpy.ndarray, shape (T,)
    looks : numpy.ndarray of int, shape (K,)
        Updates done at every look.
    kept : Averages
    replayed : Averages
        The same weights and mini-batches, with the other momentum.
    """

    steps: int
    loss: np.ndarray
    looks: np.ndarray
    kept: Averages
    replayed: Averages

    @property
    def lost_at(self):
        """The step whose loss was the first beyond `LOST`, or that could not be done; None if there was none."""
        beyond = [*np.flatnonzero(~(self.loss <= LOST)), len(self.loss)]
        return int(beyond[0]) + 1 if beyond[0] < self.steps else None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two trainings that differ in momentum alone.

    Attributes
    ----------
    setting : Setting
    first, second : Lived
    guessing : float
        What the loss would be if all classes were guessed alike, in nats.
    """

    setting: Setting
    first: Lived
    second: Lived
    guessing: float

    @property
    def equal(self):
        """For how many steps the two losses agree to the last digit."""
        steps = min(len(self.first.loss), len(self.second.loss))
        apart = np.flatnonzero(self.first.loss[:steps] != self.second.loss[:steps])
        return int(apart[0]) if len(apart) else steps


def compare(dataset, setting):
    """Train twice, truly, with either momentum.

    Parameters
    ----------
    dataset : Dataset
    setting : Setting

    Returns
    -------
    Comparison

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> nobody = compare(load_digits(), Setting(TrainingConfig(steps=20), start=10, ramp=10))
    >>> nobody.equal
    20
    """
    momenta = setting.momentum, setting.other
    first, second = (live(dataset, setting, *order) for order in (momenta, momenta[::-1]))
    return Comparison(setting, first, second, math.log(dataset.num_classes))


def live(dataset, setting, momentum, other):
    """Train once with `momentum`, and keep a second set of averages with `other`, which is told the same mini-batches.

    Parameters
    ----------
    dataset : Dataset
    setting : Setting
        Its own momenta do not matter here.
    momentum, other : float

    Returns
    -------
    Lived

    Raises
    ------
    ValueError, TypeError
        For a run that cannot be trained, or leaves no running averages.
    """
    config = setting.config
    check_tracked(dataset, config)
    check_run(dataset, config)
    weights = untrained(dataset, config)
    trained, replayed = (setting.network(weights, p) for p in (momentum, other))  # over the same weights
    norms, told = ([one for one in network.layers if isinstance(one, BatchNorm)] for network in (trained, replayed))
    x, labels = dataset.validation_x.astype(config.dtype), dataset.validation_y
    losses, looks, means, accuracies = [], [], [], []
    for step, loss in enumerate(_while_finite(learn(trained, dataset, config)), start=1):
        for norm, other_norm in zip(norms, told, strict=True):
            other_norm.update(norm.cache.mean, norm.cache.var, len(norm.cache.x_hat))
        losses.append(loss)
        means.append([norm[0].running_mean.copy() for norm in (norms, told)])
        if step % config.checkpoint_every == 0 or step == config.steps:
            looks.append(step)
            accuracies.append([_accuracy(network, x, labels) for network in (trained, replayed)])
    means = np.array(means).reshape(len(losses), 2, norms[0].num_features).swapaxes(0, 1)
    accuracies = np.array(accuracies).reshape(len(looks), 2).T
    return Lived(config.steps, np.array(losses), np.array(looks), *map(Averages, means, accuracies))


def _while_finite(steps):
    """The losses of a training, up to the first that is not finite, or to where a layer refuses what is not finite."""
    with np.errstate(all="ignore"):
        try:
            for loss, _ in steps:
                yield loss
                if not math.isfinite(loss):
                    return
        except ValueError:  # all else that could be wrong was refused before
            return


def _accuracy(network, x, labels):
    """In inference mode; NaN where numbers are no longer finite."""
    with np.errstate(all="ignore"):
        try:
            return float((network.eval()(x).argmax(axis=1) == labels).mean())
        except ValueError:  # as above
            return math.nan
        finally:
            network.train()
