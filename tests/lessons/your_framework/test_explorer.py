"""The recorded run that is shipped, its picture, its sentence and its explorer."""

import numpy as np
import pytest
from exploring import assert_shows, changed, copied

from bn_teach import RecorderExplorer
from bn_teach.data import load_digits
from bn_teach.lessons.questions import QUESTIONS
from bn_teach.lessons.your_framework.picture import axes, picture
from bn_teach.torch_recorder import LayerHistory, TorchRecording, load_example, report
from bn_teach.torch_recorder.example import PATH


@pytest.fixture(scope="module")
def example():
    return load_example()


@pytest.fixture(scope="module")
def told(example):
    return report(example.recorded)


def layers(count, momentum=0.9):
    """Every batch of layer k has mean k and variance 1; exact statistics say 0 and 8/7."""
    histories = {
        f"norm{k}": LayerHistory(np.full((50, 2), float(k)), np.ones((50, 2)), np.full(50, 8), momentum=momentum)
        for k in range(count)
    }
    return TorchRecording(histories, {name: (np.zeros(2), np.full(2, 8 / 7)) for name in histories})


def test_the_shipped_run_is_small_and_sound(example):
    assert PATH.stat().st_size < 150_000
    assert TorchRecording.load(PATH).layers == example.recorded.layers == ("norm1", "norm2", "norm3")
    for history, positions in zip(example.recorded.history.values(), (64, 16, 1)):
        assert history.checked().counted == len(history) == 400
        assert (history.sizes == 8 * positions).all()
        assert history.momentum == pytest.approx(0.01)
    assert example.accuracy.shape == example.momenta.shape
    images = len(load_digits().validation_y)
    for accuracy in (example.accuracy_as_trained, *example.accuracy, example.accuracy_exact):
        assert round(accuracy * images) == pytest.approx(accuracy * images)


def test_what_the_notebook_says_of_the_shipped_run(example, told):
    at = dict(zip(told.momenta.round(3).tolist(), told.distance.T))
    assert (at[0.9] < 1.2 * told.distance.min(axis=1)).all()  # near the least for all
    assert at[0.01].argmax() == 2
    assert at[0.01][2] > 4 * at[0.9][2]
    assert example.accuracy[list(example.momenta).index(0.9)] > example.accuracy_as_trained + 0.04
    assert example.accuracy_exact > example.accuracy_as_trained + 0.04
    freed = report(example.recorded, estimator="debiased").distance
    assert (freed[:, -1] < told.distance[:, -1]).all()  # part of the right side was start-up
    assert (freed[:, -1] > 2 * freed.min(axis=1)).all()  # and part was not


def test_the_lines_are_the_report(told):
    traces = picture(told).traces
    for row, name in enumerate(told.layers):
        x, y = traces[f"layer {name}"]
        np.testing.assert_array_equal(x, np.arange(len(told.momenta)))
        np.testing.assert_array_equal(y, told.distance[row])
    for key, momenta in {"the momentum it has": told.own, "the nearest": told.nearest}.items():
        x, y = traces[key]
        np.testing.assert_allclose(told.momenta[x.astype(int)], momenta)
        np.testing.assert_array_equal(y, told.distance[range(3), x.astype(int)])
    np.testing.assert_array_equal(traces["the nearest"][1], told.distance.min(axis=1))
    assert all(values.dtype == np.float64 for line in traces.values() for values in line)


def test_the_axes_hold_the_lines_and_name_the_momenta(told):
    figure, shown = axes(told), picture(told)
    assert {trace.meta for trace in figure.data} == set(shown.traces)
    assert list(figure.layout.xaxis.ticktext) == [f"{p:g}".removeprefix("0") or "0" for p in told.momenta]
    low, high = shown.ranges["yaxis"]
    assert low < np.log10(told.distance.min()) < np.log10(told.distance.max()) < high


def test_a_distance_of_zero_stays_on_a_logarithmic_axis():
    history = LayerHistory(np.zeros((5, 1)), np.ones((5, 1)), np.full(5, 8), momentum=0.5)
    told = report(TorchRecording({"a": history}, {"a": ([0.0], [1.0])}), unbiased=False)
    assert (told.distance == 0).all()
    shown = picture(told)
    assert (shown.traces["layer a"][1] == 1e-3).all()
    assert shown.ranges["yaxis"][0] < -3


def test_a_cumulative_average_has_no_momentum_to_mark():
    shown = picture(report(layers(2, momentum=None)))
    assert all(len(values) == 0 for values in shown.traces["the momentum it has"])
    assert len(shown.traces["the nearest"][0]) == 2
    assert "averages all its batches alike" in shown.sentence


def test_many_layers_name_the_first_and_the_last():
    figure = axes(report(layers(12)))
    named = [trace.name for trace in figure.data if trace.showlegend]
    assert named == ["norm0", "norm11", "the momentum it has", "the nearest"]
    colors = [trace.line.color for trace in figure.data[:12]]
    assert (colors[0], colors[-1]) == ("#0072B2", "#3E9BD6")
    assert len(set(colors)) == 12


def test_a_model_that_is_one_batch_norm_layer_has_a_name_to_show():
    history = layers(1).history["norm0"]
    told = report(TorchRecording({"": history}, {"": (np.zeros(2), np.full(2, 8 / 7))}))
    assert axes(told).data[0].name == "(the model)"
    assert "The layer farthest off with the momentum it has is the model itself" in picture(told).sentence


def test_the_sentence_names_the_layer_that_is_farthest_off(told):
    assert f"{told.distance[2, 1]:.3f} {told.distance[2].min():.3f}" == "0.441 0.102"
    assert picture(told).sentence == (
        "Of 3 layers, the one farthest off with the momentum it has is norm3: 0.441 standard deviations at momentum "
        "0.01. The nearest of those tried, 0.9, would have left 0.102. Less than 1.5 times as far off as with their "
        "nearest: 1 of 3."
    )


def test_the_sentence_where_nothing_would_have_been_nearer():
    told = report(layers(1, momentum=0.5), momenta=[0.999])
    assert picture(told).sentence.endswith("at momentum 0.5. No other momentum tried would have been nearer.")


@pytest.mark.parametrize("estimator", ["ema", "debiased"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_the_explorer_shows_what_its_controls_say(example, estimator, unbiased):
    explorer = RecorderExplorer(example.recorded)
    explorer.controls["estimator"].value = estimator
    explorer.controls["unbiased"].value = unbiased
    assert (explorer.state.estimator, explorer.state.unbiased) == (estimator, unbiased)
    assert_shows(explorer, picture(report(example.recorded, estimator=estimator, unbiased=unbiased)))
    assert_shows(explorer, picture(explorer.report))


def test_an_error_is_shown_and_the_last_good_picture_stays():
    explorer = RecorderExplorer(layers(2), momenta=[0.5, 1.0])
    before = copied(explorer)
    explorer.controls["estimator"].value = "debiased"  # divides by 1 - 1
    assert "This did not work: momentum must be below 1" in explorer.status
    assert changed(explorer, before) == set()


def test_a_recording_without_exact_statistics_is_refused(example):
    with pytest.raises(ValueError, match="^exact must "):
        RecorderExplorer(TorchRecording(example.recorded.history))
    with pytest.raises(TypeError, match="^recorded must "):
        RecorderExplorer(None)


def test_the_questions_measure_what_their_words_say():
    alone = QUESTIONS["one-of-1025"].measure()
    assert (alone["batches"], alone["answer"]) == (9, pytest.approx(1025 / 9))
    assert QUESTIONS["one-of-1025"].read("114") == 114
    which = QUESTIONS["which-layer"].measure()
    assert which["answer"].startswith("norm3")
    assert which["third"] > 5 * max(which["first"], which["second"])


def test_a_momentum_typed_into_the_wrong_framework_costs_what_the_words_say():
    measured = QUESTIONS["point-one-in-keras"].measure()
    assert 5 < measured["least"] < measured["answer"] < measured["most"] < 20
    assert 0.5 < measured["at_16"] < 4
    assert measured["weight"] == pytest.approx(90)
