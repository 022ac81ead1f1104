"""TwoModesExplorer and what it stands on, without a browser."""

import numpy as np
import pytest
from exploring import assert_shows, changed, copied, extremes, lines

from bn_teach import TwoModesExplorer
from bn_teach.batchnorm import BatchNorm
from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.two_modes import explorer as module
from bn_teach.lessons.two_modes import questions
from bn_teach.lessons.two_modes.experiment import COMPANY, model_from, predict_both_ways
from bn_teach.lessons.two_modes.picture import picture
from bn_teach.network import cross_entropy
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=120, hidden=(20, 12))
SMALL = TrainingConfig(batch_size=2, steps=5, hidden=(4,))


@pytest.fixture(scope="module")
def run():
    return train(load_digits(), CONFIG)


@pytest.fixture
def explorer(run, monkeypatch):
    monkeypatch.setattr("bn_teach.lessons.shared.training.train", lambda *_, **__: run)
    made = TwoModesExplorer(config=CONFIG)
    made.wait()
    yield made
    made.view.close()


def drawn_from(run, state):
    """The picture of a state, without an explorer."""
    where = {"batch_size": state.batch_size, "company": state.company, "seed": state.seed}
    return picture(predict_both_ways(run, state.image, **where), state.draw - 1)


# The prediction itself.


def test_training_mode_is_a_forward_pass_of_the_batch(run):
    both = predict_both_ways(run, 5, batch_size=8, draws=3, seed=1)
    network = run.network_at(len(run.checkpoint_steps) - 1)
    for rows, probabilities in zip(both.rows, both.training):
        scores = network(run.dataset.validation_x[rows])[:1]
        _, gradient = cross_entropy(scores, np.zeros(1, dtype=int))
        expected = gradient[0] + np.eye(10)[0]  # the gradient of cross-entropy is the probabilities less the label
        np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_inference_mode_is_that_of_the_replay_and_of_the_model(run):
    image = 5
    both = predict_both_ways(run, image, momentum=0.99)
    averages = replay(run, 0.99)
    statistics = [(mean[-1], var[-1]) for mean, var in zip(averages.mean, averages.var)]
    network = run.network_at(len(run.checkpoint_steps) - 1)
    x = run.dataset.validation_x[[image]]
    scores = network.inference(network.layers[0](x), statistics)
    assert both.inference.argmax() == scores.argmax()
    np.testing.assert_allclose(np.diff(np.log(both.inference)), np.diff(scores[0]), atol=1e-4)
    np.testing.assert_allclose(model_from(run, 0.99).eval()(x), scores, atol=1e-4)


@pytest.mark.parametrize("company", COMPANY)
def test_neighbours_are_who_they_should_be(run, company):
    both = predict_both_ways(run, 5, batch_size=16, company=company)
    neighbours = both.rows[:, 1:]
    assert (both.rows[:, 0] == 5).all()
    assert not (neighbours == 5).any()
    labels = np.unique(run.dataset.validation_y[neighbours])
    assert labels.tolist() == ([both.label] if company == "same" else list(range(10)))


def test_a_larger_batch_keeps_the_neighbours_of_a_smaller_one(run):
    small, large = (predict_both_ways(run, 5, batch_size=m) for m in (4, 256))
    assert np.array_equal(large.rows[:, :4], small.rows)


def test_a_batch_of_one_gives_every_image_the_same(run):
    images = [np.flatnonzero(run.dataset.validation_y == digit)[0] for digit in (0, 1)]
    one, other = (predict_both_ways(run, image, batch_size=1, draws=2) for image in images)
    assert one.rows.tolist() == [[images[0]]] * 2
    np.testing.assert_allclose(one.training, other.training, atol=1e-6)
    assert np.abs(one.inference - other.inference).max() > 0.1


def test_probabilities_are_probabilities(run):
    both = predict_both_ways(run, 0, batch_size=2)
    np.testing.assert_allclose(both.training.sum(axis=1), 1)
    assert both.inference.sum() == pytest.approx(1)
    assert both.training.min() >= 0


# The model with a switch.


def test_model_has_the_accuracy_of_the_replay_whatever_the_batch_size(run):
    x, y = run.dataset.validation_x, run.dataset.validation_y
    model = model_from(run, 0.9).eval()
    wanted = replay(run, 0.9).validation_accuracy[-1]
    for batch_size in (1, 16, 100, len(x)):
        assert model.accuracy(x, y, batch_size) == pytest.approx(wanted, abs=1 / len(x))


def test_a_remainder_joins_the_batch_before_it(run):
    model = model_from(run).train()
    sizes = []
    original = BatchNorm.__call__

    def noting(self, x):
        sizes.append(len(x))
        return original(self, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchNorm, "__call__", noting)
        model.accuracy(run.dataset.validation_x[:33], run.dataset.validation_y[:33], 16)
    assert sizes == [16, 16, 17, 17]  # two batch norms each


def test_training_mode_writes_the_averages_and_inference_mode_does_not(run):
    x, y = run.dataset.validation_x, run.dataset.validation_y
    model = model_from(run).eval()
    norm = model.layers[1]
    before = norm.running_mean.copy()
    model.accuracy(x, y, 16)
    assert np.array_equal(norm.running_mean, before)
    model.train().accuracy(x, y, 16)
    assert not np.array_equal(norm.running_mean, before)
    assert np.array_equal(model_from(run).layers[1].running_mean, before), "another model starts afresh"


def test_a_model_in_training_mode_refuses_a_single_image(run):
    with pytest.raises(ValueError, match="call eval"):
        model_from(run).accuracy(run.dataset.validation_x, run.dataset.validation_y, 1)


# The explorer.


def test_has_its_controls_and_shows_the_trained_network(explorer, run):
    assert sorted(explorer.controls) == ["batch_size", "company", "draw", "image", "play", "seed"]
    assert_shows(explorer, drawn_from(run, explorer.state))
    assert explorer.status.startswith("Image 372 is a 2.")


@pytest.mark.parametrize("name", ["batch_size", "company", "draw", "play", "image", "seed"])
def test_every_control_at_its_minimum_middle_and_maximum(explorer, run, name):
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        assert_shows(explorer, drawn_from(run, explorer.state))


def test_inference_mode_stands_still_and_training_mode_does_not(explorer):
    for name, value in (("draw", 17), ("batch_size", 4), ("company", "same")):
        before = copied(explorer)
        explorer.controls[name].value = value
        moved = changed(explorer, before)
        assert "among these neighbours" in moved
        assert not {"in inference mode", "true digit in inference mode", "frame"} & moved


@pytest.mark.parametrize("batch_size", [1, 2, 16])
@pytest.mark.parametrize("draw", [1, 40])
def test_sentence_quotes_the_picture(explorer, run, batch_size, draw):
    explorer.controls["batch_size"].value = batch_size
    explorer.controls["draw"].value = draw
    shown = lines(explorer)
    now = shown["true digit among these neighbours"].y[0]
    assert f"{100 * now:.1f} %" in explorer.status
    assert f"{100 * shown['true digit in inference mode'].y[0]:.1f} %" in explorer.status
    assert shown["among these neighbours"].y[2] == now  # image 372 is a 2
    if batch_size == 1:
        assert "every image gets the same" in explorer.status
        return
    over_draws = shown["true digit among other neighbours"].y
    assert f"from {100 * over_draws.min():.1f} % to {100 * over_draws.max():.1f} %" in explorer.status
    taken_for = predict_both_ways(run, 372, batch_size=batch_size).training.argmax(axis=1)
    assert f"in {np.count_nonzero(taken_for != 2)} of them" in explorer.status
    taken = taken_for[draw - 1]
    assert ("it is taken for a" in explorer.status) == (taken != 2)
    assert taken == 2 or f"it is taken for a {taken}" in explorer.status


def test_pixels_of_at_most_sixteen_images_are_shown(explorer, run):
    for batch_size, images in ((1, 1), (4, 4), (256, 16)):
        explorer.controls["batch_size"].value = batch_size
        rows = predict_both_ways(run, 372, batch_size=batch_size).rows[0][:16]
        inked = sum(len(trace.x) for name, trace in lines(explorer).items() if name.startswith("ink"))
        assert len(rows) == images
        assert inked == np.count_nonzero(run.dataset.validation_x[rows])


def test_axes_hold_still(run):
    states = [{"image": 372}, {"image": 3}, {"batch_size": 4}, {"company": "same"}, {"seed": 1}]
    shown = [picture(predict_both_ways(run, **{"image": 372, **state}), 16) for state in states]
    assert all(one.ranges == shown[0].ranges for one in shown)


def test_a_draw_predicts_nothing_anew(explorer, monkeypatch):
    monkeypatch.setattr(module, "predict_both_ways", lambda *_, **__: pytest.fail("again"))
    explorer.controls["draw"].value = 9
    assert explorer.controls["play"].value == 9
    assert "did not work" not in explorer.status


def test_an_error_in_a_callback_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    monkeypatch.setattr(module, "predict_both_ways", lambda *_, **__: 1 / 0)
    explorer.controls["batch_size"].value = 64
    assert "division by zero" in explorer.status
    assert changed(explorer, before) == set()


def test_trains_by_itself_and_tells_of_divergence():
    explorer = TwoModesExplorer(config=TrainingConfig(steps=20, hidden=(8,), weight_scale=1e30))
    explorer.wait()
    assert "diverged at step 1" in explorer.status


def test_works_on_other_square_images():
    rng = np.random.default_rng(0)
    dataset = Dataset.from_arrays(rng.normal(size=(80, 9)), np.arange(80) % 2)
    explorer = TwoModesExplorer(dataset, TrainingConfig(steps=5, hidden=(4,)))
    explorer.wait()
    assert explorer.state.image == 19
    assert explorer.status.startswith("Image 19 is a")


def test_an_only_child_of_its_class_has_no_such_neighbours():
    y = np.zeros(40, dtype=int)
    dataset = Dataset.from_arrays(np.random.default_rng(0).normal(size=(40, 4)), y)
    lonely = Dataset(dataset.train_x, dataset.train_y, dataset.validation_x, np.eye(10, dtype=int)[9], "lonely")
    explorer = TwoModesExplorer(lonely, TrainingConfig(steps=5, hidden=(4,)))
    explorer.wait()
    explorer.controls["company"].value = "same"
    assert "the only one of its class (1)" in explorer.status
    assert "last good one" in explorer.status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", "digits"),
        ("dataset", Dataset.from_arrays(np.eye(8), [0, 1] * 4)),  # not square
        ("dataset", Dataset.from_arrays(np.eye(4), [0, 1] * 2)),  # one image to validate on, and no neighbour
        ("config", 16),
        ("config", TrainingConfig(batch_norm=False)),
    ],
)
def test_refuses_bad_arguments_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must "):
        TwoModesExplorer(**{"config": SMALL, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("recording", None), ("image", 449), ("batch_size", 0), ("company", "family"), ("draws", 0), ("momentum", 2)],
)
def test_prediction_refuses_bad_arguments_by_name(run, name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be .*, got {value!r}"):
        predict_both_ways(**{"recording": run, "image": 0, name: value})


def test_a_network_without_batch_norm_has_one_mode(digits):
    plain = train(digits, TrainingConfig(steps=1, hidden=(3,), batch_norm=False))
    with pytest.raises(ValueError, match="batch_norm=False"):
        model_from(plain)


# The questions of its notebook: what the texts claim must be so.


@pytest.mark.parametrize(
    ("name", "low", "high"), [("other-neighbours", 12, 23), ("batch-of-one", 7, 13), ("sorted-by-class", 12, 27)]
)
def test_answers_in_numbers(name, low, high):
    measured = questions.QUESTIONS[name].measure()
    assert low < measured["answer"] < high
    if name == "batch-of-one":
        assert measured["different"] == 1
    if name == "sorted-by-class":
        assert measured["inference"] > 97


def test_a_pair_always_comes_out_as_minus_and_plus_one():
    assert questions.QUESTIONS["pair"].measure()["answer"] == "-1 and +1 again"


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_reveals_read_well(name):
    question = questions.QUESTIONS[name]
    _, text = question.reveal(question.choices[0] if question.choices else 20.0)
    assert "{" not in text
    assert "nan" not in text
