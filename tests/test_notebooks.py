"""What every notebook keeps to, whatever it teaches. nbval runs them (see the Makefile)."""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CHECKED = "nbval-check-output"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def test_there_are_notebooks():
    assert FOLDER / "00_start_here.ipynb" in NOTEBOOKS


def test_opens_without_a_question_about_the_kernel(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_no_widget_state_is_saved(notebook):
    assert "widgets" not in notebook.metadata
    for cell in code(notebook):
        for output in cell.outputs:
            assert not any("widget" in kind for kind in output.get("data", {}))


def test_only_checked_cells_keep_an_output_and_they_all_do(notebook):
    for cell in code(notebook):
        assert bool(cell.outputs) == (CHECKED in tags(cell)), cell.source
        assert all(output.output_type != "error" for output in cell.outputs)


def test_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code(notebook)]
    assert max(lengths) <= 15
    assert statistics.median(lengths) <= 4


def test_some_numbers_are_checked_and_no_check_is_skipped(notebook):
    assert any(CHECKED in tags(cell) for cell in code(notebook))
    assert not any(tag.startswith("nbval-") and tag != CHECKED for cell in code(notebook) for tag in tags(cell))


def test_links_to_other_notebooks_lead_somewhere(notebook):
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([^)#:]+\.ipynb)\)", cell.source):
            assert (FOLDER / target).exists(), target


@pytest.mark.slow
def test_checked_numbers_survive_another_cpu():
    # BLAS picks other kernels for an old CPU, and float32 training drifts apart with them.
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *nbval, str(FOLDER)],
        env={**os.environ, "OPENBLAS_CORETYPE": "Nehalem"},
        capture_output=True,
        text=True,
        cwd=FOLDER.parent,
    )
    assert run.returncode == 0, run.stdout[-3000:]
