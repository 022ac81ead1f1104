"""Measure what a forgotten eval() does, over 16 seeds, and write forgotten_eval.json of notebook 01 (about a minute).

`python tools/forgotten_eval.py`. The notebook quotes the numbers: run the tests afterwards.
"""

import argparse
import json

import numpy as np

from bn_teach._files import written_whole
from bn_teach.data import load_digits
from bn_teach.lessons.two_modes.experiment import FORGOTTEN_FILE, forgotten_eval
from bn_teach.training import TrainingConfig, train

SEEDS = 16


def main(arguments=None):
    """Measure, write, and print mean and standard deviation from seed to seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many, from 0 on; {SEEDS} in the notebook")
    parser.add_argument("--to", default=FORGOTTEN_FILE, metavar="FILE", help="write there instead")
    options = parser.parse_args(arguments)
    runs = [forgotten_eval(train(load_digits(), TrainingConfig(seed=seed))) for seed in range(options.seeds)]
    measured = {name: [round(one[name], 2) for one in runs] for name in runs[0]}
    lines = [f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in measured.items()]
    with written_whole(options.to) as file:
        file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
    for name, values in measured.items():
        print(f"{name}: {np.mean(values):.1f} ± {np.std(values, ddof=min(1, len(values) - 1)):.1f}")


if __name__ == "__main__":
    main()
