"""What of the recorder needs no PyTorch; live models are recorded in test_torch_recorder_live.py."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bn_teach.running import (
    cumulative_average,
    exponential_moving_average,
    unbiased_variance,
)
from bn_teach.torch_recorder import (
    LayerHistory,
    TorchRecording,
    replay_statistics,
    report,
)

NAN = float("nan")


@pytest.fixture
def history():
    rng = np.random.default_rng(0)
    return LayerHistory(rng.normal(size=(30, 4)), rng.uniform(1, 2, size=(30, 4)), rng.integers(2, 9, size=30))


def history_of(updates=30, **options):
    """Every batch has mean 3 and variance 1, n = 8."""
    return LayerHistory(np.full((updates, 2), 3.0), np.ones((updates, 2)), np.full(updates, 8), **options)


def test_the_running_statistics_are_the_moving_averages(history):
    mean, var = replay_statistics(history, 0.9)
    unbiased = unbiased_variance(history.variances, history.sizes[:, None])
    np.testing.assert_array_equal(mean, exponential_moving_average(history.means, 0.9))
    np.testing.assert_array_equal(var, exponential_moving_average(unbiased, 0.9, initial=1.0))


def test_several_momenta_come_with_an_axis_of_their_own(history):
    mean, var = replay_statistics(history, [0.5, 0.9, 1.0])
    assert mean.shape == var.shape == (3, 30, 4)
    np.testing.assert_array_equal(var[1], replay_statistics(history, 0.9)[1])
    np.testing.assert_array_equal(var[2], np.ones((30, 4)))


def test_without_the_start(history):
    mean, var = replay_statistics(history, 0.9, estimator="debiased", unbiased=False)
    np.testing.assert_allclose(mean[0], history.means[0])
    np.testing.assert_allclose(var[0], history.variances[0])


@pytest.mark.parametrize("arguments", [{"momentum": None}, {"estimator": "cumulative"}])
def test_all_batches_alike(history, arguments):
    mean, var = replay_statistics(history, **arguments, unbiased=False)
    np.testing.assert_array_equal(mean, cumulative_average(history.means))
    np.testing.assert_array_equal(var, cumulative_average(history.variances))


def test_a_trained_layer_starts_where_it_stood():
    history = history_of(1, initial_mean=np.array([1.0, 5.0]), initial_var=2.0)
    mean, var = replay_statistics(history, 0.5, unbiased=False)
    np.testing.assert_array_equal(mean, [[2.0, 4.0]])
    np.testing.assert_array_equal(var, [[1.5, 1.5]])


def test_the_beginning_of_a_history(history):
    first = history.up_to(3)
    assert len(first) == 3
    np.testing.assert_array_equal(replay_statistics(first, 0.9)[0], replay_statistics(history, 0.9)[0][:3])


def with_value(name, row, value):
    arrays = {"means": np.ones((5, 2)), "variances": np.ones((5, 2)), "sizes": np.full(5, 4)}
    arrays[name][row] = value
    return LayerHistory(**arrays, layer="conv.norm")


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (with_value("means", 3, NAN), r"means of layer 'conv\.norm' must be finite in every row, got nan in row 3"),
        (with_value("variances", 2, np.inf), r"variances of layer 'conv\.norm' must be finite .*got inf in row 2"),
        (with_value("variances", 4, -1.0), r"variances of layer .*not negative in every row, got -1\.0 in row 4"),
        (with_value("sizes", 1, 0), "sizes of layer .* must be at least 1 in every row, got 0 in row 1"),
        (
            history_of(9, parted=(4, "it was reset"), layer="a"),
            r"replay of layer 'a' must lead where its buffers stand, but after update 4 of 9 they part: it was reset\.",
        ),
        (history_of(0, layer="a"), "history of layer 'a' must have at least one row, got none"),
    ],
)
def test_what_cannot_be_averaged_is_named_with_layer_and_row(history, message):
    with pytest.raises(ValueError, match=message):
        replay_statistics(history, 0.9)
    with pytest.raises(ValueError, match=message):
        report(TorchRecording({history.layer: history}), {history.layer: (np.zeros(2), np.ones(2))})


def test_a_history_is_usable_up_to_the_row_that_is_named():
    history = with_value("means", 3, NAN)
    assert replay_statistics(history.up_to(3), 0.9)[0].shape == (3, 2)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LayerHistory(np.ones((3, 2)), np.ones((3, 3)), [4] * 3), ValueError, r"got \(3, 2\), \(3, 3\) and"),
        (lambda: LayerHistory(np.ones((3, 2)), np.ones((3, 2)), [4] * 2), ValueError, r"\(3, 2\) and \(2,\)"),
        (lambda: LayerHistory(np.ones(3), np.ones(3), [4] * 3), ValueError, r"must have shapes \(T, C\), \(T, C\)"),
        (lambda: LayerHistory([["a"]], [[1.0]], [4]), TypeError, "means and variances must be numbers"),
        (lambda: LayerHistory([[1.0]], [[1.0]], [4.5]), TypeError, "sizes whole numbers, got .*float64"),
        (lambda: history_of(initial_mean=np.ones(3)), ValueError, r"initial_mean must be a number or .*\(2,\)"),
        (lambda: TorchRecording({"a": 3}), TypeError, "the history of layer 'a' must be a LayerHistory, got 3"),
        (lambda: replay_statistics([1.0], 0.9), TypeError, "history must be a LayerHistory"),
        (lambda: replay_statistics(history_of(), 1.5), ValueError, r"momentum must be between 0 and 1 .*got 1\.5"),
        (lambda: replay_statistics(history_of(), 1.0, estimator="debiased"), ValueError, "momentum must be below 1"),
        (lambda: replay_statistics(history_of(), estimator="batch"), ValueError, "estimator must be one of 'ema'"),
        (lambda: replay_statistics(history_of(), unbiased=1), TypeError, "unbiased must be True or False, got 1"),
        (lambda: history_of().up_to(31), ValueError, "updates must be a whole number from 0 to 30, got 31"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_momenta_may_differ_from_update_to_update():
    history = LayerHistory([[4.0], [8.0]], [[0.5], [1.0]], [2, 2], momenta=np.array([0.5, 0.25]))
    mean, var = TorchRecording({"a": history}).own("a")
    assert mean == [0.25 * 2 + 0.75 * 8]
    assert var == [0.25 * 1 + 0.75 * 2]
    assert TorchRecording({"a": history}).up_to(1).own("a")[0] == [2.0]
    np.testing.assert_array_equal(replay_statistics(history, 0.5)[0], [[2.0], [5.0]])  # any other momentum as ever


@pytest.mark.parametrize("estimator", ["ema", "debiased", "cumulative"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_the_last_values_are_the_end_of_the_replay(history, estimator, unbiased):
    momenta = [0.0, 0.5, 0.9, 0.999]
    options = {"estimator": estimator, "unbiased": unbiased}
    for p in momenta:
        ended = TorchRecording({"a": history}).statistics(p, **options)["a"]
        replayed = [rows[-1] for rows in replay_statistics(history, p, **options)]
        np.testing.assert_allclose(ended, replayed, rtol=1e-10, atol=1e-12)


def test_a_report_takes_little_memory_beyond_the_rows():
    wide = LayerHistory(np.ones((2000, 2048), np.float32), np.ones((2000, 2048), np.float32), np.full(2000, 49))
    recorded = TorchRecording({"wide": wide}, {"wide": (np.ones(2048), np.ones(2048))})
    tracemalloc.start()
    report(recorded)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 512 rows at a time, in float64, with a copy or two: one wide layer stands for all, which come one by one.
    assert peak < 3 * 512 * 2048 * 8 < wide.means.nbytes + wide.variances.nbytes


def test_one_bad_layer_does_not_refuse_the_others():
    good, parted = history_of(), history_of(parted=(20, "a state was loaded"))
    recorded = TorchRecording({"good": good, "parted": parted, "idle": history_of(0)})
    with pytest.warns(UserWarning, match="left out"):
        assert set(recorded.statistics(0.5)) == {"good"}
    assert list(recorded.check()) == ["parted", "idle"]
    told = report(recorded, {"good": (np.full(2, 3.0), np.ones(2))})
    assert told.layers == ("good",)
    assert "parted: the replay of layer 'parted' must lead" in str(told)
    with pytest.raises(ValueError, match="after update 20 of 30 they part: a state was loaded"):
        recorded.own("parted")
    first = recorded.up_to(20)
    assert list(first.check()) == ["idle"]
    np.testing.assert_array_equal(first.own("parted"), first.own("good"))
    with pytest.raises(ValueError, match="layer must be one of 'good', 'parted', 'idle', got 'x'"):
        recorded.own("x")


def test_a_layer_without_exact_statistics_is_left_out_of_the_report():
    told = report(recording(), {"norm": (np.full(2, 3.0), np.ones(2))})
    assert told.layers == ("norm",)
    assert told.left_out == {"conv.norm": "there are no exact statistics of it"}


def test_a_momentum_that_cannot_be_freed_of_its_start_is_no_reason_to_refuse():
    recorded = TorchRecording({"frozen": history_of(momentum=1.0)}, {"frozen": (np.full(2, 3.0), np.ones(2))})
    assert report(recorded, estimator="debiased").own == (None,)
    assert report(recorded).own == (1.0,)


def recording(**exact):
    schedule = {"momenta": np.linspace(0.9, 0.5, 30), "momentum": 0.5, "parted": (30, "it was reset")}
    layers = {"conv.norm": history_of(), "norm": history_of(20, momentum=None, eps=1e-3, counted=20)}
    if exact.pop("with_a_schedule", False):
        layers["fc"] = history_of(**schedule)
    return TorchRecording(layers, exact or None)


def test_a_recording_comes_back_from_its_file(tmp_path):
    saved = recording(with_a_schedule=True)
    saved.exact = {"conv.norm": (np.zeros(2), np.ones(2)), "norm": (np.ones(2), np.full(2, 3.0))}
    saved.save(tmp_path / "run.npz")
    loaded = TorchRecording.load(tmp_path / "run.npz")
    assert loaded.layers == saved.layers
    for name in saved.layers:
        for field in ("means", "variances", "sizes", "momentum", "eps", "layer", "counted", "momenta", "parted"):
            assert np.array_equal(getattr(loaded.history[name], field), getattr(saved.history[name], field))
        if name in saved.exact:
            np.testing.assert_array_equal(loaded.exact[name], saved.exact[name])
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
    assert str(report(loaded)) == str(report(saved))


def test_a_recording_without_exact_statistics_comes_back_too(tmp_path):
    recording().save(tmp_path / "run.npz")
    assert TorchRecording.load(tmp_path / "run.npz").exact is None


def test_a_saved_run_is_read_and_replayed_where_there_is_no_pytorch(tmp_path):
    recording().save(tmp_path / "run.npz")
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from bn_teach.torch_recorder import TorchRecording, record_torch\n"
        f"recorded = TorchRecording.load({str(tmp_path / 'run.npz')!r})\n"
        "print(recorded.statistics(0.5)['norm'][0].round(3))\n"
        "try:\n    record_torch(None).__enter__()\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "[3. 3.]"
    assert "this needs PyTorch, which is not installed" in done.stdout


def test_files_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(FileNotFoundError):
        TorchRecording.load(path)
    path.write_bytes(b"not a recording")
    with pytest.raises(ValueError, match=r"path must name a file written by TorchRecording\.save, got .*run\.npz"):
        TorchRecording.load(path)
    np.savez(path, format="something else")
    with pytest.raises(ValueError, match="something else"):
        TorchRecording.load(path)
    np.savez(path, format=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        TorchRecording.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": np.zeros(3)}, "it holds 'more' besides"),
        ({"variances_0": np.full((30, 2), -1.0)}, "a variance of layer 'conv.norm' is negative"),
        ({"eps": -1.0}, "eps of layer 'conv.norm' must be"),
        ({"layer": "norm"}, "two of its layers are named 'norm'"),
        ({"exact_mean_0": np.zeros(2), "exact_var_0": -np.ones(2)}, "exact variance of layer 'conv.norm' must be at"),
        ({"exact_mean_0": np.zeros(2)}, "it holds 'exact_mean_0' besides"),
    ],
)
def test_files_that_were_changed_are_refused(tmp_path, change, message):
    path = tmp_path / "run.npz"
    recording().save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays["layers"]))
    meta[0] |= {name: value for name, value in change.items() if name in meta[0]}
    arrays |= {name: value for name, value in change.items() if name not in meta[0]}
    np.savez(path, **arrays | {"layers": np.array(json.dumps(meta))})
    with pytest.raises(ValueError, match=message):
        TorchRecording.load(path)


def test_saving_onto_a_link_keeps_it_and_writes_the_file_that_it_names(tmp_path):
    link = tmp_path / "latest.npz"
    (tmp_path / "run.npz").write_bytes(b"old")
    link.symlink_to("run.npz")
    recording().save(link)
    assert link.is_symlink()
    assert TorchRecording.load(tmp_path / "run.npz").layers == ("conv.norm", "norm")


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="no such device here")
def test_saving_onto_a_device_leaves_it_one(tmp_path):
    link = tmp_path / "nowhere"
    link.symlink_to("/dev/null")  # if this failed, a file would take the place of the link, not of the device
    recording().save(link)
    assert Path("/dev/null").is_char_device()


def test_the_report_by_hand():
    # After 30 updates at momentum 0.9: mean 3 * (1 - 0.9**30), variance 8/7 + 0.9**30 * (1 - 8/7).
    exact = {"norm": (np.full(2, 3.0), np.full(2, 8 / 7))}
    told = report(TorchRecording({"norm": history_of(momentum=0.5, eps=0.0)}), exact, momenta=[0.9, 1.0])
    np.testing.assert_array_equal(told.momenta, [0.5, 0.9, 1.0])
    left = 0.9**30
    np.testing.assert_allclose(told.mean_error[0, 1], 3 * left / np.sqrt(8 / 7))
    np.testing.assert_allclose(told.var_ratio[0, 1], (8 / 7 - left / 7) / (8 / 7))
    # At momentum 1 the statistics are still 0 and 1: x comes out as x, not as (x - 3) / sqrt(8/7).
    np.testing.assert_allclose(told.distance[0, 2], np.hypot(3.0, np.sqrt(8 / 7) - 1))
    assert told.nearest == [0.5]
    assert told.own == (0.5,)


def test_the_distance_is_what_normalised_values_are_off_by():
    rng = np.random.default_rng(0)
    x = 2.0 + 3.0 * rng.standard_normal((200_000, 1))
    history = LayerHistory([[2.6]], [[6.0]], [16], eps=0.1)
    told = report(TorchRecording({"a": history}), {"a": ([2.0], [9.0])}, momenta=[0.0], unbiased=False)
    off = (x - 2.6) / np.sqrt(6.1) - (x - 2.0) / np.sqrt(9.1)
    # In the population the values at hand spread by sqrt(9), not sqrt(9 + eps).
    np.testing.assert_allclose(told.distance[0, 0], np.sqrt(np.mean(off**2)), rtol=0.01)


def test_a_channel_that_never_varies_is_no_division_by_zero():
    history = LayerHistory(np.zeros((50, 2)), np.zeros((50, 2)), np.full(50, 8))
    told = report(TorchRecording({"dead": history}), {"dead": (np.zeros(2), np.zeros(2))})
    assert np.isfinite(told.distance).all()
    assert told.nearest == [0.0]


def test_the_report_as_text_has_a_row_for_every_layer():
    exact = {name: (np.full(2, 3.0), np.full(2, 8 / 7)) for name in ("conv.norm", "norm")}
    *_, head, first, second = str(report(recording(), exact, momenta=[0.5, 0.99])).splitlines()
    assert head.split() == ["layer", "0.5", "0.9", "0.99", "yours", "nearest"]
    assert first.split()[0] == "conv.norm"
    assert first.split()[-2:] == ["0.9", "0.5"]
    assert second.split()[-2:] == ["1/t", "0.5"]


@pytest.mark.parametrize(
    ("exact", "message"),
    [
        (None, "exact must be given, or be stored in recorded.exact, got None"),
        ({"fc": (np.ones(2), np.ones(2))}, "exact must have layers of the recording, 'conv.norm', 'norm'; got 'fc'"),
        ({}, "exact must have layers of the recording, 'conv.norm', 'norm'; got none"),
        (
            {"conv.norm": (np.ones(3), np.ones(3)), "norm": (np.ones(2), np.ones(2))},
            r"the exact mean of layer 'conv.norm' must have shape \(2,\), got \(3,\)",
        ),
        (
            {"conv.norm": (np.ones(2), [1.0, NAN]), "norm": (np.ones(2), np.ones(2))},
            "the exact variance of layer 'conv.norm' must be finite",
        ),
    ],
)
def test_exact_statistics_that_do_not_fit_are_named(exact, message):
    with pytest.raises(ValueError, match=message):
        report(recording(), exact)
