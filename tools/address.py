"""Give the repository its address: `make address TO=owner/name`.

The address stands in pyproject.toml, under `[project.urls]`. Links to Binder and to the repository, in notebooks and
in Markdown, follow it.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What stands before the address in a link.
BEFORE = ("https://github.com/", "https://mybinder.org/v2/gh/", "repo=https%3A%2F%2Fgithub.com%2F")
HELD = r"[A-Za-z0-9](?:[\w.-]*)"


def address(root=ROOT):
    """The owner and the name of the repository, as pyproject.toml has them."""
    urls = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    return urls["Repository"].removeprefix("https://github.com/")


def files(root=ROOT):
    """Every file that may link to the repository."""
    return [
        root / "pyproject.toml",
        *sorted(root.glob("*.md")),
        *sorted(root.glob("docs/*.md")),
        *sorted(root.glob("notebooks/*.ipynb")),
    ]


def readdress(to, root=ROOT):
    """Write the new address wherever the present one stands; return the files that changed."""
    if not re.fullmatch(rf"{HELD}/{HELD}", to):
        raise ValueError(f"An address has the form owner/name, got {to!r}.")
    old, new = address(root), to
    changed = []
    for path in files(root):
        text = path.read_bytes().decode("utf-8")
        after = text
        for before in BEFORE:
            written = [one.replace("/", "%2F") if "%2F" in before else one for one in (old, new)]
            after = re.sub(rf"{re.escape(before + written[0])}(?![\w-])", before + written[1], after)
        if after != text:
            path.write_bytes(after.encode("utf-8"))
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"The address is {address()}. To change it: make address TO=owner/name")
    try:
        found = readdress(sys.argv[1])
    except ValueError as error:
        sys.exit(str(error))
    print(*(path.relative_to(ROOT) for path in found), sep="\n")
