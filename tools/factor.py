"""Measure what m/(m-1) does in each layer, over 16 seeds, and write factor.json of notebook 02 (two minutes).

`python tools/factor.py` measures everything anew. Notebook 02 quotes the numbers: run its tests afterwards.
"""

import json
import sys

from bn_teach._files import written_whole
from bn_teach.lessons.samples_and_population.factor import FILE, SEEDS, SIZES, measure

DECIMALS = 4


def main(path=FILE, sizes=SIZES, seeds=SEEDS):
    """Measure, and write one list for each number: a value for every seed."""
    found = {}
    for m in sizes:
        print("batch size", m, flush=True)
        rows = [measure(m, seed) for seed in range(seeds)]
        found[m] = {name: [round(row[name], DECIMALS) for row in rows] for name in rows[0]}
    entries = []
    for m, by_name in found.items():
        lists = [f"    {json.dumps(name)}: {json.dumps(values)}" for name, values in by_name.items()]
        entries.append(f'  "{m}": {{\n' + ",\n".join(lists) + "\n  }")
    with written_whole(path) as file:
        file.write(("{\n" + ",\n".join(entries) + "\n}\n").encode())


if __name__ == "__main__":
    main(*sys.argv[1:2])
