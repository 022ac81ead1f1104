"""What a move of `MomentumExplorer`'s two sliders costs in the kernel: before and after it was made ahead.

Cold, a move of momentum is held against the replay in it; warm, a move of either slider against a bare batch update of
the same traces. Measured in a real kernel, where messages to the page are made up and sent as in JupyterLab.
"""

import json

from side_by_side import Ratio

IN_THE_KERNEL = """
import json, time
import numpy as np
import plotly.graph_objects as go
from bn_teach import MomentumExplorer
from bn_teach.lessons.shared import idle
from bn_teach.lessons.shared.choices import BATCH_SIZES, MOMENTA
from bn_teach.lessons.start_here.picture import axes
from bn_teach.replay import replay

idle.AHEAD = False  # what is measured is done here, and nothing beside it
explorer = MomentumExplorer()
explorer.wait()
controls, shown = explorer.controls, []
(run,) = explorer._runs.values()

def seconds(function, value):
    start = time.thread_time()  # the thread that sends the messages works for both
    function(value)
    return time.thread_time() - start

def move(p):
    controls["momentum"].value = p

def forget_and_move(p):
    run._replays.pop(("ema", True, p), None)
    move(p)

def alone(p):
    shown[:] = [replay(run.recording, p)]  # kept until the next one is there, as in the explorer

ratios = {"cold": [seconds(forget_and_move, p) / seconds(alone, p) for p in [*MOMENTA, *MOMENTA, *MOMENTA][1:]]}

def resize(m):
    controls["batch_size"].value = m
    explorer.wait()

bare = go.FigureWidget(axes())

def update(traces):
    with bare.batch_update():
        for trace in bare.data:
            for name, values in traces[trace.meta].items():
                trace[name] = values

def arrays():
    return {trace.meta: {name: np.array(trace[name]) for name in "xy"} for trace in explorer.figure.data}

for name, slide, values in ("momentum", move, MOMENTA), ("batch size", resize, BATCH_SIZES):
    pictures = {}
    for value in values:
        slide(value)
        pictures[value] = arrays()
    ratios[name] = []
    for value in 5 * values:
        ratios[name].append(seconds(slide, value) / seconds(update, pictures[value]))
print(json.dumps(ratios))
"""
ROWS = {
    "cold": ("cold momentum move in the kernel / its replay", 1.3),
    "momentum": ("warm momentum move in the kernel / bare batch update", 1.5),
    "batch size": ("warm batch size move in the kernel / bare batch update", 2.0),
}


def measure():
    """Return the ratios of the module's first line."""
    import nbformat
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell(IN_THE_KERNEL)
    NotebookClient(nbformat.v4.new_notebook(cells=[cell]), timeout=120).execute()
    ratios = json.loads(cell.outputs[-1]["text"])
    return [Ratio(what, tuple(ratios[key]), target, at_least=False) for key, (what, target) in ROWS.items()]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
