"""The walk through the clinic, by keyboard: all cases, once with wrong answers and once with right ones."""

import re

from bn_teach import CASES
from bn_teach.lessons.clinic.case import CAUSES
from bn_teach.lessons.clinic.explorer import TITLES

NAMES = list(CASES)
ALL = len(CASES)


def walk(notebook, answers):
    """Answer every case, from the first on, by keyboard; return what was said to each answer."""
    explorer, said = notebook.explorer.first, {}
    notebook.control("case").select_option(TITLES[NAMES[0]])
    for name in NAMES:
        cause, number = answers[name]
        explorer.get_by_role("radio", name=CAUSES[cause], exact=True).wait_for()
        notebook.wait_for(lambda: notebook.status().endswith("commit a number."), what=f"the symptom of {name}")
        assert explorer.locator(".js-plotly-plot").count() == 1
        assert len(lines(notebook)["seen"]) > 0
        assert len(lines(notebook)["fixed"]) == 0, "nothing of the fix shows before an answer"
        explorer.get_by_role("radio", name=CAUSES[cause], exact=True).press("Space")
        field = explorer.get_by_label(re.compile("^your number")).first
        field.fill(number)
        field.press("Tab")
        notebook.page.keyboard.press("Enter")
        said[name] = notebook.wait_for(
            lambda: re.match("Right|You named", notebook.status()) and notebook.status(), what=f"the verdict on {name}"
        )
        notebook.wait_for(lambda: len(lines(notebook)["fixed"]) > 0, what=f"the fix of {name} is drawn")
        assert "It happened here." in explorer.text_content()
        if name != NAMES[-1]:
            notebook.control("Next").press("Enter")
    return said


def lines(notebook):
    return {trace["meta"]: trace["y"] for trace in notebook.traces()}


def score(notebook, expected):
    notebook.wait_for(lambda: expected in notebook.explorer.first.text_content(), what=expected)


def all_cases(notebook, axe):
    notebook.show()

    wrong = {name: (next(c for c in case.causes if c != case.cause), "90") for name, case in CASES.items()}
    wrong |= {name: (wrong[name][0], "9") for name, case in CASES.items() if case.high < 90 or case.unit == "%"}
    said = walk(notebook, wrong)
    assert all(text.startswith("You named: ") and "It is another one: " in text for text in said.values())
    assert all(re.search("too (high|low)", text) for text in said.values())
    score(notebook, f"{ALL} of {ALL} cases done: cause right 0, number close 0")

    assert axe(notebook) == []

    notebook.run_all()
    notebook.show()
    score(notebook, f"{ALL} of {ALL} cases done: cause right 0, number close 0")
    assert notebook.status() == said[NAMES[0]], "the answer is still there"

    notebook.explorer.first.get_by_role("button", name=re.compile("^more"), expanded=False).press("Enter")
    notebook.control("Forget all answers").press("Enter")
    score(notebook, f"0 of {ALL} cases done")
    told = {name: re.search(r"the run says (-?[\d.]+)", text).group(1) for name, text in said.items()}
    said = walk(notebook, {name: (case.cause, told[name]) for name, case in CASES.items()})
    assert all(text.startswith("Right: ") and text.endswith("close enough.") for text in said.values())
    score(notebook, f"{ALL} of {ALL} cases done: cause right {ALL}, number close {ALL}")

    notebook.explorer.first.get_by_role("button", name="turn the picture").press("Enter")
    notebook.wait_for(lambda: "with a backbone that drifts" in notebook.status(), what="the turned picture")
    assert notebook.errors() == []
