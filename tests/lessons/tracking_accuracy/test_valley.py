"""The valley: the picture of a sweep, as its numbers say."""

from dataclasses import replace

import numpy as np
import pytest
from exploring import assert_shows

from bn_teach import ValleyFigure
from bn_teach.lessons.tracking_accuracy.valley import axes, picture
from bn_teach.sweep import Sweep
from bn_teach.training import TrainingConfig

MOMENTA = (0.9, 0.0, 0.999)
CONFIGS = [TrainingConfig(batch_size=m, seed=seed) for m in (64, 4) for seed in range(5)]


def swept(configs=CONFIGS, estimators=("ema", "algorithm2")):
    """A sweep of made-up accuracies: exact ones of 0.9, and the moving average loses what it likes."""
    accuracy = np.full((len(configs), len(MOMENTA), len(estimators), 20), 0.9)
    accuracy[:, :, 0] -= np.random.default_rng(0).uniform(0, 0.3, accuracy[:, :, 0].shape)
    return Sweep(tuple(configs), np.array(MOMENTA), estimators, np.arange(10, 210, 10), accuracy)


def test_line_and_band_are_median_least_and_most_over_the_seeds_by_momentum():
    lost = 100 * swept().accuracy_lost()[5:][:, [1, 0, 2]]  # batch size 4, momenta in order
    y = {key: y for key, (_, y) in picture(swept()).traces.items()}
    np.testing.assert_allclose(y["batch size 4: the median"], np.median(lost, axis=0))
    np.testing.assert_allclose(y["batch size 4: the least"], lost.min(axis=0))
    np.testing.assert_allclose(y["batch size 4: the most"], lost.max(axis=0))
    assert set(y["nothing lost"]) == {0.0}


def test_every_point_is_in_sight():
    shown = picture(swept())
    low, high = shown.ranges["yaxis"]
    assert all(low < y.min() <= y.max() < high for _, y in shown.traces.values())


def test_axes_name_the_momenta_in_order_and_the_batch_sizes():
    figure = axes(swept())
    assert list(figure.layout.xaxis.ticktext) == ["0", "0.9", "0.999"]
    named = [trace.name for trace in figure.data if trace.showlegend]
    assert named == ["batch size 4", "batch size 64", "exact statistics"]


def test_band_is_filled_between_the_least_and_the_most():
    keys = [trace.meta for trace in axes(swept()).data]
    for trace in axes(swept()).data:
        if trace.fill == "tonexty":
            assert trace.meta.endswith("the most")
            assert keys[keys.index(trace.meta) - 1] == trace.meta.replace("the most", "the least")


def test_one_seed_is_a_line():
    traces = picture(swept(CONFIGS[:1])).traces
    assert np.array_equal(traces["batch size 64: the least"], traces["batch size 64: the most"])


@pytest.mark.parametrize(
    ("configs", "estimators", "message"),
    [
        (
            [*CONFIGS, replace(CONFIGS[0], learning_rate=0.3)],
            ("ema", "algorithm2"),
            "alike but for batch size and seed",
        ),
        ([TrainingConfig(batch_size=m) for m in range(2, 9)], ("ema", "algorithm2"), "at most 6 batch sizes, got 7"),
        (CONFIGS, ("ema", "population"), "reference must be one of 'ema', 'population', got 'algorithm2'"),
    ],
)
def test_refuses_a_sweep_that_is_no_valley(configs, estimators, message):
    with pytest.raises(ValueError, match=message):
        ValleyFigure(swept(configs, estimators))


def test_the_sentence_tells_the_floor_and_both_ends():
    accuracy = np.full((2, 3, 2, 20), 0.9)
    for seed, lost in enumerate([(0.01, 0.2, 0.05), (0.03, 0.4, 0.07)]):  # at momenta 0.9, 0, 0.999
        accuracy[seed, :, 0] -= np.array(lost)[:, None]
    configs = tuple(TrainingConfig(batch_size=4, seed=seed) for seed in (0, 1))
    made = Sweep(configs, np.array(MOMENTA), ("ema", "algorithm2"), np.arange(10, 210, 10), accuracy)
    assert picture(made).sentence == (
        "Percentage points, median of the seeds (least to most). Batch size 4: least is lost at momentum 0.9, "
        "2.0 (1.0 to 3.0); 30.0 (20.0 to 40.0) at 0 and 6.0 (5.0 to 7.0) at 0.999."
    )


def live(configs, momenta=(0.0, 0.999)):
    made = swept(configs)
    accuracy = np.full((len(configs), len(momenta), 2, 20), 0.9)
    accuracy[:, :, 0] -= 0.1  # 10 points lost, by every run under every momentum
    return replace(made, momenta=np.array(momenta), accuracy=accuracy)


def test_runs_of_now_lie_on_it_as_points_and_are_counted():
    mine = live([TrainingConfig(batch_size=4, seed=seed) for seed in (7, 8)])
    shown = picture(swept(), mine)
    x, y = shown.traces["batch size 4: runs of now"]
    assert np.array_equal(x, [0, 2, 0, 2])  # of 0, 0.9 and 0.999
    np.testing.assert_allclose(y, 10)
    lost = 100 * swept().accuracy_lost()[5:][:, [1, 2]]
    low, high = lost.min(axis=0), lost.max(axis=0)
    within = 2 * int(((low <= 10) & (high >= 10)).sum())
    assert shown.sentence.endswith(f"Of 4 points of 2 runs of now at batch size 4, {within} lie in the band.")
    assert {trace.meta for trace in axes(swept(), mine).data} == set(shown.traces)


@pytest.mark.parametrize(("m", "momenta"), [(8, (0.0, 0.999)), (4, (0.0, 0.5))])
def test_refuses_runs_that_do_not_belong_to_it(m, momenta):
    with pytest.raises(ValueError, match="batch sizes and momenta of swept"):
        ValleyFigure(swept(), live([TrainingConfig(batch_size=m)], momenta))


def test_on_display_it_has_its_picture_and_words_for_who_cannot_see_it():
    made = swept()
    shown = ValleyFigure(made)
    assert_shows(shown, picture(made))
    *_, accessible = shown.view.children
    assert accessible.label == "The valley of momentum"
    assert "loses against exact statistics" in accessible.plot_label
