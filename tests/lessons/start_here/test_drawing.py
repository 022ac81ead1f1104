"""Who writes, who reads: what the drawing says in each mode."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from bn_teach.data import load_digits
from bn_teach.lessons.start_here.drawing import (
    CAPTIONS,
    LEFT,
    MODES,
    SVG,
    WIDTH,
    bars,
    draw,
    fields,
    shelf_of,
    two,
)
from bn_teach.replay import AVERAGES, ESTIMATORS, inside, replay
from bn_teach.training import TrainingConfig, train

WHERE = {"layer": 1, "unit": 2, "step": 37}  # between two checkpoints


@pytest.fixture(scope="module")
def recording():
    return train(load_digits(), TrainingConfig(steps=60, hidden=(9, 6)))


def svg_of(drawn):
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", drawn, re.DOTALL)[0])


def texts(svg):
    return {one.get("data-field"): one.text for one in svg.iter() if one.get("data-field")}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_number_is_that_of_the_recording(recording, estimator, mode):
    chosen = replay(recording, 0.9, estimator=estimator)
    svg = svg_of(draw(chosen, mode, **WHERE))
    said, k = texts(svg), list(chosen.steps).index(30)  # the last checkpoint
    assert (svg.get("role"), svg.get("data-mode"), svg.get("data-shelf")) == ("img", mode, shelf_of(estimator))
    assert said["title"].endswith(mode)
    assert said["batch_mean"] == two(recording.batch_mean[1][36, 2])
    assert said["batch_var"] == two(recording.batch_var[1][36, 2])  # what batch norm uses: not times m/(m-1)
    assert (said["gamma"], said["beta"]) == (two(recording.gamma[1][k, 2]), two(recording.beta[1][k, 2]))
    assert said["loss"] == two(recording.loss[36])
    assert said["accuracy"] == f"{100 * chosen.validation_accuracy[k]:.1f} %"
    if estimator in AVERAGES:
        assert said["shelf_mean"] == two(chosen.running_mean[1][36, 2])
    elif estimator != "batch":
        assert said["shelf_mean"] == two(chosen.mean[1][k, 2])


def test_the_words_name_who_writes_and_who_reads(recording):
    chosen = replay(recording, 0.9)
    training, prediction = (texts(svg_of(draw(chosen, mode, **WHERE)))["caption"] for mode in MODES)
    assert "16 images of mini-batch 37" in training
    assert "A copy goes to the shelf, where it makes 10 % of the average. Nobody reads the shelf" in training
    assert "accuracy" not in training
    assert "held-out images, which come in only here, go through the weights of step 30" in prediction
    assert "nothing is written there" in prediction
    assert "loss" not in prediction
    assert prediction in draw(chosen, "prediction", **WHERE).split("</svg>")[1]  # and for who sees it


def test_every_field_of_the_drawing_and_its_words_is_filled(recording):
    known = fields(replay(recording, 0.9), **WHERE)
    wanted = set(re.findall(r'data-field="(\w+)"', SVG)) - {"title", "caption"}
    wanted |= {name for caption in CAPTIONS.values() for name in re.findall(r"\{(\w+)\}", caption)}
    assert wanted <= set(known)
    assert set(CAPTIONS) == {(mode, shelf_of(name)) for mode in MODES for name in ESTIMATORS}


def test_a_bar_is_as_wide_as_its_weight():
    drawn = bars(*inside("ema", 0.5, 3))
    sides = [(float(left), float(right)) for left, right in re.findall(r"M([\d.]+) \d+H([\d.]+)", drawn["bars"])]
    assert [right - left + 1 for left, right in sides] == pytest.approx([WIDTH / 2, WIDTH / 4, WIDTH / 8], abs=0.11)
    left, right = map(float, re.search(r"M([\d.]+) \d+H([\d.]+)", drawn["start"]).groups())
    assert right - left == pytest.approx(WIDTH / 8, abs=0.11)
    assert right == LEFT + WIDTH
    assert bars(*inside("debiased", 0.5, 3))["start"] == ""


def test_numbers_have_a_true_minus_and_no_zero_has_one():
    assert [two(value) for value in (-1.234, -0.001, 0.0, np.float32(2.5))] == ["−1.23", "0.00", "0.00", "2.50"]
