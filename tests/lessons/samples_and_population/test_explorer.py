"""BatchStatisticsExplorer without a browser: the picture against one drawn from the state, and against theory."""

import threading

import numpy as np
import pytest
from exploring import assert_shows, changed, copied, extremes, lines

from bn_teach import BatchStatisticsExplorer
from bn_teach.data import EmpiricalPopulation, ExponentialPopulation, GaussianPopulation, load_digits
from bn_teach.lessons.samples_and_population import explorer as module
from bn_teach.lessons.samples_and_population import questions
from bn_teach.lessons.samples_and_population.experiment import sample_batches
from bn_teach.lessons.samples_and_population.explorer import BATCHES
from bn_teach.lessons.samples_and_population.picture import picture
from bn_teach.lessons.shared.choices import BATCH_SIZES
from bn_teach.theory import expected_biased_variance, running_var_std
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=30, hidden=(9, 5))
STANDARD_ERRORS = 5


@pytest.fixture
def explorer():
    made = BatchStatisticsExplorer(config=CONFIG)
    yield made
    made.view.close()


@pytest.fixture(scope="module")
def preactivations():
    digits = load_digits()
    recording = train(digits, CONFIG)
    return recording.network_at(len(recording.checkpoint_steps) - 1).layers[0](digits.train_x)


def sample_of(state, preactivations):
    """The mini-batches of a state, without an explorer."""
    population = {
        "gaussian": GaussianPopulation(),
        "skewed": ExponentialPopulation(),
        "unit": EmpiricalPopulation(preactivations[:, state.unit]),
    }[state.data]
    return sample_batches(population, state.batch_size, state.batches, state.seed)


def assert_in_line(explorer, preactivations):
    state = explorer.state
    assert_shows(explorer, picture(sample_of(state, preactivations), state.variances, state.zoom))


def ranges(explorer):
    return {
        axis + panel: explorer.figure.layout[axis + panel].range
        for axis in ("xaxis", "yaxis")
        for panel in ("", "2", "3")
    }


def test_has_the_controls_of_the_design(explorer):
    assert sorted(explorer.controls) == sorted(["batch_size", "data", "variances", "unit", "batches", "seed", "zoom"])
    assert tuple(value for _, value in explorer.controls["batch_size"].options) == BATCH_SIZES
    assert tuple(value for _, value in explorer.controls["batches"].options) == BATCHES


def test_opens_without_any_training(monkeypatch):
    monkeypatch.setattr("bn_teach.lessons.shared.training.train", lambda *_, **__: pytest.fail("trained"))
    explorer = BatchStatisticsExplorer()
    assert explorer.status.startswith("5,000 mini-batches of 16")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *(("batch_size", data) for data in ("gaussian", "skewed", "unit")),
        *((name, "gaussian") for name in ("data", "variances", "batches", "seed", "zoom")),
        ("unit", "unit"),
    ],
)
def test_every_control_at_its_minimum_middle_and_maximum(explorer, preactivations, data, name):
    explorer.controls["data"].value = data
    explorer.wait()
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        explorer.wait()
        assert_in_line(explorer, preactivations)


@pytest.mark.parametrize("data", ["gaussian", "skewed", "unit"])
@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_the_numbers_of_the_sentence_are_within_five_standard_errors(explorer, preactivations, data, batch_size):
    explorer.controls["data"].value = data
    explorer.controls["batch_size"].value = batch_size
    explorer.wait()
    sample = sample_of(explorer.state, preactivations)
    population, m, root = sample.population, batch_size, np.sqrt(len(sample.mean))
    spread, expected_spread = sample.mean.std() / population.std, 1 / np.sqrt(m)
    biased, unbiased = (values.mean() / population.std**2 for values in (sample.biased, sample.unbiased))
    # Of B means: the excess kurtosis of a mean of m is that of the values divided by m.
    error = expected_spread * np.sqrt((2 + population.excess_kurtosis / m) / 4) / root
    assert abs(spread - expected_spread) < STANDARD_ERRORS * error
    var_spread = running_var_std(1.0, 0.0, m, excess_kurtosis=population.excess_kurtosis)
    assert abs(unbiased - 1) < STANDARD_ERRORS * var_spread / root
    assert abs(biased - (m - 1) / m) < STANDARD_ERRORS * var_spread / root
    fourth = np.mean(((sample.unbiased - sample.unbiased.mean()) / sample.unbiased.std()) ** 4)
    scatter = sample.unbiased.std() / population.std**2
    assert abs(scatter - var_spread) < STANDARD_ERRORS * var_spread * np.sqrt((fourth - 1) / 4) / root
    for number in (spread, expected_spread, biased, unbiased):
        assert f"{number:.3f}" in explorer.status
    assert f"scatter by {scatter:.2f} σ²" in explorer.status
    assert f"{var_spread:.2f} σ²." in explorer.status


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("kind", ["means", "biased variances", "unbiased variances"])
def test_the_curves_lie_on_the_histograms_of_gaussian_data(explorer, kind, batch_size):
    explorer.controls["batches"].value = 10_000
    explorer.controls["batch_size"].value = batch_size
    bars, curve = lines(explorer)[kind], lines(explorer)[f"closed form of the {kind}"]
    width = bars.x[1] - bars.x[0]
    shown = slice(2, -1) if batch_size == 2 and kind != "means" else slice(1, -1)  # no end at 0 for batches of two
    wanted = np.interp(bars.x[shown], curve.x, curve.y) * width * 10_000
    counts = bars.y[shown] * width * 10_000
    # The curve bends within a bar: 5 % of its height is allowed for that.
    assert (np.abs(counts - wanted) < STANDARD_ERRORS * np.sqrt(wanted + 1) + 0.05 * wanted).all()


def test_the_curve_of_variances_does_not_fit_skewed_data(explorer):
    explorer.controls["data"].value = "skewed"
    explorer.controls["batch_size"].value = 256
    bars, curve = lines(explorer)["unbiased variances"], lines(explorer)["closed form of the unbiased variances"]
    assert bars.y.max() < 0.7 * curve.y.max()
    assert "heavier tails" in explorer.status
    assert "for Gaussian data the formula gives 0.09 σ²" in explorer.status


def test_upright_lines_stand_where_the_sentence_says(explorer):
    explorer.controls["batch_size"].value = 4
    shown = lines(explorer)
    assert shown["population mean"].x.tolist() == [0.0, 0.0]
    assert shown["population variance"].x.tolist() == [1.0, 1.0]
    for kind in ("biased", "unbiased"):
        at = shown[f"mean of the {kind} variances"].x
        assert at[0] == at[1]
        assert f"average {at[0]:.3f} σ²" in explorer.status


def test_widths_hold_still_under_the_batch_size_until_zoomed_in(explorer):
    across = ("xaxis", "xaxis2", "xaxis3", "yaxis")
    before = ranges(explorer)
    explorer.controls["batch_size"].value = 256
    assert all(ranges(explorer)[axis] == before[axis] for axis in across)
    explorer.controls["zoom"].value = True
    low, high = explorer.figure.layout.xaxis2.range
    assert high - low == pytest.approx(9 / 16)


@pytest.mark.parametrize("name", ["variances", "unit"])
def test_axes_hold_still_under_a_control_that_does_not_concern_them(explorer, name):
    before = ranges(explorer)
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        assert ranges(explorer) == before


def test_only_the_variances_asked_for_are_shown_and_spoken_of(explorer):
    explorer.controls["variances"].value = "biased"
    shown = lines(explorer)
    assert all(len(trace.x) == 0 for name, trace in shown.items() if " unbiased" in f" {name}")
    assert "divided by m-1" not in explorer.status
    assert len(shown["biased variances"].x) > 0
    spread = expected_biased_variance(1.0, 16) * running_var_std(1.0, 0.0, 16)
    assert f"formula gives {spread:.2f} σ²" in explorer.status
    explorer.controls["variances"].value = "unbiased"
    assert "divided by m average" not in explorer.status


def test_training_is_told_and_the_picture_stays_until_it_is_done(explorer, monkeypatch):
    may_go_on = threading.Event()

    def slow_train(*args, **kwargs):
        may_go_on.wait(30)
        return train(*args, **kwargs)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", slow_train)
    before = copied(explorer)
    explorer.controls["data"].value = "unit"
    assert explorer.status.startswith("Training the network")
    assert changed(explorer, before) == set()
    may_go_on.set()
    explorer.wait()
    assert explorer.status.startswith("5,000 mini-batches of 16")


def test_moving_on_while_training_shows_what_was_chosen_last(explorer, monkeypatch, preactivations):
    def endless_train(dataset, config):
        while True:
            train(dataset, config)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", endless_train)
    explorer.controls["data"].value = "unit"
    explorer.controls["data"].value = "skewed"
    explorer.wait(10)
    assert_in_line(explorer, preactivations)
    assert "heavier tails" in explorer.status


def test_the_network_is_trained_once(explorer, monkeypatch):
    explorer.controls["data"].value = "unit"
    explorer.wait()
    monkeypatch.setattr("bn_teach.lessons.shared.training.train", lambda *_, **__: pytest.fail("trained again"))
    for name, value in (("unit", 3), ("data", "gaussian"), ("data", "unit"), ("batch_size", 64), ("seed", 5)):
        explorer.controls[name].value = value
        explorer.wait()
        assert "did not work" not in explorer.status


def test_a_change_of_looks_draws_no_new_batches(explorer, monkeypatch):
    monkeypatch.setattr(module, "sample_batches", lambda *_: pytest.fail("drawn again"))
    explorer.controls["zoom"].value = True
    explorer.controls["variances"].value = "unbiased"
    explorer.controls["unit"].value = 0  # no matter, as long as the data is Gaussian
    assert "did not work" not in explorer.status


def test_an_error_in_a_callback_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    monkeypatch.setattr(module, "sample_batches", lambda *_: 1 / 0)
    explorer.controls["batch_size"].value = 64
    assert "division by zero" in explorer.status
    assert "last good one" in explorer.status
    assert changed(explorer, before) == set()


def test_divergence_is_told_and_other_data_still_work():
    explorer = BatchStatisticsExplorer(config=TrainingConfig(steps=20, hidden=(8,), weight_scale=1e30))
    explorer.controls["data"].value = "unit"
    explorer.wait()
    assert "diverged at step 1" in explorer.status
    explorer.controls["data"].value = "gaussian"
    assert explorer.status.startswith("5,000 mini-batches of 16")


def test_a_slide_sends_one_message_with_both_coordinates_or_only_y(explorer, monkeypatch):
    # A view that is opened later loses what an update holds of one trace and not of another (plotly 7.1).
    sent = []
    monkeypatch.setattr(explorer.figure, "_send_update_msg", lambda **message: sent.append(message["restyle_data"]))
    for batch_size in (2, 256, 16):
        explorer.controls["batch_size"].value = batch_size
    assert len(sent) == 3
    for restyle in sent:
        assert all(isinstance(values, np.ndarray) for name in "xy" for values in restyle[name])


@pytest.mark.parametrize(
    ("name", "value"), [("dataset", "digits"), ("config", 16), ("config", TrainingConfig(hidden=()))]
)
def test_refuses_bad_arguments_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must "):
        BatchStatisticsExplorer(**{name: value})


# The questions of its notebook: what the texts claim must be so.


def test_answers_by_choice():
    assert {
        name: question.measure()["answer"] for name, question in questions.QUESTIONS.items() if question.choices
    } == {
        "halve-the-noise": "64",
        "skewed": "they scatter as much",
        "why-too-small": "each batch measures distances from its own mean",
        "more-batches": "it settles at 75 % of the truth",
        "average-deviations": "too low",
        "second-layer": "above it",
    }


@pytest.mark.parametrize(("name", "low", "high"), [("unbiased-cost", 0.0, 0.5), ("sorted-batches", 45, 65)])
def test_answers_in_numbers(name, low, high):
    measured = questions.QUESTIONS[name].measure()
    assert low <= measured["answer"] < high


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_reveals_read_well(name):
    question = questions.QUESTIONS[name]
    _, text = question.reveal(question.choices[0] if question.choices else 20.0)
    assert "{" not in text
    assert "nan" not in text
