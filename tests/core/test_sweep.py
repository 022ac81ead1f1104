"""Sweeps: every combination, on any executor, and what happens when something fails."""

import logging
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import distributed
import numpy as np
import pytest

from bn_teach.replay import ESTIMATORS, replay
from bn_teach.sweep import Sweep, SweepFailed, sweep
from bn_teach.training import TrainingConfig, train

CONFIGS = [TrainingConfig(batch_size=m, steps=25, hidden=(7, 5), seed=seed) for m in (4, 8) for seed in (0, 1)]
MOMENTA = (0.0, 0.9, 0.999)
DIVERGING = TrainingConfig(batch_size=6, steps=25, hidden=(7, 5), weight_scale=1e30)
LOCAL = {"threads_per_worker": 1, "processes": True, "dashboard_address": ":0", "silence_logs": logging.CRITICAL}


def processes(workers=2, **options):
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), **options)


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster on this machine: a scheduler and two worker processes."""
    environment = dict(os.environ)
    with distributed.LocalCluster(n_workers=2, **LOCAL) as cluster:
        yield cluster
    # Dask sets variables for its workers in this process, too, where all that is started later would inherit them.
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request):
    if request.param == "dask":
        yield request.getfixturevalue("client").get_executor()
    else:
        with ThreadPoolExecutor(2) if request.param == "threads" else processes() as executor:
            yield executor


@pytest.fixture(scope="module")
def in_process(clouds):
    return sweep(clouds, CONFIGS, MOMENTA, estimators=ESTIMATORS)


def test_curves_are_those_of_train_and_replay(clouds, in_process):
    for c, config in enumerate(CONFIGS):
        recording = train(clouds, config)
        for m, momentum in enumerate(MOMENTA):
            for e, estimator in enumerate(ESTIMATORS):
                alone = replay(recording, momentum, estimator=estimator)
                assert np.array_equal(in_process.accuracy[c, m, e], alone.validation_accuracy)
                assert np.array_equal(in_process.steps, alone.steps)


def test_runs_that_are_there_already_give_the_same_curves(clouds, in_process):
    together = Sweep.of((train(clouds, config) for config in CONFIGS), MOMENTA, estimators=ESTIMATORS)
    assert together.configs == in_process.configs
    assert np.array_equal(together.accuracy, in_process.accuracy)
    alone = Sweep.of(train(clouds, CONFIGS[1]), MOMENTA, estimators=ESTIMATORS)
    assert np.array_equal(alone.accuracy, in_process.accuracy[1:2])
    assert np.array_equal(alone.steps, in_process.steps)
    assert alone.configs == (CONFIGS[1],)


def test_axes_are_configs_momenta_estimators_checkpoints(in_process):
    assert in_process.accuracy.shape == (4, 3, 6, 3)
    assert in_process.configs == tuple(CONFIGS)
    assert in_process.momenta.tolist() == list(MOMENTA)
    assert in_process.estimators == ESTIMATORS
    assert in_process.steps.tolist() == [10, 20, 25]


def test_accuracy_lost_is_the_reference_minus_the_estimator_at_the_end():
    accuracy = np.random.default_rng(0).random((4, 3, 6, 15))
    swept = Sweep(tuple(CONFIGS), np.array(MOMENTA), ESTIMATORS, np.arange(10, 160, 10), accuracy)
    ends = {name: accuracy[:, :, e, 5:].mean(axis=-1) for e, name in enumerate(ESTIMATORS)}
    lost = swept.accuracy_lost()
    assert np.array_equal(lost, ends["algorithm2"] - ends["ema"])
    assert np.array_equal(swept.accuracy_lost("cumulative", reference="batch"), ends["batch"] - ends["cumulative"])
    bands = swept.bands()  # over seeds
    assert list(bands) == [CONFIGS[0], CONFIGS[2]]
    assert np.array_equal(bands[CONFIGS[2]], [lost[2:].min(0), lost[2:].mean(0), lost[2:].max(0)])
    lowest = swept.bands("cumulative", reference="batch")[CONFIGS[0]][0]
    assert np.array_equal(lowest, (ends["batch"] - ends["cumulative"])[:2].min(0))


def test_accuracy_lost_refuses_an_estimator_that_was_not_swept(clouds):
    swept = sweep(clouds, CONFIGS[:1], [0.9])
    with pytest.raises(ValueError, match="^reference must"):
        swept.accuracy_lost()


def test_same_answer_whichever_executor(clouds, in_process, executor):
    swept = sweep(clouds, CONFIGS, MOMENTA, estimators=ESTIMATORS, executor=executor)
    assert np.array_equal(swept.accuracy, in_process.accuracy)
    assert np.array_equal(swept.steps, in_process.steps)
    assert swept.configs == in_process.configs


def test_dask_trains_in_other_processes_on_two_workers(client):
    assert len(set(client.run(os.getpid).values()) - {os.getpid()}) == 2


class Backwards(Executor):
    """Runs what it is given in another order; keeps what comes back."""

    def __init__(self):
        self.waiting, self.results = [], []

    def submit(self, function, *arguments):
        future = Future()
        self.waiting.append((future, function, arguments))
        if len(self.waiting) == len(CONFIGS):
            for promised, work, given in reversed(self.waiting):
                self.results.append(work(*given))
                promised.set_result(self.results[-1])
        return future


def test_only_accuracies_travel(clouds, in_process):
    executor = Backwards()
    swept = sweep(clouds, CONFIGS, MOMENTA, estimators=ESTIMATORS, executor=executor)
    assert np.array_equal(swept.accuracy, in_process.accuracy)
    for (steps, curves), failure in executor.results:
        assert failure is None
        assert steps.shape == (3,)
        assert curves.shape == (3, 6, 3)
    sent = [len(pickle.dumps(result)) for result in executor.results]
    assert max(sent) < curves.nbytes + 1000


def test_a_failure_names_its_configuration_and_keeps_the_others(clouds, executor):
    with pytest.raises(SweepFailed, match=r"1 config.*batch_size=6.*weight_scale=1e\+30.*TrainingDiverged") as caught:
        sweep(clouds, [CONFIGS[0], DIVERGING, CONFIGS[2]], MOMENTA, executor=executor)
    assert set(caught.value.failures) == {DIVERGING}
    assert caught.value.result.configs == (CONFIGS[0], CONFIGS[2])
    others = sweep(clouds, [CONFIGS[0], CONFIGS[2]], MOMENTA)
    assert np.array_equal(caught.value.result.accuracy, others.accuracy)


def test_when_all_fail_there_is_no_result(clouds):
    with pytest.raises(SweepFailed, match=r"7 config.*batch_size=1000\): ValueError") as caught:
        sweep(clouds, [TrainingConfig(batch_size=1000, seed=seed) for seed in range(7)], MOMENTA)
    assert [config.seed for config in caught.value.failures] == list(range(7))
    assert caught.value.result is None


# What an executor raises


@contextmanager
def raises_naming(config, error, match=None):
    """Expect an executor's own error, with a note that has the name of the configuration."""
    with pytest.raises(error, match=match) as caught:
        yield caught
    assert any(f"batch_size={config.batch_size}" in note for note in caught.value.__notes__)


def test_an_executor_that_is_shut_down(clouds, executor):
    executor.shutdown()
    with raises_naming(CONFIGS[0], RuntimeError, "shutdown"):
        sweep(clouds, CONFIGS, MOMENTA, executor=executor)


def test_a_process_pool_whose_workers_do_not_start(clouds):
    with processes(1, initializer=os._exit, initargs=(1,)) as executor, raises_naming(CONFIGS[0], BrokenExecutor):
        sweep(clouds, CONFIGS[:1], MOMENTA, executor=executor)


def test_what_cannot_go_to_another_process(clouds):
    unpicklable = replace(clouds)
    object.__setattr__(unpicklable, "attribute", threading.Lock())
    with processes(1) as executor, raises_naming(CONFIGS[0], TypeError, "cannot pickle"):
        sweep(unpicklable, CONFIGS[:1], MOMENTA, executor=executor)


class Promising(Executor):
    """Does the first task, and keeps nothing but promises for the others."""

    def __init__(self):
        self.futures = []

    def submit(self, function, *arguments):
        future = Future()
        if not self.futures:
            future.set_result(function(*arguments))
        self.futures.append(future)
        return future


@pytest.mark.parametrize("error", [OSError("no space left"), CancelledError(), KeyboardInterrupt()])
def test_an_error_names_its_configuration_and_cancels_what_has_not_begun(clouds, error):
    executor = Promising()

    def fail(done, total):
        executor.futures[2].set_exception(error)

    with raises_naming(CONFIGS[2], type(error)) as caught:
        sweep(clouds, CONFIGS, MOMENTA, executor=executor, progress=fail)
    assert caught.value is error
    assert [future.cancelled() for future in executor.futures] == [False, True, False, True]


def test_dask_gives_the_task_of_a_lost_worker_to_another(clouds, client):
    configs = [replace(config, steps=500) for config in CONFIGS]

    def lose_one(done, total):
        if done == 1:
            one, _ = client.run(os.getpid).values()
            os.kill(one, getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has the latter, and it kills

    swept = sweep(clouds, configs, MOMENTA, executor=client.get_executor(), progress=lose_one)
    assert np.array_equal(swept.accuracy, sweep(clouds, configs, MOMENTA).accuracy)


# Progress


def test_progress_is_called_after_every_configuration_failed_ones_too(clouds):
    seen = []
    with pytest.raises(SweepFailed):
        sweep(clouds, [CONFIGS[0], DIVERGING], [0.9], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_what_progress_raises_ends_the_sweep_and_drops_what_has_not_begun(clouds):
    executor = Promising()
    with pytest.raises(ZeroDivisionError):
        sweep(clouds, CONFIGS, [0.9], executor=executor, progress=lambda done, total: 1 / 0)
    assert [future.cancelled() for future in executor.futures] == [False, True, True, True]


def test_progress_bar(clouds, capsys):
    sweep(clouds, CONFIGS[:2], [0.9], progress=True)
    assert "2/2" in capsys.readouterr().err


def test_progress_bar_without_tqdm_says_what_is_missing(clouds, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="progress=True needs the package tqdm"):
        sweep(clouds, CONFIGS[:2], [0.9], progress=True)


@pytest.mark.parametrize(
    ("wrong", "error", "name"),
    [
        ({"dataset": "digits"}, TypeError, "dataset"),
        ({"configs": []}, ValueError, "configs"),
        ({"configs": CONFIGS[0]}, TypeError, "configs"),
        ({"configs": [{"batch_size": 4}]}, TypeError, "configs"),
        ({"configs": [CONFIGS[0], CONFIGS[1], CONFIGS[0]]}, ValueError, "configs"),
        (
            {"configs": [TrainingConfig(learning_rate=1, hidden=[9]), TrainingConfig(learning_rate=1.0, hidden=(9,))]},
            ValueError,
            "configs",
        ),
        (
            {"configs": [TrainingConfig(), TrainingConfig(batch_size=np.int64(16), drop_last=np.True_)]},
            ValueError,
            "configs",
        ),
        ({"configs": [TrainingConfig(steps=20), TrainingConfig(steps=30)]}, ValueError, "configs"),
        (
            {"configs": [TrainingConfig(), TrainingConfig(checkpoint_every=5)]},
            ValueError,
            "configs",
        ),
        ({"momenta": []}, ValueError, "momenta"),
        ({"momenta": 0.9}, TypeError, "momenta"),
        ({"momenta": [0.9, 0.9]}, ValueError, "momenta"),
        ({"momenta": [1, 0.5, np.float64(1.0)]}, ValueError, "momenta"),
        ({"momenta": [0.0, -0.0]}, ValueError, "momenta"),
        ({"momenta": [True, 0.5]}, TypeError, "momenta"),
        ({"momenta": np.array([])}, ValueError, "momenta"),
        ({"momenta": [1.5]}, ValueError, "momenta"),
        ({"momenta": ["0.9"]}, TypeError, "momenta"),
        ({"estimators": ()}, ValueError, "estimators"),
        ({"estimators": "ema"}, TypeError, "estimators"),
        ({"estimators": ("ema", "ema")}, ValueError, "estimators"),
        ({"estimators": ("mean",)}, ValueError, "estimators"),
        ({"estimators": ("debiased",), "momenta": [1.0]}, ValueError, "momenta"),
        ({"executor": "threads"}, TypeError, "executor"),
        ({"executor": ThreadPoolExecutor}, TypeError, "executor"),
        ({"progress": 3}, TypeError, "progress"),
    ],
)
def test_refuses_bad_arguments_by_name(clouds, wrong, error, name):
    arguments = {"dataset": clouds, "configs": CONFIGS, "momenta": MOMENTA, **wrong}
    with pytest.raises(error, match=f"^{name} must"):
        sweep(**arguments)


def test_a_dask_client_in_place_of_its_executor_is_told(clouds, client):
    with pytest.raises(TypeError, match=r"got <Client.*; its \.get_executor\(\) is one"):
        sweep(clouds, CONFIGS, MOMENTA, executor=client)


def test_a_network_without_batch_norm_has_one_curve_for_all(clouds):
    swept = sweep(clouds, [TrainingConfig(steps=20, batch_norm=False)], MOMENTA, estimators=ESTIMATORS)
    curves = swept.accuracy.reshape(-1, 2)
    assert (curves == curves[0]).all()
