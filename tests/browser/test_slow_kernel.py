"""A slow kernel, a restarted one, and a cell that runs again while a network is trained."""

import pytest
from hands import explorers_of

CELL = """
import time
from bn_teach import MomentumExplorer, RunningStatisticsExplorer
from bn_teach.lessons.running_averages import explorer as running_statistics
from bn_teach.lessons.shared import training
from bn_teach.training import TrainingConfig

def slowly(function, seconds=0.08):
    def slow(*args, **kwargs):
        time.sleep(seconds)
        return function(*args, **kwargs)
    return slow

network = MomentumExplorer(config=TrainingConfig(steps=100, hidden=(20,)))
network.wait()
network
"""
SLOW = """
training.replay = slowly(training.replay)
running_statistics.simulate = slowly(running_statistics.simulate)
"""


@pytest.fixture(scope="module")
def notebook(shared_lab):
    return shared_lab.run(CELL, "known = RunningStatisticsExplorer()\nknown", SLOW)


@pytest.mark.parametrize(("number", "label"), [(0, "momentum"), (1, "drift of the population per step")])
def test_sixty_quick_moves_end_in_the_picture_of_the_last(notebook, number, label):
    hands = explorers_of(notebook)[number]
    notebook.show(number)
    slider = hands.slider(label)
    slider.press("Home")
    for _ in range(12):
        for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"):
            slider.press(key)
    shown = hands.snapshot()["controls"][label]
    hands.look("60 quick moves")
    assert hands.snapshot()["controls"][label] == shown, "the slider stays where the hand left it"
    assert notebook.errors() == []


def test_the_cell_is_run_again_while_a_network_is_trained(notebook):
    notebook.show()
    notebook.kernel("kept = training.train")
    notebook.kernel("training.train = lambda *args, **kwargs: (time.sleep(0.5), kept(*args, **kwargs))[1]")
    notebook.kernel("network.controls['seed'].value = 9")  # batch sizes may be trained already
    notebook.wait_for(lambda: notebook.status().startswith("Training with batch size"), what="training is shown")
    notebook.kernel("network.view.close(); Out.clear()")
    notebook.run_all()
    assert notebook.errors() == []
    for hands in explorers_of(notebook):
        notebook.show(hands.number)
        hands.look("Run All while training")
    assert notebook.readout("batch size") == "16"
    # Any plotly figure says so, once, when it is changed after its output was removed; nothing of it is seen.
    known = "Error setting state: Cannot read properties of undefined (reading 'length')"
    assert [text for text in notebook.lab.console if not text.startswith(known)] == []
    notebook.lab.console.clear()


def test_restart_and_run_all(notebook):
    notebook.restart_and_run_all()
    assert notebook.errors() == []
    for hands in explorers_of(notebook):
        notebook.show(hands.number)
        hands.look("a restart")
    hands.slider("momentum").press("End")
    hands.look("End on momentum")
    notebook.lab.check()
