"""What becomes of training in a framework that reads its averages while it trains.

16 seeds take some minutes, so what they gave comes with the package (`load_equinox`). ``python tools/equinox_modes.py``
measures and writes it again.
"""

import json
from pathlib import Path

import numpy as np

from bn_teach.frameworks import FRAMEWORKS
from bn_teach.lessons.shared.runs import digits
from bn_teach.training import TrainingConfig, train_live

SEEDS = range(16)
SHIPPED = Path(__file__).with_name("equinox.json")
MODES = tuple(name for name in FRAMEWORKS if name.startswith("equinox"))


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


def load_equinox():
    """Read what `trained_as` gave for either of Equinox's `MODES`, on every one of `SEEDS`.

    Returns
    -------
    dict of str to numpy.ndarray, shape (16,)

    Examples
    --------
    >>> accuracy = load_equinox()
    >>> bool(accuracy["equinox_batch"].min() > accuracy["equinox_ema"].mean())
    True
    """
    return {name: np.array(values) for name, values in json.loads(SHIPPED.read_text(encoding="utf-8")).items()}
