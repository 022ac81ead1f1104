"""Explorers without a browser: a control is set, and the picture is compared with one drawn from the state."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from exploring import assert_shows, changed, copied, extremes, lines
from traitlets import TraitError

from bn_teach import MomentumExplorer
from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.shared.background import LatestJob
from bn_teach.lessons.shared.choices import BATCH_SIZES, MOMENTA, PRESETS
from bn_teach.lessons.start_here.drawing import draw
from bn_teach.lessons.start_here.experiment import held_out_noise
from bn_teach.lessons.start_here.picture import picture, ranges
from bn_teach.replay import ESTIMATORS, replay
from bn_teach.training import TrainingConfig, train

TRAINED = "batch_size", "learning_rate", "seed"  # what trains again
CONFIG = TrainingConfig(steps=120, hidden=(20, 12))


@pytest.fixture
def explorer():
    made = MomentumExplorer(config=CONFIG)
    made.wait()
    yield made
    made.view.close()


def drawn_from(state):
    """The picture of a state, without an explorer."""
    config = replace(CONFIG, batch_size=state.batch_size, learning_rate=state.learning_rate, seed=state.seed)
    recording = train(load_digits(), config)
    recording = held_out_noise(recording) if state.noise else recording
    return picture(
        replay(recording, state.momentum, estimator=state.estimator, unbiased=state.unbiased),
        replay(recording, estimator="algorithm2"),
        replay(recording, estimator="batch"),
        layer=state.layer,
        unit=state.unit,
        step=state.step,
    )


def test_shows_a_trained_network_after_waiting(explorer):
    assert_shows(explorer, drawn_from(explorer.state))
    assert explorer.status.startswith("After 120 steps")


def test_has_the_controls_of_the_design(explorer):
    names = "momentum batch_size step play layer unit estimator unbiased learning_rate seed pytorch_momentum preset"
    assert sorted(explorer.controls) == sorted([*names.split(), "mode", "noise"])
    assert tuple(value for _, value in explorer.controls["momentum"].options) == MOMENTA
    assert tuple(value for _, value in explorer.controls["batch_size"].options) == BATCH_SIZES


@pytest.mark.parametrize(
    "name",
    [
        "momentum",
        "batch_size",
        "step",
        "play",
        "layer",
        "unit",
        "estimator",
        "unbiased",
        "learning_rate",
        "seed",
        "mode",
        "noise",
    ],
)
def test_every_control_at_its_minimum_middle_and_maximum(explorer, name):
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        explorer.wait()
        assert getattr(explorer.state, {"play": "step"}.get(name, name)) == value
        assert_shows(explorer, drawn_from(explorer.state))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_sentence_quotes_the_accuracies_of_the_picture(explorer, estimator):
    explorer.controls["estimator"].value = estimator
    shown = lines(explorer)
    now = shown["accuracy under running statistics"].y[-1]
    exact = shown["accuracy under exact statistics"].y[-1]
    assert f"validation accuracy {100 * now:.1f} %" in explorer.status
    assert f"{100 * exact:.1f} % under the exact ones" in explorer.status


def test_sentence_says_how_far_off_the_estimate_is(explorer):
    explorer.controls["momentum"].value = 0.99
    chosen = replay(train(load_digits(), CONFIG), 0.99)
    exact = replay(chosen.recording, estimator="algorithm2")
    ratio = chosen.var[0][-1, 7] / exact.var[0][-1, 7]
    assert f"variance {ratio:.2f} times" in explorer.status
    assert "30 % of the weight is still on the initial value" in explorer.status  # 0.99^120 = 0.299


def test_momentum_never_trains_again(explorer, monkeypatch):
    monkeypatch.setattr("bn_teach.lessons.shared.training.train", lambda *_, **__: pytest.fail("trained again"))
    for momentum in MOMENTA:
        explorer.controls["momentum"].value = momentum
        explorer.wait()
        assert explorer.state.momentum == momentum
        assert "did not work" not in explorer.status


def test_a_batch_size_seen_before_is_remembered(explorer, monkeypatch):
    explorer.controls["batch_size"].value = 32
    explorer.wait()
    monkeypatch.setattr("bn_teach.lessons.shared.training.train", lambda *_, **__: pytest.fail("trained again"))
    explorer.controls["batch_size"].value = 16
    explorer.wait()
    assert_shows(explorer, drawn_from(explorer.state))


def test_the_latest_runs_are_kept_as_far_as_memory_allows(monkeypatch):
    explorer = MomentumExplorer(config=TrainingConfig(steps=2, hidden=(3,)))
    explorer.wait()
    monkeypatch.setattr("bn_teach.lessons.shared.training.REMEMBERED", 4.5 * explorer._held())
    for seed in range(10):
        explorer.controls["seed"].value = seed
        explorer.wait()
    assert [config.seed for config in explorer._runs] == [6, 7, 8, 9]


def test_quick_moves_end_in_the_picture_of_the_last(explorer):
    for batch_size in BATCH_SIZES * 3:
        explorer.controls["batch_size"].value = batch_size
    explorer.wait()
    assert_shows(explorer, drawn_from(explorer.state))


def test_while_training_the_sentence_says_so_and_the_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    may_go_on = threading.Event()

    def slow_train(*args, **kwargs):
        may_go_on.wait(30)
        return train(*args, **kwargs)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", slow_train)
    explorer.controls["batch_size"].value = 8
    assert "Training with batch size 8" in explorer.status
    assert "still shows the run before" in explorer.status
    assert changed(explorer, before) == set()
    with pytest.raises(TimeoutError, match="still under way"):
        explorer.wait(timeout=0.01)
    may_go_on.set()
    explorer.wait()
    assert_shows(explorer, drawn_from(explorer.state))


def test_moving_back_while_training_shows_the_old_run_at_once(explorer, monkeypatch):
    def endless_train(dataset, config):
        while True:
            train(dataset, config)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", endless_train)
    explorer.controls["batch_size"].value = 8
    explorer.controls["batch_size"].value = 16
    explorer.wait(10)
    assert_shows(explorer, drawn_from(explorer.state))
    assert explorer.status.startswith("After 120 steps")


def test_pytorch_momentum_changes_the_labels_and_nothing_else(explorer):
    before = copied(explorer)
    explorer.controls["pytorch_momentum"].value = True
    assert explorer.controls["momentum"].label == "0.1 (kept: 0.9)"
    assert explorer.state.momentum == 0.9
    assert changed(explorer, before) == set()
    explorer.controls["pytorch_momentum"].value = False
    assert explorer.controls["momentum"].label == "0.9 (PyTorch: 0.1)"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_set_what_they_say_and_never_eps(explorer, preset):
    explorer.controls["estimator"].value = "batch"
    explorer.controls["preset"].value = preset
    explorer.wait()
    for name, value in PRESETS[preset].items():
        assert explorer.controls[name].value == value
    assert explorer.state.estimator == "ema"
    assert {config.eps for config in explorer._runs} == {CONFIG.eps}
    assert_shows(explorer, drawn_from(explorer.state))


def test_unit_is_held_within_a_narrower_layer(explorer):
    explorer.controls["unit"].value = 19
    explorer.controls["layer"].value = 1
    assert explorer.state.unit == 11
    assert_shows(explorer, drawn_from(explorer.state))


def test_play_and_step_move_together(explorer):
    explorer.controls["play"].value = 50
    assert explorer.state.step == 50
    explorer.controls["step"].value = 70
    assert explorer.controls["play"].value == 70


def test_an_error_in_a_callback_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    monkeypatch.setattr("bn_teach.lessons.shared.training.replay", lambda *_, **__: 1 / 0)
    explorer.controls["momentum"].value = 0.5
    assert "division by zero" in explorer.status
    assert "last good one" in explorer.status
    assert changed(explorer, before) == set()


def test_an_error_on_the_training_thread_is_shown(explorer, monkeypatch):
    monkeypatch.setattr("bn_teach.lessons.shared.training.train", lambda *_, **__: 1 / 0)
    explorer.controls["batch_size"].value = 64
    explorer.wait()
    assert "division by zero" in explorer.status


def test_divergence_is_told_and_the_next_choice_works():
    explorer = MomentumExplorer(config=TrainingConfig(steps=20, hidden=(8,), weight_scale=1e30))
    explorer.wait()
    assert "diverged at step 1" in explorer.status
    healthy = MomentumExplorer(config=TrainingConfig(steps=20, hidden=(8,), dtype="float64"))
    healthy.wait()
    assert "After 20 steps" in healthy.status


def test_noise_instead_of_held_out_images_moves_the_accuracy_alone(explorer):
    before = copied(explorer)
    explorer.controls["noise"].value = True
    moved = changed(explorer, before)
    assert moved == {f"accuracy under {name}" for name in ("running statistics", "exact statistics", "the batch's own")}
    assert lines(explorer)["accuracy under running statistics"].y[-1] < 0.3
    explorer.controls["noise"].value = False
    assert changed(explorer, before) == set()


def test_momentum_moves_the_running_lines_and_never_the_training_loss(explorer):
    before = copied(explorer)
    explorer.controls["momentum"].value = 0.99
    assert changed(explorer, before) == {"running mean", "running variance", "accuracy under running statistics"}


@pytest.mark.parametrize(("control", "value"), [("momentum", 0.5), ("step", 40), ("unit", 3), ("mode", "prediction")])
def test_the_drawing_follows_the_controls(explorer, control, value):
    before = explorer._drawing.value
    explorer.controls[control].value = value
    state = explorer.state
    chosen = replay(train(load_digits(), CONFIG), state.momentum)
    wanted = draw(chosen, state.mode, layer=state.layer, unit=state.unit, step=state.step)
    assert explorer._drawing.value == wanted != before


def test_the_mode_changes_the_drawing_and_nothing_else(explorer):
    before, said = copied(explorer), explorer.status
    explorer.controls["mode"].value = "prediction"
    assert changed(explorer, before) == set()
    assert explorer.status == said


def test_at_small_batches_the_whole_loss_of_accuracy_is_in_sight():
    for batch_size in (2, 4):
        recording = train(load_digits(), replace(CONFIG, batch_size=batch_size))
        assert ranges(replay(recording, estimator="algorithm2"), layer=0, unit=0)["yaxis3"] == [0.0, 1.0]


def test_status_escapes_what_it_shows(explorer, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("<b>bold</b>")

    monkeypatch.setattr("bn_teach.lessons.shared.training.replay", fail)
    explorer.controls["momentum"].value = 0.5
    assert "<b>" in explorer.status
    assert "<b>" not in explorer._status.value


def test_shows_itself_as_the_last_line_of_a_cell(explorer):
    assert "application/vnd.jupyter.widget-view+json" in explorer._repr_mimebundle_()


def test_works_on_other_data_with_fewer_examples_than_the_largest_batch():
    rng = np.random.default_rng(0)
    dataset = Dataset.from_arrays(rng.normal(size=(60, 3)), rng.integers(0, 2, 60))
    explorer = MomentumExplorer(dataset, TrainingConfig(batch_size=5, steps=30, hidden=(4,)))
    explorer.wait()
    assert [value for _, value in explorer.controls["batch_size"].options] == [2, 4, 5, 8, 16, 32]
    assert explorer.state.unit == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", "digits"),
        ("config", {"batch_size": 4}),
        ("config", TrainingConfig(batch_norm=False)),
        ("config", TrainingConfig(steps=0)),
        ("config", TrainingConfig(hidden=())),
        ("config", TrainingConfig(batch_size=2000)),
    ],
)
def test_refuses_bad_arguments_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=rf"^{name}\b.* got "):
        MomentumExplorer(**{name: value})


def test_controls_keep_the_behaviour_of_ipywidgets(explorer):
    with pytest.raises(TraitError):
        explorer.controls["momentum"].value = 0.42
    explorer.controls["step"].value = 10_000
    assert explorer.state.step == CONFIG.steps


def test_a_momentum_move_sends_only_what_changed(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(explorer.figure, "_send_restyle_msg", lambda *a, **k: sent.append(("restyle", a)))
    monkeypatch.setattr(explorer.figure, "_send_update_msg", lambda *a, **k: sent.append(("update", a, k)))
    monkeypatch.setattr(explorer.figure, "_send_relayout_msg", lambda *a, **k: sent.append(("relayout", a)))
    explorer.controls["momentum"].value = 0.99
    assert len(sent) == 1
    text = repr(sent[0])
    assert "'y'" in text
    assert "'x'" not in text


def test_latest_job_cancels_the_one_before_and_lets_it_end_first():
    job, log, begun = LatestJob(), [], threading.Event()

    def endless(cancelled):
        begun.set()
        while not cancelled():
            pass
        log.append("first gave up")

    job.start(endless)
    assert begun.wait(10)
    job.start(lambda cancelled: log.append("second"))
    job.wait(10)
    assert log == ["first gave up", "second"]


def test_of_many_jobs_only_the_one_under_way_and_the_last_are_run():
    job, log, begun, may_end = LatestJob(), [], threading.Event(), threading.Event()
    job.start(lambda cancelled: (begun.set(), may_end.wait(10), log.append("under way")))
    assert begun.wait(10)
    for number in range(50):
        job.start(lambda cancelled, number=number: log.append(number))
    may_end.set()
    job.wait(10)
    assert log == ["under way", 49]


def test_a_job_that_is_cancelled_before_its_turn_is_not_begun():
    job, log, begun, may_end = LatestJob(), [], threading.Event(), threading.Event()
    job.start(lambda cancelled: (begun.set(), may_end.wait(10)))
    assert begun.wait(10)
    job.start(lambda cancelled: log.append("begun"))
    job.cancel()
    may_end.set()
    job.wait(10)
    assert log == []


def test_a_job_that_fails_is_reported_and_the_next_one_runs(monkeypatch):
    job, log = LatestJob(), []
    monkeypatch.setattr(threading, "excepthook", lambda what: log.append(what.exc_type))
    job.start(lambda cancelled: 1 / 0)
    job.wait(10)
    job.start(lambda cancelled: log.append("next"))
    job.wait(10)
    assert log == [ZeroDivisionError, "next"]


def test_moving_another_slider_while_training_does_not_begin_anew(explorer, monkeypatch):
    begun, may_go_on = [], threading.Event()

    def slow_train(*args, **kwargs):
        begun.append(1)
        may_go_on.wait(30)
        return train(*args, **kwargs)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", slow_train)
    explorer.controls["batch_size"].value = 8
    explorer.controls["momentum"].value = 0.5
    explorer.controls["momentum"].value = 0.99
    may_go_on.set()
    explorer.wait()
    assert begun == [1]
    assert_shows(explorer, drawn_from(explorer.state))


def test_after_an_error_the_next_move_tries_again(explorer, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("bn_teach.lessons.shared.training.train", lambda *_, **__: 1 / 0)
        explorer.controls["batch_size"].value = 64
        explorer.wait()
    explorer.controls["momentum"].value = 0.5
    explorer.wait()
    assert_shows(explorer, drawn_from(explorer.state))
