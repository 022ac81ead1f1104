"""A live figure hands its present state to whoever asks, and comes without what plotly drags along."""

import subprocess
import sys

import numpy as np
import pytest

from bn_teach import MomentumExplorer
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.lessons.shared.panels import RUNNING, Picture, line, panels


@pytest.fixture
def figure():
    figure = panels(("first", "second"), {"line": (1, "a line", line(RUNNING))}, x_titles=("step", "step"))
    return LiveFigure(figure.update_layout(title_text="before"))


def test_whoever_asks_gets_the_state_of_the_moment(figure):
    figure.show(Picture({"line": (np.arange(3.0), np.array([1.0, 4.0, 9.0]))}, {"xaxis": [0.0, 2.0]}, ""))
    figure.layout.title.text = "after"
    state = figure.get_state()
    (trace,) = state["_widget_data"]
    assert trace["y"]["buffer"].tolist() == [1.0, 4.0, 9.0]
    assert state["_widget_layout"]["title"]["text"] == "after"
    assert state["_widget_layout"]["xaxis"]["range"] == [0.0, 2.0]


def test_asking_changes_nothing(figure):
    sent = []
    figure.comm.send = lambda *args, **kwargs: sent.append(args)  # ipywidgets gives a comm without a kernel
    figure.get_state()
    assert sent == []
    assert figure.get_state("_config") == {"_config": figure._config}


def _ask(figure, asked):
    figure._handle_custom_msg({"asked": asked}, [])


def test_a_page_that_hears_no_answer_gets_a_new_view(figure, monkeypatch):
    clock = iter([100.0, 104.0, 112.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    _ask(figure, 0)
    _ask(figure, 1)
    assert figure.lost == 0  # the answer may lie unread in a page that is busy
    before = figure.model_id
    _ask(figure, 2)
    assert figure.lost == 1
    figure.reopen()
    assert figure.model_id != before


def test_questions_that_waited_behind_a_long_cell_get_no_new_view(figure, monkeypatch):
    clock = iter([100.0, 100.1, 100.2, 500.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    for asked in (0, 1, 2, 0):  # the last from a second tab
        _ask(figure, asked)
    assert figure.lost == 0


def test_an_explorer_shows_the_new_view(monkeypatch):
    explorer = MomentumExplorer()
    sent = []
    monkeypatch.setattr(explorer.view, "send_state", sent.append)
    explorer.figure.lost += 1
    assert sent == ["children"]


def test_panels_below_each_other_and_side_by_side_again(figure):
    before = figure.to_json()
    wide, narrow = figure.heights
    assert narrow > 2 * (wide - figure.layout.margin.t - figure.layout.margin.b)
    figure.arrange(narrow=True)
    (_, top), (low, high) = figure.layout.yaxis.domain, figure.layout.yaxis2.domain
    assert (top, low) == (1, 0)
    assert high < figure.layout.yaxis.domain[0]
    assert figure.layout.xaxis.domain == figure.layout.xaxis2.domain == (0, 1)
    figure.arrange(narrow=False)
    assert figure.to_json() == before


# What comes with the first figure. Each in a Python of its own: modules are loaded once.


def run(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


FIRST = """
import sys
from bn_teach import MomentumExplorer
from bn_teach.training import TrainingConfig
MomentumExplorer(config=TrainingConfig(steps=10)).wait()
"""


def test_the_first_picture_comes_without_jsonschema():
    assert run(FIRST + "print('jsonschema' in sys.modules)") == ["False"]


@pytest.mark.parametrize(
    "use",
    [
        "import nbformat; print(nbformat.v4.new_notebook().nbformat)",
        "from nbformat.v4 import new_notebook; print(new_notebook().nbformat)",
        # where plotly itself wants it
        "import plotly.io as io, plotly.graph_objects as go; io.show(go.Figure(), 'plotly_mimetype'); print(4)",
    ],
)
def test_nbformat_is_there_for_who_uses_it(use):
    ours = "sum(type(finder).__module__.startswith('bn_teach') for finder in sys.meta_path)"
    assert run(f"{FIRST}{use}; print({ours}, 'jsonschema' in sys.modules)")[-3:] == ["4", "0", "True"]


@pytest.mark.parametrize(
    "already", ["sys.modules['nbformat'] = None", "import plotly.io._renderers", "import nbformat"]
)
def test_a_figure_comes_without_nbformat_and_after_it(already):
    assert run(f"import sys; {already}{FIRST}print('there')") == ["there"]
