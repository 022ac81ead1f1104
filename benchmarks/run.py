"""Run all benchmarks, print their table, and write it to docs/benchmarks.md.

Ends with an error if a ratio falls far below its target: by more than noise explains.
"""

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path

import numpy as np
from side_by_side import HEADER, NOISE

MODULES = ("training_step", "replay", "explorer", "sweep", "start", "latency", "page", "torch_recorder")
TABLE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
INTRODUCTION = f"""# Benchmarks

Written by `make bench`. Two things are measured side by side in one run, in turn, and their ratio is reported: the
median and the spread of at least five repetitions. A target is missed *by far*, and `make bench` fails, when the median
is {NOISE:g} times off it.
"""


def machine():
    """Describe what this was measured on."""
    import torch

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, "
        f"NumPy {np.__version__} with {blas['name']} {blas['version']}, PyTorch {torch.__version__}; one BLAS thread."
    )


def processor():
    """Name of the processor, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main(names=MODULES, path=TABLE):
    """Measure, print and write; return 1 if a target is missed by far."""
    results = []
    print(f"{machine()}\n\n{HEADER}")
    for name in names:
        for result in importlib.import_module(name).measure():
            print(result.row(), flush=True)
            results.append(result)
    if path is not None:
        rows = "\n".join(result.row() for result in results)
        path.write_text(f"{INTRODUCTION}\n{machine()}\n\n{HEADER}\n{rows}\n", encoding="utf-8")
    far = [result.name for result in results if result.missed_by_far]
    if far:
        print("Missed by far:", "; ".join(far), file=sys.stderr)
    return 1 if far else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(MODULES)}; then nothing is written")
    chosen = parser.parse_args().names
    sys.exit(main(chosen, None) if chosen else main())
