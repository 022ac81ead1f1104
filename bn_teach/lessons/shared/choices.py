"""What the controls of a trained network offer, and how it is written beside them."""

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
