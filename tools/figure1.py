"""Measure the race of Figure 1 again and write what notebook 06 shows (about 20 minutes on two cores).

Run it as ``python tools/figure1.py``, or with another folder to write to. ``--fresh`` keeps the race, and measures
again only the fresh seeds on which its choice of learning rates is judged.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from bn_teach._files import write_arrays
from bn_teach.lessons.the_paper.experiment import (
    LOOKS,
    SHIPPED,
    SHIPPED_FRESH,
    WEIGHT_SCALES,
    Race,
    binary_digits,
    fresh_grid,
    grid,
    load_race,
)
from bn_teach.sweep import sweep

COLUMNS = ("weight_scale", "batch_norm", "learning_rate", "seed")


def main(arguments=None):
    """Run the whole grid on all cores, then the fresh seeds, write both, and print what they say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SHIPPED.parent, help="to write to")
    parser.add_argument("--fresh", action="store_true", help="the fresh seeds alone")
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor() as executor:
        run = partial(run_race, executor=executor, progress=lambda done, total: print(f"\r{done}/{total}", end=""))
        race = load_race() if options.fresh else written(run(grid()), options.folder / SHIPPED.name)
        fresh = written(run(fresh_grid(race)), options.folder / SHIPPED_FRESH.name)
    report(race, fresh)


def written(race, path):
    """Write a race, and return it."""
    write_arrays(path, asdict(race))
    print(f"\nwritten: {path}")
    return race


def run_race(configs, *, executor=None, progress=None):
    """Train runs of the race and keep their accuracy curves, as a `Race`."""
    dataset = binary_digits()
    swept = sweep(dataset, configs, (0.9,), estimators=("algorithm2",), executor=executor, progress=progress)
    images = len(dataset.validation_x)
    columns = {name: np.array([getattr(config, name) for config in swept.configs]) for name in COLUMNS}
    correct = np.rint(swept.accuracy[:, 0, 0] * images).astype(np.uint16)
    return Race(**columns, steps=swept.steps, correct=correct, images=images)


def report(race, fresh):
    """Print, for every weight scale, target and way of counting: tuned rates, steps, how many times fewer."""
    for scale in WEIGHT_SCALES:
        for target in (0.90, 0.93):
            for looks in LOOKS:
                (slow, without), (fast, with_norm) = (
                    race.tuned(target, scale, batch_norm=norm, looks=looks) for norm in (False, True)
                )
                print(
                    f"weights {scale}, to {target:.2f}, {looks} in a row: without {np.median(without):g} steps "
                    f"(rate {slow:g}), with {np.median(with_norm):g} (rate {fast:g}), "
                    f"times fewer {spread(race.times_fewer(target, scale, looks=looks))}"
                )
        for looks in LOOKS:
            times = race.times_fewer(0.90, scale, looks=looks, judged=fresh)
            print(f"weights {scale}, to 0.90, {looks} in a row, fresh seeds: times fewer {spread(times)}")


def spread(times):
    """Write the median, and from where to where."""
    return f"{np.median(times):.1f} ({times.min():.1f} to {times.max():.1f})"


if __name__ == "__main__":
    main()
