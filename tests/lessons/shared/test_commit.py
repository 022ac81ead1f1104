"""A click that is heard before what was typed before it, and one that was pressed too early."""

import ipywidgets as widgets
import pytest

from bn_teach import ClinicExplorer, Prediction
from bn_teach.lessons import prediction as predictions
from bn_teach.lessons.clinic import explorer as clinic
from bn_teach.lessons.shared import commit
from bn_teach.lessons.shared.commit import CommitButton


@pytest.fixture(autouse=True)
def nothing_answered(monkeypatch):
    monkeypatch.setattr(predictions, "_ANSWERS", {})
    monkeypatch.setattr(clinic, "_ANSWERS", {})
    monkeypatch.setattr(clinic, "_RESULTS", {})


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(commit, "time", made)
    return made


@pytest.fixture
def taken():
    return []


@pytest.fixture
def answer():
    return widgets.Text()


@pytest.fixture
def button(answer, taken):
    def take():
        if answer.value:
            taken.append(answer.value)
            made.disabled = True

    made = CommitButton(take, answer)
    return made


def test_an_answer_that_is_heard_right_after_the_click_counts(clock, button, answer, taken):
    button.click()
    assert taken == []
    clock.now += 0.9 * commit.LATE
    answer.value = "4"
    assert taken == ["4"]
    answer.value = "5"
    assert taken == ["4"]


def test_an_answer_typed_later_waits_for_another_click(clock, button, answer, taken):
    button.click()
    clock.now += 1.1 * commit.LATE
    answer.value = "4"
    assert taken == []
    button.click()
    assert taken == ["4"]


def test_nothing_is_taken_before_a_click(clock, button, answer, taken):
    answer.value = "4"
    assert taken == []


def test_a_prediction_hears_its_answer_late(clock):
    prediction = Prediction("training-loss")
    prediction.commit.click()
    assert "There is no answer yet" in prediction.result
    prediction.answer.value = "it gets worse"
    assert "it stays exactly the same" in prediction.result
    assert prediction.commit.disabled


@pytest.mark.parametrize("order", [("number", "cause"), ("cause", "number")])
def test_the_clinic_hears_an_answer_late(clock, order):
    explorer = ClinicExplorer("two-modes")
    explorer.wait()
    explorer.commit.click()
    answer = {"cause": "bug", "number": "1.4"}
    for name in order:
        assert not explorer.revealed
        explorer.controls[name].value = answer[name]
    explorer.wait()
    assert explorer.status.startswith("You named")


def test_what_was_answered_elsewhere_is_not_taken_for_the_missing_part(clock):
    explorer = ClinicExplorer("missing-variance")
    explorer.controls["cause"].value = "bug"
    explorer.controls["number"].value = "50"
    explorer.commit.click()
    answered = dict(clinic._ANSWERS)
    explorer.previous.click()
    explorer.controls["number"].value = "1.4"
    explorer.commit.click()
    explorer.next.click()
    explorer.wait()
    assert answered == clinic._ANSWERS == {"missing-variance": ("bug", "50")}
