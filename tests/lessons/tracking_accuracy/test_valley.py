"""The valley: the picture of a sweep, as its numbers say."""

from dataclasses import replace

import numpy as np
import pytest

from bn_teach import ValleyFigure
from bn_teach.lessons.tracking_accuracy.valley import valley_figure, valley_traces
from bn_teach.lessons.tracking_accuracy.valley_sentence import valley_sentence
from bn_teach.sweep import Sweep
from bn_teach.training import TrainingConfig

MOMENTA = (0.9, 0.0, 0.999)
CONFIGS = [TrainingConfig(batch_size=m, seed=seed) for m in (64, 4) for seed in range(5)]


def swept(configs=CONFIGS, estimators=("ema", "algorithm2")):
    """A sweep of made-up accuracies: exact ones of 0.9, and the moving average loses what it likes."""
    accuracy = np.full((len(configs), len(MOMENTA), len(estimators), 20), 0.9)
    accuracy[:, :, 0] -= np.random.default_rng(0).uniform(0, 0.3, accuracy[:, :, 0].shape)
    return Sweep(tuple(configs), np.array(MOMENTA), estimators, np.arange(10, 210, 10), accuracy)


def drawn(figure):
    return {trace.meta: np.array(trace.y) for trace in figure.data}


def test_line_and_band_are_median_least_and_most_over_the_seeds_by_momentum():
    made = swept()
    lost = 100 * made.accuracy_lost()[5:][:, [1, 0, 2]]  # batch size 4, momenta in order
    lines = drawn(valley_figure(made))
    np.testing.assert_allclose(lines["batch size 4: the median"], np.median(lost, axis=0))
    np.testing.assert_allclose(lines["batch size 4: the least"], lost.min(axis=0))
    np.testing.assert_allclose(lines["batch size 4: the most"], lost.max(axis=0))
    assert set(lines["nothing lost"]) == {0.0}


def test_figure_holds_its_traces_and_shows_all_of_them():
    figure, traces = valley_figure(swept()), valley_traces(swept())
    assert {trace.meta for trace in figure.data} == set(traces)
    low, high = figure.layout.yaxis.range
    for key, y in drawn(figure).items():
        assert np.array_equal(y, traces[key][1])
        assert low < y.min()
        assert y.max() < high
    assert list(figure.layout.xaxis.ticktext) == ["0", "0.9", "0.999"]
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "batch size 4",
        "batch size 64",
        "exact statistics",
    ]


def test_band_is_filled_between_the_least_and_the_most():
    figure = valley_figure(swept())
    keys = [trace.meta for trace in figure.data]
    for trace in figure.data:
        if trace.fill == "tonexty":
            assert trace.meta.endswith("the most")
            assert keys[keys.index(trace.meta) - 1] == trace.meta.replace("the most", "the least")


def test_one_seed_is_a_line():
    lines = drawn(valley_figure(swept(CONFIGS[:1])))
    assert np.array_equal(lines["batch size 64: the least"], lines["batch size 64: the most"])


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
        valley_figure(swept(configs, estimators))


def test_the_sentence_tells_the_floor_and_both_ends():
    accuracy = np.full((2, 3, 2, 20), 0.9)
    for seed, lost in enumerate([(0.01, 0.2, 0.05), (0.03, 0.4, 0.07)]):  # at momenta 0.9, 0, 0.999
        accuracy[seed, :, 0] -= np.array(lost)[:, None]
    configs = tuple(TrainingConfig(batch_size=4, seed=seed) for seed in (0, 1))
    made = Sweep(configs, np.array(MOMENTA), ("ema", "algorithm2"), np.arange(10, 210, 10), accuracy)
    assert valley_sentence(made) == (
        "Percentage points, median of the seeds (least to most). Batch size 4: least is lost at momentum 0.9, "
        "2.0 (1.0 to 3.0); 30.0 (20.0 to 40.0) at 0 and 6.0 (5.0 to 7.0) at 0.999."
    )


def test_on_display_it_has_its_sentence_and_words_for_who_cannot_see_it():
    made = swept()
    shown = ValleyFigure(made)
    assert shown.status == valley_sentence(made)
    assert drawn(shown.figure).keys() == drawn(valley_figure(made)).keys()
    *_, accessible = shown.view.children
    assert "loses against exact statistics" in accessible.plot_label
