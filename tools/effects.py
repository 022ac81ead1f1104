"""Measure how large the effects of the clinic are, and write effects.json (a few minutes for all).

`python tools/effects.py` measures every case and its twist; names of cases after it: those alone, and what was never
measured. Over the seeds of last time, a new one over 16; `--seeds 32` takes 32. The lesson quotes some of
these numbers: run the tests afterwards.
"""

import argparse
import json
from dataclasses import asdict, replace

from bn_teach._files import written_whole
from bn_teach.lessons.clinic.cases import CASES
from bn_teach.lessons.clinic.experiment import EFFECTS_FILE
from bn_teach.lessons.clinic.picture import clinic_table

SEEDS = 16
DECIMALS = 4


def experiments(cases):
    """Name to `Experiment`, for cases by name: each, and its twist after it."""
    found = {}
    for name in cases:
        found[name] = CASES[name].experiment
        if CASES[name].twist:
            found[f"{name}, twist"] = CASES[name].twist.experiment
    return found


def measured(experiment, seeds):
    """Return the experiment with an effect that is measured now, over `seeds` seeds (None: as many as last time)."""
    last_time = len(experiment.effect.seeds) if experiment.effect else SEEDS
    effect = experiment.measure(range(seeds or last_time))
    before, after = (tuple(round(value, DECIMALS) + 0.0 for value in side) for side in (effect.before, effect.after))
    return replace(experiment, effect=replace(effect, before=before, after=after))  # + 0.0: no minus zero


def write(path, effects):
    """Write effects by name, each list in one line."""
    entries = []
    for name, effect in effects.items():
        lists = [f"    {json.dumps(key)}: {json.dumps(one, allow_nan=False)}" for key, one in asdict(effect).items()]
        entries.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(lists) + "\n  }")
    with written_whole(path) as file:
        file.write(("{\n" + ",\n".join(entries) + "\n}\n").encode())


def main(arguments=None):
    """Measure what is asked for, keep the rest as it is, write all of it, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}")
    parser.add_argument("--seeds", type=int, help=f"how many, instead of as many as last time; {SEEDS} or more")
    parser.add_argument("--to", default=EFFECTS_FILE, metavar="FILE", help="write there instead")
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no case is called {', '.join(sorted(unknown))}")
    if options.seeds is not None and options.seeds < SEEDS:
        parser.error(f"a spread needs {SEEDS} seeds or more")
    everything, asked = experiments(CASES), experiments(options.cases or CASES)
    new = {}
    for name, experiment in everything.items():
        if name in asked or experiment.effect is None:
            print(name, flush=True)
            new[name] = measured(experiment, options.seeds)
    write(options.to, {name: experiment.effect for name, experiment in (everything | new).items()})
    print(f"written: {options.to}\n\n{clinic_table(new)}")


if __name__ == "__main__":
    main()
