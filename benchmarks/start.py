"""How long until there is something: `import bn_teach` against `import numpy`, and the first notebook's first picture.

The first picture is there when the page holds a plot in which data are drawn: a trace that has points, and its marks
or lines on the screen. The clock starts with Run All in an open notebook whose kernel is idle and has run nothing. The
same in a notebook whose only cell shows one bare FigureWidget. Modules are compiled before the clock runs, as on any
machine where they were used before.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import Ratio, ratio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from lab import Lab, LabServer, find_browser, write_notebook

REPETITIONS = 5
BARE = """import plotly.graph_objects as go

go.FigureWidget(go.Scatter(y=[1, 3, 2]))"""

# Run All leaves a notebook scrolled to its end, where nothing above is drawn: so scroll back, as a learner does.
_UNTIL_DRAWN = """async (name) => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 10));
    const { content } = [...window.jupyterapp.shell.widgets('main')].find((widget) => widget.context?.path === name);
    const first = content.widgets.findIndex((cell) => cell.model.type === 'code');
    const drawn = () => [...document.querySelectorAll('.js-plotly-plot')].some((plot) =>
        (plot._fullData ?? []).some((trace) => trace.y?.length > 0)
        && plot.querySelector('.scatterlayer .js-line[d], .scatterlayer .point[d]'));
    if (drawn()) throw new Error('there is a picture already');
    const start = performance.now();
    window.jupyterapp.commands.execute('notebook:run-all-cells');
    for (let tick = 0; !drawn(); tick++) {
        if (performance.now() - start > 60_000) throw new Error('no picture after 60 seconds');
        if (tick % 20 === 0) await content.scrollToItem(first, 'start');
        await pause();
    }
    return (performance.now() - start) / 1000;
}"""


@contextlib.contextmanager
def compiled_once():
    """Let what is started meanwhile keep its compiled modules, in a folder of its own."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def importing(module):
    """Return a function that imports a module in a fresh interpreter."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def first_picture(browser, server, name):
    """Open a notebook in a window of its own, with a new kernel; seconds from Run All to the first picture."""
    lab = Lab(browser, server)
    try:
        notebook = lab.open(name)
        seconds = notebook.page.evaluate(_UNTIL_DRAWN, notebook.name)
        notebook.wait_idle()
        lab.check()
        return seconds
    finally:
        lab.close()


def pictures(repetitions=REPETITIONS):
    """Return (ours, bare): seconds to the first picture, in turn, after one of each to warm up."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = LabServer(folder)
        try:
            server.start()
            write_notebook(server.root / "bare.ipynb", BARE)
            with sync_playwright() as playwright:
                options = {"executable_path": find_browser(), "args": ["--no-sandbox", "--disable-gpu"]}
                browser = playwright.chromium.launch(**options)
                times = [
                    [first_picture(browser, server, name) for name in ("00_start_here.ipynb", "bare.ipynb")]
                    for _ in range(repetitions + 1)
                ]
                browser.close()
        finally:
            server.stop()
    return times[1:]


def measure():
    """Return the ratios."""
    fresh = {"at_least": False, "clock": time.perf_counter}
    with compiled_once():
        imports = [
            ratio("import bn_teach / import numpy", importing("bn_teach"), importing("numpy"), 1.3, **fresh),
            ratio(
                "import bn_teach.training / import numpy",
                importing("bn_teach.training"),
                importing("numpy"),
                1.5,
                **fresh,
            ),
        ]
        times = pictures()
    name = "Run All to the first picture: notebook 00 / one bare FigureWidget"
    return [*imports, Ratio(name, tuple(ours / bare for ours, bare in times), 1.5, at_least=False)]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
