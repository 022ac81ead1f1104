"""Cells of every width: no word of a picture lies on another one, and nothing sticks out."""

import pytest
from hands import explorers_of

CELL = """from bn_teach import (
    BatchStatisticsExplorer,
    ChangedWeightsExplorer,
    ClinicExplorer,
    EstimatorRaceExplorer,
    MomentumExplorer,
    PaperFigure,
    RecorderExplorer,
    RunningStatisticsExplorer,
    TrainingReadsExplorer,
    TwoModesExplorer,
    WhoseStatisticsExplorer,
)
from bn_teach.torch_recorder import load_example
from bn_teach.training import TrainingConfig

small = {"config": TrainingConfig(steps=60, hidden=(20,))}"""
SHOWN = (
    "MomentumExplorer(**small)",
    "TwoModesExplorer(**small)",
    "BatchStatisticsExplorer()",
    "RunningStatisticsExplorer()",
    "EstimatorRaceExplorer(**small)",
    "ClinicExplorer()",
    "PaperFigure(steps=20)",
    "RecorderExplorer(load_example().recorded)",
    "WhoseStatisticsExplorer(**small)",
    "ChangedWeightsExplorer()",
    "TrainingReadsExplorer(**small)",
)
# A window as wide as a screen of 1366 pixels at 100, 125, 150 and 200 %, a tablet upright, and one between.
WIDTHS = (1366, 1093, 1024, 911, 768, 683)

# Pairs of words of a picture that share more than a hair, and how far anything sticks out of the box.
WRONG = """(number) => {
    const root = document.querySelectorAll('.bn-teach')[number];
    const plot = root.querySelector('.js-plotly-plot');
    const kinds = '.xtick text, .ytick text, .g-xtitle text, .g-ytitle text, .annotation text';
    const words = [...plot.querySelectorAll(kinds)]
        .filter((text) => text.textContent.trim()).map((text) => [text.textContent, text.getBoundingClientRect()]);
    const share = (a, b, low, high) => Math.min(a[high], b[high]) - Math.max(a[low], b[low]);
    const found = [];
    words.forEach(([one, a], i) => words.slice(i + 1).forEach(([other, b]) => {
        if (share(a, b, 'left', 'right') > 1 && share(a, b, 'top', 'bottom') > 1) found.push(`${one} on ${other}`);
    }));
    const box = root.getBoundingClientRect();
    const drawn = plot.querySelector('.main-svg').getBoundingClientRect();
    if (Math.abs(drawn.width - root.clientWidth) > 1) found.push(`${drawn.width} wide in ${root.clientWidth}`);
    for (const one of root.querySelectorAll('.widget-slider, .widget-dropdown, .widget-text, .bn-teach-legend')) {
        const out = one.getBoundingClientRect().right - box.right;
        if (out > 1) found.push(`${one.textContent.trim()} sticks out by ${out}`);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def notebook(shared_lab):
    return shared_lab.run(CELL, *SHOWN)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_word_on_another(notebook, width):
    notebook.page.set_viewport_size({"width": width, "height": 768})
    for hands in explorers_of(notebook):
        notebook.show(hands.number)
        found = []

        def nothing(number=hands.number, found=found):
            found[:] = notebook.page.evaluate(WRONG, number)
            return not found

        try:
            notebook.wait_for(nothing, timeout=15)
        except AssertionError:
            raise AssertionError(f"{hands.name} at {width}: {found}") from None
