"""The exercises in the notebooks: each stands where it should, open as delivered, and right once it is solved."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from bn_teach.exercises import EXERCISES, solution

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted(FOLDER.glob("0[1-4]*.ipynb"))}


def cell_of(notebook, name):
    """The cell that a learner fills in, or None."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and f"\ncheck_{name}({name})" in cell.source]
    return cells[0] if cells else None


def with_exercises():
    return [stem for stem, notebook in NOTEBOOKS.items() if any(cell_of(notebook, name) for name in EXERCISES)]


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_stands_in_one_notebook_with_its_stub_and_statement(name):
    places = [notebook for notebook in NOTEBOOKS.values() if cell_of(notebook, name)]
    assert len(places) == 1
    assert EXERCISES[name].stub.strip() in cell_of(places[0], name).source
    assert any(EXERCISES[name].statement.strip() in cell.source for cell in places[0].cells)


def test_all_four_notebooks_have_some():
    assert len(with_exercises()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("stem", with_exercises())
def test_a_notebook_with_its_exercises_solved_runs_and_every_answer_is_right(stem):
    notebook = nbformat.from_dict(NOTEBOOKS[stem])
    for name in EXERCISES:
        if cell := cell_of(notebook, name):
            cell.source = cell.source.replace(EXERCISES[name].stub.strip(), solution(name).source.strip())
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": FOLDER}}).execute()
    for name in EXERCISES:
        if cell := cell_of(notebook, name):
            assert cell.outputs[-1].data["text/plain"].startswith("Right"), name
