"""What a case of the clinic is: a broken run, its fix, and how large the effect was when it was measured."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bn_teach import _checks
from bn_teach._threads import one_blas_thread


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
        """How large the mean difference of `runs` other runs should be at least, without its sign.

        The size, less 3 standard errors of a difference between two means: the one measured and the one to come. An
        effect without any spread may be 1 % smaller.

        Parameters
        ----------
        runs : int

        Returns
        -------
        float

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


@dataclass(frozen=True)
class Picture:
    """How the runs of an experiment are drawn.

    Attributes
    ----------
    title, x_title : str
        What is drawn, over what.
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
    picture : Picture
    """

    number: str
    unit: str
    digits: int
    broken: Callable
    fixed: Callable
    effect: Effect | None
    picture: Picture

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

    def check(self, seed, broken, fixed=None):
        """Raise `NotReproducedError` if these are not the runs that the experiment describes.

        Parameters
        ----------
        seed : int
        broken, fixed : Run
            `fixed` may be None: not run yet.
        """
        for run in (broken, fixed):
            if run is not None and not math.isfinite(run.value):
                raise NotReproducedError(f"with seed {seed}, {self.number} is not a finite number")
        if fixed is not None and not self.effect.shows(broken.value, fixed.value):
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


@dataclass(frozen=True)
class Thread:
    """Where it happened to somebody.

    Attributes
    ----------
    name, url : str
    told : str
        What the thread says, in our words; empty where it could not be looked up again.
    """

    name: str
    url: str
    told: str = ""


@dataclass(frozen=True)
class Twist:
    """Where the effect of a case reverses, hides, or shows that the popular explanation is wrong.

    Attributes
    ----------
    words : str
        Format string.
    experiment : Experiment
    """

    words: str
    experiment: Experiment


@dataclass(frozen=True)
class Case:
    """A broken run as somebody met it, with everything that is told about it.

    The words are format strings: they may quote ``before`` and ``after`` (the values of the two runs) and the
    facts of both.

    Attributes
    ----------
    title : str
        Of the symptom; it does not give the cause away.
    symptom : str
        Quotes the broken run alone.
    cause : str
        A key of `CAUSES`.
    causes : tuple of str
        Those to choose from.
    question : str
        Asks for a number.
    unit : str
    truth : callable
        From the broken and the fixed run to that number.
    low, high, close : float
        Limits of an answer that is meant seriously, and how near to the truth counts as right.
    formula, fix, spot : str
        `spot` is how to recognise it in a framework.
    careful : str
        Where the popular explanation goes wrong, or how far the case reaches; may be empty.
    threads : tuple of Thread
    experiment : Experiment
    twist : Twist or None
    """

    title: str
    symptom: str
    cause: str
    causes: tuple
    question: str
    unit: str
    truth: Callable
    low: float
    high: float
    close: float
    formula: str
    fix: str
    spot: str
    careful: str
    threads: tuple
    experiment: Experiment
    twist: Twist | None = None
