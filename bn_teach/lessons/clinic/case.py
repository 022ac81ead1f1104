"""What a case of the clinic is: a broken run as somebody met it, with its fix and everything that is told about it."""

from collections.abc import Callable
from dataclasses import dataclass

from bn_teach.lessons.clinic.experiment import Experiment

CAUSES = {
    "validation-never-enters": "validation images do not enter the averages",
    "old-weights": "the average counts weights that are long gone",
    "never-read": "training does not read the running averages",
    "reversed": "momentum is counted the other way round here",
    "two-divisors": "one mode divides the variance by m, the other by m - 1",
    "biased": "the averaged variances were divided by m",
    "start": "the average is still mostly its start, mean 0 and variance 1",
    "long-memory": "the average remembers too long: its start, and weights that are gone",
    "sorted": "each mini-batch holds a single class",
    "alone": "the last mini-batch is a single image",
    "training-mode": "training mode was left on in the evaluation",
    "statistics-left-behind": "the running statistics were not restored",
    "batch-decides": "each test batch is normalised by itself",
    "two-kinds": "one average serves two kinds of images",
    "frozen-writes": "what is frozen goes on averaging",
    "nobody-wrote": "nobody took statistics for these weights",
    "old-statistics": "the statistics are those of the weights as they were before",
    "dropout": "dropout below batch norm: on in training, off at inference",
    "micro-batches": "every small batch is normalised by itself",
    "twice": "each mini-batch enters the averages twice",
    "padding": "zeros that fill up are averaged in",
    # Often blamed.
    "overfitting": "the network overfits",
    "learning-rate": "the learning rate is too high",
    "too-few-images": "the validation set is too small",
    "bug": "a bug in the framework",
    "eps": "eps is added in one of the two modes only",
    "short-memory": "the average forgets too soon: raise momentum",
    "other-images": "the validation images are of another kind",
    "luck": "the best checkpoint was a lucky one",
    "needed-weights": "the weights that are missing are needed",
}
"""Key to what a cause says of itself."""


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

    The words are format strings, as those of a `Case`.

    Attributes
    ----------
    setting : str
        What is compared.
    sides : (str, str)
        The two that are compared, in a word or two.
    words : str
        What comes out.
    why : str
    experiment : Experiment
    """

    setting: str
    sides: tuple
    words: str
    why: str
    experiment: Experiment


@dataclass(frozen=True, kw_only=True)
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
    low, high : float
        Limits of an answer that is meant seriously. How near it must be is for `Ruler` to say.
    formula, fix, spot : str
        `spot` is how to recognise it in a framework.
    careful : str
        Where the popular explanation goes wrong, or how far the case reaches; may be empty.
    threads : tuple of Thread
    experiment : Experiment
    twist : Twist or None
    computable : bool
        Whether a formula gives the number.
    """

    title: str
    symptom: str
    cause: str
    causes: tuple
    question: str
    unit: str
    truth: Callable
    low: float = 0
    high: float = 100
    formula: str
    fix: str
    spot: str
    careful: str
    threads: tuple
    experiment: Experiment
    twist: Twist | None = None
    computable: bool = False
