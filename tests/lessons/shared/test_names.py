"""Every control of every explorer has a name to be found by: on the screen, and for who does not see it."""

import ipywidgets as widgets
import numpy as np
import pytest

import bn_teach
from bn_teach.data import Dataset
from bn_teach.torch_recorder import load_example
from bn_teach.training import TrainingConfig

SMALL = TrainingConfig(steps=10, hidden=(8, 6), batch_size=8)
NAMES = [name for name in bn_teach.__all__ if name.endswith("Explorer")]


@pytest.fixture(scope="module")
def clouds():
    y = np.arange(160) % 3
    return Dataset.from_arrays(np.random.default_rng(0).normal(size=(160, 4)) + y[:, None], y)


def build(name, data):
    cls = getattr(bn_teach, name)
    if name == "RecorderExplorer":
        return cls(load_example().recorded)
    if name == "ChangedWeightsExplorer":
        return cls(data)
    return cls() if name in ("ClinicExplorer", "MemoryExplorer", "RunningStatisticsExplorer") else cls(data, SMALL)


def inside(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child)


def test_all_explorers_are_looked_at():
    assert {"MomentumExplorer", "ClinicExplorer", "RecorderExplorer"} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_control_has_a_name_of_its_own(name, clouds):
    explorer = build(name, clouds)
    explorer.wait()
    shown = (widgets.HTML, widgets.Label, widgets.IntProgress)
    hands = [
        one
        for one in inside(explorer.view)
        if isinstance(one, (widgets.ValueWidget, widgets.Button)) and not isinstance(one, shown)
    ]
    play = [one for one in hands if isinstance(one, widgets.Play)]  # named by Accessible
    names = [one.description for one in hands if one not in play]
    assert len(hands) >= len(explorer.controls) > 0
    assert all(len(one.strip()) > 1 for one in names), names
    assert len(set(names)) == len(names), names


@pytest.mark.parametrize("name", NAMES)
def test_the_values_of_a_slider_are_words_to_be_spoken(name, clouds):
    for key, control in build(name, clouds).controls.items():
        if isinstance(control, widgets.SelectionSlider):
            assert all(isinstance(label, str) and label for label, _ in control.options), key
