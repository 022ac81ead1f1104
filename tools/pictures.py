"""Leave in every notebook what there is to see where nothing runs: pictures of explorers, words of questions.

`make pictures` photographs every explorer in a real browser, as Run All leaves it: notebooks/images/<notebook>.png,
<notebook>_2.png and so on, stamped so that nobody takes them for sliders, and momentum_explorer.png for README, without
a stamp. Into the notebooks it writes what each `Prediction` asks. Names of notebooks after it: those alone.
"""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

import nbformat  # noqa: E402
from lab import Lab, LabServer, find_browser  # noqa: E402 - the harness of the browser tests
from PIL import Image  # noqa: E402

from bn_teach import Prediction  # noqa: E402

FOLDER = ROOT / "notebooks"
IMAGES = FOLDER / "images"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("[0-9]*.ipynb"))
LARGEST = 150_000  # bytes; a reader downloads one with every notebook
ACROSS, DOWN = 8, 4  # pixels of the page around an explorer

# Pictures beside those of the notebooks: name to notebook and to what is done there first.
OTHERS = {"momentum_explorer": ("00_start_here", "explorer.controls['momentum'].value = 0.99")}

# In the kernel: everything on display, and the numbers of what has a picture.
FIND = """
shown = [value for _, value in sorted(Out.items()) if hasattr(value, 'view')]
print(*(i for i, one in enumerate(shown) if hasattr(one, 'figure')))
"""

# In the page: whether a plot has a line with points.
DRAWN = "(plot) => plot.data.some((trace) => trace.y?.length > 0)"

# A photograph is paler than what it shows, and says above it what it is.
STAMP = """
.bn-teach { padding-top: 40px; }
.bn-teach > * { opacity: 0.75; filter: saturate(0.8); }
.bn-teach::after {
  content: "PICTURE"; position: absolute; top: 4px; right: 12px; padding: 0 14px; transform: rotate(-3deg);
  border: 3px double #6b4a8a; border-radius: 6px; color: #6b4a8a; font: bold 20px sans-serif; letter-spacing: 4px;
}
"""
CLEAN = "/* no stamp */"


def photograph(notebook, number, name, change="", stamp=STAMP, settle=1500):
    """Bring what is on display to a setting, and save it as notebooks/images/<name>.png."""
    notebook.show(number)
    notebook.kernel(f"explorer = shown[{number}]\n{change}\ngetattr(explorer, 'wait', bool)()")
    one = notebook.explorer.nth(number)
    one.locator(".js-plotly-plot .main-svg").first.wait_for()
    notebook.wait_for(lambda: one.locator(".js-plotly-plot").evaluate(DRAWN), what=f"{name}: the lines are drawn")
    held = ""
    while (drawn := one.inner_html()) != held:  # until nothing moves any more
        held = drawn
        notebook.page.wait_for_timeout(settle)
    style = notebook.page.add_style_tag(content=stamp)
    one.scroll_into_view_if_needed()
    box = one.bounding_box()
    clip = {"x": box["x"] - ACROSS, "y": box["y"] - DOWN}
    clip |= {"width": box["width"] + 2 * ACROSS, "height": box["height"] + 2 * DOWN}
    path = IMAGES / f"{name}.png"
    notebook.page.screenshot(path=path, clip=clip)
    style.evaluate("(style) => style.remove()")
    if path.stat().st_size > LARGEST:  # fewer colours, which thin pale lines of many colours would suffer from
        with Image.open(path) as image:
            few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB", flush=True)
    return path


def words(source):
    """The outputs that a cell with a question is saved with: what it asks."""
    asked = Prediction(re.search(r'\bPrediction\("([\w-]+)"\)', source)[1]).words()
    return [nbformat.v4.new_output("display_data", {"text/markdown": asked})]


def write_words(path):
    """Save a notebook with the words of its questions, in cells that count as run: nbval wants both or neither."""
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        if "Prediction(" in cell.source:
            cell.outputs, cell.execution_count = words(cell.source), number
    nbformat.write(notebook, path)


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
                lab = Lab(chromium, server, width=1366, height=1300)
                notebook = lab.open(f"{name}.ipynb")
                notebook.run_all()
                assert notebook.errors() == [], notebook.errors()
                numbers = [int(number) for number in notebook.kernel(FIND).split()]
                for nth, number in enumerate(numbers, start=1):
                    paths.append(photograph(notebook, number, name if nth == 1 else f"{name}_{nth}"))
                for other, (where, change) in OTHERS.items():
                    if where == name:
                        paths.append(photograph(notebook, numbers[0], other, change, stamp=CLEAN))
                lab.close()
                write_words(FOLDER / f"{name}.ipynb")
            chromium.close()
        finally:
            server.stop()
    large = [path.name for path in paths if path.stat().st_size > LARGEST]
    if large:
        print(f"Larger than {LARGEST / 1000:.0f} kB:", *large, file=sys.stderr)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
