"""Weights changed after training, the statistics that could fit them, and the shipped measurement of both benches."""

from dataclasses import replace

import numpy as np
import pytest
import whose_statistics as tool

from bn_teach.data import load_digits
from bn_teach.lessons.whose_statistics.changed import AMOUNTS, CONFIGS, average, change_weights, prune, round_to_bits
from bn_teach.lessons.whose_statistics.experiment import CORRUPTIONS
from bn_teach.lessons.whose_statistics.measured import (
    ALL,
    MIXTURES,
    SEEDS,
    SETTINGS,
    changes_table,
    load_measured,
    mixtures_table,
    on_the_bench,
    with_other_weights,
)
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=120, hidden=(20, 12))


@pytest.fixture(scope="module")
def recording():
    return train(load_digits(), CONFIG)


@pytest.fixture(scope="module")
def measured():
    return load_measured()


# What is done to weights


@pytest.mark.parametrize("percent", AMOUNTS["pruned"])
def test_pruning_takes_the_smallest_and_no_others(percent):
    weight = np.random.default_rng(0).normal(size=(30, 20))
    pruned = prune(weight, percent)
    gone = pruned == 0
    assert gone.sum() == round(600 * percent / 100)
    assert not gone.any() or np.abs(weight[gone]).max() <= np.abs(weight[~gone]).min()
    np.testing.assert_array_equal(pruned[~gone], weight[~gone])


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_so_many_bits_are_so_many_steps_and_no_weight_moves_by_more_than_half_of_one(bits):
    weight = np.random.default_rng(0).normal(size=(200, 5))
    rounded = round_to_bits(weight, bits)
    step = np.abs(weight).max(axis=0) / (2 ** (bits - 1) - 1)
    assert all(len(np.unique(unit)) <= 2**bits - 1 for unit in rounded.T)
    assert (np.abs(rounded - weight) <= step / 2 + 1e-12).all()


def test_one_bit_is_the_sign_and_thirty_two_are_the_weight():
    weight = np.array([[1.0, 0.0], [-3.0, 0.0]])
    np.testing.assert_array_equal(round_to_bits(weight, 1), [[2.0, 0.0], [-2.0, 0.0]])
    assert round_to_bits(weight, 32) is weight
    assert (round_to_bits(np.zeros((3, 1), np.float32), 4) == 0).all()


def test_averages_of_checkpoints():
    history = np.arange(6.0)[:, None]
    assert average(history, "swa", 4) == 3.5
    assert average(history, "swa", 80) == 2.5
    by_hand = history[0, 0]
    for value in history[:, 0]:
        by_hand = 0.75 * by_hand + 0.25 * value
    assert average(history, "ema", 4) == pytest.approx(by_hand)
    assert average(history, "ema", 1) == 5


# Whose statistics


@pytest.mark.parametrize("change", AMOUNTS)
def test_the_first_amount_changes_nothing_and_old_is_the_replay(recording, change):
    (untouched,) = change_weights(recording, change, [AMOUNTS[change][0]])
    running = replay(recording, 0.9)
    assert untouched.accuracy["old"] == pytest.approx(100 * running.validation_accuracy[-1], abs=0.3)
    for (mean, var), means, variances in zip(untouched.statistics["old"], running.mean, running.var, strict=True):
        np.testing.assert_array_equal(mean, means[-1])
        np.testing.assert_array_equal(var, variances[-1])
    exact = recording.population_mean[-1][-1], recording.population_var[-1][-1]
    for got, wanted in zip(untouched.statistics["recomputed"][-1], exact, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)  # float32


def test_recomputed_statistics_are_those_of_the_changed_weights(recording):
    (pruned,) = change_weights(recording, "pruned", [80])
    first = prune(recording.network_at(len(recording.checkpoint_steps) - 1).layers[0].weight, 80)
    z = recording.dataset.train_x @ first
    mean, var = pruned.statistics["recomputed"][0]
    np.testing.assert_allclose(mean, z.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(var, z.var(axis=0), atol=1e-4)


def test_averaged_weights_may_be_left_with_five_other_statistics(recording):
    (averaged,) = change_weights(recording, "swa", [5])
    assert list(averaged.statistics) == ["never", "first", "averaged", "old", "few", "recomputed"]
    running = replay(recording, 0.9)
    mean, var = averaged.statistics["never"][0]
    assert (mean == 0).all()
    assert (var == 1).all()
    np.testing.assert_array_equal(averaged.statistics["first"][1][0], running.mean[1][-5])
    np.testing.assert_allclose(averaged.statistics["averaged"][1][1], running.var[1][-5:].mean(axis=0))


def test_an_unknown_change_is_refused_by_name(recording):
    with pytest.raises(ValueError, match="change must be one of 'pruned'.*got 'frozen'"):
        change_weights(recording, "frozen")


# What was measured


def test_what_is_shipped_is_complete(measured):
    assert set(measured.settings) == set(SETTINGS)
    shipped = {(change, amount) for change, amount, _ in measured.changes}
    assert shipped == {(change, amount) for change, amounts in AMOUNTS.items() for amount in amounts}
    assert all(len(one) == len(SEEDS) for one in (*measured.settings.values(), *measured.changes.values()))


def test_a_shipped_network_can_be_measured_again(measured):
    settings = [("none", None, 16, 0), ("mist", None, 16, 0), ("blur", 1, 16, ALL), ("none", 1, 20, 0)]
    for setting, now in zip(settings, on_the_bench(3, settings)):
        kept = measured.settings[setting]
        assert abs(now - kept[3]) < max(1.5, 3 * kept.std(ddof=1)), setting  # another CPU trains a little otherwise
    for change, amount in (("pruned", 80), ("rounded", 2), ("ema", 80)):
        (now,) = with_other_weights(3, change, [amount])
        for name, accuracy in now.items():
            kept = measured.changes[change, amount, name]
            assert abs(accuracy - kept[3]) < max(1.5, 3 * kept.std(ddof=1)), (change, name)


def test_the_tool_writes_what_is_loaded(tmp_path, monkeypatch, measured):
    monkeypatch.setattr(tool, "AMOUNTS", {"pruned": (0, 80)})
    monkeypatch.setattr(tool, "on_the_bench", lambda seed: [10.0 * seed + 1 / 3] * len(SETTINGS))
    tool.main(["--seeds", "2", "--to", str(tmp_path / "small.json")])
    loaded = load_measured.__wrapped__(tmp_path / "small.json")
    assert loaded.bench(ALL, 16, corruption="mist", classes=1).tolist() == [0.33, 10.33]
    np.testing.assert_allclose(loaded.changes["pruned", 80, "old"], measured.changes["pruned", 80, "old"][:2], atol=30)


def test_other_settings_than_those_of_the_lesson_are_refused(tmp_path):
    (tmp_path / "old.json").write_text('{"bench": [["none", null, 16, 0, [1.0]]], "changed": []}')
    with pytest.raises(ValueError, match="run python tools/whose_statistics.py"):
        load_measured.__wrapped__(tmp_path / "old.json")


def test_tables_say_what_was_measured(measured):
    header, *rows = mixtures_table(measured).splitlines()
    assert len(rows) == len(CORRUPTIONS)
    assert header.split() == ["N", *("all" if N == ALL else str(N) for N in MIXTURES)]
    assert all(row.count("*") == 1 for row in rows)
    assert f"{measured.bench(0, 16, corruption='mist').mean():.1f}*" in rows[1]
    old = measured.changes["pruned", 80, "old"]
    assert f"{old.mean():.1f} ± {old.std(ddof=1):.1f}" in changes_table(measured, "pruned", ("old",), (80,))


# What notebook 08 says, with its error. Standard errors of differences between settings of the same networks.


def lead(better, worse):
    """A difference in its standard errors."""
    difference = better - worse
    return difference.mean() / (difference.std(ddof=1) / np.sqrt(len(difference)))


def test_no_N_is_the_best_for_every_camera(measured):
    right = {camera: {N: measured.bench(N, 16, corruption=camera) for N in MIXTURES} for camera in CORRUPTIONS}
    assert lead(right["none"][ALL], right["none"][16]) > 3
    assert lead(right["mist"][0], right["mist"][4]) > 3
    assert lead(right["blur"][16], right["blur"][0]) > 3
    assert lead(right["noise"][64], right["noise"][0]) > 3
    behind = [max(one.mean() for one in by_N.values()) - by_N[4].mean() for by_N in right.values()]
    assert max(behind) < 2


def test_sorted_by_class_inference_mode_is_the_best_or_almost(measured):
    for camera in CORRUPTIONS:
        means = [measured.bench(N, 16, corruption=camera, classes=1).mean() for N in MIXTURES]
        assert means[-1] > max(means) - 1
        assert means[1] < 20


def test_sixteen_shuffled_images_heal_mist_and_sorted_ones_do_not(measured):
    assert measured.bench(0, 16, corruption="mist").min() > 94
    assert max(measured.bench(N, 16, corruption="mist", classes=1).mean() for N in MIXTURES) < 35


def test_statistics_bring_back_most_at_80_per_cent_pruned_and_little_of_it_at_95(measured):
    trained = measured.changes["pruned", 0, "recomputed"]
    for percent, low, high in ((80, 0.6, 0.9), (95, 0.1, 0.3)):
        old, exact = (measured.changes["pruned", percent, name] for name in ("old", "recomputed"))
        share = (exact - old).mean() / (trained - old).mean()
        assert low < share < high
    for name, change, amount in (("few", "pruned", 80), ("few", "rounded", 1), ("recomputed", "ema", 80)):
        assert lead(measured.changes[change, amount, name], measured.changes[change, amount, "old"]) > 3


def test_averaged_statistics_do_as_well_as_recomputed_ones_and_those_of_the_start_do_not(measured):
    for change in ("swa", "ema"):
        held = {name: measured.changes[change, 80, name] for name in ("never", "first", "averaged", "recomputed")}
        assert abs((held["averaged"] - held["recomputed"]).mean()) < 0.3
        assert lead(held["recomputed"], held["first"]) > 3
        assert lead(held["first"], held["never"]) > 3


def test_the_configurations_differ_from_the_default_as_the_notebook_says():
    assert (
        replace(CONFIGS["pruned"], hidden=(100, 100)) == TrainingConfig() == replace(CONFIGS["swa"], learning_rate=0.1)
    )
