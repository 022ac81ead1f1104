"""Measure what notebooks 00 and 04 say over 32 seeds, and write seeds.json (a quarter of an hour).

`python tools/seeds.py` runs every batch size and seed; batch sizes after it: those alone, the rest is kept as it is.
The lesson quotes some of these numbers: run the tests afterwards.
"""

import argparse
import json

from bn_teach._files import written_whole
from bn_teach.lessons.shared.seeds import BATCH_SIZES, FIELDS, SEEDS, SHIPPED, measure

DECIMALS = 2  # percentage points; a validation image is 0.22


def rounded(values):
    """Round the numbers of a nested list."""
    return [rounded(one) for one in values] if isinstance(values, list) else round(values, DECIMALS) + 0.0


def measured(batch_size):
    """Run all seeds of one batch size: rows of accuracies, and entries of what was stopped."""
    rows, stopped = [], {}
    for seed in SEEDS:
        accuracy, kept = measure(batch_size, seed)
        print(f"\rbatch size {batch_size}, seed {seed} ", end="", flush=True)
        rows.append(rounded(accuracy))
        for key, values in kept.items():
            stopped.setdefault(key, []).append(values)
    print()
    entries = []
    for (estimator, momentum, patience), values in stopped.items():
        named = {"batch_size": batch_size, "estimator": estimator, "momentum": momentum, "patience": patience}
        columns = (rounded(list(column)) for column in zip(*values, strict=True))
        entries.append(named | dict(zip(FIELDS, columns, strict=True)))
    return rows, entries


def write(path, accuracy, stopped):
    """Write one run or one entry in a line."""
    short = {"separators": (",", ":")}
    sizes = [
        f'"{m}":[\n' + ",\n".join(json.dumps(row, **short) for row in rows) + "\n]"
        for m, rows in sorted(accuracy.items())
    ]
    entries = [json.dumps(one, **short) for one in stopped]
    text = '{"accuracy":{' + ",\n".join(sizes) + '},\n"stopped":[\n' + ",\n".join(entries) + "\n]}\n"
    with written_whole(path) as file:
        file.write(text.encode())


def main(arguments=None):
    """Measure the batch sizes asked for, keep the others as they are, and write all of it after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, metavar="size", help=f"of {BATCH_SIZES}")
    parser.add_argument("--to", default=SHIPPED, metavar="FILE", help="write there instead")
    options = parser.parse_args(arguments)
    if unknown := set(options.sizes) - set(BATCH_SIZES):
        parser.error(f"no batch size of the lesson: {', '.join(map(str, sorted(unknown)))}")
    held = json.loads(SHIPPED.read_text(encoding="utf-8")) if SHIPPED.exists() else {"accuracy": {}, "stopped": []}
    accuracy, stopped = {int(m): rows for m, rows in held["accuracy"].items()}, held["stopped"]
    for m in options.sizes or BATCH_SIZES:
        accuracy[m], entries = measured(m)
        stopped = [one for one in stopped if one["batch_size"] != m] + entries
        write(options.to, accuracy, stopped)
    print(f"written: {options.to}")


if __name__ == "__main__":
    main()
