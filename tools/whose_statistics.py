"""Measure what notebook 08 says over 16 seeds, and write measured.json of its lesson (about a minute).

`python tools/whose_statistics.py`. The notebook quotes the numbers: run the tests afterwards.
"""

import argparse
import json

import numpy as np

from bn_teach._files import written_whole
from bn_teach.lessons.whose_statistics.changed import AMOUNTS
from bn_teach.lessons.whose_statistics.measured import (
    ALL,
    SEEDS,
    SETTINGS,
    SHIPPED,
    on_the_bench,
    with_other_weights,
)

DECIMALS = 2  # percentage points; a validation image is 0.22


def rounded(values):
    """Round the numbers of all seeds."""
    return [round(float(value), DECIMALS) + 0.0 for value in values]


def measured(seeds):
    """Rows of both tables: what was done, and an accuracy for each seed."""
    columns = np.array([on_the_bench(seed) for seed in seeds])
    bench = [
        [camera, classes, n, "all" if N == ALL else N, rounded(column)]
        for (camera, classes, n, N), column in zip(SETTINGS, columns.T, strict=True)
    ]
    changed = []
    for change, amounts in AMOUNTS.items():
        runs = [with_other_weights(seed, change, amounts) for seed in seeds]
        for amount, by_seed in zip(amounts, zip(*runs, strict=True), strict=True):
            changed += [[change, amount, name, rounded(one[name] for one in by_seed)] for name in by_seed[0]]
    return {"bench": bench, "changed": changed}


def main(arguments=None):
    """Measure, and write one row in a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help=f"how many, from 0 on; {len(SEEDS)} are shipped")
    parser.add_argument("--to", default=SHIPPED, metavar="FILE", help="write there instead")
    options = parser.parse_args(arguments)
    tables = [
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]"
        for name, rows in measured(range(options.seeds)).items()
    ]
    with written_whole(options.to) as file:
        file.write(("{" + ",\n".join(tables) + "}\n").encode())
    print(f"written: {options.to}")


if __name__ == "__main__":
    main()
