"""Train as Equinox does, in both of its modes, over 16 seeds, and write equinox.json, for notebook 07 (some minutes).

`python tools/equinox_modes.py`, or with another file to write to.
"""

import json
import sys
from pathlib import Path

import numpy as np

from bn_teach._files import written_whole
from bn_teach.lessons.your_framework.experiment import MODES, SEEDS, SHIPPED, trained_as


def main(path=SHIPPED):
    """Measure both modes, write each in one line, and print mean and spread."""
    entries = []
    for name in MODES:
        values = [round(trained_as(name, seed), 4) + 0.0 for seed in SEEDS]  # + 0.0: no minus zero
        print(f"{name}: {np.mean(values):.2f} +- {np.std(values, ddof=1):.2f}", *np.round(values, 1), flush=True)
        entries.append(f"  {json.dumps(name)}: {json.dumps(values, allow_nan=False)}")
    with written_whole(path) as file:
        file.write(("{\n" + ",\n".join(entries) + "\n}\n").encode())
    print(f"written: {path}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
