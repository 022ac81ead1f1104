"""What was measured over many seeds: that it is what is measured now, and that choosing and judging are kept apart."""

import json
from dataclasses import replace

import numpy as np
import pytest
import seeds as tool

from bn_teach.data import load_digits
from bn_teach.lessons.shared import choices
from bn_teach.lessons.shared.runs import run
from bn_teach.lessons.shared.seeds import (
    BATCH_SIZES,
    CURVES,
    FIELDS,
    MOMENTA,
    NOW,
    PATIENCES,
    SEEDS,
    SHIPPED,
    STOPPED_SIZES,
    WATCHERS,
    halves,
    load_seeds,
    measure,
    stop_and_judge,
    stopping_table,
)
from bn_teach.replay import keep_best, replay
from bn_teach.sweep import Sweep
from bn_teach.training import TrainingConfig, train


@pytest.fixture(scope="module")
def recording():
    return train(load_digits(), TrainingConfig(steps=200, hidden=(20, 10)))


def test_every_seed_of_every_setting_is_shipped():
    held = load_seeds()
    assert choices.MOMENTA == MOMENTA
    assert set(held.accuracy) == set(BATCH_SIZES) <= set(choices.BATCH_SIZES)
    assert all(one.shape == (len(SEEDS), len(CURVES), 3) for one in held.accuracy.values())
    settings = {(m, *who, patience) for m in STOPPED_SIZES for who in WATCHERS for patience in PATIENCES}
    assert set(held.stopped) == settings
    assert all(getattr(one, name).shape == (len(SEEDS),) for one in held.stopped.values() for name in FIELDS)
    assert not set(NOW) & set(SEEDS)


def test_a_shipped_seed_measured_again_gives_the_same():
    accuracy, stopped = measure(16, 0)
    held = load_seeds()
    # Another processor rounds otherwise and keeps other checkpoints, so: what is sure, within what chance allows.
    np.testing.assert_allclose(accuracy, held.accuracy[16][0], atol=3)
    slow, shipped = stopped["ema", 0.999, 80], held.stopped[16, "ema", 0.999, 80]
    assert slow[FIELDS.index("exact")] == pytest.approx(shipped.exact[0], abs=2)


def test_the_two_halves_are_all_images_and_share_none(recording):
    data, (one, other) = recording.dataset, (half.dataset for half in halves(recording))
    assert len(one.validation_x) + len(other.validation_x) == len(data.validation_x)
    assert np.array_equal(one.validation_x, data.validation_x[::2])
    assert np.array_equal(other.validation_y, data.validation_y[1::2])


def test_who_judges_had_no_part_in_the_choice(recording):
    one, other = (replay(half, 0.9) for half in halves(recording))
    rows = []
    for choosing, judging in ((one, other), (other, one)):
        kept = keep_best(choosing, 3)
        at = judging.steps == kept.best_step
        rows.append((kept.best_step, kept.stop_step, 100 * kept.seen, 100 * judging.validation_accuracy[at][0]))
    found = stop_and_judge(recording, [("ema", 0.9)], [3])["ema", 0.9, 3]
    np.testing.assert_allclose(found[:4], np.mean(rows, axis=0))


def test_who_watches_algorithm_2_is_judged_by_it(recording):
    found = dict(zip(FIELDS, stop_and_judge(recording, [("algorithm2", None)], [3])["algorithm2", None, 3]))
    assert found["own"] == found["exact"]


def test_the_shipped_valley_is_a_sweep_of_the_same_numbers():
    held = load_seeds()
    valley = held.valley((4, 64))
    lost = 100 * valley.accuracy_lost()
    assert lost.shape == (2 * len(SEEDS), len(MOMENTA))
    np.testing.assert_allclose(lost[len(SEEDS) :, MOMENTA.index(0.9)], held.lost(64, 0.9), atol=1e-9)


def test_what_is_kept_of_a_run_is_what_a_sweep_says_of_it():
    accuracy, _ = measure(64, NOW[0])
    swept = Sweep.of(run(64, NOW[0]), (0.9,), estimators=("ema", "algorithm2"))
    exact, ema = (accuracy[CURVES.index(one)][1] for one in (("algorithm2", None, True), ("ema", 0.9, True)))
    assert exact - ema == pytest.approx(100 * swept.accuracy_lost()[0, 0])


def test_the_table_has_the_mean_of_the_shipped_and_the_runs_of_now(monkeypatch):
    kept = load_seeds().stopped[16, "ema", 0.9, 10]
    lines = stopping_table(16, (0.9,)).splitlines()
    assert len(lines) == 2
    assert f"{kept.exact.mean():.1f} ±" in lines[1]
    short = TrainingConfig(steps=60, hidden=(8,))
    monkeypatch.setattr(
        "bn_teach.lessons.shared.seeds.run",
        lambda m, seed: train(load_digits(), replace(short, batch_size=m, seed=seed)),
    )
    lines = stopping_table(16, (0.9,), now=(3,)).splitlines()
    assert lines[2].split()[:2] == ["seed", "3"]


def test_the_tool_measures_what_it_is_asked_for_and_keeps_the_rest(monkeypatch, tmp_path):
    monkeypatch.setattr(tool, "SEEDS", (0, 1))
    monkeypatch.setattr(
        tool, "measure", lambda m, seed: ([[1.0 * seed, 2.0, 3.0]], {("ema", 0.9, 10): (seed, *[7.0] * 6)})
    )
    path = tmp_path / "seeds.json"
    tool.main(["4", "--to", str(path)])
    written, shipped = json.loads(path.read_text()), json.loads(SHIPPED.read_text())
    assert written["accuracy"]["4"] == [[[0.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]]]
    assert written["accuracy"]["16"] == shipped["accuracy"]["16"]
    assert [one["step"] for one in written["stopped"] if one["batch_size"] == 4] == [[0.0, 1.0]]
    with pytest.raises(SystemExit):
        tool.main(["5"])
