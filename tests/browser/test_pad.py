"""The drawing pad as a widget: what is drawn in the browser is what Python counts."""

import json

import accessibility
import pytest
from handwriting import DRAWINGS, written

from bn_teach.lessons.whose_statistics import ink

CELL = """from bn_teach import DrawingPad

pad = DrawingPad()
pad"""


@pytest.fixture(scope="module")
def notebook(shared_lab):
    notebook = shared_lab.run(CELL)
    notebook.page.locator(".bn-pad-sheet").wait_for()
    return notebook


def held(notebook):
    """What Python holds: the drawing, its counts, and the remark."""
    return json.loads(notebook.kernel("import json; print(json.dumps([pad.drawing, pad.counts.tolist(), pad.remark]))"))


def label(notebook):
    return notebook.page.locator(".bn-pad-input").get_attribute("aria-label")


def wait_until_both_agree(notebook):
    def agree():
        _, counts, remark = held(notebook)
        written = " ".join(str(count) for row in counts for count in row)
        shown = notebook.page.locator(".bn-pad-remark").inner_text()
        return label(notebook).endswith(f": {written}") and shown == remark

    notebook.wait_for(agree, what="browser and Python count the same")


def test_a_drawing_by_mouse_reaches_python(notebook):
    page = notebook.page
    box = page.locator(".bn-pad-sheet").bounding_box()
    (stroke,) = DRAWINGS[2]
    for number, (x, y) in enumerate(stroke):
        page.mouse.move(box["x"] + x / 64 * box["width"], box["y"] + y / 64 * box["height"])
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    notebook.wait_for(lambda: held(notebook)[0], what="a drawing in Python")
    wait_until_both_agree(notebook)


def test_a_drawing_from_python_is_shown(notebook):
    for drawing in (written(DRAWINGS[5]), "~7*2*0*1", "gg", ""):
        notebook.kernel(f"pad.drawing = {drawing!r}")
        wait_until_both_agree(notebook)
    assert notebook.page.locator(".bn-pad-remark").inner_text() == ink.REMARKS["empty"]


def test_by_keyboard(notebook):
    for name in ("a 4 of ours", "move down", "thinner"):
        notebook.page.get_by_role("button", name=name, exact=True).press("Enter")
    notebook.wait_for(lambda: held(notebook)[0].endswith("*0*2*1"), what="the buttons reach Python")
    wait_until_both_agree(notebook)
    notebook.page.get_by_role("button", name="Undo").press("Enter")
    notebook.wait_for(lambda: held(notebook)[0].endswith("*0*2*0"), what="Undo reaches Python")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.usefixtures("axe")
def test_axe_finds_nothing(notebook, dark):
    notebook.theme(dark)
    assert accessibility.violations(notebook.page, ".bn-pad") == []
