"""Give the repository its address: `make address TO=owner/name`.

The address stands in pyproject.toml, under `[project.urls]`, and every link to Binder opens a notebook from there.
While there is none, these links lead to Binder's own form, and say what to paste into it.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HELD = r"[A-Za-z0-9](?:[\w.-]*)"
FILE = r"([\w./-]+)"
BINDER = "](https://mybinder.org/{})"
ONE_CLICK = BINDER.format("v2/gh/{}/HEAD?urlpath=lab/tree/{}")
FORM = BINDER.format("") + " (paste there the address of this repository, and the file `{}`)"
# A link, as it is with an address or without.
LINK = re.compile(
    "|".join(re.escape(form).replace(r"\{\}", "{}") for form in (ONE_CLICK, FORM)).format(".*?", FILE, FILE)
)
URLS = re.compile(r'(?<=^\[project\.urls\]\n)(Repository = "https://github\.com/.*"\n)?', re.MULTILINE)


def address(root=ROOT):
    """The owner and the name of the repository, as pyproject.toml has them; None while it has no address."""
    urls = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    return urls["Repository"].removeprefix("https://github.com/") if urls else None


def link(file, to):
    """The end of a Markdown link that opens a file on Binder, from the bracket on."""
    return ONE_CLICK.format(to, file) if to else FORM.format(file)


def files(root=ROOT):
    """Every file that may link to the repository."""
    return [
        root / "pyproject.toml",
        *sorted(root.glob("*.md")),
        *sorted(root.glob("docs/*.md")),
        *sorted(root.glob("notebooks/*.ipynb")),
    ]


def readdress(to, root=ROOT):
    """Write an address into every link, or take it out again if it is None; return the files that changed."""
    if to is not None and not re.fullmatch(rf"{HELD}/{HELD}", to):
        raise ValueError(f"An address has the form owner/name, got {to!r}.")
    changed = []
    for path in files(root):
        text = path.read_bytes().decode("utf-8")
        after = LINK.sub(lambda found: link(found[1] or found[2], to), text)
        if path.name == "pyproject.toml":
            after = URLS.sub(f'Repository = "https://github.com/{to}"\n' if to else "", after)
        if after != text:
            path.write_bytes(after.encode("utf-8"))
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"The address is {address() or 'not known yet'}. To change it: make address TO=owner/name")
    try:
        found = readdress(sys.argv[1])
    except ValueError as error:
        sys.exit(str(error))
    print(*(path.relative_to(ROOT) for path in found), sep="\n")
