"""Measure the race of Figure 1 again and write bn_teach/figure1.npz (10 to 15 minutes on two cores).

Run it as ``python benchmarks/figure1.py``, or with another path to write to.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import bn_teach
from bn_teach.paper import WEIGHT_SCALES, grid, load_race, run_race, save_race

SHIPPED = Path(bn_teach.__file__).with_name("figure1.npz")


def main(path=SHIPPED):
    """Run the whole grid on all cores, write it, and print what it says."""
    with ProcessPoolExecutor() as executor:
        race = run_race(grid(), executor=executor, progress=lambda done, total: print(f"\r{done}/{total}", end=""))
    save_race(path, race)
    print(f"\nwritten: {path}")
    report(load_race(path))


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
