"""Whose statistics, without a browser: the network in the page, what the controls offer, what stands there at first."""

import json
import math

import numpy as np
import pytest

from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.shared.runs import run
from bn_teach.lessons.whose_statistics import experiment
from bn_teach.page import whose
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, train


@pytest.fixture(scope="module")
def ours():
    return whose.whose_of(run(), 7)


@pytest.fixture(scope="module")
def others(clouds):
    return whose.whose_of(train(clouds, TrainingConfig(batch_size=8, steps=25, hidden=(7,))), 3)


def test_with_N_all_it_is_the_network_of_the_picture_in_inference_mode(ours):
    last = replay(run(), 0.9).validation_accuracy[-1]
    for n, order in ((1, "shuffled"), (16, "sorted")):
        assert ours.accuracy("none", math.inf, n, order) == last


def test_a_drawing_alone_is_read_as_the_replay_reads_it(ours):
    image = ours.images("none")[4]
    scores = ours.scores("none", math.inf, 1, "shuffled")[4]
    shares = ours.probabilities(image, math.inf, 31, 8, "mist")  # whoever is beside it
    np.testing.assert_allclose(shares, np.exp(scores) / np.exp(scores).sum(), rtol=1e-9)


def test_neighbours_are_the_first_of_one_permutation(ours):
    assert np.array_equal(ours.neighbours(7, None), ours.neighbours(15, None)[:7])
    assert set(ours.labels[ours.neighbours(31, 8)]) == {8}
    assert len(ours.neighbours(max(whose.NEIGHBOURS), 8)) == max(whose.NEIGHBOURS)


def test_controls(ours, others):
    offered = whose.controls_of(ours)
    assert list(offered) == ["drawing", "neighbours", "company", "over", "weight", "images", "N", "n", "order"]
    assert offered["n"]["values"] == ["1", "2", "4", "8", "16", "32", "64", "449"]
    assert offered["images"]["values"] == list(experiment.CORRUPTIONS)
    assert load_digits().validation_y[int(offered["drawing"]["start"][1:])] == 3
    assert list(whose.controls_of(others)) == ["images", "N", "n", "order"]
    assert "blur" not in whose.controls_of(others)["images"]["values"]  # 6 columns are no square
    assert others.sizes == (1, 2, 4, 8, 16, 32, 40)


def test_of_a_large_data_set_the_page_holds_the_first_rows():
    rng = np.random.default_rng(0)
    x, y = rng.random((200, 2000), dtype=np.float32), rng.integers(0, 2, 200)
    large = Dataset(x[:20], y[:20], x[20:], y[20:], "large")
    held = whose.whose_of(train(large, TrainingConfig(batch_size=4, steps=5, hidden=(3,))), 0)
    assert held.rows == whose.ROOM // 2000 < 180
    assert len(held.scores("mist", 4, 8, "shuffled")) == len(held.labels) == held.rows
    assert held.sizes[-1] == held.rows


def test_the_data_hold_the_network_to_the_last_bit(ours):
    data = json.loads(json.dumps(whose.whose_data(ours)))
    kinds = [kind for kind, _ in data["pack"]["arrays"]]
    weights = [layer["weight"] for layer in data["network"]["layers"]]
    assert {kinds[number] for number in weights} == {"exact"}
    lengths = [data["pack"]["arrays"][number][1] for number in weights]
    assert lengths == [6400, 10000, 1000]
    assert [norm["eps"] for norm in data["network"]["norms"]] == [1e-5, 1e-5]


def test_what_stands_there_before_the_script_runs(ours, others):
    start = whose.start_of(ours)
    assert start["table"][16][-1] == {"written": "98.2", "depth": 0, "N": "all"}
    assert start["table"][1][0]["depth"] == len(whose.DEPTHS)  # alone in a batch, by its own statistics: chance
    for column in zip(*start["ten"]):
        assert sum(share for _, share, _ in column) == pytest.approx(1)
        assert [best for *_, best in column].count(True) == 1
    assert "ten" not in whose.start_of(others)


def test_words_of_every_mixture(ours):
    said = [whose.bench_words(ours, "mist", N, n, "shuffled") for N, n in ((math.inf, 1), (0, 1), (0, 8), (1, 7))]
    for sentence, name in zip(said, ("running", "alone", "own", "mixture")):
        assert whose.WORDS[name].split("{")[0] in sentence
    assert "12.5 % that of the running statistics, 87.5 % that of the test batch" in said[-1]
    assert whose.drawing_words(ours, "", 4, 15, None, "none") == whose.WORDS["nothing"]


def test_percentages_are_rounded_as_a_script_rounds_them():
    """Halves upwards: toFixed in JavaScript, where Python takes the even neighbour."""
    assert [whose.percent(share) for share in (0.0625, 0.1875, 1.0, 0.0)] == ["6.3", "18.8", "100.0", "0.0"]


def test_an_image_suffers_more_beside_its_own_kind_over_16_networks():
    """The question rests on one network and all its held-out images; the direction on many."""
    found = []
    for seed in range(16):
        network = whose.whose_of(train(load_digits(), TrainingConfig(steps=200, seed=seed)), 7)
        wrong = np.array([whose._misread(network, 15, company) for company in range(10)])
        own = np.equal.outer(np.arange(10), network.labels)
        found.append(wrong[own].mean() - wrong[~own].mean())
    assert min(found) > 0.3


def test_the_question_rests_on_what_is_measured():
    question = whose.QUESTIONS["beside-fifteen"]
    measured = question.measure()
    assert measured["answer"] == whose._SAME
    assert measured["own"] > 70 > 30 > measured["other"]
    assert question.why.format(**measured)
