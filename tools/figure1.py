"""Measure the race of Figure 1 again and write what notebook 06 shows (10 to 15 minutes on two cores).

Run it as ``python tools/figure1.py``, or with another path to write to.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bn_teach._files import write_arrays
from bn_teach.lessons.the_paper.experiment import SHIPPED, WEIGHT_SCALES, Race, binary_digits, grid
from bn_teach.sweep import sweep

COLUMNS = ("weight_scale", "batch_norm", "learning_rate", "seed")


def main(path=SHIPPED):
    """Run the whole grid on all cores, write it, and print what it says."""
    with ProcessPoolExecutor() as executor:
        race = run_race(grid(), executor=executor, progress=lambda done, total: print(f"\r{done}/{total}", end=""))
    write_arrays(path, asdict(race))
    print(f"\nwritten: {path}")
    report(race)


def run_race(configs, *, executor=None, progress=None):
    """Train runs of the race and keep their accuracy curves, as a `Race`."""
    dataset = binary_digits()
    swept = sweep(dataset, configs, (0.9,), estimators=("algorithm2",), executor=executor, progress=progress)
    images = len(dataset.validation_x)
    columns = {name: np.array([getattr(config, name) for config in swept.configs]) for name in COLUMNS}
    correct = np.rint(swept.accuracy[:, 0, 0] * images).astype(np.uint16)
    return Race(**columns, steps=swept.steps, correct=correct, images=images)


def report(race):
    """Print, for every weight scale and target, the tuned rates, the steps, and how many times fewer."""
    for scale in WEIGHT_SCALES:
        for target in (0.90, 0.93):
            (slow, without), (fast, with_norm) = (race.tuned(target, scale, batch_norm=b) for b in (False, True))
            times = race.times_fewer(target, scale)
            print(
                f"weights {scale}, to {target:.2f}: without {np.median(without):g} steps (rate {slow:g}), "
                f"with {np.median(with_norm):g} (rate {fast:g}), times fewer {np.median(times):.1f} "
                f"({times.min():.1f} to {times.max():.1f})"
            )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
