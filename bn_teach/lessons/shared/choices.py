"""What controls offer, and how choices and numbers are written wherever they stand."""

from dataclasses import dataclass

MOMENTA = (0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999)
"""On every slider and on the page. With another one, ``python tools/seeds.py`` measures anew, and the prose
that calls 0.999 the end of the slider follows."""
BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Words:
    """What an estimator is called: as a choice, beside its line, and at the start of a sentence."""

    label: str
    short: str
    subject: str


ESTIMATOR_WORDS = {
    "ema": Words("moving average", "moving average", "Moving average"),
    "debiased": Words("moving average, freed of its start", "freed of its start", "Moving average freed of its start"),
    "cumulative": Words("cumulative average", "cumulative", "Cumulative average"),
    "algorithm2": Words("exact: Algorithm 2", "Algorithm 2", "Exact statistics by Algorithm 2"),
    "population": Words("exact: one pass of all data", "one pass", "Exact statistics of one pass"),
    "batch": Words("each mini-batch's own (eval() forgotten)", "own mini-batch", "Each mini-batch's own statistics"),
}
"""In the order of `bn_teach.replay.ESTIMATORS`; how their lines look is in `panels.ESTIMATOR_STYLES`."""

ESTIMATOR_LABELS = {name: words.label for name, words in ESTIMATOR_WORDS.items()}

PRESETS = {
    "PyTorch's default": {"momentum": 0.9, "unbiased": True},
    "Keras's default": {"momentum": 0.99, "unbiased": False},
    "PyTorch's 0.1 typed into Keras": {"momentum": 0.1, "unbiased": False},
    "tiny batches, no memory": {"momentum": 0.0, "batch_size": 4},
    "too much memory": {"momentum": 0.999, "batch_size": 16},
}
"""What each preset sets; the estimator becomes the moving average. eps is never touched."""


def momentum_labels(momenta, pytorch):
    """Write momenta our way with PyTorch's number in brackets, or the other way round."""
    if pytorch:
        return [f"{1 - p:.4g} (kept: {p:g})" for p in momenta]
    return [f"{p:g} (PyTorch: {1 - p:.4g})" for p in momenta]


def percent(share):
    """Write a share as a percentage with one decimal: 0.984 is "98.4 %"."""
    return f"{100 * share:.1f} %"


def cost(difference):
    """Say what a difference of accuracies comes to, in percentage points."""
    points = 100 * difference
    if abs(points) < 0.05:
        return "cost nothing"
    if points < 0:
        return f"cost {-points:.1f} percentage points"
    return f"gain {points:.1f} percentage points"


def fill_in(templates, names, fields):
    """Put sentences together.

    Parameters
    ----------
    templates : dict of str to str
        Sentences with named fields in braces, by name.
    names : sequence of str
        Which of them, in order.
    fields : dict of str to str

    Returns
    -------
    str
    """
    return " ".join(templates[name].format(**fields) for name in names)
