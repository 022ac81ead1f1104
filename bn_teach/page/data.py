"""A lesson as data for the script of the page: it only selects, draws and fills in."""

import json

import plotly.graph_objects as go

from bn_teach.lessons.shared.choices import ESTIMATOR_LABELS, PRESETS, momentum_labels
from bn_teach.lessons.shared.panels import stacked
from bn_teach.lessons.shared.question import REPLIES
from bn_teach.lessons.start_here.drawing import (
    CAPTIONS,
    CURVES,
    HEIGHT,
    LEFT,
    MODES,
    NARROWEST,
    TITLE,
    TOP,
    WIDTH,
    shelf_of,
)
from bn_teach.lessons.start_here.picture import TEMPLATES
from bn_teach.page import whose
from bn_teach.page.packing import Pack

WRITTEN = {
    "ours": "Keras, Flax: weight of the old value",
    "pytorch": "PyTorch: weight of the new value",
}
NOTICES = {
    "refused": "The link asks for {asked}, which this page does not have. It shows {shown} instead.",
    "broken": "This did not work: {error}. The picture is the last good one.",
    "old": "This browser is too old for the sliders: it cannot unpack the data. The text and the picture remain.",
}
STEP_LABEL = "{steps} ({epochs} epochs)"
# On paper, where there are no controls.
SETTING = (
    "Momentum {momentum}, batch size {batch_size}, step {step}. Statistics at inference: {estimator}. Unit: {unit}. "
    "Momentum is written as in {written}. The drawing shows the network in {mode}. "
    "The address of this picture ends in {hash}."
)
PAPER = {"width": 720, "height": 290}


def controls_of(lesson):
    """Every control: what it offers, how that is written in a link and beside the control, and where it begins.

    Returns
    -------
    dict of str to dict
        Name to ``values`` (as written in a link), ``labels`` (as read; None: see the script) and ``start``.
    """
    default = lesson.default
    steps = [str(step) for step in lesson.runs[0].steps]
    estimators = [name for name in ESTIMATOR_LABELS if any(row.estimator == name for row in lesson.rows)]
    return {
        "momentum": {
            "values": [f"{p:g}" for p in lesson.momenta],
            "labels": {name: momentum_labels(lesson.momenta, name == "pytorch") for name in WRITTEN},
            "start": lesson.momenta.index(default["momentum"]),
        },
        "batch_size": {
            "values": [str(m) for m in lesson.batch_sizes],
            "labels": [str(m) for m in lesson.batch_sizes],
            "start": lesson.batch_sizes.index(default["batch_size"]),
        },
        "step": {"values": steps, "labels": None, "start": len(steps) - 1},
        "estimator": {
            "values": estimators,
            "labels": [ESTIMATOR_LABELS[name] for name in estimators],
            "start": estimators.index(default["estimator"]),
        },
        "unit": {
            "values": [f"{unit.layer + 1}.{unit.number}" for unit in lesson.units],
            "labels": [unit.label for unit in lesson.units],
            "start": lesson.units.index(default["unit"]),
        },
        "written": {"values": list(WRITTEN), "labels": list(WRITTEN.values()), "start": 0},
        "mode": {"values": list(MODES), "labels": list(MODES.values()), "start": 0},
    }


def presets_of(lesson):
    """Presets that this page can show, as settings of its controls.

    Whether the running variance takes in m/(m-1) times the batch variance is no control of the page: it always does.
    """
    offered = {"momentum": lesson.momenta, "batch_size": lesson.batch_sizes}
    presets = {}
    for name, sets in PRESETS.items():
        known = {key: value for key, value in sets.items() if key in offered}
        if all(value in offered[key] for key, value in known.items()):
            presets[name] = {"estimator": "ema", **{key: f"{value:g}" for key, value in known.items()}}
    return presets


def questions_of(questions):
    """Ask every question of the machine, and keep the answers.

    Parameters
    ----------
    questions : dict of str to Question

    Returns
    -------
    dict of str to dict
    """
    asked = {}
    for name, question in questions.items():
        found = question.measure()
        truth = found["answer"]
        asked[name] = {
            "prompt": question.prompt,
            "choices": list(question.choices),
            "truth": truth,
            "measured": truth,
            "why": question.why.format(**found),
            **{key: getattr(question, key) for key in ("unit", "low", "high")},
        }
        if not question.choices:
            ruler = question.ruler(truth)
            asked[name] |= {"measured": ruler.measured, "close": ruler.close, "decimals": ruler.decimals}
    return asked


def data_of(lesson, asked):
    """All that the script of the page needs, as a dict that JSON can hold.

    Parameters
    ----------
    lesson : Lesson
    asked : dict
        From `questions_of`.

    Returns
    -------
    dict
        All but the runs, of which there is one for each batch size: see `run_data`.
    """
    figure = lesson.axes()
    layouts = {name: json.loads(each.to_json())["layout"] for name, each in _figures(figure).items()}
    return {
        "controls": {**controls_of(lesson), **whose.controls_of(lesson.whose)},
        "presets": presets_of(lesson),
        "rows": rows_of_controls(lesson),
        "traces": [_without_data(trace) for trace in json.loads(figure.to_json())["data"]],
        "layouts": layouts,
        "drawing": drawing_data(),
        "templates": {**TEMPLATES, "step": STEP_LABEL, "setting": SETTING, **whose.SETTINGS},
        "notices": NOTICES,
        "replies": REPLIES,
        "questions": asked,
    }


def drawing_data():
    """Return what the script needs to fill the drawing in: sentences, what is on the shelf, and where its bars are."""
    return {
        "title": TITLE,
        "captions": {f"{mode}, {shelf}": caption for (mode, shelf), caption in CAPTIONS.items()},
        "curves": CURVES,
        "shelves": {name: shelf_of(name) for name in ESTIMATOR_LABELS},
        "bars": {"left": LEFT, "width": WIDTH, "top": TOP, "height": HEIGHT, "narrowest": NARROWEST},
    }


def _figures(figure):
    """The figure for a wide screen, a narrow one (one axis for all panels), and paper; screens leave height to CSS."""
    row, narrow, paper = (go.Figure(figure) for _ in range(3))
    narrow.plotly_relayout({**stacked(figure, panel=192, gap=72), "margin.l": 40, "margin.r": 44})
    for axis in list(narrow.select_xaxes())[:-1]:
        axis.update(showticklabels=False, title=None)
    # No dragmode: its axes do not move, and a finger on a picture that fills the screen must still scroll the page.
    for each in (row, narrow):
        each.update_layout(height=None, dragmode=False)
    return {"row": row, "stacked": narrow, "paper": paper.update_layout(**PAPER)}


def rows_of_controls(lesson):
    """For every estimator, the number of the row that each momentum selects."""
    rows = {}
    for number, row in enumerate(lesson.rows):
        held = rows.setdefault(row.estimator, [number] * len(lesson.momenta))
        if row.momentum is not None:
            held[lesson.momenta.index(row.momentum)] = number
    return rows


def run_data(run, lesson, keys):
    """One batch size: curves and words of every row and unit, packed.

    Parameters
    ----------
    run : Run
    lesson : Lesson
    keys : list of str
        Of the traces, in the order in which they are drawn.

    Returns
    -------
    dict
        ``pack``; ``lines``, the number of the array that holds, for every row, unit and trace, the
        numbers of its x and y; ``words``, for every name of a field, the texts that it can have and the
        number of the array that says which, for every row, unit and checkpoint; ``sequences``, the same
        for the templates that apply; ``ranges`` by unit; ``seeds``, a sentence for each row.
    """
    pack, cells = Pack(), [(row, unit) for row in lesson.rows for unit in lesson.units]
    # Packed by unit and trace, so that curves that differ in momentum alone are neighbours.
    numbers = {
        (row, unit, key): [pack.add(values) for values in run.lines[row, unit][key]]
        for unit in lesson.units
        for key in keys
        for row in lesson.rows
    }
    lines = [numbers[row, unit, key] for row, unit in cells for key in keys]
    words = [said for cell in cells for said in run.words[cell]]
    fields = sorted({name for _, said in words for name in said})
    sequences, which = _numbered([names for names, _ in words])
    return {
        "lines": pack.add(lines),
        "sequences": [[list(names) for names in sequences], pack.add(which)],
        "words": {name: _column([said.get(name, "") for _, said in words], pack) for name in fields},
        "ranges": [run.ranges[unit] for unit in lesson.units],
        "seeds": [run.sentences_of_seeds[row] for row in lesson.rows],
        "pack": pack.written(),
    }


def _column(texts, pack):
    distinct, which = _numbered(texts)
    return [distinct, pack.add(which)]


def _numbered(values):
    """Distinct values in the order in which they come, and for each value its number."""
    numbers = {}
    which = [numbers.setdefault(value, len(numbers)) for value in values]
    return list(numbers), which


def _without_data(trace):
    return {name: value for name, value in trace.items() if name not in ("x", "y")}
