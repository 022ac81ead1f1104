"""What the clinic computes: a broken run and its fix, and how large the effect was when it was measured."""

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bn_teach import _checks
from bn_teach._threads import one_blas_thread
from bn_teach.batchnorm import BatchNorm
from bn_teach.lessons.shared.runs import digits
from bn_teach.network import cross_entropy
from bn_teach.replay import at_the_end, running_statistics
from bn_teach.training import TrainingConfig, train_live


class NotReproducedError(RuntimeError):
    """A run that does not show what its case describes."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run, broken or fixed, reduced to what is shown of it.

    Attributes
    ----------
    value : float
        The number that the case is about.
    lines : dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x and y: "seen" and "reference" of a broken run, "fixed" of a fixed one.
    facts : dict
        What else the words of the case quote.
    """

    value: float
    lines: dict
    facts: dict


@dataclass(frozen=True)
class Effect:
    """The number that an experiment is about, measured once over several seeds, before and after the fix.

    Attributes
    ----------
    seeds : tuple of int
    before, after : tuple of float
        One for each seed.
    """

    seeds: tuple
    before: tuple
    after: tuple

    @property
    def differences(self):
        """What the fix changed, for each seed."""
        return tuple(after - before for before, after in zip(self.before, self.after, strict=True))

    @property
    def size(self):
        """Mean of the differences."""
        return statistics.fmean(self.differences)

    @property
    def spread(self):
        """Standard deviation of the differences from seed to seed."""
        return statistics.stdev(self.differences)

    def least(self, runs):
        """How large the mean difference of so many other runs should be at least, without its sign.

        The size, less 3 standard errors of a difference between two means: the one measured and the one to come. An
        effect without any spread may be 1 % smaller.

        Examples
        --------
        >>> round(Effect((0, 1), (0.0, 0.0), (9.0, 11.0)).least(2), 3)
        5.757
        """
        error = self.spread * math.sqrt(1 / runs + 1 / len(self.seeds))
        return abs(self.size) - max(3 * error, 0.01 * abs(self.size))

    def shows(self, before, after):
        """Tell whether a single run shows the effect at all: in its direction, and at least a tenth of its size."""
        return (after - before) * math.copysign(1, self.size) >= 0.1 * abs(self.size)


# Results, not settings: ``tools/effects.py`` measures them, and the tests measure some of the seeds again. On another
# processor a run may come out a little differently, and with mini-batches of 4 or less very much so; on average they
# are alike.
EFFECTS_FILE = Path(__file__).with_name("effects.json")


def load_effects(path=EFFECTS_FILE):
    """Read a file that ``tools/effects.py`` wrote: name to `Effect`."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {name: Effect(**{key: tuple(values) for key, values in one.items()}) for name, one in stored.items()}


EFFECTS = load_effects()
"""Name of a case, and of its twist, to `Effect`. A new one is missing until it has been measured."""


@dataclass(frozen=True)
class Axes:
    """Where the runs of an experiment are drawn: what over what, and from where to where.

    Attributes
    ----------
    title, x_title : str
    y_range : tuple of float
    value_range : tuple of float
        Of the number that the experiment is about.
    """

    title: str
    x_title: str
    y_range: tuple
    value_range: tuple


@dataclass(frozen=True)
class Experiment:
    """A broken run, and the same run fixed.

    Attributes
    ----------
    number : str
        What the number is that it is about.
    unit : str
        Empty for a ratio.
    digits : int
        Decimals that are worth writing.
    broken, fixed : callable
        From a seed to a `Run`.
    effect : Effect or None
        None until it has been measured.
    axes : Axes
    """

    number: str
    unit: str
    digits: int
    broken: Callable
    fixed: Callable
    effect: Effect | None
    axes: Axes

    @one_blas_thread
    def reproduce(self, seed):
        """Run it broken, then fixed.

        Parameters
        ----------
        seed : int

        Returns
        -------
        broken, fixed : Run

        Raises
        ------
        NotReproducedError
            If a number is not finite, or the two runs do not show the effect.
        TrainingDiverged
        """
        seed = _checks.integer("seed", seed, 0)
        broken, fixed = self.broken(seed), self.fixed(seed)
        self.check(seed, broken, fixed)
        return broken, fixed

    def check(self, seed, broken, fixed=None, *, effect=True):
        """Raise `NotReproducedError` if these are not the runs that the experiment describes.

        Parameters
        ----------
        seed : int
        broken, fixed : Run
            `fixed` may be None: not run yet.
        effect : bool
            Whether the two must show it.
        """
        for run in (broken, fixed):
            if run is not None and not math.isfinite(run.value):
                raise NotReproducedError(f"with seed {seed}, {self.number} is not a finite number")
        if effect and fixed is not None and not self.effect.shows(broken.value, fixed.value):
            raise NotReproducedError(
                f"with seed {seed}, {self.number} is {self.written(broken.value)} before the fix and "
                f"{self.written(fixed.value)} after it. When it was measured, over {len(self.effect.seeds)} seeds, "
                f"the fix changed it by {self.written(self.effect.size)} on average. Another seed may show it"
            )

    def written(self, value):
        """Write a value with its unit."""
        return f"{self.rounded(value)} {self.unit}".strip()

    def rounded(self, value, sign=""):
        """Write a value to the decimals that are worth writing; `sign` may be "+": always with one."""
        return f"{round(value, self.digits) + 0.0:{sign}.{self.digits}f}"  # + 0.0: no minus zero

    @one_blas_thread
    def measure(self, seeds):
        """Measure the effect anew.

        Parameters
        ----------
        seeds : iterable of int
            Two or more.

        Returns
        -------
        Effect
        """
        seeds = tuple(seeds)
        pairs = [(self.broken(seed).value, self.fixed(seed).value) for seed in seeds]
        return Effect(seeds, *zip(*pairs, strict=True))


# What runs are reduced to; accuracies are in percent


def accuracy_curve(replayed):
    """Validation accuracy at every checkpoint: steps, and percent."""
    return replayed.steps.astype(np.float64), 100 * replayed.validation_accuracy


def at_end(curve):
    """Average a curve over the end of the run."""
    return float(at_the_end(curve[1]))


def level(curve, value):
    """Draw a level line, as long as a curve."""
    ends = curve[0][[0, -1]]
    return ends, np.full(len(ends), float(value))


def percent_right(scores, labels):
    """Share of images whose highest score is that of the right digit, in percent."""
    return 100 * float(np.mean(scores.argmax(axis=1) == labels))


def in_eval_mode(network):
    """Validation accuracy of a network that keeps running averages; afterwards it is in training mode."""
    accuracy = percent_right(network.eval()(digits().validation_x), digits().validation_y)
    network.train()
    return accuracy


def averaging_layers(network):
    """List the batch norm layers of a network that keep running averages."""
    return [layer for layer in network.layers if isinstance(layer, BatchNorm)]


# What runs are made of


def misty(images):
    """Take images as a misty camera would: less contrast, and brighter."""
    return 0.3 * images + 0.5


def finished(recording):
    """Return the network of a recording as it was at the end."""
    return recording.network_at(len(recording.checkpoint_steps) - 1)


def live_network(seed):
    """Train a network that keeps running averages, momentum 0.9."""
    *_, (_, network) = train_live(digits(), TrainingConfig(steps=400, seed=seed), momentum=0.9)
    return network


def fitting(network, batches):
    """Train on mini-batches (images, labels) with learning rate 0.1; yield the loss of each, after its step."""
    for x, labels in batches:
        loss, dscores = cross_entropy(network(x), labels)
        network.backward(dscores)
        network.descend(0.1)
        yield loss


def statistics_seen(network, passes):
    """Collect what each pass is normalised by: means and variances, each of shape (T, H), for every layer."""
    taken = [([], []) for _ in network.norms]
    for _ in passes:
        for norm, (means, variances) in zip(network.norms, taken, strict=True):
            means.append(norm.cache.mean)
            variances.append(norm.cache.var)
    return [(np.array(means), np.array(variances)) for means, variances in taken]


def averaged(statistics, momentum, m):
    """Average statistics that were seen in mini-batches of m: the running mean and variance at the end, by layer."""
    rows = (running_statistics(*seen, np.full(len(seen[0]), m), momentum) for seen in statistics)
    return [(mean[-1], var[-1]) for mean, var in rows]


def right_under(network, statistics, x=None, labels=None):
    """Judge images, those of the validation set unless told otherwise, by given statistics: percent right."""
    x, labels = (digits().validation_x, digits().validation_y) if x is None else (x, labels)
    return percent_right(network.inference(network.layers[0](x), statistics), labels)
