"""Whoever waits sees how far training is, wherever in an experiment it is done; what nobody wants any more ends."""

import threading

import pytest

from bn_teach import CASES, ClinicExplorer, Prediction, TrainingConfig, load_digits, train
from bn_teach.lessons import prediction as prediction_module
from bn_teach.lessons.clinic import explorer as clinic_module
from bn_teach.lessons.questions import QUESTIONS
from bn_teach.lessons.shared.bar import Cancelled, TrainingBar
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.runs import trained
from bn_teach.training import live_losses, watched

STEPS = 40


@pytest.fixture
def digits():
    return load_digits()


def seen(bar):
    """What a bar shows from now on: (visible, value, max) after every change."""
    shown = []
    bar.observe(lambda _: shown.append((bar.layout.visibility == "visible", bar.value, bar.max)), names="value")
    return shown


def test_follows_one_training_after_the_other_and_hides(digits):
    bar = TrainingBar()
    shown = seen(bar)
    with bar.watching():
        train(digits, TrainingConfig(steps=STEPS))
        live_losses(digits, TrainingConfig(steps=2 * STEPS), momentum=0.9)
    assert bar.layout.visibility == "hidden"
    assert all(visible for visible, value, _ in shown if value)
    first, second = ([value for _, value, most in shown if most == steps] for steps in (STEPS, 2 * STEPS))
    assert first[:2] == [2, 4]
    assert first[-2:] == [STEPS, 0]  # to its end, and back to the start for the next one
    assert second == list(range(4, 2 * STEPS + 1, 4))


def test_says_nothing_of_training_elsewhere(digits):
    bar = TrainingBar()
    shown = seen(bar)
    with bar.watching():
        pass
    train(digits, TrainingConfig(steps=STEPS))
    assert shown == []


def test_a_block_inside_a_block_has_its_own_watcher(digits):
    outer, inner = [], []
    with watched(lambda *at: outer.append(at)):
        with watched(lambda *at: inner.append(at)):
            train(digits, TrainingConfig(steps=1))
        train(digits, TrainingConfig(steps=2))
    assert (outer, inner) == ([(1, 2), (2, 2)], [(1, 1)])


def test_training_ends_when_nobody_wants_it_and_leaves_the_bar_to_others(digits):
    bar, done = TrainingBar(), []

    def cancelled():
        done.append(1)
        return len(done) > 5

    with pytest.raises(Cancelled), bar.watching(cancelled):
        train(digits, TrainingConfig(steps=10**6))
    assert bar.layout.visibility == "visible"  # as whoever trains now wants it


def test_the_clinic_shows_how_far_its_run_is(monkeypatch):
    monkeypatch.setattr(clinic_module, "_ANSWERS", {})
    trained.cache_clear()
    explorer = ClinicExplorer("two-modes")
    explorer.wait()
    shown = seen(explorer._progress)
    explorer.controls["case"].value = "first-epoch"
    explorer.wait()
    assert [value for visible, value, _ in shown if visible][-3:] == [19, 20, 21]  # of 21 steps
    assert explorer._progress.layout.visibility == "hidden"
    assert explorer._progress in explorer.view.children[0].children


def test_a_case_that_is_left_does_not_train_to_its_end(monkeypatch):
    monkeypatch.setattr(clinic_module, "_ANSWERS", {})
    began = threading.Event()

    def endless(seed):
        train(load_digits(), TrainingConfig(steps=10**6, seed=seed))

    explorer = ClinicExplorer("two-modes")
    explorer.wait()
    monkeypatch.setitem(CASES["by-folder"].experiment.__dict__, "broken", endless)
    explorer._progress.observe(lambda _: began.set(), names="max")
    explorer.controls["case"].value = "by-folder"
    assert began.wait(60)
    explorer.controls["case"].value = "two-modes"
    explorer.wait()
    assert explorer.status.startswith("Ratio at batch size 4")


def test_a_prediction_shows_how_far_its_experiment_is(monkeypatch, digits):
    def measure():
        train(digits, TrainingConfig(steps=STEPS))
        return {"answer": 4.0}

    monkeypatch.setattr(prediction_module, "_ANSWERS", {})
    monkeypatch.setitem(QUESTIONS, "trained", Question("How many?", measure, "So it is.", unit="points"))
    prediction = Prediction("trained")
    shown = seen(prediction._progress)
    prediction.answer.value = "4"
    prediction.commit.click()
    assert shown[-1] == (True, STEPS, STEPS)
    assert prediction._progress.layout.visibility == "hidden"
    assert "close enough" in prediction.result
