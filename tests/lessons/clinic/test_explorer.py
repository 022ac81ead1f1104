"""The clinic without a browser: what a learner can do with a case, and what becomes of the answers."""

import dataclasses
import math
import threading

import pytest
from exploring import assert_shows, extremes, lines

from bn_teach import CASES, ClinicExplorer
from bn_teach.lessons.clinic import explorer as module
from bn_teach.lessons.clinic.case import CAUSES
from bn_teach.lessons.clinic.picture import picture
from bn_teach.training import TrainingDiverged

QUICK = "two-modes"  # takes no training
ALSO_QUICK = "missing-variance"


@pytest.fixture(autouse=True)
def no_answers_yet(monkeypatch):
    monkeypatch.setattr(module, "_ANSWERS", {})
    monkeypatch.setattr(module, "_RESULTS", {})


def opened(case=QUICK):
    made = ClinicExplorer(case)
    made.wait()
    return made


@pytest.fixture
def explorer():
    made = opened()
    yield made
    made.view.close()


def move(explorer, **values):
    for name, value in values.items():
        explorer.controls[name].value = value
    explorer.wait()


def answer(explorer, cause, number):
    move(explorer, cause=cause, number=str(number))
    explorer.commit.click()
    explorer.wait()


def answer_rightly(explorer):
    case = CASES[explorer.state.case]
    broken, fixed = case.experiment.reproduce(explorer.state.seed)
    answer(explorer, case.cause, case.truth(broken, fixed))


def drawn_from(explorer):
    """The picture of a state, without an explorer."""
    state, case = explorer.state, CASES[explorer.state.case]
    turned = explorer.revealed and state.picture == "twist" and case.twist is not None
    shown = case.twist if turned else case
    told = [shown.experiment.broken(state.seed)]
    if explorer.revealed:
        told += [shown.experiment.fixed(state.seed), (state.cause, float(state.number.replace(",", ".")))]
    return picture(shown, *told)


def assert_nothing_is_drawn(explorer):
    assert all(len(line.x) == 0 for line in lines(explorer).values())


# One case


def test_shows_the_symptom_and_nothing_of_the_fix(explorer):
    assert_shows(explorer, drawn_from(explorer))
    shown = lines(explorer)
    assert len(shown["seen"].x) > 0
    assert all(len(shown[key].x) == 0 for key in ("fixed", "after", "this run after"))
    assert explorer.status == "Ratio at batch size 4: 1.155. Name a cause and commit a number."
    assert "the output is 1.155 times as large" in explorer._symptom.value
    assert explorer.details == ""
    assert not explorer.revealed
    assert explorer.controls["picture"].layout.display == "none"


def test_the_fix_is_not_even_run_before_an_answer(monkeypatch):
    with_experiment(monkeypatch, fixed=lambda seed: pytest.fail("the fix was run"))
    explorer = opened()
    assert explorer.status.startswith("Ratio at batch size 4")


def test_a_right_answer_is_told_so_and_explained(explorer):
    answer(explorer, "two-divisors", "1.41")
    assert explorer.status.startswith("Right: one mode divides the variance by m, the other by m - 1.")
    assert "You said 1.41, the run says 1.41: close enough." in explorer.status
    for heading in ("Formula.", "Fix.", "Spot it.", "Careful.", "It happened here."):
        assert heading in explorer.details
    assert "pytorch/pytorch#4741" in explorer.details
    assert "1.155 before, 1.000 after" in explorer.details
    assert_shows(explorer, drawn_from(explorer))
    assert explorer.score == f"1 of {len(CASES)} cases done: cause right 1, number close 1"


def test_a_wrong_answer_is_told_what_is_right_and_how_far_off_it_was(explorer):
    answer(explorer, "bug", 3)
    assert explorer.status.startswith(f"You named: {CAUSES['bug']}. It is another one: {CAUSES['two-divisors']}.")
    assert "You said 3, the run says 1.41: 1.59 too high." in explorer.status
    assert explorer.score == f"1 of {len(CASES)} cases done: cause right 0, number close 0"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "There is no answer yet"),
        ("  ", "There is no answer yet"),
        ("a lot", "'a lot' is not a number"),
        ("nan", "'nan' is not a number"),
        ("-1", "-1 is outside 0 to 100 here"),
        ("1e9", "outside 0 to 100"),
    ],
)
def test_what_is_no_number_gets_a_friendly_word_and_another_try(explorer, typed, said):
    answer(explorer, "bug", typed)
    assert said in explorer.status
    assert not explorer.revealed
    assert not explorer.commit.disabled
    answer_rightly(explorer)
    assert explorer.status.startswith("Right")


def test_a_missing_cause_gets_a_friendly_word(explorer):
    explorer.controls["number"].value = "1.4"
    explorer.commit.click()
    assert explorer.status.startswith("No cause is named yet.")
    assert not explorer.revealed


def test_an_answer_is_committed_once(explorer):
    answer(explorer, "bug", 3)
    assert explorer.commit.disabled
    assert explorer.controls["cause"].disabled
    assert explorer.controls["number"].disabled


def test_the_turned_picture_is_for_afterwards(explorer):
    answer(explorer, "bug", 3)
    assert explorer.controls["picture"].layout.display is None
    move(explorer, picture="twist")
    assert_shows(explorer, drawn_from(explorer))
    assert explorer.status.startswith("20 layers, mini-batches of 64: the ratio is 1.171")
    assert "Over 16 seeds" in explorer.status
    assert explorer._symptom.value.count("20 layers, one on top of the other") == 1, "the texts turn along"
    assert "(64/63)^(20/2)" in explorer.details
    assert "1.155 before" not in explorer.details
    assert explorer.figure.layout.xaxis2.ticktext == ("m - 1", "m")
    move(explorer, picture="case")
    assert "one mini-batch of 4" in explorer._symptom.value.lower()
    assert "1.155 before" in explorer.details
    assert explorer.figure.layout.xaxis2.ticktext == ("broken", "fixed")
    assert explorer.status.startswith("You named")


@pytest.mark.parametrize("name", [QUICK, "epoch-end"])
def test_the_picture_cannot_be_turned_before_the_answer_nor_where_there_is_no_other_side(name):
    explorer = opened(name)
    move(explorer, picture="twist")
    assert_shows(explorer, drawn_from(explorer))
    assert explorer.status.endswith("Name a cause and commit a number.")
    if CASES[name].twist is None:
        answer(explorer, "alone", 114)
        assert explorer.controls["picture"].layout.display == "none"
        assert_shows(explorer, drawn_from(explorer))


def test_another_seed_is_another_run_of_the_same_case():
    explorer = opened(ALSO_QUICK)
    for seed in extremes(explorer.controls["seed"]):
        move(explorer, seed=seed)
        assert_shows(explorer, drawn_from(explorer))


def test_axes_hold_still_when_the_fix_appears(explorer):
    before = [explorer.figure.layout[axis].range for axis in ("xaxis", "yaxis", "yaxis2")]
    answer(explorer, "bug", 3)
    assert before == [explorer.figure.layout[axis].range for axis in ("xaxis", "yaxis", "yaxis2")]


# All cases


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_drawn_and_revealed(name):
    explorer = opened(name)
    assert explorer.status.endswith("Name a cause and commit a number.")
    answer(explorer, CASES[name].causes[0], CASES[name].low)
    assert explorer.status.startswith(("Right", "You named"))
    assert_shows(explorer, drawn_from(explorer))
    shown = lines(explorer)
    ranges = explorer.figure.layout.yaxis.range, explorer.figure.layout.yaxis2.range
    for key, limits in (("fixed", ranges[0]), ("before", ranges[1]), ("after", ranges[1])):
        assert limits[0] <= min(shown[key].y), key
        assert max(shown[key].y) <= limits[1], key
    explorer.view.close()


def test_next_and_previous_walk_through_all_cases(explorer):
    explorer.controls["case"].value = next(iter(CASES))
    assert explorer.previous.disabled
    seen = [explorer.state.case]
    while not explorer.next.disabled:
        explorer.next.click()
        seen.append(explorer.state.case)
    assert seen == list(CASES)
    explorer.previous.click()
    assert explorer.state.case == seen[-2]
    explorer.wait()


def test_each_case_has_its_own_question_and_causes(explorer):
    move(explorer, case=ALSO_QUICK)
    assert "Where does it settle with mini-batches of 2?" in explorer._prompt.value
    assert [key for _, key in explorer.controls["cause"].options] == list(CASES[ALSO_QUICK].causes)
    assert explorer.state.cause is None


# What is kept


def test_run_all_again_keeps_answers_results_and_score(explorer):
    answer(explorer, "bug", "1,4")
    again = opened()
    assert again.revealed
    assert again.state.cause == "bug"
    assert again.state.number == "1,4"
    assert again.status == explorer.status
    assert again.details == explorer.details
    assert again.score == f"1 of {len(CASES)} cases done: cause right 0, number close 1"


def test_coming_back_to_a_case_shows_its_answer(explorer):
    answer(explorer, "bug", 3)
    move(explorer, case=ALSO_QUICK)
    assert explorer.controls["number"].value == ""
    assert explorer.details == ""
    move(explorer, case=QUICK)
    assert explorer.state.cause == "bug"
    assert explorer.status.startswith("You named")
    assert explorer.score.startswith(f"1 of {len(CASES)}")


def test_another_seed_does_not_count_again(explorer):
    answer_rightly(explorer)
    move(explorer, seed=7)
    assert explorer.score == f"1 of {len(CASES)} cases done: cause right 1, number close 1"


def test_all_answers_can_be_forgotten(explorer):
    answer(explorer, "bug", 3)
    explorer.start_over.click()
    explorer.wait()
    assert explorer.score == f"0 of {len(CASES)} cases done"
    assert not explorer.revealed
    assert explorer.state.cause is None
    assert not explorer.commit.disabled
    assert explorer.details == ""
    assert_shows(explorer, drawn_from(explorer))


# What goes wrong


def with_experiment(monkeypatch, **changed):
    experiment = dataclasses.replace(CASES[QUICK].experiment, **changed)
    changed_case = dataclasses.replace(CASES[QUICK], experiment=experiment)
    monkeypatch.setattr(module, "CASES", {**CASES, QUICK: changed_case})


def fail_with(error):
    def fail(seed):
        raise error

    return fail


def test_a_case_that_diverges_here_tells_so_and_shows_nothing(monkeypatch, recording):
    with_experiment(monkeypatch, broken=fail_with(TrainingDiverged(3, recording)))
    explorer = opened()
    assert explorer.status.startswith("'Two modes, two answers' cannot be reproduced here: training diverged at step 3")
    assert_nothing_is_drawn(explorer)
    assert explorer._symptom.value == ""


def test_a_fix_that_does_not_work_here_tells_so_and_takes_another_answer(monkeypatch):
    with_experiment(monkeypatch, fixed=CASES[QUICK].experiment.broken)
    explorer = opened()
    answer(explorer, "bug", 3)
    assert "cannot be reproduced here: with seed 0, ratio at batch size 4 is 1.155 before the fix and 1.155" in (
        explorer.status
    )
    assert explorer.score == f"0 of {len(CASES)} cases done"
    assert not explorer.commit.disabled
    assert explorer.state.number == "3"


def test_a_number_that_is_not_finite_is_not_shown(monkeypatch):
    broken = dataclasses.replace(CASES[QUICK].experiment.broken(0), value=math.nan)
    with_experiment(monkeypatch, broken=lambda seed: broken)
    explorer = opened()
    assert "is not a finite number" in explorer.status
    assert_nothing_is_drawn(explorer)


def test_after_a_failure_the_next_case_works(monkeypatch):
    with_experiment(monkeypatch, broken=fail_with(ZeroDivisionError("division by zero")))
    explorer = opened()
    assert "division by zero" in explorer.status
    move(explorer, case=ALSO_QUICK)
    assert explorer.status.startswith("Running variance")
    assert_shows(explorer, drawn_from(explorer))


def test_quick_changes_end_in_the_last_case(monkeypatch):
    may_go_on = threading.Event()

    def slow(seed):
        may_go_on.wait(30)
        return CASES[QUICK].experiment.broken(seed)

    with_experiment(monkeypatch, broken=slow)
    explorer = ClinicExplorer(QUICK)
    assert explorer.status == "Running the case ..."
    with pytest.raises(TimeoutError, match="still under way"):
        explorer.wait(timeout=0.01)
    explorer.controls["case"].value = ALSO_QUICK
    may_go_on.set()
    explorer.wait()
    assert explorer.status.startswith("Running variance")
    assert_shows(explorer, drawn_from(explorer))


def test_what_is_typed_is_shown_as_text_not_as_html(explorer):
    answer(explorer, "bug", "<img src=x>")
    assert "<img" not in explorer._status.value
    assert "<img src=x>" in explorer.status


@pytest.mark.parametrize("case", ["nonsense", 3, None])
def test_an_unknown_case_is_refused_by_name(case):
    with pytest.raises(ValueError, match="^case must be one of 'new-camera', "):
        ClinicExplorer(case)


def test_has_the_controls_it_names(explorer):
    assert sorted(explorer.controls) == ["case", "cause", "number", "picture", "seed"]
    assert "application/vnd.jupyter.widget-view+json" in explorer._repr_mimebundle_()
