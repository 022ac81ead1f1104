"""What every notebook keeps to, whatever it teaches. nbval runs them (see the Makefile)."""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from address import address, link
from nbconvert import HTMLExporter
from pictures import IMAGES, LARGEST, words

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


def test_an_exercise_brings_what_its_learner_may_call(notebook):
    for cell in code(notebook):
        if "exercise" in tags(cell):
            names = {}
            exec(cell.source, names)
            assert {"hint", "solution"} <= set(names)


def test_opens_without_a_question_about_the_kernel(notebook):
    assert notebook.metadata.kernelspec.name == "python3"


def test_no_widget_state_is_saved(notebook):
    assert "widgets" not in notebook.metadata
    for cell in code(notebook):
        for output in cell.outputs:
            assert not any("widget" in kind for kind in output.get("data", {}))


def test_only_checked_cells_and_questions_keep_an_output_and_they_all_do(notebook):
    for cell in code(notebook):
        assert bool(cell.outputs) == (CHECKED in tags(cell) or "Prediction(" in cell.source), cell.source
        assert all(output.output_type != "error" for output in cell.outputs)
        assert bool(cell.outputs) == (cell.execution_count is not None), "nbval wants both or neither"


def test_without_a_kernel_every_question_can_be_read(notebook):
    for cell in code(notebook):
        if "Prediction(" in cell.source:
            assert cell.outputs == words(cell.source), "make pictures writes the words"


def test_whatever_is_shown_live_runs_alone(notebook):
    live = [cell.source for cell in code(notebook) if LIVE.search(cell.source)]
    assert live
    for source in live:
        before, last = source.rsplit("\n", 1)
        names = {}
        exec(before, names)
        shown = eval(last, names)
        getattr(shown, "wait", bool)()
        assert "application/vnd.jupyter.widget-view+json" in shown._repr_mimebundle_()


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


# The static face: where nothing runs, a picture of every explorer stands beside it.
EXPLORER = re.compile(r"\b(\w+Explorer|PaperFigure|ValleyFigure)\(")
LIVE = re.compile(rf"{EXPLORER.pattern}|\bPrediction\(")
STILL = re.compile(
    r"""<div class="bn-teach-still">

\*\*Want to try it\? Press Shift\+Enter in the cell above\*\*, or choose \*Run > Run All Cells\*: [^\n]*

!\[[^\]]*\]\((?P<picture>[^)]*)\)

\*On GitHub or on paper it stays a picture\. \[Binder(?P<link>\].*?\)(?: \(.*?\))?) runs this notebook [^\n]*\*

</div>

"""
)


def explorers(notebook):
    """The numbers of the cells that show an explorer."""
    return [n for n, cell in enumerate(notebook.cells) if cell.cell_type == "code" and EXPLORER.search(cell.source)]


def picture(stem, nth):
    return stem if nth == 1 else f"{stem}_{nth}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_picture_stands_beside_every_explorer(path):
    notebook = nbformat.read(path, as_version=4)
    for nth, explorer in enumerate(explorers(notebook), start=1):
        still = STILL.match(notebook.cells[explorer + 1].source)
        assert still, f"the cell after {notebook.cells[explorer].source!r} does not begin with a picture"
        assert still["picture"] == f"images/{picture(path.stem, nth)}.png"
        assert still["link"] == link(f"notebooks/{path.name}", address())


def test_every_picture_has_words_and_is_there(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert "<img" not in cell.source, "write ![words](picture), so that a test can read it"
            for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", cell.source):
                assert 100 <= len(words) <= 600, f"{target}: {words!r}"
                assert (FOLDER / target).is_file(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_exported_as_one_file_a_notebook_carries_its_pictures(path):
    page, _ = HTMLExporter(embed_images=True).from_filename(str(path))
    sources = re.findall(r'<img[^>]*? src="([^"]{0,40})', page)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources), sources


def test_pictures_are_small_and_each_is_used():
    shown = {path.stem: len(explorers(nbformat.read(path, as_version=4))) for path in NOTEBOOKS}
    used = {picture(stem, nth) for stem, count in shown.items() for nth in range(1, count + 1)}
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    used |= set(re.findall(r"\]\(notebooks/images/(\w+)\.png\)", readme))
    pictures = {path.stem: path for path in IMAGES.glob("*")}
    assert set(pictures) == used
    for path in pictures.values():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size <= LARGEST, path.name


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
