"""WhoseStatisticsExplorer and ChangedWeightsExplorer, and the questions of notebook 08, without a browser."""

import math
from dataclasses import replace

import numpy as np
import pytest
from exploring import assert_shows, changed, copied, extremes, lines

from bn_teach import ChangedWeightsExplorer, WhoseStatisticsExplorer
from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.whose_statistics import explorer as module
from bn_teach.lessons.whose_statistics import questions, weights
from bn_teach.lessons.whose_statistics.changed import AMOUNTS, CONFIGS, change_weights
from bn_teach.lessons.whose_statistics.experiment import bench
from bn_teach.lessons.whose_statistics.measured import load_measured
from bn_teach.lessons.whose_statistics.picture import NS, picture
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=120, hidden=(20, 12))


@pytest.fixture(scope="module")
def tried():
    return bench(train(load_digits(), CONFIG))


@pytest.fixture
def explorer():
    made = WhoseStatisticsExplorer(config=CONFIG)
    made.wait()
    yield made
    made.view.close()


def drawn_from(tried, state):
    """The picture of a state, without an explorer."""
    setting = {"corruption": state.corruption, "classes": state.classes, "seed": state.seed}
    accuracy = {N: tried.accuracy(N, state.n, **setting) for N in NS}
    seen = tried.mixed(state.N, state.n, **setting)
    return picture(state, tried, tried.training_values(), seen, accuracy, tried.accuracy(math.inf, 1))


def test_has_its_controls_and_opens_in_inference_mode(explorer, tried):
    assert sorted(explorer.controls) == sorted(["corruption", "N", "n", "classes", "layer", "unit", "seed"])
    assert math.isinf(explorer.state.N)
    assert_shows(explorer, drawn_from(tried, explorer.state))
    assert explorer.status.startswith("Images as in training, in 28 test batches of 16 to 17 images, shuffled.")


@pytest.mark.parametrize("name", ["corruption", "N", "n", "classes", "layer", "unit"])
def test_every_control_at_its_minimum_middle_and_maximum(explorer, tried, name):
    explorer.controls["corruption"].value = "blur"
    explorer.controls["N"].value = 16
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        assert_shows(explorer, drawn_from(tried, explorer.state))


def test_another_seed_is_another_network(explorer):
    before = copied(explorer)
    explorer.controls["seed"].value = 5
    explorer.wait()
    assert {"ink", "training images", "accuracy"} <= changed(explorer, before)


def test_a_mixture_of_nothing_cannot_be_set(explorer):
    least = {name: min(value for _, value in explorer.controls[name].options) for name in ("N", "n")}
    assert least == {"N": 0, "n": 1}


def test_sentence_quotes_the_picture(explorer, tried):
    for name, value in (("corruption", "mist"), ("N", 4), ("n", 16), ("classes", 5)):
        explorer.controls[name].value = value
    accuracy = [tried.accuracy(N, 16, corruption="mist", classes=5) for N in (4, 0, math.inf)]
    for share in (4 / 20, *accuracy):
        assert f"{100 * share:.1f} %" in explorer.status
    assert "5 classes in each" in explorer.status
    here = lines(explorer)["here"]
    assert (here.x[0], here.y[0]) == (NS.index(4), accuracy[0])


def test_frames_stand_around_what_is_read_wrongly(explorer, tried):
    explorer.controls["corruption"].value = "mist"
    explorer.controls["N"].value = 64
    seen = tried.mixed(64, 16, corruption="mist", classes=10)
    wrong = (~tried.right(seen))[seen.batches.order[:16]]
    assert len(lines(explorer)["misread"].x) == 6 * wrong.sum()
    first = int(np.flatnonzero(wrong)[0])
    assert lines(explorer)["misread"].x[0] == 9 * (first % 4) - 0.5
    assert lines(explorer)["misread"].y[0] == 9 * (first // 4) - 0.5


def test_ink_is_that_of_the_first_test_batch(explorer, tried):
    explorer.controls["corruption"].value = "contrast"
    ink = np.array(lines(explorer)["ink"].z).reshape(36, 36)
    rows = tried.mixed(0, 16, classes=10).batches.order
    np.testing.assert_allclose(ink[:8, 9:17], 0.4 * tried.dataset.validation_x[rows[1]].reshape(8, 8), atol=1e-6)
    assert np.isnan(ink[8]).all()


def test_the_marks_are_the_statistics_that_are_mixed(explorer, tried):
    explorer.controls["N"].value = 16
    seen = tried.mixed(16, 16, classes=10)
    for who, (mean, var) in (
        ("training images", (tried.source[0][0], tried.source[0][1])),
        ("first test batch", (seen.batch[0][0][0], seen.batch[0][1][0])),
        ("mixture", (seen.used[0][0][0], seen.used[0][1][0])),
    ):
        low, middle, high = lines(explorer)[f"mean ± sd, {who}"].x
        assert middle == pytest.approx(mean[7])
        assert (high - low) / 2 == pytest.approx(math.sqrt(var[7]))


def test_a_move_of_N_or_of_the_unit_measures_no_curve_anew(explorer, monkeypatch):
    monkeypatch.setattr(module.WhoseStatisticsExplorer, "_accuracies", lambda *_: pytest.fail("measured"))
    before = copied(explorer)
    explorer.controls["N"].value = 4
    explorer.controls["unit"].value = 3
    assert explorer.status.startswith("Images as in training")
    assert "accuracy" not in changed(explorer, before)


def test_axes_hold_still_while_N_moves(explorer):
    explorer.controls["corruption"].value = "mist"
    held = [explorer.figure.layout[axis].range for axis in ("xaxis", "yaxis", "xaxis3", "yaxis3")]
    explorer.controls["N"].value = 0
    assert held == [explorer.figure.layout[axis].range for axis in ("xaxis", "yaxis", "xaxis3", "yaxis3")]


def test_the_unit_stays_within_its_layer(explorer):
    explorer.controls["unit"].value = 19
    explorer.controls["layer"].value = 1
    assert explorer.state.unit == 11


def test_other_data_sets_work_and_rows_are_not_blurred():
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 30)
    dataset = Dataset.from_arrays(rng.normal(10 * labels[:, None], 5, (90, 6)), labels)
    explorer = WhoseStatisticsExplorer(dataset, TrainingConfig(steps=20, hidden=(5,), batch_size=8))
    explorer.wait()
    assert [name for _, name in explorer.controls["corruption"].options] == [
        "none",
        "mist",
        "contrast",
        "noise",
        "brighter",
    ]
    assert [label for label, _ in explorer.controls["n"].options] == ["1", "2", "4", "8", "16", "all 22"]
    assert [classes for _, classes in explorer.controls["classes"].options] == [1, 3]
    explorer.controls["n"].value = 1
    explorer.controls["classes"].value = 1
    assert "22 test batches of 1 image, sorted by class" in explorer.status
    assert np.array(lines(explorer)["ink"].z).shape == (16 * 2 * 7,)


def test_one_held_out_image_is_a_test_batch():
    dataset = load_digits()
    single = replace(dataset, validation_x=dataset.validation_x[:1], validation_y=dataset.validation_y[:1])
    explorer = WhoseStatisticsExplorer(single, CONFIG)
    explorer.wait()
    assert "1 test batch of 1 image" in explorer.status


def test_an_error_in_a_callback_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    monkeypatch.setattr(module, "picture", lambda *_: 1 / 0)
    explorer.controls["N"].value = 0
    assert explorer.status.startswith("This did not work: division by zero")
    assert changed(explorer, before) == set()


@pytest.mark.parametrize("made", [WhoseStatisticsExplorer, ChangedWeightsExplorer])
def test_refuses_a_dataset_of_the_wrong_kind(made):
    with pytest.raises(TypeError, match="dataset must be a Dataset or None, got 'digits'"):
        made("digits")


def test_refuses_a_network_without_batch_norm():
    with pytest.raises(ValueError, match="config must have batch_norm=True"):
        WhoseStatisticsExplorer(config=TrainingConfig(batch_norm=False))


# Changed weights


@pytest.fixture(scope="module")
def recordings():
    return {config: train(load_digits(), config) for config in set(CONFIGS.values())}


@pytest.fixture(scope="module")
def shown(recordings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bn_teach.lessons.shared.training.train", lambda _, config: recordings[replace(config, seed=0)])
        made = ChangedWeightsExplorer()
        made.wait()
        yield made
    made.view.close()


@pytest.mark.parametrize("change", AMOUNTS)
def test_every_amount_of_every_change(shown, recordings, change):
    shown.controls["change"].value = change
    shown.wait()
    found = change_weights(recordings[CONFIGS[change]], change)
    for amount in extremes(shown.controls["amount"]):
        shown.controls["amount"].value = amount
        assert_shows(shown, weights.picture(shown.state, found))
        told = found[amount].accuracy
        assert all(f"{accuracy:.1f} %" in shown.status for accuracy in told.values())
    assert [label for label, _ in shown.controls["amount"].options] == weights.amount_labels(change)


def test_dots_lie_on_the_diagonal_where_statistics_fit(shown):
    shown.controls["change"].value = "pruned"
    for amount, least, most in ((0, 0.9, 1.1), (4, 1.1, 2.0)):
        shown.controls["amount"].value = amount
        dots = lines(shown)["standard deviation, old"]
        assert least < np.median(np.divide(dots.y, dots.x)) < most
        few = lines(shown)["standard deviation, few"]
        assert 0.9 < np.median(np.divide(few.y, few.x)) < 1.1


def test_a_change_that_leaves_nothing_is_shown():
    explorer = ChangedWeightsExplorer(Dataset.from_arrays(np.eye(32), [0, 1] * 16))
    explorer.wait()
    explorer.controls["amount"].value = 7
    assert explorer.status.startswith("The smallest 98 %")


# Questions


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("one-and-one", 97, 99),
        ("one-class", 10, 13),
        ("misty-camera", 95, 98),
        ("mist-sorted", 25, 35),
        ("pruned", 80, 88),
        ("pruned-further", 24, 34),
    ],
)
def test_answers_in_numbers(name, low, high):
    assert low < questions.QUESTIONS[name].measure()["answer"] < high


@pytest.mark.parametrize(
    ("name", "answer"), [("best-mixture", "no"), ("averaged-weights", "several percentage points")]
)
def test_answers_among_choices(name, answer):
    question = questions.QUESTIONS[name]
    assert question.measure()["answer"] == answer
    assert answer in question.choices


def test_numbers_in_the_prompts_were_measured():
    measured = load_measured()
    for name, number in (
        ("one-class", measured.bench(0, 20).mean()),
        ("misty-camera", measured.bench(math.inf, 16, corruption="mist").mean()),
        ("pruned", measured.changes["pruned", 80, "old"].mean()),
    ):
        assert f" {number:.0f} % " in questions.QUESTIONS[name].prompt


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_reveals_read_well(name):
    question = questions.QUESTIONS[name]
    _, text = question.reveal(question.choices[0] if question.choices else 50.0)
    assert "{" not in text
    assert "nan" not in text
