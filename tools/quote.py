"""Quote a few rows of docs/benchmarks.md in README, word for word. `make bench` ends with it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What README quotes, by the first column of the table.
QUOTED = (
    "training step, batch size 16: PyTorch / ours",
    "retraining in PyTorch / replay",
    "nine momenta one by one / in one call",
    "warm momentum move in the kernel / bare batch update",
    "a warm move of momentum in the browser / a bare figure",
    "import bn_teach / import numpy",
)
BEFORE, AFTER = "<!-- rows of docs/benchmarks.md, put here by tools/quote.py -->\n", "<!-- end of rows -->\n"


def rows(table):
    """The header of a table of benchmarks, and its rows by their first column."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return lines[:2], {line.split("|")[1].strip(): line for line in lines[2:]}


def quoted(readme, table):
    """README with the rows of the table between its marks."""
    header, found = rows(table)
    chosen = [found[name] for name in QUOTED if name in found]
    start, rest = readme.split(BEFORE)
    _, end = rest.split(AFTER)
    return start + BEFORE + "\n" + "\n".join([*header, *chosen]) + "\n\n" + AFTER + end


def main(root=ROOT):
    """Bring README up to date."""
    readme, table = root / "README.md", root / "docs" / "benchmarks.md"
    if not table.exists():
        sys.exit("There is no docs/benchmarks.md yet: make bench writes it.")
    text = quoted(readme.read_text(encoding="utf-8"), table.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
