"""A thousand random moves of every explorer: no error, the right picture in the end, no memory kept."""

import gc
import random
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from moves import move

import bn_teach
from bn_teach.data import Dataset
from bn_teach.lessons.clinic import explorer as clinic
from bn_teach.lessons.whose_statistics.changed import CONFIGS
from bn_teach.torch_recorder import load_example
from bn_teach.training import TrainingConfig

MOVES = 1000
SMALL = TrainingConfig(steps=40, hidden=(8, 6), batch_size=8)
"""A run that takes some hundredths of a second, so that a thousand moves train hundreds of times."""


@pytest.fixture(scope="module")
def clouds():
    rng = np.random.default_rng(0)
    y = np.arange(160) % 3
    return Dataset.from_arrays(rng.normal(size=(160, 4)) + y[:, None], y)


@pytest.fixture(autouse=True)
def small_runs_of_changed_weights(monkeypatch):
    """As many checkpoints as are averaged, of a network that is as small as the others."""
    for name, config in CONFIGS.items():
        small = replace(config, steps=80, checkpoint_every=1, hidden=SMALL.hidden, batch_size=SMALL.batch_size)
        monkeypatch.setitem(CONFIGS, name, small)


@pytest.fixture
def quick_cases(monkeypatch):
    """The clinic with the two cases that take least, and nobody's answers."""
    few = {name: clinic.CASES[name] for name in ("new-camera", "two-modes")}
    monkeypatch.setattr(clinic, "CASES", few)
    monkeypatch.setattr(clinic, "TITLES", {name: clinic.TITLES[name] for name in few})
    monkeypatch.setattr(clinic, "_ANSWERS", {})
    monkeypatch.setattr(clinic, "_RESULTS", {})


def build(name, data):
    cls = getattr(bn_teach, name)
    if name == "RecorderExplorer":
        return cls(load_example().recorded)
    if name in ("ClinicExplorer", "MemoryExplorer", "RunningStatisticsExplorer"):
        return cls()
    return cls(data) if name == "ChangedWeightsExplorer" else cls(data, SMALL)


NAMES = [
    "BatchStatisticsExplorer",
    "ChangedWeightsExplorer",
    "ClinicExplorer",
    "EstimatorRaceExplorer",
    "MemoryExplorer",
    "MomentumExplorer",
    "RecorderExplorer",
    "RunningStatisticsExplorer",
    "TrainingReadsExplorer",
    "TwoModesExplorer",
    "WhoseStatisticsExplorer",
]


def test_every_explorer_is_hammered():
    assert [name for name in bn_teach.__all__ if name.endswith("Explorer")] == NAMES


def hammer(explorer, moves, seed=0, *, waits=0.1):
    """Move controls at random; now and then, wait for what they began."""
    rng = random.Random(seed)
    for _ in range(moves):
        move(explorer, rng)
        if rng.random() < waits:
            explorer.wait()
    if "learning_rate" in explorer.controls:
        explorer.controls["learning_rate"].value = 0.1  # some of the others may diverge
    explorer.wait()


def picture(explorer):
    """All that is on display, in a form that can be compared (written out, nan equals nan)."""
    traces = {
        trace.meta: repr([np.array(trace[axis]).tolist() for axis in "xyz" if axis in trace])
        for trace in explorer.figure.data
    }
    layout = explorer.figure.layout
    ranges = {
        str(axis): list(layout[axis].range) for axis in layout if axis[1:].startswith("axis") and layout[axis].range
    }
    return traces, ranges, explorer.status


def same_controls(explorer, other):
    """Set the controls of `other` as those of `explorer` are; those first that others depend on."""
    first = [name for name in ("preset", "case", "layer") if name in explorer.controls]
    for name in [*first, *(name for name in explorer.controls if name not in first)]:
        if hasattr(explorer.controls[name], "value"):
            other.controls[name].value = explorer.controls[name].value
    other.wait()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_moves_end_in_the_picture_drawn_directly(name, clouds, quick_cases):
    explorer = build(name, clouds)
    explorer.wait()
    hammer(explorer, MOVES)
    direct = build(name, clouds)
    same_controls(explorer, direct)
    assert direct.state == explorer.state
    assert picture(explorer) == picture(direct)
    assert "did not work" not in explorer.status


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_moves_on_another_thread_end_in_the_same_picture(name, clouds, quick_cases):
    """As under ipykernel 7.4, which runs all callbacks but the first on a thread of their own."""
    here, there = build(name, clouds), build(name, clouds)
    here.wait()
    there.wait()
    hammer(here, 100, seed=1)
    thread = threading.Thread(target=hammer, args=(there, 100), kwargs={"seed": 1})
    thread.start()
    thread.join(120)
    assert not thread.is_alive()
    assert picture(there) == picture(here)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_memory_does_not_grow_with_moves(name, clouds, quick_cases, monkeypatch):
    monkeypatch.setattr("bn_teach.lessons.shared.training.MOST", 5)
    tracemalloc.start()
    try:
        explorer, held = build(name, clouds), []
        hammer(explorer, 120, seed=99, waits=1)  # every run is done, so all that is remembered on purpose is full
        for seed in range(6):
            hammer(explorer, 30, seed)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # What is remembered may differ from round to round, so compare the most. Half a megabyte is what libraries load
    # late; one recording kept too long after each training would be many times that.
    assert max(held[3:]) < max(held[:3]) + 0.5e6


def test_what_is_clicked_away_is_not_run(clouds):
    """Sixty moves of the batch size while a training is under way: the first gives up, and only the last is done."""
    explorer = build("MomentumExplorer", clouds)
    explorer.wait()
    begun = []
    explorer._record, record = lambda config: (begun.append(config), record(config)), explorer._record
    for seed in range(1, 61):
        explorer.controls["seed"].value = seed
    explorer.wait()
    assert begun[-1] == replace(explorer.config, seed=60)
    assert threading.active_count() < 10
    direct = build("MomentumExplorer", clouds)
    same_controls(explorer, direct)
    assert picture(explorer) == picture(direct)
