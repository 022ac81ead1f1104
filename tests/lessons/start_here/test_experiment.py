"""What notebook 00 says of many runs, and what it exchanges."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from bn_teach.data import load_digits
from bn_teach.lessons.start_here.experiment import FREED, MEASURED, SEEDS, across_seeds, held_out_noise, measured
from bn_teach.replay import early_stop, replay
from bn_teach.training import TrainingConfig, train


def test_the_shipped_measurement_is_what_two_of_its_runs_give():
    stored, again = measured(), across_seeds(SEEDS[:2])
    for part, names in asdict(again).items():
        for name, values in names.items():
            # Another processor separates a little within 800 steps; a step may then be another checkpoint.
            slack = 150 if part == "step" else 2.5
            np.testing.assert_allclose(values, asdict(stored)[part][name][:2], atol=slack, err_msg=f"{part}, {name}")


def test_the_measurement_says_what_the_notebook_says():
    stored = measured()
    assert {len(values) for names in json.loads(MEASURED.read_text()).values() for values in names.values()} == {32}
    assert stored.lost["0.9"].max() < 1 < stored.lost["0.999"].min()
    assert stored.lost[FREED].mean() < stored.lost["0.999"].mean() / 4  # most of it is the start
    # The better weights are not told apart: within two and a half standard errors.
    better = stored.judged["0.999"] - stored.judged["0.9"]
    assert abs(better.mean()) < 2.5 * better.std(ddof=1) / np.sqrt(len(better))


def test_one_half_chooses_and_the_other_judges():
    config = TrainingConfig(steps=60, hidden=(12,))
    seen, run = across_seeds(range(1), patience=3, config=config), train(load_digits(), config)
    kept = []
    for first in (0, 1):
        halves = [held_out_half(run, which) for which in (first, 1 - first)]
        chosen, _ = early_stop(replay(halves[0], 0.9), 3)
        k = list(run.checkpoint_steps).index(chosen)
        through = replay(halves[0], 0.9), replay(halves[1], estimator="algorithm2")
        kept.append([chosen, *(100 * one.validation_accuracy[k] for one in through)])
    assert [seen.step["0.9"][0], seen.seen["0.9"][0], seen.judged["0.9"][0]] == pytest.approx(np.mean(kept, axis=0))


def held_out_half(run, first):
    data = run.dataset
    half = {"validation_x": data.validation_x[first::2], "validation_y": data.validation_y[first::2]}
    return replace(run, dataset=replace(data, **half))


def test_noise_leaves_everything_that_training_saw():
    run = train(load_digits(), TrainingConfig(steps=20, hidden=(6,)))
    noisy = held_out_noise(run)
    assert np.array_equal(noisy.dataset.train_x, run.dataset.train_x)
    assert noisy.dataset.validation_x.shape == run.dataset.validation_x.shape
    assert np.array_equal(replay(noisy).running_mean[0], replay(run).running_mean[0])
    assert replay(noisy).validation_accuracy[-1] < replay(run).validation_accuracy[-1]
