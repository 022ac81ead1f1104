"""From a key on the momentum slider to the picture redrawn, in a real browser: ours against a bare figure that echoes.

Both stand in one notebook in one JupyterLab and are moved in turn. The bare one has the same traces and layout, a
slider of the same kind, and a callback that puts arrays which are there already into the traces that momentum changes,
in one `batch_update`. Ours is warm: every momentum was replayed before.
"""

import sys
import tempfile
from pathlib import Path

from side_by_side import Ratio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

TARGET = 1.3

OURS = """
from bn_teach import MomentumExplorer

explorer = MomentumExplorer()
explorer.wait()
explorer
"""
BARE = """
import ipywidgets
import numpy as np
import plotly.graph_objects as go

slider = explorer.controls["momentum"]
traces = {}
for _, p in slider.options:
    slider.value = p
    traces[p] = [np.array(trace.y) for trace in explorer.figure.data]
slider.value = 0.9
changing = [i for i in range(len(traces[0.9])) if not np.array_equal(traces[0.9][i], traces[0.5][i])]
figure = go.FigureWidget(go.Figure(explorer.figure))
figure._config = explorer.figure._config
bare = ipywidgets.SelectionSlider(options=slider.options, value=0.9, description="echo")

def echo(change):
    with figure.batch_update():
        for i in changing:
            figure.data[i].y = traces[bare.value][i].copy()

bare.observe(echo, names="value")
ipywidgets.VBox([bare, figure])
"""
# One key on a slider, and the milliseconds until its picture was drawn again. Then it is quiet for a while.
MOVE = """async ([number, key]) => {
    const plot = document.querySelectorAll('.js-plotly-plot')[number];
    const sliders = [...document.querySelectorAll('.widget-slider')].filter((slider) =>
        ['momentum', 'echo'].includes(slider.querySelector('.widget-label').textContent.trim()));
    const handle = sliders[number].querySelector('.noUi-handle');
    const drawn = new Promise((done) => plot.once('plotly_afterplot', () => done(performance.now())));
    const start = performance.now();
    handle.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    const took = await drawn - start;
    await new Promise((done) => setTimeout(done, 150));
    return took;
}"""


def times(lab, moves=30):
    """Milliseconds of ours and of the bare one: two lists."""
    notebook = lab.run(OURS, BARE)
    notebook.show()
    notebook.wait_for(lambda: len(notebook.traces(1)) == len(notebook.traces(0)) > 0, what="both pictures")
    # Along the slider and back: from 0.9 up, down to 0, and up again.
    path = 4 * ["ArrowRight"] + 8 * ["ArrowLeft"] + 8 * ["ArrowRight"] + 8 * ["ArrowLeft"] + 8 * ["ArrowRight"]
    ours, bare = [], []
    for key in path[: moves + 4]:
        for number, taken in ((0, ours), (1, bare)):
            taken.append(notebook.page.evaluate(MOVE, [number, key]))
    assert notebook.kernel("print(bare.value == slider.value)") == "True\n"
    return ours[4:], bare[4:]  # the first moves warm up


def measure(moves=30):
    """Return the ratio of a move of ours to one of the bare figure."""
    from lab import Lab, LabServer, find_browser
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        server = LabServer(folder)
        try:
            lab = Lab(browser, server.start())
            ours, bare = times(lab, moves)
            lab.check()
            lab.close()
        finally:
            server.stop()
            browser.close()
    values = tuple(mine / other for mine, other in zip(ours, bare))
    return [Ratio("a warm move of momentum in the browser / a bare figure", values, TARGET, at_least=False)]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
