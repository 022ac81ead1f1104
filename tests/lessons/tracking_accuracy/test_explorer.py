"""The race of the estimators without a browser: the picture against one drawn from the state, and what it says."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from exploring import assert_shows, changed, copied, extremes, lines

from bn_teach import EstimatorRaceExplorer
from bn_teach.data import load_digits
from bn_teach.lessons.shared.choices import BATCH_SIZES, MOMENTA
from bn_teach.lessons.tracking_accuracy.picture import picture
from bn_teach.lessons.tracking_accuracy.questions import QUESTIONS
from bn_teach.replay import ESTIMATORS, keep_best, replay
from bn_teach.sweep import sweep
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=120, hidden=(12, 10))
PAIR = ("ema", "algorithm2")
FIRST = {
    "momentum": 0.9,
    "batch_size": 16,
    "patience": 10,
    "restore": "with",
    "landscape": False,
    "estimator": "ema",
    "metric": "validation_accuracy",
    "learning_rate": 0.1,
    "seed": 0,
    "pytorch_momentum": False,
}


@pytest.fixture(scope="module")
def shared():
    """One explorer for the tests that leave it as the controls say: rows and recordings are made once."""
    made = EstimatorRaceExplorer(config=CONFIG)
    made.wait()
    yield made
    made.view.close()


@pytest.fixture
def explorer(shared):
    """The shared explorer with every control as it was in the beginning."""
    for name, value in FIRST.items():
        shared.controls[name].value = value
    shared.wait()
    return shared


def drawn_from(state, config=CONFIG):
    """The picture of a state, without an explorer."""
    digits = load_digits()
    chosen = replace(config, batch_size=state.batch_size, learning_rate=state.learning_rate, seed=state.seed)
    recording = train(digits, chosen)
    replays = {name: replay(recording, state.momentum, estimator=name) for name in ESTIMATORS}
    sizes = BATCH_SIZES if state.landscape else (state.batch_size,)
    swept = sweep(digits, [replace(chosen, batch_size=m) for m in sizes], MOMENTA, estimators=PAIR)
    return picture(
        state,
        BATCH_SIZES,
        replays,
        {name: keep_best(one, state.patience, metric=state.metric) for name, one in replays.items()},
        dict(zip(sizes, 100 * swept.accuracy_lost(), strict=True)),
    )


def test_shows_a_trained_network_after_waiting(explorer):
    assert_shows(explorer, drawn_from(explorer.state))
    assert explorer.status.startswith("Moving average with momentum 0.9: early stopping on validation accuracy keeps")


@pytest.mark.parametrize(
    "name",
    ["momentum", "batch_size", "patience", "restore", "landscape", "estimator", "metric", "pytorch_momentum"],
)
def test_every_control_at_its_minimum_middle_and_maximum(explorer, name):
    for value in extremes(explorer.controls[name]):
        explorer.controls[name].value = value
        explorer.wait()
        assert "did not work" not in explorer.status
        assert_shows(explorer, drawn_from(explorer.state))


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.01), ("learning_rate", 0.3), ("seed", 5)])
def test_another_run_has_another_row(explorer, name, value):
    explorer.controls[name].value = value
    explorer.wait()
    assert_shows(explorer, drawn_from(explorer.state))


def test_everything_at_once(explorer):
    moved = {"momentum": 0.5, "batch_size": 4, "patience": 3, "restore": "without", "landscape": True}
    for name, value in {**moved, "estimator": "cumulative", "metric": "validation_loss"}.items():
        explorer.controls[name].value = value
    explorer.wait()
    assert_shows(explorer, drawn_from(explorer.state))


def test_momentum_moves_two_lines_and_no_axis(explorer):
    before, ranges = copied(explorer), [explorer.figure.layout[axis].range for axis in ("yaxis", "xaxis2")]
    explorer.controls["momentum"].value = 0.995
    assert changed(explorer, before) & set(ESTIMATORS) == {"ema", "debiased"}
    assert [explorer.figure.layout[axis].range for axis in ("yaxis", "xaxis2")] == ranges


@pytest.mark.parametrize("estimator", ["cumulative", "population", "batch"])
def test_a_chosen_line_that_momentum_does_not_move_comes_into_sight(explorer, estimator):
    explorer.controls["batch_size"].value = 4
    explorer.controls["estimator"].value = estimator
    explorer.wait()
    low, high = explorer.figure.layout.yaxis.range
    late = lines(explorer)[estimator].y[6:]
    assert low <= late.min()
    assert late.max() <= high


def test_restoring_without_moves_the_dots_and_only_them(explorer):
    explorer.controls["momentum"].value = 0.5
    explorer.controls["batch_size"].value = 4
    explorer.wait()
    before = copied(explorer)
    explorer.controls["restore"].value = "without"
    assert changed(explorer, before) == {"as restored"}
    at_ema, at_batch = ESTIMATORS.index("ema"), ESTIMATORS.index("batch")
    seen, restored = lines(explorer)["seen when kept"].x, lines(explorer)["as restored"].x
    assert seen[at_ema] != restored[at_ema]
    assert seen[at_batch] == restored[at_batch]
    assert f"{100 * seen[at_ema]:.1f} % was seen then" in explorer.status
    assert f"they have {100 * restored[at_ema]:.1f} %" in explorer.status


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("restore", ["with", "without"])
def test_sentence_quotes_the_numbers_of_the_picture(explorer, estimator, restore):
    explorer.controls["estimator"].value = estimator
    explorer.controls["restore"].value = restore
    shown = lines(explorer)
    at = ESTIMATORS.index(estimator)
    assert f"keeps the weights of step {shown['weights kept'].x[at]:.0f}" in explorer.status
    assert f"{100 * shown['seen when kept'].x[at]:.1f} %" in explorer.status
    k = np.searchsorted(shown["population"].x, shown["weights kept"].x[at])
    assert (
        f"the same weights have {100 * shown['under exact statistics'].x[at]:.1f} % by Algorithm 2, "
        f"{100 * shown['population'].y[k]:.1f} % by one pass." in explorer.status
    )
    assert np.array_equal(shown[f"{estimator}, highlighted"].y, shown[estimator].y)
    assert not any(len(shown[f"{other}, highlighted"].y) for other in ESTIMATORS if other != estimator)
    assert set(shown["highlighted row"].y) == {at}


def test_patience_decides_where_training_stops(explorer):
    explorer.controls["learning_rate"].value = 1.0  # accuracy goes up and down
    explorer.wait()
    explorer.controls["patience"].value = 1
    shown = lines(explorer)
    assert shown["training stops"].x[0] == shown["weights kept"].x[0] + 10 < 120
    assert f"and stops at step {shown['training stops'].x[0]:.0f}" in explorer.status
    explorer.controls["patience"].value = 12
    assert "the run ends before patience does" in explorer.status
    assert lines(explorer)["training stops"].x[0] == 120


def test_the_landscape_has_one_row_until_it_is_asked_for(explorer):
    cells = lines(explorer)["landscape"]
    known = np.isfinite(cells.z)
    assert set(cells.y[known]) == {BATCH_SIZES.index(16)}
    assert known.sum() == len(MOMENTA)
    explorer.controls["landscape"].value = True
    explorer.wait()
    assert np.isfinite(lines(explorer)["landscape"].z).all()
    explorer.controls["landscape"].value = False
    assert np.isfinite(lines(explorer)["landscape"].z).sum() == len(MOMENTA)


def test_the_current_choice_is_marked(explorer):
    explorer.controls["momentum"].value = 0.99
    explorer.controls["batch_size"].value = 4
    explorer.wait()
    here = lines(explorer)["here"]
    assert (here.x[0], here.y[0]) == (MOMENTA.index(0.99), BATCH_SIZES.index(4))


def test_every_kept_weight_is_in_sight():
    # The widest spread there is: the smallest batches, no memory, the wrong statistics.
    explorer = EstimatorRaceExplorer()
    explorer.controls["restore"].value = "without"
    for batch_size in (2, 4, 16):
        explorer.controls["batch_size"].value = batch_size
        for momentum in (0.0, 0.9, 0.999):
            explorer.controls["momentum"].value = momentum
            explorer.wait()
            low, high = explorer.figure.layout.xaxis2.range
            for name in ("seen when kept", "as restored", "under exact statistics"):
                x = lines(explorer)[name].x
                assert low <= x.min(), (batch_size, momentum, name)
                assert x.max() <= high, (batch_size, momentum, name)


def test_the_landscape_is_filled_while_the_sliders_move_on(monkeypatch):
    explorer = EstimatorRaceExplorer(config=CONFIG)
    explorer.wait()
    begun, may_go_on = threading.Event(), threading.Event()

    def slow_train(*args):
        begun.set()
        may_go_on.wait(30)
        return train(*args)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", slow_train)
    explorer.controls["landscape"].value = True
    assert begun.wait(30)
    explorer.controls["momentum"].value = 0.99
    assert "with momentum 0.99" in explorer.status
    assert "(1 of 8 batch sizes so far; the others are being trained.)" in explorer.status
    with pytest.raises(TimeoutError, match="still under way"):
        explorer.wait(timeout=0.01)
    may_go_on.set()
    explorer.wait()
    assert "so far" not in explorer.status
    assert_shows(explorer, drawn_from(explorer.state))


def test_switching_the_landscape_off_ends_its_training(monkeypatch):
    explorer = EstimatorRaceExplorer(config=CONFIG)
    explorer.wait()
    trained, may_go_on = [], threading.Event()

    def slow_train(dataset, config):
        trained.append(config)
        may_go_on.wait(30)
        return train(dataset, config)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", slow_train)
    explorer.controls["landscape"].value = True
    explorer.controls["landscape"].value = False
    may_go_on.set()
    explorer.wait()
    assert len(trained) <= 1
    assert_shows(explorer, drawn_from(explorer.state))


def test_another_seed_begins_another_landscape(explorer):
    explorer.controls["landscape"].value = True
    explorer.controls["seed"].value = 7
    explorer.wait()
    assert_shows(explorer, drawn_from(explorer.state))


def test_a_batch_size_that_diverges_is_told_and_the_others_shown(explorer, monkeypatch):
    def some_diverge(dataset, config):
        return train(dataset, replace(config, weight_scale=1e30) if config.batch_size <= 4 else config)

    monkeypatch.setattr("bn_teach.lessons.shared.training.train", some_diverge)
    explorer.controls["seed"].value = 11
    explorer.controls["landscape"].value = True
    explorer.wait()
    assert "Training diverged at batch size 2, 4." in explorer.status
    cells = lines(explorer)["landscape"]
    assert set(cells.y[~np.isfinite(cells.z)]) == {0, 1}


def test_divergence_of_the_run_itself_is_told():
    explorer = EstimatorRaceExplorer(config=TrainingConfig(steps=20, hidden=(8,), weight_scale=1e30))
    explorer.wait()
    assert "diverged at step 1" in explorer.status


def test_an_error_in_a_callback_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    monkeypatch.setattr("bn_teach.lessons.tracking_accuracy.explorer.keep_best", lambda *_, **__: 1 / 0)
    explorer.controls["momentum"].value = 0.1
    assert "division by zero" in explorer.status
    assert "last good one" in explorer.status
    assert changed(explorer, before) == set()


def test_an_error_on_the_landscape_thread_is_shown(explorer, monkeypatch):
    explorer.controls["seed"].value = 12
    explorer.wait()
    monkeypatch.setattr("bn_teach.lessons.shared.training.train", lambda *_: 1 / 0)
    explorer.controls["landscape"].value = True
    explorer.wait()
    assert "division by zero" in explorer.status


def test_a_momentum_move_sends_one_message(explorer, monkeypatch):
    sent = []
    for kind in ("restyle", "update", "relayout"):
        monkeypatch.setattr(explorer.figure, f"_send_{kind}_msg", lambda *a, kind=kind, **k: sent.append((kind, a, k)))
    explorer.controls["momentum"].value = 0.8
    assert len(sent) == 1
    assert "'z'" not in repr(sent[0])


def test_momentum_is_written_the_pytorch_way_everywhere(explorer):
    explorer.controls["pytorch_momentum"].value = True
    assert explorer.controls["momentum"].label == "0.1 (kept: 0.9)"
    assert explorer.figure.layout.xaxis3.ticktext == ("1", ".9", ".5", ".2", ".1", ".05", ".01", ".005", ".001")
    explorer.controls["pytorch_momentum"].value = False
    assert explorer.figure.layout.xaxis3.ticktext == ("0", ".1", ".5", ".8", ".9", ".95", ".99", ".995", ".999")


def test_works_on_other_data_and_a_short_run(clouds):
    explorer = EstimatorRaceExplorer(clouds, TrainingConfig(batch_size=5, steps=7, hidden=(4,)))
    explorer.wait()
    assert explorer.controls["patience"].max == 1
    assert [value for _, value in explorer.controls["batch_size"].options] == [2, 4, 5, 8, 16, 32, 64]
    explorer.controls["landscape"].value = True
    explorer.wait()
    assert np.isfinite(lines(explorer)["landscape"].z).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"dataset": "digits"}, "^dataset must be"),
        ({"config": {"batch_size": 4}}, "^config must be"),
        ({"config": TrainingConfig(batch_norm=False)}, "batch_norm=False"),
        ({"config": TrainingConfig(steps=0)}, "at least one step"),
        ({"config": TrainingConfig(batch_size=2000)}, r"^config\.batch_size must"),
    ],
)
def test_refuses_bad_arguments_by_name(arguments, named):
    with pytest.raises((TypeError, ValueError), match=named):
        EstimatorRaceExplorer(**arguments)


# What the questions of the notebook measure is what their texts claim, within what chance allows.


def measured(name):
    return QUESTIONS[name].measure()


def test_questions_about_feeding_and_reading():
    assert measured("delete-validation")["answer"] == "not one digit of them changes"


def test_most_of_what_too_much_memory_costs_is_the_start():
    result = measured("freed-of-its-start")
    assert 4 < result["before"] < 6
    assert 0.2 < result["answer"] < 1.5
    assert 44 < result["left"] < 46


def test_the_left_wall_of_the_valley_falls_away_with_batch_size():
    result = measured("valley-left")
    assert 18 < result["small"] < 22
    assert 0 < result["answer"] < 1.5


def test_the_right_wall_stands_at_every_batch_size():
    result = measured("valley-right")
    assert result["answer"] == "all about alike"
    assert all(3 < result[name] < 7 for name in ("small", "middle", "large"))


def test_early_stopping_by_a_slow_average_keeps_other_weights_and_judges_them_too_low():
    result = measured("which-weights")
    assert result["answer"] == "other weights, about as good, judged too low"
    assert abs(result["difference"]) < 3 * result["error"]
    assert result["ahead"] > result["behind"]
    assert result["own"] < result["exact"] - 5


def test_latest_statistics_cost_with_little_memory_and_gain_with_much():
    cost = measured("restore-latest")
    assert cost["answer"] > 5 * cost["error"]
    assert 1 < cost["luck"] < 4
    reversal = measured("restore-reversal")
    assert reversal["answer"] == "it gains accuracy"
    assert reversal["gained"] > 5 * reversal["error"]
    assert reversal["latest"] < reversal["exact"] - 3
