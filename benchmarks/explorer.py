"""What a move of an explorer's momentum slider costs in the kernel, against the replay in it.

Measured in a real kernel, where messages to the page are made up and sent as in JupyterLab.
"""

import json

from side_by_side import Ratio

TARGET = 1.3

IN_THE_KERNEL = """
import json, time
from bn_teach import MomentumExplorer
from bn_teach.lessons.shared.choices import MOMENTA
from bn_teach.replay import replay

explorer = MomentumExplorer()
explorer.wait()
[(recording, *_)] = explorer._recordings.values()
slider, shown = explorer.controls["momentum"], []

def move(p):
    slider.value = p

def alone(p):
    shown[:] = [replay(recording, p)]  # kept until the next one is there, as in the explorer

def seconds(function, p):
    start = time.thread_time()  # the thread that sends the messages works for both
    function(p)
    return time.thread_time() - start

for p in MOMENTA:
    move(p), alone(p)
print(json.dumps([seconds(move, p) / seconds(alone, p) for p in {repetitions} * MOMENTA]))
"""


def measure(repetitions=3):
    """Return the ratio of a momentum move in `MomentumExplorer` to its replay."""
    import nbformat
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell(IN_THE_KERNEL.format(repetitions=repetitions))
    NotebookClient(nbformat.v4.new_notebook(cells=[cell]), timeout=120).execute()
    values = json.loads(cell.outputs[-1]["text"])
    return [Ratio("momentum move in the kernel / its replay", tuple(values), TARGET, at_least=False)]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
