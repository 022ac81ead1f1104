"""The explorer of a known population: every control, and the picture equal to one drawn from the state."""

import re

import numpy as np
import pytest
from exploring import assert_shows, changed, copied, extremes, lines

from bn_teach import RunningStatisticsExplorer
from bn_teach.lessons.questions import QUESTIONS
from bn_teach.lessons.running_averages import explorer as module
from bn_teach.lessons.running_averages import questions as running_averages
from bn_teach.lessons.running_averages.experiment import RUNS, STEPS, KnownRun, expected_error, simulate, typical_error
from bn_teach.lessons.running_averages.explorer import DRIFTS, INITIALS, SIZES
from bn_teach.lessons.running_averages.picture import picture
from bn_teach.lessons.shared.choices import MOMENTA
from bn_teach.theory import best_momentum, effective_batches

CONTROLS = ("momentum", "batch_size", "drift", "initial", "estimator", "sampling", "seed", "pytorch_momentum")


@pytest.fixture
def explorer():
    made = RunningStatisticsExplorer()
    yield made
    made.view.close()


def drawn_from(state):
    """The picture of a state, without an explorer."""
    run = KnownRun(state.batch_size, state.drift, state.initial, state.estimator, state.sampling)
    return picture(simulate(run, MOMENTA, seed=state.seed), state.momentum)


def test_opens_with_what_it_says(explorer):
    assert_shows(explorer, drawn_from(explorer.state))
    assert explorer.status.startswith("Momentum 0.9, batch size 16")
    assert "did not work" not in explorer.status
    assert tuple(explorer.controls) == CONTROLS


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_at_its_minimum_middle_and_maximum(explorer, name):
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        assert getattr(explorer.state, name) == value
        assert "did not work" not in explorer.status
        assert_shows(explorer, drawn_from(explorer.state))


@pytest.mark.parametrize("sampling", ["independent", "epochs"])
@pytest.mark.parametrize("estimator", ["ema", "debiased", "cumulative"])
@pytest.mark.parametrize(("drift", "initial"), [(0.0, 0.0), (0.003, 4.0), (0.03, 2.0)])
def test_closed_forms_on_screen_agree_with_the_simulation(explorer, sampling, estimator, drift, initial):
    explorer.controls["momentum"].value = 0.95
    for name, value in {"sampling": sampling, "estimator": estimator, "drift": drift, "initial": initial}.items():
        explorer.controls[name].value = value
    shown = lines(explorer)
    steps = shown["simulated error over steps"].x.astype(int)
    error = expected_error(explorer.state.run, 0.95, steps)
    # The mean of RUNS squares of a Gaussian with this bias and noise has the variance
    # (2 noise^4 + 4 bias^2 noise^2) / RUNS; 40 of them, so 5 standard errors, and epochs can end without any noise.
    uncertain = np.sqrt((2 * error.noise**4 + 4 * error.bias**2 * error.noise**2) / RUNS) + 1e-12
    off = shown["simulated error over steps"].y ** 2 - shown["error over steps"].y[steps - 1] ** 2
    assert np.abs(off / uncertain).max() < 5


@pytest.mark.parametrize("sampling", ["independent", "epochs"])
def test_the_curve_over_momentum_passes_through_the_simulated_points(explorer, sampling):
    explorer.controls["sampling"].value = sampling
    shown = lines(explorer)["simulated error over momentum"]
    for memory, found in zip(shown.x, shown.y):
        p = (memory - 1) / (memory + 1)
        # Averaged over 100 steps, which say nearly the same at long memories: never less sure than one of them.
        assert found == pytest.approx(typical_error(explorer.state.run, p)["total"], rel=5 / np.sqrt(2 * RUNS))


def test_the_band_holds_the_running_mean_nearly_always():
    inside = []
    for seed in range(8):
        simulation = simulate(KnownRun(drift=0.003), [0.5], seed=seed)
        shown = picture(simulation, 0.5).traces
        low, high = shown["band"][1][:STEPS], shown["band"][1][: STEPS - 1 : -1]
        running = shown["running mean"][1]
        inside.append(((low <= running) & (running <= high)).mean())
    # Within 2 standard deviations with probability 0.954; steps at momentum 0.5 remember 3 each: 8 * 800 / 3 draws.
    assert np.mean(inside) == pytest.approx(0.954, abs=5 * np.sqrt(0.954 * 0.046 / (8 * 800 / 3)))


def test_the_star_is_the_best_momentum_and_the_circle_the_chosen_one(explorer):
    shown = lines(explorer)
    best = best_momentum(1.0, 16, 0.003)
    assert shown["best momentum"].x[0] == pytest.approx(effective_batches(best))
    assert shown["this momentum"].x[0] == pytest.approx(effective_batches(0.9))
    assert shown["best momentum"].y[0] <= shown["error over momentum"].y.min() * 1.001
    assert f"momentum {best:.3f}" in explorer.status


def test_without_drift_and_for_the_cumulative_average_there_is_no_star(explorer):
    explorer.controls["drift"].value = 0.0
    assert len(lines(explorer)["best momentum"].x) == 0
    assert "more memory means less noise" in explorer.status
    explorer.controls["drift"].value = 0.03
    explorer.controls["estimator"].value = "cumulative"
    assert len(lines(explorer)["best momentum"].x) == len(lines(explorer)["this momentum"].x) == 0
    assert "falls behind ever further" in explorer.status


def test_momentum_moves_only_what_depends_on_it_and_no_axis(explorer):
    before = copied(explorer)
    ranges = [explorer.figure.layout[axis].range for axis in ("yaxis", "yaxis2", "yaxis3", "xaxis3")]
    explorer.controls["momentum"].value = 0.5
    moved = changed(explorer, before)
    assert "running mean" in moved
    assert not any(key.endswith("over momentum") for key in moved)
    assert not {"batch means", "population mean", "best momentum"} & moved
    assert ranges == [explorer.figure.layout[axis].range for axis in ("yaxis", "yaxis2", "yaxis3", "xaxis3")]


def test_momentum_simulates_nothing_again(explorer, monkeypatch):
    monkeypatch.setattr(module, "simulate", lambda *_, **__: pytest.fail("simulated again"))
    for momentum in MOMENTA:
        explorer.controls["momentum"].value = momentum
        assert "did not work" not in explorer.status


def test_in_epochs_the_noise_is_below_that_of_independent_mini_batches(explorer):
    explorer.controls["momentum"].value = 0.99
    explorer.controls["sampling"].value = "epochs"
    shown = lines(explorer)
    assert (shown["noise over steps"].y <= shown["independent noise over steps"].y + 1e-12).all()
    assert (shown["noise over momentum"].y < shown["independent noise over momentum"].y).all()
    noise = typical_error(explorer.state.run, 0.99)["noise"]
    independent = typical_error(explorer.state.run.as_if_independent(), 0.99)["noise"]
    assert f"noise {noise:.3f} ({independent:.3f} if mini-batches were independent)" in explorer.status


def test_independent_mini_batches_have_the_noise_of_the_formula(explorer):
    shown = lines(explorer)
    assert np.array_equal(shown["noise over steps"].y, shown["independent noise over steps"].y)


def test_the_sentence_quotes_the_parts_of_the_picture(explorer):
    explorer.controls["momentum"].value = 0.995
    parts = typical_error(explorer.state.run, 0.995)
    assert f"off by {parts['total']:.3f} standard deviations of the population" in explorer.status
    assert f"Start-up -{parts['start_up']:.3f} (2 % of the weight is still on the initial value 0)" in explorer.status
    assert f"minus lag {parts['lag']:.3f} is -{abs(parts['bias']):.3f}; noise" in explorer.status


@pytest.mark.parametrize(("momentum", "initial"), [(0.999, 0.0), (0.999, 4.0), (0.99, 4.0), (0.9, 0.0)])
def test_the_parts_of_the_sentence_add_up_to_the_error_with_their_signs(momentum, initial):
    words = picture(simulate(KnownRun(drift=0.003, initial=initial), [momentum], runs=50), momentum).sentence
    number = r"(-?[\d.]+\d)"
    total = float(re.search(rf"typically off by {number}", words)[1])
    found = re.search(rf"Start-up {number}.* minus lag {number} is {number}; noise {number}\.", words)
    start_up, lag, bias, noise = (float(one) for one in found.groups())
    assert start_up - lag == pytest.approx(bias, abs=0.02)  # over a window of 100 steps, and rounded
    assert np.hypot(bias, noise) == pytest.approx(total, abs=0.01)
    assert (start_up <= 0) == (initial < 2)


def test_a_right_start_and_a_start_taken_out_have_no_start_up(explorer):
    explorer.controls["momentum"].value = 0.999
    explorer.controls["initial"].value = 2.0
    assert "The initial value is right" in explorer.status
    assert not lines(explorer)["start-up over steps"].y.any()
    explorer.controls["initial"].value = 0.0
    explorer.controls["estimator"].value = "debiased"
    assert not lines(explorer)["start-up over steps"].y.any()
    assert explorer.status.startswith("Momentum 0.999, freed of its start")


def test_pytorch_momentum_changes_the_labels_and_nothing_else(explorer):
    before = copied(explorer)
    explorer.controls["pytorch_momentum"].value = True
    assert explorer.controls["momentum"].label == "0.1 (kept: 0.9)"
    assert changed(explorer, before) == set()
    explorer.controls["pytorch_momentum"].value = False
    assert explorer.controls["momentum"].label == "0.9 (PyTorch: 0.1)"


def test_an_error_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    monkeypatch.setattr(module, "simulate", lambda *_, **__: 1 / 0)
    explorer.controls["batch_size"].value = 4
    assert "division by zero" in explorer.status
    assert "last good one" in explorer.status
    assert changed(explorer, before) == set()
    monkeypatch.undo()
    explorer.controls["batch_size"].value = 8
    assert_shows(explorer, drawn_from(explorer.state))


def test_opens_where_it_is_told_to():
    explorer = RunningStatisticsExplorer(
        momentum=0.99, batch_size=64, drift=0, initial=2, estimator="debiased", sampling="epochs", seed=5
    )
    state = explorer.state
    assert (state.momentum, state.batch_size, state.drift, state.initial) == (0.99, 64, 0.0, 2.0)
    assert (state.estimator, state.sampling, state.seed) == ("debiased", "epochs", 5)
    assert_shows(explorer, drawn_from(state))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("momentum", 0.42),
        ("momentum", "0.9"),
        ("batch_size", 3),
        ("batch_size", 256),
        ("drift", -0.01),
        ("initial", float("nan")),
        ("estimator", "population"),
        ("sampling", "sorted"),
        ("seed", -1),
        ("seed", 1.5),
    ],
)
def test_refuses_bad_arguments_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be (one of|a whole number from 0) .*, got {value!r}"):
        RunningStatisticsExplorer(**{name: value})


def test_a_momentum_that_was_not_simulated_is_refused():
    with pytest.raises(ValueError, match=r"momentum must be one of the simulation's \[0\.5\], got 0\.9"):
        picture(simulate(KnownRun(), [0.5], runs=1), 0.9)


def test_options_are_those_of_the_module(explorer):
    for name, options in {"momentum": MOMENTA, "batch_size": SIZES, "drift": DRIFTS, "initial": INITIALS}.items():
        assert tuple(value for _, value in explorer.controls[name].options) == options


# The questions of the notebook


def measured(name):
    return running_averages.QUESTIONS[name].measure()


def test_questions_are_registered():
    assert set(running_averages.QUESTIONS) <= set(QUESTIONS)


def test_start_up_questions():
    assert measured("missing-after-100")["answer"] == pytest.approx(36.6, abs=0.05)
    assert "more noise" in measured("price-of-debiasing")["answer"]


def test_noise_shrinks_with_the_root_of_the_memory():
    assert measured("noise-shrinks")["answer"] == pytest.approx(np.sqrt(199 / 19), rel=0.05)


def test_best_of_five_is_next_to_the_formula():
    found = measured("best-of-five")
    assert found["answer"] == "0.8"
    assert found["best"] == pytest.approx(0.835, abs=5e-4)


def test_an_epoch_of_equal_batches_has_the_exact_mean():
    assert measured("one-epoch")["answer"] == "not off at all"


def test_after_a_long_time_only_the_small_batch_matters():
    found = measured("still-matters")
    assert found["answer"] == "only m/(m-1)"
    assert (found["neither"], found["corrected"]) == pytest.approx((0.75, 1.0), abs=0.01)


def test_epochs_halve_the_scatter_at_momentum_0_99():
    found = measured("scatter-in-epochs")
    assert 40 < found["answer"] < 56  # measured when the project began: 47
    assert found["formula"] == pytest.approx(found["answer"], abs=6)
