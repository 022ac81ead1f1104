"""How near is close enough: one rule for notebooks, the clinic and the page, over the kinds of numbers asked for."""

import json
import re

import pytest

from bn_teach.lessons.clinic.case import Case
from bn_teach.lessons.questions import QUESTIONS
from bn_teach.lessons.shared.question import Question, Ruler
from bn_teach.page.data import questions_of

POINTS, SHARE = "percentage points", "%"


@pytest.mark.parametrize(
    ("truth", "unit", "computable", "inside", "outside"),
    [
        # Points: a quarter of what was measured, and one point at any rate.
        (2.9, POINTS, False, (1.9, 2.5, 3.9), (1.0, 4.0)),
        (3.3, POINTS, False, (2.4, 4.2), (1.0, 4.4)),
        (18.3, POINTS, False, (14, 22), (13, 23)),
        (0.1, POINTS, False, (0, 1), (1.2,)),
        (-0.4, POINTS, False, (-1, 0.5), (-1.5, 0.7)),
        # Shares: above 50 % the rest to 100 counts, and chance leaves one point.
        (19.4, SHARE, False, (15, 24), (14, 25)),
        (97.9, SHARE, False, (97, 98.8), (75, 96)),
        (17.6, "% of the images", False, (14, 21), (12, 23)),
        # Anything else: a quarter; what has a formula: a twentieth.
        (10.2, "times", False, (8, 12), (7, 13)),
        (155, "steps", False, (120, 190), (100, 200)),
        (0.2, "", False, (0.16, 0.24), (0.1, 0.3)),
        (1.414, "", True, (1.4, 1.45), (1, 1.1547, 1.5)),
        (113.9, "times", True, (109, 114), (100, 128, 1025)),
        (36.6, "percent", True, (35, 38), (34, 40)),
        (81.0, SHARE, True, (80, 82), (79, 83)),
        (0.0, "", False, (0,), (0.1,)),
    ],
)
def test_one_rule_over_the_kinds(truth, unit, computable, inside, outside):
    ruler = Ruler(truth, unit, computable)
    assert [a for a in inside if not ruler.is_close(a)] == []
    assert [a for a in outside if ruler.is_close(a)] == []
    assert all(ruler.reply(a).endswith(": close enough.") for a in inside)
    assert all(re.search(r" too (high|low)\.$", ruler.reply(a)) for a in outside)


def test_one_against_two_point_nine_and_one_against_three_point_three_are_judged_alike():
    # Once the clinic called the first close enough, and the page the second one 2.3 too low.
    said = [Ruler(truth, POINTS).reply(1.0) for truth in (2.9, 3.3)]
    assert said == [
        "You said 1, the run says 2.9 percentage points: 1.9 too low.",
        "You said 1, the run says 3.3 percentage points: 2.3 too low.",
    ]


@pytest.mark.parametrize(
    ("truth", "unit", "measured"),
    [
        (1.4142, "", "1.41"),
        (113.9, "times", "114 times"),
        (10.19, "times", "10.2 times"),
        (0.2093, "", "0.209"),
        (3.34, POINTS, "3.3 percentage points"),
        (0.0, "", "0.0"),
        (155.0, "steps", "155 steps"),
    ],
)
def test_a_number_is_written_as_exactly_as_it_is_judged(truth, unit, measured):
    ruler = Ruler(truth, unit)
    assert ruler.measured == measured
    assert ruler.is_close(float(measured.split()[0])), "who types what was said is right"


def test_no_question_has_a_rule_of_its_own():
    for kind in (Question, Case):
        assert not {"close", "tolerance"} & set(kind.__dataclass_fields__)


def test_the_page_gets_the_verdict_of_the_notebook():
    kinds = {
        "points": Question("?", lambda: {"answer": 3.34}, "Why.", unit=POINTS),
        "computed": Question("?", lambda: {"answer": 2**0.5}, "Why.", computable=True),
        "choice": Question("?", lambda: {"answer": "yes"}, "Why.", choices=("yes", "no")),
    }
    asked = json.loads(json.dumps(questions_of(kinds)))
    for name in ("points", "computed"):
        ruler = Ruler(asked[name]["truth"], kinds[name].unit, kinds[name].computable)
        assert asked[name]["close"] == ruler.close
        assert f"{asked[name]['truth']:.{asked[name]['decimals']}f}" == asked[name]["measured"].split()[0]
        assert kinds[name].reveal(asked[name]["truth"] - 1.01 * ruler.close)[0] is False
    assert asked["choice"]["measured"] == "yes"


def test_computable_are_those_that_follow_from_a_formula():
    computable = {name for name, question in QUESTIONS.items() if question.computable}
    assert {"missing-after-100", "noise-shrinks", "one-of-1025"} <= computable
    assert not any(QUESTIONS[name].choices for name in computable)
