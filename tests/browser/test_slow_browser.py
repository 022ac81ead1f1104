"""A browser that is as slow as an old tablet: plotly.js takes seconds to read, and nothing is missed meanwhile."""

import secrets

from hands import explorers_of
from lab import write_notebook

SLOWER = 20  # times; anywidget stops waiting for a figure, which from then on would show empty axes for ever
CELL = """from bn_teach import MomentumExplorer

explorer = MomentumExplorer()
explorer"""


def test_what_is_drawn_while_the_page_still_reads_plotly(lab):
    name = f"scratch-{secrets.token_hex(4)}.ipynb"
    write_notebook(lab.server.root / name, CELL, "explorer.wait()\nexplorer.controls['momentum'].value = 0.99")
    notebook = lab.open(name)
    devtools = lab.context.new_cdp_session(lab.page)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    notebook.run_all()
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    (hands,) = explorers_of(notebook)
    notebook.show()
    hands.look("Run All on a slow page")
    hands.slider("momentum").press("Home")
    hands.look("Home on momentum")
