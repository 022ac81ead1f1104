"""The kernel is gone, restarted in the middle of a training or ended with the server: what is shown, and what to do."""

import re

CELL = """
import time
from bn_teach import MomentumExplorer
from bn_teach.lessons.shared import training
from bn_teach.training import TrainingConfig

explorer = MomentumExplorer(config=TrainingConfig(steps=100, hidden=(20,)))
explorer.wait()
kept = training.train
training.train = lambda *args, **kwargs: (time.sleep(60), kept(*args, **kwargs))[1]
explorer
"""
QUESTION = "from bn_teach import Prediction\n\nPrediction('training-loss')"


def assert_told(notebook):
    """Each explorer says what happened and what to do, and nothing that is no longer so."""
    notices = notebook.page.locator(".bn-teach .bn-teach-lost")
    notebook.wait_for(lambda: notices.count() == 2, timeout=90, what="both say that the kernel is gone")
    for notice in notices.all():
        assert "kernel was restarted or is gone" in notice.text_content()
        assert "Shift+Enter" in notice.text_content()
    assert not notebook.page.locator(".bn-teach .widget-hprogress").first.is_visible()
    assert not notebook.page.get_by_text("Training with batch size").first.is_visible()


def train(notebook):
    notebook.show()
    notebook.slider("batch size").press("ArrowRight")
    notebook.wait_for(lambda: notebook.status().startswith("Training with batch size"), what="training is shown")


def test_a_restart_in_the_middle_of_a_training(lab):
    notebook = lab.run(CELL, QUESTION)
    train(notebook)
    notebook._menu("Kernel", re.compile(r"^Restart Kernel…"))
    notebook.page.get_by_role("button", name="Confirm Kernel Restart").click()
    assert_told(notebook)
    notebook.run_all()
    notebook.show()
    assert notebook.page.locator(".bn-teach-lost").count() == 0
    assert notebook.status().startswith("After 100 steps")


def test_a_restart_of_the_server(lab_of_its_own):
    notebook = lab_of_its_own.run(CELL, QUESTION)
    train(notebook)
    notebook.save()
    lab_of_its_own.server.restart()
    assert_told(notebook)
