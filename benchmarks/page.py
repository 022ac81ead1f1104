"""What the page costs in a browser: against a bare page with the same plotly.js and the same traces."""

import json
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from plotly.offline import get_plotlyjs
from side_by_side import Ratio

from bn_teach.page import write_page

REPETITIONS, MOVES = 5, 8
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# Notes when the first curves are on the screen: milliseconds since the browser was sent to the page.
WATCH = """
const look = () => {
    const curves = document.querySelectorAll('.js-plotly-plot .scatterlayer .trace path');
    if (curves.length) requestAnimationFrame(() => { window.firstPicture = performance.now(); });
    else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
PICTURE = """(plotId) => {
    const plain = (values) => Array.from(values);
    const plot = document.getElementById(plotId);
    const data = plot.data.map((trace) => ({ ...trace, x: plain(trace.x), y: plain(trace.y) }));
    return { data, layout: { ...plot.layout, height: plot.clientHeight } };
}"""
# What one move takes, in milliseconds, until plotly says that it has drawn; the mean of many, back and forth.
MOVE_SLIDER = """async ([moves, plotId, sliderId, options]) => {
    const plot = document.getElementById(plotId), slider = document.getElementById(sliderId);
    let total = 0;
    for (let n = 0; n < moves; n++) {
        await new Promise((done) => setTimeout(done, 30));
        const drawn = new Promise((done) => plot.once('plotly_afterplot', done));
        const start = performance.now();
        slider.value = options[n % 2];
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        await drawn;
        total += performance.now() - start;
    }
    return total / moves;
}"""
REACT = """async ([moves, pictures]) => {
    const plot = document.querySelector('.js-plotly-plot');
    let total = 0;
    for (let n = 0; n < moves; n++) {
        await new Promise((done) => setTimeout(done, 30));
        const data = pictures[n % 2].data.map((trace) => ({ ...trace }));
        const drawn = new Promise((done) => plot.once('plotly_afterplot', done));
        const start = performance.now();
        Plotly.react(plot, data, pictures[n % 2].layout);
        await drawn;
        total += performance.now() - start;
    }
    return total / moves;
}"""
# Milliseconds in which the script reads all held-out images, over mixtures and sizes of a batch: the fastest,
# for others use this machine too.
INFERENCE = """async () => {
    const data = await unpack(JSON.parse(document.getElementById('whose-data').textContent));
    const network = networkOf(data), held = (number) => data.numbers[number];
    const runs = ordersOf([...held(data.labels)], [...held(data.shuffled)]);
    const first = linear(Float64Array.from(held(data.images.mist)), network.layers[0]), times = [];
    for (let n = 0; n < 40; n++) {
        const batches = group(runs[n % 2 ? 'sorted' : 'shuffled'], [1, 4, 16, 64][n % 4]);
        const start = performance.now();
        mixed(network, first, batches, [0, 4, 64][n % 3]);
        times.push(performance.now() - start);
    }
    return Math.min(...times);
}"""
# A picture of the page, the slider that moves it, and two of its options.
MOMENTUM = "plot", "momentum", (6, 4)
MIXTURE = "bench-plot", "N", (1, 3)


@contextmanager
def browser():
    """A headless Chromium that is on this machine."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise RuntimeError("no chromium or chrome is installed: the page cannot be measured")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield chromium
        chromium.close()


def opened(chromium, path):
    """Open a file; return the page, and the milliseconds to its first picture."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(WATCH)
    page.goto(path.as_uri())
    page.wait_for_function("() => window.firstPicture")
    return page, page.evaluate("() => window.firstPicture")


def bare_page(path, picture):
    """Write a page with plotly.js, one picture and nothing else."""
    call = (
        f"Plotly.newPlot('plot', {json.dumps(picture['data'])}, {json.dumps(picture['layout'])}, {{responsive: true}})"
    )
    path.write_text(
        f"<!DOCTYPE html><meta charset='utf-8'><title>bare</title><div id='plot'></div>"
        f"<script>{get_plotlyjs()}</script><script>{call}</script>",
        encoding="utf-8",
    )


def measure_page(chromium, path, folder):
    """Return the ratios of a page that has been written.

    Parameters
    ----------
    chromium : playwright.sync_api.Browser
    path, folder : pathlib.Path
        The page, and where the bare one may be written.
    """
    moved = {which: _pictures(chromium, path, *which) for which in (MOMENTUM, MIXTURE)}
    bare = folder / "bare.html"
    bare_page(bare, moved[MOMENTUM][1])
    first, moves, inference = [], {which: [] for which in moved}, []
    for _ in range(REPETITIONS):
        ours, ours_first = opened(chromium, path)
        theirs, theirs_first = opened(chromium, bare)
        first.append(ours_first / theirs_first)
        ours.wait_for_selector("#whose.live")
        ours.wait_for_timeout(500)  # the table of all mixtures is full by then
        inference.append(_front(ours, INFERENCE, None))
        for which, pictures in moved.items():
            move = _front(ours, MOVE_SLIDER, [MOVES, *which])
            moves[which].append(move / _front(theirs, REACT, [MOVES, pictures]))
        ours.close()
        theirs.close()
    return [
        Ratio("page: first picture / bare page, same plotly.js and traces", tuple(first), 1.5, at_least=False),
        Ratio("page: slider move / bare Plotly.react, same data", tuple(moves[MOMENTUM]), 1.3, at_least=False),
        Ratio("page: move of a mixture / bare Plotly.react, same data", tuple(moves[MIXTURE]), 1.3, at_least=False),
        Ratio(
            "(page: milliseconds to read 449 images under a mixture, the fastest of 40)",
            tuple(inference),
            8,
            at_least=False,
        ),
    ]


def _pictures(chromium, path, plot, slider, options):
    """What the page shows at each of two options of a slider."""
    page, _ = opened(chromium, path)
    page.wait_for_selector("#whose.live")
    pictures = []
    for option in options:
        page.evaluate(
            "([slider, option]) => { const control = document.getElementById(slider); control.value = option;"
            " control.dispatchEvent(new Event('change', { bubbles: true })); }",
            [slider, option],
        )
        page.wait_for_timeout(500)
        pictures.append(page.evaluate(PICTURE, plot))
    page.close()
    return pictures


def _front(page, script, argument):
    page.bring_to_front()  # the other one gets no frames meanwhile
    return page.evaluate(script, argument)


def measure():
    """Return the ratios of the page as it is made by default, but for the number of seeds."""
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        path = Path(folder) / "page.html"
        write_page(path, seeds=range(2))
        return measure_page(chromium, path, Path(folder))


if __name__ == "__main__":
    for result in measure():
        print(result.row())
