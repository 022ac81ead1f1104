"""TrainingReadsExplorer, without a browser."""

import re
from dataclasses import replace

import numpy as np
import pytest
from exploring import assert_shows, changed, copied, extremes, lines

from bn_teach import TrainingReadsExplorer
from bn_teach.lessons.when_training_reads import explorer as module
from bn_teach.lessons.when_training_reads.experiment import READERS, Setting, compare
from bn_teach.lessons.when_training_reads.picture import picture
from bn_teach.training import TrainingConfig

CONFIG = TrainingConfig(batch_size=8, steps=40, hidden=(9, 5))


@pytest.fixture
def explorer(clouds):
    made = TrainingReadsExplorer(clouds, CONFIG)
    made.wait()
    yield made
    made.view.close()


def moved(explorer, **values):
    for name, value in values.items():
        explorer.controls[name].value = value
        explorer.wait()
    return explorer


def drawn_from(data, state):
    """The picture of a state, without an explorer."""
    config = replace(CONFIG, batch_size=state.batch_size, seed=state.seed)
    limits = {"ramp": round(state.ramp * (40 - state.start)), "r_max": state.r_max, "d_max": state.d_max}
    setting = Setting(config, state.reader, state.momentum, state.other, state.start, **limits)
    return picture(compare(data, setting))


def test_has_its_controls_and_shows_two_trainings(explorer, clouds):
    expected = ["batch_size", "d_max", "momentum", "other", "r_max", "ramp", "reader", "seed", "start"]
    assert sorted(explorer.controls) == expected
    assert_shows(explorer, drawn_from(clouds, explorer.state))
    assert explorer.status.startswith("Frozen after step 10")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "name", ["reader", "start", "momentum", "other", "batch_size", "ramp", "r_max", "d_max", "seed"]
)
def test_every_control_at_its_minimum_middle_and_maximum(explorer, clouds, reader, name):
    moved(explorer, reader=reader)
    for value in extremes(explorer.controls[name]):
        moved(explorer, **{name: value})
        assert_shows(explorer, drawn_from(clouds, explorer.state))


def test_who_reads_decides_whether_lines_part(explorer):
    for reader in ("nobody", "frozen", "average", "renorm"):
        shown = lines(moved(explorer, reader=reader))
        one = {key: trace.y for key, trace in shown.items()}
        apart = {
            "loss": not np.array_equal(one["loss, first"], one["loss, second"]),
            "accuracy": not np.array_equal(one["accuracy, replayed"], one["accuracy, second"]),
        }
        assert apart["loss"] is (reader != "nobody"), reader
        assert ("agree to the last digit." in explorer.status) is (reader == "nobody")
        assert ("then and at every look before" in explorer.status) is not apart["accuracy"]
        assert (len(shown["read from here on, 1"].x) > 0) is (reader != "nobody")


def test_lines_are_one_up_to_the_mark(explorer):
    shown = lines(moved(explorer, reader="frozen", start=20, momentum=0.5))
    assert shown["read from here on, 1"].x.tolist() == [20, 20]
    first, second = shown["loss, first"], shown["loss, second"]
    assert (first.y == second.y)[first.x <= 20].all()
    assert (first.y != second.y)[first.x > 20].all()


def test_the_sentence_quotes_the_picture(explorer, clouds):
    moved(explorer, reader="average", other=0.8)
    found = compare(clouds, Setting(CONFIG, "average", other=0.8, start=10, ramp=10))
    said = re.search(
        r"for (\d+) steps?, and no longer. Over the last 40 steps they are (\S+) and (\S+) on", explorer.status
    )
    assert said.groups() == ("1", f"{found.first.loss.mean():.3g}", f"{found.second.loss.mean():.3g}")
    ends = [100 * np.mean(lines(explorer)[f"accuracy, {key}"].y) for key in ("replayed", "second")]
    assert "recognises {:.1f} % in the end; truly trained {:.1f} %".format(*ends) in explorer.status


def test_a_run_that_diverges_tells_so_and_stays_in_the_picture(digits):
    explorer = TrainingReadsExplorer(digits, TrainingConfig(batch_size=4, steps=60))
    explorer.wait()
    moved(explorer, reader="average")
    assert re.search(
        r"The training with 0.99 diverges: at step \d+ its loss is beyond 100, where guessing costs 2.3.",
        explorer.status,
    )
    assert max(lines(explorer)["loss, second"].y) > 100
    assert explorer.figure.layout["yaxis"].range[1] >= 2
    assert "did not work" not in explorer.status


def test_a_run_that_breaks_off_is_drawn_as_far_as_it_went(digits):
    explorer = TrainingReadsExplorer(digits, TrainingConfig(batch_size=2, steps=60))
    explorer.wait()
    moved(explorer, reader="average", other=0.999)
    assert "The training with 0.999 diverges" in explorer.status
    assert lines(explorer)["loss, second"].x.max() < 60
    assert lines(explorer)["loss, first"].x.max() == 60


def test_weights_that_are_too_large_before_any_step(clouds):
    explorer = TrainingReadsExplorer(clouds, replace(CONFIG, weight_scale=1e30))
    explorer.wait()
    assert "Not even the first step could be done. The training with 0.9 diverges: at step 1" in explorer.status
    assert "did not work" not in explorer.status


def test_equal_momenta_are_one_training(explorer):
    moved(explorer, reader="average", other=0.9)
    assert "All 40 losses of momentum 0.9 and 0.9 agree to the last digit." in explorer.status


def test_a_setting_that_was_seen_is_not_trained_again(explorer, monkeypatch):
    before = copied(explorer)
    moved(explorer, reader="nobody")
    assert changed(explorer, before)
    monkeypatch.setattr(module, "compare", lambda *_: pytest.fail("again"))
    moved(explorer, reader="frozen")
    assert changed(explorer, before) == set()


def test_an_error_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = copied(explorer)
    monkeypatch.setattr(module, "compare", lambda *_: 1 / 0)
    moved(explorer, reader="nobody")
    assert "division by zero" in explorer.status
    assert changed(explorer, before) == set()


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_shortest_runs(clouds, steps):
    explorer = TrainingReadsExplorer(clouds, replace(CONFIG, steps=steps))
    explorer.wait()
    for reader in READERS:
        moved(explorer, reader=reader)
        assert "did not work" not in explorer.status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", "digits"),
        ("config", 16),
        ("config", TrainingConfig(batch_norm=False)),
        ("config", TrainingConfig(steps=0)),
        ("config", TrainingConfig(hidden=())),
    ],
)
def test_refuses_bad_arguments_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must "):
        TrainingReadsExplorer(**{name: value})
