"""What slips with momentum cost, over 16 seeds each, and what a framework does that reads its averages in training.

The 16 seeds take some minutes, so what they gave comes with the package (`load_slips`). ``python tools/slips.py``
measures and writes it again.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from bn_teach.frameworks import FRAMEWORKS, kept_fraction
from bn_teach.lessons.shared.runs import digits, points_lost
from bn_teach.training import TrainingConfig, train_live

SEEDS = range(16)
SHIPPED = Path(__file__).with_name("slips.json")


def lost(batch_size, kept, seed):
    """Percentage points of accuracy that running statistics lose against Algorithm 2 at the end of a run."""
    return points_lost(batch_size, kept, seeds=(seed,))


def trained_as(framework, seed, *, batch_size=4):
    """Train the digits with a framework's own layers and their default momentum.

    Returns
    -------
    float
        Validation accuracy in percent, in inference mode, with the running averages of that run.
    """
    data = digits()
    config = TrainingConfig(batch_size=batch_size, seed=seed)
    *_, (_, network) = train_live(data, config, like=framework)
    scores = network.eval()(data.validation_x)
    return 100 * float((scores.argmax(axis=1) == data.validation_y).mean())


def loss_moved(framework, steps=50):
    """Largest difference between the training losses of two runs that differ in nothing but momentum, 0.5 and 0.99."""
    config = TrainingConfig(steps=steps)
    kept = (0.5, 0.99)
    losses = [[loss for loss, _ in train_live(digits(), config, like=framework, momentum=p)] for p in kept]
    return float(np.abs(np.subtract(*losses)).max())


SLIPS = {
    "0.1 in Keras, batch size 4": partial(lost, 4, kept_fraction("keras", 0.1)),
    "0.1 in Keras, batch size 16": partial(lost, 16, kept_fraction("keras", 0.1)),
    "0.1 in PyTorch, batch size 4": partial(lost, 4, kept_fraction("pytorch", 0.1)),
    "0.999 in a short run, batch size 16": partial(lost, 16, 0.999),
    **{
        f"accuracy, {FRAMEWORKS[name].name}": partial(trained_as, name)
        for name in FRAMEWORKS
        if name.startswith("equinox")
    },
}
"""Name to a function of the seed; all but the last two in percentage points lost at the end of a run."""


def load_slips():
    """Read what the slips cost on every one of `SEEDS`.

    Returns
    -------
    dict of str to numpy.ndarray, shape (16,)

    Examples
    --------
    >>> slips = load_slips()
    >>> bool(slips["0.1 in Keras, batch size 4"].mean() > slips["0.1 in Keras, batch size 16"].mean())
    True
    """
    return {name: np.array(values) for name, values in json.loads(SHIPPED.read_text(encoding="utf-8")).items()}
