"""Sweeps: every combination, on any executor, and what happens when something fails."""

import multiprocessing
import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from bn_teach.data import Dataset
from bn_teach.replay import ESTIMATORS, replay
from bn_teach.sweep import Sweep, SweepFailed, sweep
from bn_teach.training import TrainingConfig, train

CONFIGS = [TrainingConfig(batch_size=m, steps=25, hidden=(7, 5), seed=seed) for m in (4, 8) for seed in (0, 1)]
MOMENTA = (0.0, 0.9, 0.999)
DIVERGING = TrainingConfig(batch_size=6, steps=25, hidden=(7, 5), weight_scale=1e30)


def processes(workers=2, **options):
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), **options)


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


def test_a_run_that_is_there_already_gives_the_same_curves(clouds, in_process):
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


def test_accuracy_lost_is_the_reference_minus_the_estimator_at_the_end(in_process):
    exact, ema = (in_process.accuracy[:, :, ESTIMATORS.index(name), -2:].mean(-1) for name in ("algorithm2", "ema"))
    assert np.array_equal(in_process.accuracy_lost(last=2), exact - ema)
    own = in_process.accuracy[:, :, ESTIMATORS.index("batch")].mean(-1)
    cumulative = in_process.accuracy[:, :, ESTIMATORS.index("cumulative")].mean(-1)
    assert np.array_equal(in_process.accuracy_lost("cumulative", reference="batch"), own - cumulative)


def test_accuracy_lost_refuses_an_estimator_that_was_not_swept(clouds):
    swept = sweep(clouds, CONFIGS[:1], [0.9])
    with pytest.raises(ValueError, match="reference must be one of 'ema', got 'algorithm2'"):
        swept.accuracy_lost()


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), processes], ids=["threads", "processes"])
def test_same_answer_whichever_executor(clouds, in_process, make):
    with make() as executor:
        swept = sweep(clouds, CONFIGS, MOMENTA, estimators=ESTIMATORS, executor=executor)
    assert np.array_equal(swept.accuracy, in_process.accuracy)
    assert swept.configs == in_process.configs


def test_same_answer_on_a_dask_cluster(clouds, in_process):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        swept = sweep(clouds, CONFIGS, MOMENTA, estimators=ESTIMATORS, executor=client.get_executor())
    assert np.array_equal(swept.accuracy, in_process.accuracy)


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


@pytest.mark.parametrize("make", [lambda: None, lambda: ThreadPoolExecutor(2)], ids=["in process", "threads"])
def test_a_failure_names_its_configuration_and_keeps_the_others(clouds, make):
    executor = make()
    with pytest.raises(SweepFailed, match=r"1 of 3 .*batch_size=6.*weight_scale=1e\+30.*TrainingDiverged") as caught:
        sweep(clouds, [CONFIGS[0], DIVERGING, CONFIGS[2]], MOMENTA, executor=executor)
    assert set(caught.value.failures) == {DIVERGING}
    assert caught.value.result.configs == (CONFIGS[0], CONFIGS[2])
    others = sweep(clouds, [CONFIGS[0], CONFIGS[2]], MOMENTA)
    assert np.array_equal(caught.value.result.accuracy, others.accuracy)
    if executor:
        executor.shutdown()


def test_when_all_fail_there_is_no_result(clouds):
    with pytest.raises(SweepFailed, match=r"1 of 1 configurations failed") as caught:
        sweep(clouds, [TrainingConfig(batch_size=1000)], MOMENTA)
    assert caught.value.result is None
    assert "120 training examples, got 1000" in str(caught.value)


def test_an_executor_that_is_shut_down_is_named(clouds):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(SweepFailed, match="executor ThreadPoolExecutor is shut down"):
        sweep(clouds, CONFIGS, MOMENTA, executor=executor)


def test_an_executor_that_cannot_pickle_is_named(clouds):
    class Unsendable(str):
        __slots__ = ()

    dataset = Dataset(
        clouds.train_x, clouds.train_y, clouds.validation_x, clouds.validation_y, name=Unsendable("local")
    )
    with (
        processes(1) as executor,
        pytest.raises(SweepFailed, match=r"executor ProcessPoolExecutor cannot pickle the task \(.*Unsendable"),
    ):
        sweep(dataset, CONFIGS, MOMENTA, executor=executor)


def test_an_executor_that_loses_its_workers_is_named(clouds):
    with (
        processes(1, initializer=os._exit, initargs=(1,)) as executor,
        pytest.raises(SweepFailed, match="executor ProcessPoolExecutor lost its workers") as caught,
    ):
        sweep(clouds, CONFIGS, MOMENTA, executor=executor)
    assert set(caught.value.failures) == set(CONFIGS)


def test_a_task_cancelled_by_somebody_else_is_told(clouds):
    class Cancelling(Executor):
        def submit(self, function, *arguments):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(SweepFailed, match="executor Cancelling cancelled the task"):
        sweep(clouds, CONFIGS[:1], MOMENTA, executor=Cancelling())


def test_progress_is_called_after_every_configuration_failed_ones_too(clouds):
    seen = []
    with pytest.raises(SweepFailed):
        sweep(clouds, [CONFIGS[0], DIVERGING], [0.9], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_what_progress_raises_ends_the_sweep_and_drops_what_has_not_begun(clouds):
    dropped = []

    class Lazy(Executor):
        def submit(self, function, *arguments):
            future = Future()
            if not dropped:
                future.set_result(function(*arguments))
            dropped.append(future)
            return future

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(clouds, CONFIGS, [0.9], executor=Lazy(), progress=stop)
    assert [future.cancelled() for future in dropped] == [False, True, True, True]


def test_progress_bar(clouds, capsys):
    pytest.importorskip("tqdm")
    sweep(clouds, CONFIGS[:2], [0.9], progress=True)
    assert "2/2" in capsys.readouterr().err


def test_progress_bar_without_tqdm_says_what_is_missing(clouds, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="progress=True needs the package tqdm"):
        sweep(clouds, CONFIGS[:2], [0.9], progress=True)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"dataset": "digits"}, TypeError, "dataset must be a Dataset, got 'digits'"),
        ({"configs": []}, ValueError, "configs must not be empty"),
        ({"configs": CONFIGS[0]}, TypeError, "configs must be a sequence, got TrainingConfig"),
        ({"configs": [{"batch_size": 4}]}, TypeError, "configs must hold TrainingConfigs, got {'batch_size': 4}"),
        ({"configs": [CONFIGS[0], CONFIGS[1], CONFIGS[0]]}, ValueError, "configs must not repeat, got TrainingConfig"),
        (
            {"configs": [TrainingConfig(steps=20), TrainingConfig(steps=30)]},
            ValueError,
            "configs must all have the same steps.* got 20, 30",
        ),
        (
            {"configs": [TrainingConfig(), TrainingConfig(checkpoint_every=5)]},
            ValueError,
            "the same checkpoint_every.* got 5, 10",
        ),
        ({"momenta": []}, ValueError, "momenta must not be empty"),
        ({"momenta": 0.9}, TypeError, "momenta must be a sequence"),
        ({"momenta": [0.9, 0.9]}, ValueError, "momenta must not repeat, got 0.9 twice"),
        ({"momenta": [1.5]}, ValueError, "momenta must be between 0 and 1 .* got 1.5"),
        ({"momenta": ["0.9"]}, TypeError, "momenta must be a finite number"),
        ({"estimators": ()}, ValueError, "estimators must not be empty"),
        ({"estimators": "ema"}, TypeError, "estimators must be a sequence, got 'ema'"),
        ({"estimators": ("ema", "ema")}, ValueError, "estimators must not repeat, got 'ema' twice"),
        ({"estimators": ("mean",)}, ValueError, "estimators must be one of 'ema'.* got 'mean'"),
        ({"estimators": ("debiased",), "momenta": [1.0]}, ValueError, "momenta must stay below 1"),
        ({"executor": "threads"}, TypeError, "executor must be a concurrent.futures.Executor or None, got 'threads'"),
        ({"progress": 3}, TypeError, "progress must be a function, True or None, got 3"),
    ],
)
def test_refuses_bad_arguments_by_name(clouds, wrong, error, message):
    arguments = {"dataset": clouds, "configs": CONFIGS, "momenta": MOMENTA, **wrong}
    with pytest.raises(error, match=message):
        sweep(**arguments)


def test_a_network_without_batch_norm_has_one_curve_for_all(clouds):
    swept = sweep(clouds, [TrainingConfig(steps=20, batch_norm=False)], MOMENTA, estimators=ESTIMATORS)
    curves = swept.accuracy.reshape(-1, 2)
    assert (curves == curves[0]).all()
