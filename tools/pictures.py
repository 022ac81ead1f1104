"""Photograph the explorers in a real browser, for README and for the places that show no widgets.

`make pictures` writes notebooks/images/<notebook>.png, the first explorer of each notebook as Run All leaves it, and
notebooks/images/momentum_explorer.png. Names of notebooks after it: those alone.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from lab import Lab, LabServer, find_browser  # noqa: E402 - the harness of the browser tests

IMAGES = ROOT / "notebooks" / "images"
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
LARGEST = 150_000  # bytes; a reader downloads one with every notebook
ACROSS, DOWN = 8, 4  # pixels of the page around an explorer

# Pictures beside those of the notebooks: name to notebook and to what is done there first.
OTHERS = {"momentum_explorer": ("00_start_here", "explorer.controls['momentum'].value = 0.99")}

# In the kernel: the first thing on display with a picture, and its number among those without one.
FIND = """
shown = [value for _, value in sorted(Out.items()) if hasattr(value, 'view')]
number, explorer = next((i, one) for i, one in enumerate(shown) if hasattr(one, 'figure'))
getattr(explorer, 'wait', bool)()
print(number)
"""


def photograph(notebook, name, change="", settle=1500):
    """Bring the notebook's first explorer to a setting, and save it as notebooks/images/<name>.png."""
    number = int(notebook.kernel(FIND))
    notebook.show(number)
    if change:
        notebook.kernel(f"{change}\ngetattr(explorer, 'wait', bool)()")
    picture = notebook.explorer.nth(number).locator(".js-plotly-plot .main-svg").first
    picture.wait_for()
    held = ""
    while (drawn := notebook.explorer.nth(number).inner_html()) != held:  # until nothing moves any more
        held = drawn
        notebook.page.wait_for_timeout(settle)
    box = notebook.explorer.nth(number).bounding_box()
    clip = {"x": box["x"] - ACROSS, "y": box["y"] - DOWN}
    clip |= {"width": box["width"] + 2 * ACROSS, "height": box["height"] + 2 * DOWN}
    path = IMAGES / f"{name}.png"
    notebook.page.screenshot(path=path, clip=clip)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB", flush=True)
    return path


def main(names):
    """Photograph each notebook named (all, if none is); return 1 if a picture is too large."""
    from playwright.sync_api import sync_playwright

    browser = find_browser()
    if browser is None:
        sys.exit("This needs chromium or google-chrome.")
    paths = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = LabServer(folder)
        try:
            server.start()
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
            for name in names or NOTEBOOKS:
                lab = Lab(chromium, server, width=1366, height=1000)
                notebook = lab.open(f"{name}.ipynb")
                notebook.run_all()
                assert notebook.errors() == [], notebook.errors()
                paths.append(photograph(notebook, name))
                for other, (where, change) in OTHERS.items():
                    if where == name:
                        paths.append(photograph(notebook, other, change))
                lab.close()
            chromium.close()
        finally:
            server.stop()
    large = [path.name for path in paths if path.stat().st_size > LARGEST]
    if large:
        print(f"Larger than {LARGEST / 1000:.0f} kB:", *large, file=sys.stderr)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
