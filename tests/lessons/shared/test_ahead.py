"""What is computed before anybody asks: all that both sliders can reach, once, and never in somebody's way."""

import gc
import threading
import time
from collections import Counter
from dataclasses import replace
from types import FunctionType, ModuleType

import numpy as np
import pytest

from bn_teach import (
    ChangedWeightsExplorer,
    EstimatorRaceExplorer,
    MomentumExplorer,
    TrainingReadsExplorer,
    TwoModesExplorer,
    WhoseStatisticsExplorer,
)
from bn_teach.data import Dataset
from bn_teach.lessons.shared import idle, training
from bn_teach.lessons.shared.background import Ahead
from bn_teach.lessons.shared.choices import MOMENTA
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=40, hidden=(8, 6), batch_size=8)


@pytest.fixture
def at_rest(monkeypatch, nothing_ahead):
    monkeypatch.setattr(idle, "AHEAD", True)
    monkeypatch.setattr(idle, "QUIET", 0.01)
    yield
    idle.AHEAD = False
    until(lambda: "ahead" not in [thread.name for thread in threading.enumerate()])


@pytest.fixture
def done(monkeypatch):
    """Trainings by batch size and seed, replays by batch size, estimator and momentum: how often each was done."""
    done = Counter()

    def counted_train(dataset, config):
        done[config.batch_size, config.seed] += 1
        return train(dataset, config)

    def counted_replay(recording, momentum, **settings):
        done[recording.config.batch_size, settings["estimator"], momentum] += 1
        return replay(recording, momentum, **settings)

    monkeypatch.setattr(training, "train", counted_train)
    monkeypatch.setattr(training, "replay", counted_replay)
    return done


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def everything_is_there(explorer):
    return explorer._next_piece() is None and explorer._early is None and not explorer._busy()


@pytest.mark.parametrize("cls", [MomentumExplorer, EstimatorRaceExplorer])
def test_after_a_rest_both_sliders_look_up_what_they_show(cls, clouds, at_rest, done):
    explorer = cls(clouds, CONFIG)
    explorer.wait()
    until(lambda: everything_is_there(explorer))
    before = Counter(done)
    assert set(before.values()) == {1}
    for batch_size in explorer._batch_sizes():
        explorer.controls["batch_size"].value = batch_size
        for momentum in MOMENTA:
            explorer.controls["momentum"].value = momentum
            assert "did not work" not in explorer.status
            assert "Training with" not in explorer.status
    explorer.wait()
    assert done == before


def test_the_next_momentum_comes_first_and_then_the_next_batch_size(clouds, at_rest, done):
    explorer = MomentumExplorer(clouds, CONFIG)
    explorer.wait()
    until(lambda: everything_is_there(explorer))
    trained = [key[0] for key in done if len(key) == 2]
    place = explorer._batch_sizes().index
    assert trained[0] == 8
    assert [abs(place(m) - place(8)) for m in trained] == sorted(abs(place(m) - place(8)) for m in trained)
    looked = [key[2] for key in done if key[:2] == (8, "ema")]
    assert looked[0] == 0.9
    assert set(looked[1:3]) == {0.8, 0.95}


def test_the_landscape_is_there_when_the_button_is_pressed(clouds, at_rest, done):
    explorer = EstimatorRaceExplorer(clouds, CONFIG)
    explorer.wait()
    until(lambda: everything_is_there(explorer))
    before = Counter(done)
    explorer.controls["landscape"].value = True
    explorer.wait()
    assert "so far" not in explorer.status
    assert done == before


@pytest.fixture
def held_up(monkeypatch):
    """Trainings of batch size 4 stop at their first step until they may go on."""
    begun, may_go_on = threading.Event(), threading.Event()

    def slow_train(dataset, config):
        if config.batch_size == 4:
            begun.set()
            assert may_go_on.wait(30)
        return train(dataset, config)

    monkeypatch.setattr(training, "train", slow_train)
    yield begun, may_go_on
    may_go_on.set()


def test_who_asks_for_the_run_that_is_on_its_way_gets_it_and_sees_the_bar(clouds, at_rest, held_up):
    begun, may_go_on = held_up
    explorer = MomentumExplorer(clouds, CONFIG)
    assert begun.wait(30)
    explorer.controls["batch_size"].value = 4
    assert "Training with batch size 4" in explorer.status
    assert explorer._progress.layout.visibility == "visible"
    with pytest.raises(TimeoutError, match="still under way"):
        explorer.wait(timeout=0.01)
    may_go_on.set()
    explorer.wait()
    assert explorer.status.startswith("After 40 steps")
    assert explorer._progress.layout.visibility == "hidden"


def test_who_asks_for_another_run_is_served_first(clouds, at_rest, held_up):
    begun, _ = held_up
    explorer = MomentumExplorer(clouds, CONFIG)
    assert begun.wait(30)
    explorer.controls["seed"].value = 1
    explorer.wait()
    assert explorer.status.startswith("After 40 steps")
    assert 4 not in [config.batch_size for config in explorer._runs]


def test_a_training_ahead_is_given_up_for_one_that_is_asked_for(clouds, at_rest, monkeypatch):
    explorer = MomentumExplorer(clouds, CONFIG)
    explorer.wait()
    explorer._asked = "another"
    with pytest.raises(training.Cancelled):
        explorer._follow(CONFIG, 1, 40)
    explorer._asked = None


def test_who_asks_for_a_run_just_as_it_is_given_up_still_gets_it(clouds):
    explorer = MomentumExplorer(clouds, CONFIG)
    explorer.wait()
    record, given_up = explorer._record, []

    def asked_for_while_it_is_given_up(config):
        if given_up:
            return record(config)
        given_up.append(config)
        explorer.controls["batch_size"].value = 4
        raise training.Cancelled

    explorer._record = asked_for_while_it_is_given_up
    explorer._train_early(replace(CONFIG, batch_size=4))
    explorer.wait()
    assert explorer.status.startswith("After 40 steps")
    assert replace(CONFIG, batch_size=4) in explorer._runs


def arrays_within(result):
    """All arrays that Python's garbage collector finds behind a result, but for the data set."""
    found, seen, unread = {}, set(), [result]
    while unread:
        one = unread.pop()
        if id(one) in seen or isinstance(one, (Dataset, type, ModuleType, FunctionType)):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            found[id(one)] = one
        unread += gc.get_referents(one)
    return found.values()


@pytest.mark.parametrize(
    "cls", [ChangedWeightsExplorer, MomentumExplorer, TrainingReadsExplorer, TwoModesExplorer, WhoseStatisticsExplorer]
)
def test_all_that_is_remembered_is_counted(cls):
    explorer = cls()
    explorer.wait()
    assert explorer._held() == sum(array.nbytes for array in arrays_within(list(explorer._runs.values()))) > 1e4


def test_a_failure_ahead_is_told_once_and_spoils_no_picture(clouds, at_rest, monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda what: told.append(what.exc_type))

    def some_fail(dataset, config):
        return 1 / 0 if config.batch_size == 4 else train(dataset, config)

    monkeypatch.setattr(training, "train", some_fail)
    explorer = MomentumExplorer(clouds, CONFIG)
    explorer.wait()
    until(lambda: told)
    explorer.controls["momentum"].value = 0.5
    until(lambda: everything_is_there(explorer))
    assert told == [ZeroDivisionError]
    assert explorer.status.startswith("After 40 steps")


def test_what_diverges_is_tried_once(clouds, at_rest, monkeypatch):
    tried = Counter()

    def diverging(dataset, config):
        tried[config.batch_size] += 1
        wild = TrainingConfig(steps=5, hidden=(8,), weight_scale=1e30)
        return train(dataset, wild if config.batch_size == 4 else config)

    monkeypatch.setattr(training, "train", diverging)
    explorer = MomentumExplorer(clouds, CONFIG)
    explorer.wait()
    until(lambda: everything_is_there(explorer))
    assert tried[4] == 1
    assert explorer.status.startswith("After 40 steps")
    explorer.controls["batch_size"].value = 4
    explorer.wait()
    assert "diverged" in explorer.status


def test_nothing_that_is_remembered_makes_way_for_what_nobody_asked_for(clouds, at_rest, monkeypatch):
    explorer = MomentumExplorer(clouds, CONFIG)
    explorer.wait()
    until(lambda: everything_is_there(explorer))
    room = 2.5 * explorer._held() / len(explorer._runs)
    monkeypatch.setattr(training, "REMEMBERED", room)
    explorer = MomentumExplorer(clouds, CONFIG)
    explorer.wait()
    until(lambda: everything_is_there(explorer))
    assert len(explorer._runs) == 2
    assert explorer._held() <= room


def test_nothing_is_done_while_a_hand_moves_or_a_cell_runs(at_rest, monkeypatch):
    pieces = ["done"]
    ahead = Ahead(lambda: pieces.pop if pieces else None)
    monkeypatch.setattr(idle, "QUIET", 1.0)
    for _ in range(20):  # for more than a second
        idle.moved()
        ahead.wake()
        time.sleep(0.06)
    assert pieces
    idle._cell(True)
    time.sleep(1.5)
    assert pieces
    idle._cell(False)
    until(lambda: not pieces)


CELLS = (
    """import time
from bn_teach import MomentumExplorer
explorer = MomentumExplorer()
explorer.wait()
time.sleep(1.5)
during = len(explorer._runs)""",
    "print(during)",
)


def test_in_a_kernel_cells_come_first():
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    client = NotebookClient(notebook, timeout=120)
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        looking = nbformat.v4.new_code_cell("print(len(explorer._runs))")
        notebook.cells.append(looking)

        def fetched():
            time.sleep(1)
            client.execute_cell(looking, 2)
            return int(looking.outputs[0]["text"]) > 1

        until(fetched, 60)
    assert notebook.cells[1].outputs[0]["text"] == "1\n"
