"""The bars of what is inside an average: every control, and the picture equal to one drawn from the state."""

import numpy as np
import pytest
from exploring import assert_shows, copied, extremes, lines

from bn_teach import MemoryExplorer
from bn_teach.lessons.running_averages.explorer import UPDATES
from bn_teach.lessons.running_averages.weights import picture, steps_back
from bn_teach.lessons.shared.choices import MOMENTA
from bn_teach.replay import inside
from bn_teach.theory import start_up_weight

CONTROLS = ("momentum", "updates", "estimator", "pytorch_momentum")


@pytest.fixture
def explorer():
    made = MemoryExplorer()
    yield made
    made.view.close()


def heights(bars):
    """Of an outline with four corners to the bar."""
    return bars.y.reshape(-1, 4)[:, 1]


def test_opens_with_what_it_says(explorer):
    assert tuple(explorer.controls) == CONTROLS
    assert_shows(explorer, picture("ema", 0.9, 20))
    assert explorer.status.startswith("Moving average, momentum 0.9, after 20 mini-batches: the newest weighs 10.0 %")
    assert "looks back 9 steps, and is as steady as 19 mini-batches weighed alike" in explorer.status


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_at_its_minimum_middle_and_maximum(explorer, name):
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        state = explorer.state
        assert getattr(state, name) == value
        assert "did not work" not in explorer.status
        assert_shows(explorer, picture(state.estimator, state.momentum, state.updates))


@pytest.mark.parametrize("estimator", ["ema", "debiased", "cumulative"])
@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("updates", UPDATES)
def test_all_bars_together_are_the_whole_average(estimator, momentum, updates):
    traces = picture(estimator, momentum, updates).traces
    batches, start = (traces[f"weight of {what}"][1].reshape(-1, 4)[:, 1] for what in ("each mini-batch", "the start"))
    assert len(batches) == updates
    assert batches.sum() + start[0] == pytest.approx(1)
    x, together = traces["share of the newest together"]
    assert together[-1] == pytest.approx(1 - start[0])
    assert len(x) == updates + 1


def test_the_newest_stands_at_the_right_and_the_start_at_the_left(explorer):
    shown = lines(explorer)
    assert heights(shown["weight of each mini-batch"])[[-1, -2]] == pytest.approx([0.1, 0.09])
    assert heights(shown["weight of the start"]) == pytest.approx([start_up_weight(0.9, 20)])
    assert shown["weight of the start"].x.max() < shown["weight of each mini-batch"].x.min()


def test_the_bars_balance_on_the_triangle(explorer):
    shown = lines(explorer)
    bars, at = shown["weight of each mini-batch"], shown["balance point"].x[0]
    middles = bars.x.reshape(-1, 4).mean(axis=1)
    assert heights(bars) @ (middles - at) == pytest.approx(0, abs=1e-9)


def test_a_start_that_is_taken_out_has_no_bar_and_the_others_grow(explorer):
    before = copied(explorer)
    explorer.controls["estimator"].value = "debiased"
    shown = lines(explorer)
    assert not shown["weight of the start"].y.any()
    grown = heights(shown["weight of each mini-batch"]) / before["weight of each mini-batch"][1].reshape(-1, 4)[:, 1]
    assert grown == pytest.approx(1 / (1 - 0.9**20))
    assert "the start" not in explorer.status


def test_every_bar_fits_into_the_picture():
    for momentum in MOMENTA:
        for updates in UPDATES:
            drawn = picture("ema", momentum, updates)
            for key, (x, y) in drawn.traces.items():
                panel = "2" if key.startswith("share") else ""
                (left, right), (low, high) = drawn.ranges[f"xaxis{panel}"], drawn.ranges[f"yaxis{panel}"]
                inside = left <= np.min(x), np.max(x) <= right, low <= np.min(y), np.max(y) <= high
                assert all(inside), (key, momentum, updates)


def test_in_the_long_run_an_average_looks_back_p_over_1_minus_p_steps():
    assert steps_back(inside("ema", 0.9, 800)[1]) == pytest.approx(9)
    assert steps_back(inside("ema", 0.99, 5000)[1]) == pytest.approx(99)
    assert steps_back(inside("cumulative", 0.9, 801)[1]) == pytest.approx(400)
