"""Voila shows a notebook as an app: no code, every explorer and every question, each alive."""

import pytest
from lab import OPEN, Notebook

# Name of the notebook: how many explorers and pictures, how many questions, and how it ends.
APPS = {
    "00_start_here": (1, 3, "Where to go from here"),
    "04_tracking_accuracy": (2, 7, "broken runs, each of which happened to somebody"),
}


def drawn(app, number):
    """Which lines of a picture the browser has, and their last values."""
    return {trace["meta"]: trace["y"][-1] for trace in app.traces(number) if trace["y"]}


@pytest.mark.parametrize("name", APPS)
def test_a_notebook_is_an_app(voila, name):
    explorers, questions, ending = APPS[name]
    page = voila.page
    page.goto(voila.server.app(f"{name}.ipynb"), timeout=OPEN * 1000)  # answers until the last cell has run
    app = Notebook(voila, name)
    page.get_by_text(ending).last.wait_for()
    app.wait_for(lambda: app.explorer.count() == explorers + questions, what="everything is on display")
    assert page.get_by_role("button", name="Commit and reveal").count() == questions
    assert page.get_by_text("from bn_teach").count() == 0, "the code shows"
    for still in page.locator(".bn-teach-still").all():
        app.wait_for(lambda s=still: not s.is_visible(), what="the picture is gone")
    for number in range(explorers):
        app.wait_for(lambda n=number: len(drawn(app, n)) > 2, what="the lines are there, and not the axes alone")
    said, seen = app.status(), drawn(app, 0)
    app.press("momentum", "End")
    app.wait_for(lambda: app.status() != said and "0.999" in app.status(), what="the sentence follows the slider")
    app.wait_for(lambda: drawn(app, 0) != seen, what="the lines follow the slider")
