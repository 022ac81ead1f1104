"""Sweeps: many configurations, each trained once and replayed under many momenta and estimators.

Training is what takes time, and every configuration trains alone, so they can be shared out: to the
cores of this machine, or to those of a cluster. A recording takes megabytes; it is reduced to its
accuracy curves where it was made, and only these travel.
"""

from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import numpy as np

from bn_teach import _checks
from bn_teach.data import Dataset
from bn_teach.replay import ESTIMATORS, MOVED_BY_MOMENTUM, at_the_end, replay
from bn_teach.training import Recording, TrainingConfig, train


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
    def of(cls, recordings, momenta, *, estimators=("ema",)):
        """The sweep of runs that have been trained already.

        Parameters
        ----------
        recordings : Recording, or iterable of them
            At least one, all with the same checkpoints; a configuration that comes twice counts once.
        momenta, estimators
            As in `sweep`.
        """
        momenta = _check_momenta(momenta)
        estimators = _check_estimators(estimators, momenta)
        curves = {  # one recording at a time: it takes megabytes
            recording.config: (recording.checkpoint_steps, _accuracy_curves(recording, momenta, estimators))
            for recording in ([recordings] if isinstance(recordings, Recording) else recordings)
        }
        return _collected(_check_configs(curves), momenta, estimators, curves)

    def accuracy_lost(self, estimator="ema", *, reference="algorithm2"):
        """How much accuracy an estimator loses against another, at the end of the run.

        Parameters
        ----------
        estimator, reference : str
            Two of `estimators`.

        Returns
        -------
        numpy.ndarray, shape (C, M)
            Accuracy under `reference` minus that under `estimator`: negative where something is gained.
        """
        exact = self.estimators.index(_checks.choice("reference", reference, self.estimators))
        chosen = self.estimators.index(_checks.choice("estimator", estimator, self.estimators))
        ends = at_the_end(self.accuracy)
        return ends[..., exact] - ends[..., chosen]

    def bands(self, estimator="ema", *, reference="algorithm2"):
        """Tell how `accuracy_lost` spreads over seeds.

        Parameters
        ----------
        estimator, reference
            As in `accuracy_lost`.

        Returns
        -------
        dict of TrainingConfig to numpy.ndarray, shape (3, M)
            The least, the median and the most over all configurations that differ in nothing but their
            seed; the key has seed 0.
        """
        by_config = {}
        for config, lost in zip(self.configs, self.accuracy_lost(estimator, reference=reference)):
            by_config.setdefault(replace(config, seed=0), []).append(lost)
        return {config: np.quantile(lost, (0, 0.5, 1), axis=0) for config, lost in by_config.items()}


class SweepFailed(RuntimeError):
    """Some configurations failed.

    Attributes
    ----------
    failures : dict of TrainingConfig to str
        What went wrong, for each configuration without a result.
    result : Sweep or None
        All the others; None if there are none.
    """

    def __init__(self, failures, result):
        first, reason = next(iter(failures.items()))
        kept = "" if result is None else " The results of the others are in .result of this error."
        super().__init__(
            f"{len(failures)} configuration(s) failed, the first of them {_short(first)}: {reason} "
            f".failures has them all.{kept}"
        )
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
        True shows a bar, in a notebook or in a terminal (this needs the package tqdm).

    Returns
    -------
    Sweep
        In the order of `configs`, whichever was ready first; the same on every executor.

    Raises
    ------
    ValueError, TypeError
        For an empty sequence, duplicates, or values that are not allowed; named.
    SweepFailed
        When configurations fail (they diverge, say). The results of the others are in its `.result`.
    Exception
        Whatever the executor raises (it is shut down, cannot pickle the data, loses its workers), with a
        note that names the configuration. It ends the sweep.

    Notes
    -----
    *The cores of this machine*, from a notebook or from a script (there below
    ``if __name__ == "__main__":``, as for every process pool)::

        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(mp_context=get_context("spawn")) as executor:
            sweep(dataset, configs, momenta, executor=executor, progress=True)

    "spawn" starts every worker afresh, on every system. A worker that is a copy ("fork") can lock up
    when this process has threads, and a notebook's has.

    *A cluster*: whatever offers a `concurrent.futures.Executor` works the same way. `docs/clusters.md` has
    recipes for Dask, for queues such as SLURM's, and for a JupyterHub.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> configs = [TrainingConfig(batch_size=m, steps=50) for m in (4, 64)]
    >>> sweep(load_digits(), configs, [0.9, 0.99]).accuracy.shape
    (2, 2, 1, 5)
    """
    _checks.instance("dataset", dataset, Dataset)
    configs = _check_configs(configs)
    momenta = _check_momenta(momenta)
    estimators = _check_estimators(estimators, momenta)
    _check_executor(executor)
    curves, failures = {}, {}
    with _reporting(progress, len(configs)) as report:
        for config, (reduced, failure) in _outcomes(executor, configs, dataset, momenta, estimators):
            if failure is None:
                curves[config] = reduced
            else:
                failures[config] = failure
            report(len(curves) + len(failures), len(configs))
    result = _collected(configs, momenta, estimators, curves)
    if failures:
        raise SweepFailed({config: failures[config] for config in configs if config in failures}, result)
    return result


def _accuracy_curves(recording, momenta, estimators):
    """Reduce a recording to what a sweep keeps of it, shape (M, E, K)."""
    curves = np.empty((len(momenta), len(estimators), len(recording.checkpoint_steps)))
    for e, name in enumerate(estimators):
        if name not in MOVED_BY_MOMENTUM:
            curves[:, e] = replay(recording, estimator=name).validation_accuracy
            continue
        # In turn: all momenta at once would be a little quicker, but take as many times the memory.
        for i, p in enumerate(momenta):
            curves[i, e] = replay(recording, p, estimator=name).validation_accuracy
    return curves


def _train_and_reduce(config, dataset, momenta, estimators):
    """What a worker does: (steps, curves) and None, or None and what went wrong.

    An error comes back as text: that of a training that diverged carries its recording, which is megabytes.
    """
    try:
        recording = train(dataset, config)
        return (recording.checkpoint_steps, _accuracy_curves(recording, momenta, estimators)), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _outcomes(executor, configs, *arguments):
    """Yield (config, outcome) as they come."""
    if executor is None:
        yield from ((config, _train_and_reduce(config, *arguments)) for config in configs)
        return
    futures = {}
    try:
        for config in configs:
            with _naming(config):
                futures[executor.submit(_train_and_reduce, config, *arguments)] = config
        for future in as_completed(futures):
            with _naming(futures[future]):
                outcome = future.result()
            yield futures[future], outcome
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def _naming(config):
    """Put the configuration's name on what an executor raises: a task catches its own errors."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"This happened to {_short(config)}, which the sweep gave to its executor.")
        raise


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


def _check_executor(executor):
    if executor is None or isinstance(executor, Executor):
        return
    hint = "; its .get_executor() is one" if hasattr(executor, "get_executor") else ""
    raise TypeError(f"executor must be a concurrent.futures.Executor or None, got {_checks.describe(executor)}{hint}")


def _check_configs(configs):
    configs = _checks.distinct("configs", configs, lambda one: _checks.instance("configs", one, TrainingConfig))
    for name in ("steps", "checkpoint_every"):
        values = {getattr(config, name) for config in configs}
        if len(values) > 1:
            raise ValueError(
                f"configs must all have the same {name}, so that their checkpoints can be compared, "
                f"got {', '.join(map(str, sorted(values)))}"
            )
    return configs


def _check_momenta(momenta):
    return np.array(_checks.distinct("momenta", momenta, lambda p: _checks.momentum(p, "momenta")))


def _check_estimators(estimators, momenta):
    estimators = _checks.distinct("estimators", estimators, lambda one: _checks.choice("estimators", one, ESTIMATORS))
    if "debiased" in estimators:
        _checks.debiasable(momenta, "momenta")
    return estimators
