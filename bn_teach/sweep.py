"""Sweeps: many configurations, each trained once and replayed under many momenta and estimators.

Training is what takes time, and every configuration trains alone, so they can be shared out: to the
cores of this machine, or to those of a cluster. A recording takes megabytes; it is reduced to its
accuracy curves where it was made, and only these travel.
"""

from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np

from bn_teach import _checks
from bn_teach.data import Dataset
from bn_teach.replay import ESTIMATORS, replay
from bn_teach.training import TrainingConfig, train


@dataclass(frozen=True, eq=False)
class Sweep:
    """Accuracy curves of every combination: C configurations, M momenta, E estimators, K checkpoints.

    Attributes
    ----------
    configs : tuple of TrainingConfig, length C
    momenta : numpy.ndarray, float64, shape (M,)
    estimators : tuple of str, length E
    steps : numpy.ndarray of int, shape (K,)
        Updates done at each checkpoint.
    accuracy : numpy.ndarray, float64, shape (C, M, E, K)
        Validation accuracy. An estimator that uses no momentum has the same curve for each of them.
    """

    configs: tuple
    momenta: np.ndarray
    estimators: tuple
    steps: np.ndarray
    accuracy: np.ndarray

    @classmethod
    def of(cls, recording, momenta, *, estimators=("ema",)):
        """The sweep of a single run that has been trained already.

        Parameters
        ----------
        recording : Recording
        momenta, estimators
            As in `sweep`.

        Returns
        -------
        Sweep
        """
        momenta = _check_momenta(momenta)
        estimators = _check_estimators(estimators, momenta)
        curves = _accuracy_curves(recording, momenta, estimators)
        return cls((recording.config,), momenta, estimators, recording.checkpoint_steps, curves[None])

    def accuracy_lost(self, estimator="ema", *, reference="algorithm2", last=10):
        """How much accuracy an estimator loses against another, at the end of the run.

        Parameters
        ----------
        estimator, reference : str
            Two of `estimators`.
        last : int
            Checkpoints that the end is averaged over.

        Returns
        -------
        numpy.ndarray, shape (C, M)
            Accuracy under `reference` minus that under `estimator`: negative where something is gained.
        """
        at = [
            self.estimators.index(_checks.choice(name, value, self.estimators))
            for name, value in (("reference", reference), ("estimator", estimator))
        ]
        ends = self.accuracy[..., -_checks.integer("last", last, 1) :].mean(axis=-1)
        return ends[..., at[0]] - ends[..., at[1]]


class SweepFailed(RuntimeError):
    """Some configurations, or the executor, failed.

    Attributes
    ----------
    failures : dict of TrainingConfig to str
        What went wrong, for each configuration without a result.
    result : Sweep or None
        All the others; None if there are none.
    """

    def __init__(self, message, failures, result):
        super().__init__(message)
        self.failures, self.result = failures, result


def sweep(dataset, configs, momenta, *, estimators=("ema",), executor=None, progress=None):
    """Train every configuration, and find its accuracy under every momentum and estimator.

    Parameters
    ----------
    dataset : Dataset
    configs : sequence of TrainingConfig
        At least one, no two alike, all with the same `steps` and `checkpoint_every`.
    momenta : sequence of float
        Weights kept on the old estimate, in [0, 1]: at least one, no two alike.
    estimators : sequence of str
        From `bn_teach.replay.ESTIMATORS`: at least one, no two alike.
    executor : concurrent.futures.Executor, optional
        Who trains. Default: this process, one configuration after the other. Whoever made an executor
        shuts it down.
    progress : callable or True, optional
        Called as ``progress(done, total)`` after every configuration; what it raises ends the sweep.
        True shows a bar (this needs the package tqdm).

    Returns
    -------
    Sweep
        In the order of `configs`, whichever was ready first; the same on every executor.

    Raises
    ------
    ValueError, TypeError
        For an empty sequence, duplicates, or values that are not allowed; named.
    SweepFailed
        When a configuration fails (it diverges, say), or when the executor is shut down, cannot
        pickle the data or loses its workers. The results of the others are in its `.result`.

    Notes
    -----
    The cores of this machine, from a notebook or from a script (there below
    ``if __name__ == "__main__":``, as for every process pool)::

        with ProcessPoolExecutor() as executor:
            sweep(dataset, configs, momenta, executor=executor)

    A cluster that a class or a lab runs with Dask, where `bn_teach` is installed on the workers::

        with dask.distributed.Client("tcp://its-scheduler:8786") as client:
            sweep(dataset, configs, momenta, executor=client.get_executor())

    Anything else that offers a `concurrent.futures.Executor` (mpi4py, Parsl, ...) works the same way.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> configs = [TrainingConfig(batch_size=m, steps=50) for m in (4, 64)]
    >>> sweep(load_digits(), configs, [0.9, 0.99]).accuracy.shape
    (2, 2, 1, 5)
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset must be a Dataset, got {_checks.describe(dataset)}")
    configs = _check_configs(configs)
    momenta = _check_momenta(momenta)
    estimators = _check_estimators(estimators, momenta)
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(f"executor must be a concurrent.futures.Executor or None, got {_checks.describe(executor)}")
    curves, failures = {}, {}
    with _reporting(progress, len(configs)) as report:
        for config, (reduced, failure) in _outcomes(executor, dataset, configs, momenta, estimators):
            if failure is None:
                curves[config] = reduced
            else:
                failures[config] = failure
            report(len(curves) + len(failures), len(configs))
    result = _collected(configs, momenta, estimators, curves)
    if failures:
        raise SweepFailed(_what_failed(failures, len(configs)), failures, result)
    return result


def _accuracy_curves(recording, momenta, estimators):
    """Reduce a recording to what a sweep keeps of it, shape (M, E, K)."""
    curves = [replay(recording, momenta, estimator=name).validation_accuracy for name in estimators]
    whole = (len(momenta), len(recording.checkpoint_steps))
    return np.stack([np.broadcast_to(curve, whole) for curve in curves], axis=1)


def _train_and_reduce(dataset, config, momenta, estimators):
    """What a worker does: (steps, curves) and None, or None and what went wrong.

    An error comes back as text: some cannot be pickled, and TrainingDiverged carries a recording.
    """
    try:
        recording = train(dataset, config)
        return (recording.checkpoint_steps, _accuracy_curves(recording, momenta, estimators)), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _outcomes(executor, dataset, configs, momenta, estimators):
    """Yield (config, outcome) as they come; whatever the executor itself raises is an outcome too."""
    if executor is None:
        for config in configs:
            yield config, _train_and_reduce(dataset, config, momenta, estimators)
        return
    futures, refused = {}, {}
    try:
        for config in configs:
            try:
                futures[executor.submit(_train_and_reduce, dataset, config, momenta, estimators)] = config
            except Exception as error:
                refused[config] = None, _blame(executor, error)
        yield from refused.items()
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except (Exception, CancelledError) as error:
                yield futures[future], (None, _blame(executor, error))
    finally:
        for future in futures:
            future.cancel()


def _blame(executor, error):
    """Say what is wrong with an executor: tasks catch their own errors, so this one is not a task's."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, BrokenExecutor):
        what = "lost its workers"
    elif isinstance(error, CancelledError):
        what = "cancelled the task"
    elif "shutdown" in str(error) or "shut down" in str(error):
        what = "is shut down"
    elif "pickle" in said.lower():
        what = "cannot pickle the task"
    else:
        what = "did not run the task"
    return f"executor {type(executor).__name__} {what} ({said})"


def _collected(configs, momenta, estimators, curves):
    done = tuple(config for config in configs if config in curves)
    if not done:
        return None
    return Sweep(
        configs=done,
        momenta=momenta,
        estimators=estimators,
        steps=curves[done[0]][0],
        accuracy=np.stack([curves[config][1] for config in done]),
    )


def _what_failed(failures, total):
    by_reason = {}
    for config, reason in failures.items():
        by_reason.setdefault(reason, []).append(_short(config))
    parts = [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    kept = "" if len(failures) == total else " The results of the others are in .result of this error."
    return f"{len(failures)} of {total} configurations failed. {' '.join(parts)}.{kept}"


def _short(config):
    """A configuration by what is not as usual in it."""
    unusual = [
        f"{field.name}={value!r}" for field in fields(config) if (value := getattr(config, field.name)) != field.default
    ]
    return f"TrainingConfig({', '.join(unusual)})"


@contextmanager
def _reporting(progress, total):
    """The function to call after every configuration."""
    if progress is None or progress is False:
        yield lambda done, total: None
    elif callable(progress):
        yield progress
    elif progress is True:
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError("progress=True needs the package tqdm (pip install tqdm), or give a function") from error
        with tqdm(total=total, unit="run") as bar:
            yield lambda done, total: bar.update(done - bar.n)
    else:
        raise TypeError(f"progress must be a function, True or None, got {_checks.describe(progress)}")


def _check_configs(configs):
    def check(config):
        if not isinstance(config, TrainingConfig):
            raise TypeError(f"configs must hold TrainingConfigs, got {_checks.describe(config)}")
        return config

    configs = _distinct("configs", configs, check)
    for name in ("steps", "checkpoint_every"):
        values = {getattr(config, name) for config in configs}
        if len(values) > 1:
            raise ValueError(
                f"configs must all have the same {name}, so that their checkpoints can be compared, "
                f"got {', '.join(map(str, sorted(values)))}"
            )
    return configs


def _check_momenta(momenta):
    if not np.iterable(momenta):
        raise TypeError(f"momenta must be a sequence of numbers, got {_checks.describe(momenta)}")
    return np.array(_distinct("momenta", momenta, lambda p: _checks.momentum(p, "momenta")))


def _check_estimators(estimators, momenta):
    estimators = _distinct("estimators", estimators, lambda name: _checks.choice("estimators", name, ESTIMATORS))
    if "debiased" in estimators and 1.0 in momenta:
        raise ValueError("momenta must stay below 1 with the estimator 'debiased', got 1.0")
    return estimators


def _distinct(name, values, check):
    """Return `values` as a checked tuple, at least one of them and no two alike."""
    if isinstance(values, (str, bytes)) or not np.iterable(values):
        raise TypeError(f"{name} must be a sequence, got {_checks.describe(values)}")
    checked = tuple(check(value) for value in values)
    if not checked:
        raise ValueError(f"{name} must not be empty")
    repeated = [value for at, value in enumerate(checked) if value in checked[:at]]
    if repeated:
        raise ValueError(f"{name} must not repeat, got {_checks.describe(repeated[0])} twice")
    return checked
