"""What the bench and changed weights come to over 16 networks: measured, shipped, and run live for a few others.

``python tools/whose_statistics.py`` writes measured.json.
"""

import json
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from bn_teach.lessons.shared.runs import digits
from bn_teach.lessons.whose_statistics.changed import AMOUNTS, CONFIGS, change_weights
from bn_teach.lessons.whose_statistics.experiment import CORRUPTIONS, bench
from bn_teach.training import TrainingConfig, train

SHIPPED = Path(__file__).with_name("measured.json")
SEEDS = tuple(range(16))
NOW = (100, 101)
"""Seeds that are run live: none of the shipped ones."""

ALL = math.inf
MIXTURES = (0, 4, 16, 64, 256, ALL)
SIZES = (1, 2, 4, 8, 16, 64, 449)
SETTINGS = tuple(
    dict.fromkeys(  # each once
        (
            *((camera, classes, 16, N) for camera in CORRUPTIONS for classes in (None, 1) for N in MIXTURES),
            *((camera, None, 1, N) for camera in ("none", "mist") for N in (0, 1, *MIXTURES[1:])),
            *((camera, None, n, 0) for camera in ("none", "mist") for n in SIZES),
            *(("none", classes, 20, 0) for classes in (1, 2, 5, None)),
        )
    )
)
"""What is measured on the bench: corruption, classes in a test batch (None: all), n, N."""


def on_the_bench(seed, settings=SETTINGS):
    """Accuracy in per cent of one network in each of the settings; the seed decides who is in which test batch too."""
    tried = bench(train(digits(), TrainingConfig(seed=seed)))  # nobody looks at it again: not remembered
    return [
        100 * tried.accuracy(N, n, corruption=camera, classes=classes, seed=seed) for camera, classes, n, N in settings
    ]


def with_other_weights(seed, change, amounts=None):
    """Accuracy in per cent of one network with its weights changed: a dict by statistics for each amount."""
    recording = train(digits(), replace(CONFIGS[change], seed=seed))
    return [changed.accuracy for changed in change_weights(recording, change, amounts)]


@dataclass(frozen=True, eq=False)
class Measured:
    """The shipped measurement, in per cent, one number for each of 16 seeds.

    Attributes
    ----------
    settings : dict of (corruption, classes, n, N) to numpy.ndarray, shape (16,)
    changes : dict of (change, amount, statistics) to numpy.ndarray, shape (16,)
    """

    settings: dict
    changes: dict

    def bench(self, N, n, *, corruption="none", classes=None):
        """Accuracies on the bench, shape (16,); as `Bench.accuracy`, of `SETTINGS`."""
        return self.settings[corruption, classes, n, N]


def mixtures_table(measured, *, classes=None):
    """Write how many per cent are read rightly by every camera and N, in test batches of 16: means over the networks.

    The best N of each camera has a star.

    Returns
    -------
    str
    """
    lines = [f"{'N':<15}" + "".join(f"{'all' if N == ALL else N:>7} " for N in MIXTURES)]
    for camera in CORRUPTIONS:
        means = [measured.bench(N, 16, corruption=camera, classes=classes).mean() for N in MIXTURES]
        cells = (f"{mean:7.1f}{'*' if mean == max(means) else ' '}" for mean in means)
        lines.append(f"{'as in training' if camera == 'none' else camera:<15}" + "".join(cells))
    return "\n".join(line.rstrip() for line in lines)


def changes_table(measured, change, statistics, amounts=None):
    """Write how many per cent changed weights read rightly, by statistics: mean ± standard deviation of the networks.

    Parameters
    ----------
    measured : Measured
    change : str
    statistics : sequence of str
        As in `Changed`.
    amounts : sequence of int, optional
        Default: all of the change.

    Returns
    -------
    str
    """
    lines = [f"{change:<8}" + "".join(f"{name:>13}" for name in statistics)]
    for amount in amounts or AMOUNTS[change]:
        held = (measured.changes[change, amount, name] for name in statistics)
        lines.append(f"{amount:<8}" + "".join(f"{f'{one.mean():.1f} ± {one.std(ddof=1):.1f}':>13}" for one in held))
    return "\n".join(lines)


@lru_cache(maxsize=1)
def load_measured(path=SHIPPED):
    """Load what `python tools/whose_statistics.py` measured."""
    held = json.loads(Path(path).read_text(encoding="utf-8"))
    settings = {
        (camera, classes, n, ALL if N == "all" else N): np.array(values)
        for camera, classes, n, N, values in held["bench"]
    }
    if set(settings) != set(SETTINGS):
        raise ValueError(f"{SHIPPED.name} was measured in other settings: run python tools/whose_statistics.py")
    changes = {(change, amount, name): np.array(values) for change, amount, name, values in held["changed"]}
    return Measured(settings, changes)
