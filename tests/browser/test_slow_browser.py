"""A page too slow for anywidget, which gives up on a figure after two seconds: nothing is missed all the same."""

import secrets

from hands import explorers_of
from lab import write_notebook

CELL = """from bn_teach import MomentumExplorer

explorer = MomentumExplorer()
explorer"""
# anywidget gives up at once, as on a page that needs longer than two seconds to begin, however fast this machine is.
IMPATIENT = """() => {
    window.patient = AbortSignal.timeout;
    AbortSignal.timeout = () => window.patient.call(AbortSignal, 0);
}"""
PATIENT = "() => { AbortSignal.timeout = window.patient; }"


def test_a_figure_that_anywidget_gave_up_is_given_again(lab):
    name = f"scratch-{secrets.token_hex(4)}.ipynb"
    write_notebook(lab.server.root / name, CELL, "explorer.wait()\nexplorer.controls['momentum'].value = 0.99")
    notebook = lab.open(name)
    notebook.page.evaluate(IMPATIENT)
    notebook.run_all()
    notebook.page.evaluate(PATIENT)
    (hands,) = explorers_of(notebook)
    notebook.show()
    hands.look("Run All on a slow page")
    assert notebook.kernel("print(explorer.figure.lost)") == "1\n", "the page was to miss the figure"
    hands.slider("momentum").press("Home")
    hands.look("Home on momentum")
