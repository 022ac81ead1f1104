"""Every notebook as a learner meets it: Run All, then every control by keyboard and mouse, in a real browser."""

import time

import pytest
from clinic_walk import all_cases
from hands import explorers_of
from lab import REPOSITORY

NOTEBOOKS = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


def landscape_has_its_numbers(notebook, axe):
    """The numbers in the cells are drawn by plotly alone: one row of nine is known."""
    notebook.show()
    cells = notebook.page.locator(".heatmap-label").all_text_contents()
    assert sum(text.strip() != "" for text in cells) >= 9


def frameworks_are_a_table(notebook, axe):
    assert notebook.page.locator(".jp-OutputArea table th[scope=row]").first.text_content() == "PyTorch, MLX"


MORE = {
    "04_tracking_accuracy": landscape_has_its_numbers,
    "05_clinic": all_cases,
    "07_your_framework": frameworks_are_a_table,
}
"""What only one notebook has."""


@pytest.fixture(scope="module", autouse=True)
def nothing_forgotten():
    assert set(MORE) <= set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_control_shows_what_python_computes(shared_lab, axe, table, name):
    start = time.monotonic()
    notebook = shared_lab.open(f"{name}.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    ran = time.monotonic() - start

    everything = explorers_of(notebook)
    explorers = [hands for hands in everything if hands.name != "Prediction"]
    for hands in explorers:
        hands.move_everything()
    predictions = {}  # the first of each kind
    for hands in everything:
        if hands.name == "Prediction":
            predictions.setdefault(hands.controls[0][1], hands)
    for hands in predictions.values():
        hands.answer()
    moved = [*explorers, *predictions.values()]
    table.row(
        "notebook | controls moved | moves | seconds to open and run | seconds to move",
        f"{name} | {sum(len(hands.names) for hands in moved)} | {sum(hands.moves for hands in moved)} "
        f"| {ran:.0f} | {time.monotonic() - start - ran:.0f}",
    )

    for dark in (False, True):
        notebook.theme(dark)
        for hands in moved:
            notebook.show(hands.number)
            found = axe(notebook, hands.number)
            theme = "dark" if dark else "light"
            table.row("notebook | axe finds | theme | explorer", f"{name} | {len(found)} | {theme} | {hands.name}")
            assert found == [], (hands.name, theme)
    notebook.theme(dark=False)

    notebook.save_and_reload()
    for hands in moved:
        notebook.show(hands.number)
        hands.look("a reload")
    for hands in explorers:
        hands.move_once()
    MORE.get(name, lambda notebook, axe: None)(notebook, axe)
    assert notebook.errors() == []
    shared_lab.check()
