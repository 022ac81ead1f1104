"""The memory of a notebook's process: after Run All, with all made ahead, and while every explorer is moved 200 times.

Without PyTorch, which takes 200 MB by itself, is no dependency, and is not on Binder. Linux only. Ends with an error
if a process comes to hold more than 400 MB, or still grows at the end.
"""

import json
import random
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted((FOLDER.parent / "notebooks").glob("*.ipynb"))
MOVES, LIMIT, GROWTH = 200, 400, 1.2

IN_THE_KERNEL = """
import sys
sys.path.insert(0, {folder!r})
import memory
print(memory.moved({moves}))
"""


def resident():
    """Megabytes of physical memory that this process holds."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def moved(moves):
    """Move every explorer of this process `moves` times; return the memory before and after each quarter, as JSON."""
    from moves import explorers, move

    found, rng, held = explorers(), random.Random(0), [resident()]
    for explorer in found:
        make_ahead(explorer)
    held.append(resident())
    for _ in range(4):
        for explorer in found:
            for _ in range(moves // 4):
                move(explorer, rng)
                explorer.wait()
        held.append(resident())
    return json.dumps({"explorers": [type(one).__name__ for one in found], "held": held})


def make_ahead(explorer):
    """Make all that both sliders can reach, now and on this thread: else it would wait until no cell runs."""
    from bn_teach.lessons.shared import idle

    idle.at_rest = lambda: True
    explorer.wait()
    while (piece := getattr(explorer, "_next_piece", lambda: None)()) is not None:
        piece()


def measure(path, moves=MOVES):
    """Run a notebook, move its explorers, and return what `moved` says."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    code = IN_THE_KERNEL.format(folder=str(FOLDER), moves=moves)
    notebook.cells.insert(
        0, nbformat.v4.new_code_cell("import sys\nsys.modules['torch'] = None  # as if not installed")
    )
    notebook.cells.append(nbformat.v4.new_code_cell(code))
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(path.parent)}}).execute()
    return json.loads(notebook.cells[-1].outputs[-1]["text"])


def main(*names):
    """Measure the notebooks named, or all."""
    print("| notebook | explorers | MB after Run All | all made ahead, after 50, 100, 150, 200 moves | within 400 MB |")
    print("|---|---|---|---|---|")
    missed = False
    for path in NOTEBOOKS:
        if names and path.stem not in names:
            continue
        found = measure(path)
        first, *later = found["held"]
        fine = max(later) <= LIMIT and max(later[2:]) <= GROWTH * max(later[:2])
        missed |= not fine
        print(
            f"| {path.stem} | {', '.join(found['explorers'])} | {first:.0f} | {', '.join(f'{mb:.0f}' for mb in later)} "
            f"| {'yes' if fine else 'no'} |",
            flush=True,
        )
    return missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
