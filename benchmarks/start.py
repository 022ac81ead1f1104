"""How long until there is something: `import bn_teach` against `import numpy`, and the first notebook's first picture.

The first picture is there when the page holds a plot in which data are drawn: a trace that has points, and its marks
or lines on the screen. The clock starts with Run All in an open notebook whose kernel is idle and has run nothing, in a
JupyterLab that has shown notebooks before. The same in a notebook whose only cell shows one bare FigureWidget. And on
half a core, where server and kernel share one with a busy process: the first notebook, against the same with nbformat
imported before all else, as plotly would do.

Modules are compiled before the clock runs, as on any machine where they were used before.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import Ratio, ratio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from lab import Lab, LabServer, Notebook, find_browser, write_notebook

REPETITIONS = 5
FIRST = "00_start_here.ipynb"
BROWSER = ["--no-sandbox", "--disable-gpu"]
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

_OPEN = """async (path) => { await window.jupyterapp.commands.execute('docmanager:open', { path }); }"""
_CLOSE = """async (name) => {
    [...window.jupyterapp.shell.widgets('main')].find((widget) => widget.context?.path === name).dispose();
    await window.jupyterapp.serviceManager.sessions.shutdownAll();
}"""


@contextlib.contextmanager
def half_a_core():
    """Let what is started meanwhile share one processor with a process that never rests. (Linux has a call for it.)"""
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_cores)})
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_cores)
        busy.kill()
        busy.wait()


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


def first_picture(lab, name):
    """Open a notebook with a new kernel in a window of JupyterLab; seconds from Run All to the picture."""
    notebook = Notebook(lab, f"notebooks/{name}")
    lab.page.evaluate(_OPEN, notebook.name)
    notebook.wait_ready()
    seconds = lab.page.evaluate(_UNTIL_DRAWN, notebook.name)
    lab.page.evaluate(_CLOSE, notebook.name)
    return seconds


def write_notebooks(folder):
    """Write one bare FigureWidget, and the first notebook with nbformat imported before all else."""
    write_notebook(folder / "bare.ipynb", BARE)
    notebook = json.loads((folder / FIRST).read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell["source"] = ["import nbformat\n", *cell["source"]]
    (folder / "nbformat_first.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def pictures(first, second, share=contextlib.nullcontext, repetitions=REPETITIONS):
    """Return seconds to the first picture of two notebooks, in turn, after one to warm up.

    `share` is around the server as long as it runs.
    """
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=find_browser(), args=BROWSER)) as browser,
        share(),
    ):
        server = LabServer(folder)
        try:
            lab = Lab(browser, server.start())
            write_notebooks(server.root)
            lab.page.goto(server.address(""))
            lab.page.wait_for_function("() => window.jupyterapp?.shell.isVisible")
            first_picture(lab, first)
            times = [[first_picture(lab, name) for name in (first, second)] for _ in range(repetitions)]
            lab.close()
        finally:
            server.stop()
    return times


def waiting(name, *arguments, target):
    """Return the ratio of two notebooks' first pictures."""
    return Ratio(name, tuple(ours / other for ours, other in pictures(*arguments)), target, at_least=False)


def measure():
    """Return the ratios."""
    fresh = {"at_least": False, "clock": time.perf_counter}
    with compiled_once():
        return [
            ratio("import bn_teach / import numpy", importing("bn_teach"), importing("numpy"), 1.3, **fresh),
            ratio(
                "import bn_teach.training / import numpy",
                importing("bn_teach.training"),
                importing("numpy"),
                1.5,
                **fresh,
            ),
            waiting(
                "Run All to the first picture: notebook 00 / one bare FigureWidget", FIRST, "bare.ipynb", target=1.5
            ),
            waiting(
                "the same on half a core: notebook 00 / the same with nbformat imported first",
                *(FIRST, "nbformat_first.ipynb", half_a_core),
                target=0.5,
            ),
        ]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
