"""Measure what notebook 09 says of training that reads its averages, over 16 seeds, and write reads.json.

`python tools/reads.py` takes five minutes. Words after it: what has one of them in its name, the rest is kept as it is.
The notebook quotes the numbers: run the tests afterwards.
"""

import argparse
import json

import numpy as np

from bn_teach._files import written_whole
from bn_teach.lessons.when_training_reads.tables import MEASUREMENTS, SEEDS, SHIPPED

DECIMALS = 2  # percentage points; a validation image is 0.22


def measured(name, seeds):
    """All seeds of one measurement: a list, or one for each of its numbers."""
    rows = [MEASUREMENTS[name](seed=seed) for seed in seeds]
    if isinstance(rows[0], dict):
        return {key: [round(row[key], DECIMALS) for row in rows] for key in rows[0]}
    return [round(row, DECIMALS) for row in rows]


def main(arguments=None):
    """Measure, write each in a line, and print mean and standard deviation from seed to seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="word", help="measure what has one of them in its name")
    parser.add_argument(
        "--seeds", type=int, default=len(SEEDS), help=f"how many, from 0 on; {len(SEEDS)} in the notebook"
    )
    parser.add_argument("--to", default=SHIPPED, metavar="FILE", help="write there instead")
    options = parser.parse_args(arguments)
    found = json.loads(SHIPPED.read_text(encoding="utf-8")) if options.words and SHIPPED.exists() else {}
    for name in MEASUREMENTS:
        if name not in found or any(word in name for word in options.words):
            found[name] = measured(name, range(options.seeds))
            values = found[name] if isinstance(found[name], dict) else {"": found[name]}
            shown = (f"{key} {np.mean(one):.1f} ± {np.std(one, ddof=1):.1f}" for key, one in values.items())
            print(f"{name}: {'; '.join(shown)}", flush=True)
    lines = [f"  {json.dumps(name)}: {json.dumps(found[name], allow_nan=False)}" for name in MEASUREMENTS]
    with written_whole(options.to) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
    print(f"written: {options.to}")


if __name__ == "__main__":
    main()
