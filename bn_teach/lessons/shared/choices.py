"""What controls offer, and how choices and numbers are written wherever they stand."""

MOMENTA = (0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999)
BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128, 256)

ESTIMATOR_LABELS = {
    "ema": "moving average",
    "debiased": "moving average, freed of its start",
    "cumulative": "cumulative average",
    "algorithm2": "exact: Algorithm 2",
    "population": "exact: one pass of all data",
    "batch": "each mini-batch's own (eval() forgotten)",
}

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
