"""What the estimators and early stopping come to over many seeds: measured, shipped, and a few runs live beside it.

One run says little about accuracy: a validation image is 0.2 percentage points. So 32 seeds were run by
``python tools/seeds.py`` and come with the package (`load_seeds`); a notebook runs two or three of them again.

Where early stopping *chooses* by validation images, others *judge*: one half of the validation images chooses the
checkpoint, the other half says what it is worth, and then the other way round.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from bn_teach._threads import one_blas_thread
from bn_teach.lessons.shared.choices import MOMENTA
from bn_teach.lessons.shared.runs import run
from bn_teach.replay import at_the_end, keep_best, replay, restore
from bn_teach.sweep import Sweep
from bn_teach.training import TrainingConfig

SHIPPED = Path(__file__).with_name("seeds.json")
SEEDS = tuple(range(32))
BATCH_SIZES = (2, 4, 16, 64, 256)
WINDOWS = (400, 800)
"""Steps after which a run is looked at: at its end, and as if it had ended half-way."""
OTHERS = ("debiased", "cumulative", "algorithm2", "population", "batch")
CURVES = (
    *(("ema", p, True) for p in MOMENTA),
    ("ema", 0.9, False),
    *((name, 0.999 if name == "debiased" else None, True) for name in OTHERS),
)
"""Whose accuracy is kept: estimator, momentum (if it uses one), and whether m/(m-1) is applied."""

NOW = (100, 101)
"""Seeds that are run live: none of the shipped ones."""

WATCHERS = (("ema", 0.9), ("ema", 0.99), ("ema", 0.999), ("debiased", 0.999), ("algorithm2", None))
"""Whom early stopping listens to."""
STOPPED_SIZES = (4, 16)
PATIENCES = (10, 20, 80)
"""In checkpoints; 80 is the whole run."""
FIELDS = ("step", "stop", "seen", "own", "latest", "exact", "population")


@dataclass(frozen=True)
class Stopped:
    """What early stopping kept, one number for each seed: averages over both ways to share out the images.

    Attributes
    ----------
    step, stop : numpy.ndarray
        The checkpoint kept, and where training stopped.
    seen : numpy.ndarray
        Accuracy in per cent on the images that chose, with the statistics of the step that is kept.
    own, latest, exact, population : numpy.ndarray
        Accuracy of the same weights on the *other* images, in per cent: with the statistics of their own
        step, with those of the step where training stopped, by Algorithm 2, and by one pass.
    """

    step: np.ndarray
    stop: np.ndarray
    seen: np.ndarray
    own: np.ndarray
    latest: np.ndarray
    exact: np.ndarray
    population: np.ndarray


def halves(recording):
    """Share out the validation images of a recording: every second one, and the others.

    Returns
    -------
    tuple of two Recording

    Examples
    --------
    >>> [len(half.dataset.validation_x) for half in halves(run())]
    [225, 224]
    """
    data = recording.dataset
    return tuple(
        replace(
            recording,
            dataset=replace(data, validation_x=data.validation_x[first::2], validation_y=data.validation_y[first::2]),
        )
        for first in (0, 1)
    )


def _replayed(recording, estimator, momentum):
    return replay(recording, 0.9 if momentum is None else momentum, estimator=estimator)


def stop_and_judge(recording, watchers=WATCHERS, patiences=PATIENCES):
    """Stop one run early by one half of the validation images, judge what is kept by the other half, and vice versa.

    Returns
    -------
    dict of (estimator, momentum, patience) to tuple of float
        In the order of `FIELDS`.
    """
    exact = ("algorithm2", None), ("population", None)
    replays = [{one: _replayed(half, *one) for one in {*watchers, *exact}} for half in halves(recording)]
    found = {}
    for watcher in watchers:
        for patience in patiences:
            rows = []
            for choosing, judging in (replays, replays[::-1]):
                kept = keep_best(choosing[watcher], patience)
                k = int(np.searchsorted(recording.checkpoint_steps, kept.best_step))
                own = judging[watcher].validation_accuracy[k]
                latest, _ = restore(judging[watcher], kept.best_step, kept.stop_step)
                under = (judging[one].validation_accuracy[k] for one in exact)
                rows.append((kept.best_step, kept.stop_step, *(100 * a for a in (kept.seen, own, latest, *under))))
            found[*watcher, patience] = tuple(np.mean(rows, axis=0).tolist())
    return found


@one_blas_thread
def accuracies(recording):
    """Validation accuracy in per cent of every one of `CURVES`, at the end and half-way, and how far it jumps.

    Returns
    -------
    list of list of float, shape (len(CURVES), 3)
        After 400 and after 800 steps (mean of 10 checkpoints), and the mean distance from one checkpoint to the next.
    """
    found = []
    for estimator, momentum, unbiased in CURVES:
        curve = replay(
            recording, 0.9 if momentum is None else momentum, estimator=estimator, unbiased=unbiased
        ).validation_accuracy
        ends = [at_the_end(curve[recording.checkpoint_steps <= window]) for window in WINDOWS]
        found.append([100 * float(value) for value in (*ends, np.abs(np.diff(curve)).mean())])
    return found


def measure(batch_size, seed):
    """Measure all that `seeds.json` keeps of one run."""
    recording = run(batch_size, seed)
    stopped = stop_and_judge(recording) if batch_size in STOPPED_SIZES else {}
    return accuracies(recording), stopped


@dataclass(frozen=True, eq=False)
class Seeds:
    """The shipped measurement: S seeds.

    Attributes
    ----------
    accuracy : dict of int to numpy.ndarray, shape (S, len(CURVES), 3)
        Batch size to `accuracies`.
    stopped : dict of (batch size, estimator, momentum, patience) to Stopped
    """

    accuracy: dict
    stopped: dict

    def curve(self, batch_size, estimator, momentum=None, *, unbiased=True, steps=800):
        """Accuracy in per cent at the end of runs of `steps` steps, shape (S,)."""
        column = CURVES.index((estimator, momentum, unbiased))
        return self.accuracy[batch_size][:, column, WINDOWS.index(steps)]

    def jump(self, batch_size, estimator, momentum=None):
        """Mean distance from one checkpoint to the next in percentage points, shape (S,)."""
        return self.accuracy[batch_size][:, CURVES.index((estimator, momentum, True)), len(WINDOWS)]

    def lost(self, batch_size, momentum, estimator="ema", *, steps=800):
        """Percentage points lost against Algorithm 2, shape (S,)."""
        exact = self.curve(batch_size, "algorithm2", steps=steps)
        return exact - self.curve(batch_size, estimator, momentum, steps=steps)

    def valley(self, batch_sizes=(4, 64), *, steps=800):
        """The ends of the runs as a `Sweep`, for `ValleyFigure`."""
        pair = ("ema", "algorithm2")
        configs, ends = [], []
        for m in batch_sizes:
            ema = np.stack([self.curve(m, "ema", p, steps=steps) for p in MOMENTA], axis=1)  # (S, M)
            exact = np.repeat(self.curve(m, "algorithm2", steps=steps)[:, None], len(MOMENTA), axis=1)
            ends.append(np.stack([ema, exact], axis=2) / 100)
            configs += [TrainingConfig(batch_size=m, steps=steps, seed=seed) for seed in range(len(ema))]
        return Sweep(tuple(configs), np.array(MOMENTA), pair, np.array([steps]), np.concatenate(ends)[..., None])


@lru_cache(maxsize=1)
def load_seeds():
    """Load what `python tools/seeds.py` measured."""
    held = json.loads(SHIPPED.read_text(encoding="utf-8"))
    accuracy = {int(m): np.array(rows, dtype=np.float64) for m, rows in held["accuracy"].items()}
    if any(rows.shape[1] != len(CURVES) for rows in accuracy.values()):
        raise ValueError(f"{SHIPPED.name} was measured for other momenta or estimators: run python tools/seeds.py")
    stopped = {
        (one["batch_size"], one["estimator"], one["momentum"], one["patience"]): Stopped(
            **{name: np.array(one[name], dtype=np.float64) for name in FIELDS}
        )
        for one in held["stopped"]
    }
    return Seeds(accuracy, stopped)


def stop_now(batch_size, momentum, patience=10, *, seeds=NOW):
    """Train a few runs here and now, and stop each early by the moving average, as for the shipped ones.

    Returns
    -------
    Stopped
    """
    watcher = "ema", momentum
    rows = [stop_and_judge(run(batch_size, seed), [watcher], [patience])[*watcher, patience] for seed in seeds]
    return Stopped(*np.array(rows).T)


def stopping_table(batch_size, momenta, *, patience=10, now=()):
    """Write what early stopping kept, under each momentum: the mean over 32 seeds, then runs of now.

    Parameters
    ----------
    batch_size : int
        Of `STOPPED_SIZES`.
    momenta : sequence of float
        0.9, 0.99 or 0.999.
    patience : int
        Of `PATIENCES`, in checkpoints.
    now : sequence of int
        Seeds to be run now.

    Returns
    -------
    str
        After ± stands the standard error of a mean.
    """
    lines = [f"{'momentum':<9}{'runs':<10}{'step':>5}" + "".join(f"{name:>12}" for name in FIELDS[2:6])]
    for p in momenta:
        kept = load_seeds().stopped[batch_size, "ema", p, patience]
        means = [mean_and_error(getattr(kept, name)) for name in FIELDS[2:6]]
        shown = "".join(f"{f'{mean:.1f} ±{error:.1f}':>12}" for mean, error in means)
        lines.append(f"{p:<9g}{len(kept.step)} seeds  {kept.step.mean():>5.0f}{shown}")
        live = stop_now(batch_size, p, patience, seeds=now) if now else None
        for i, seed in enumerate(now):
            shown = "".join(f"{f'{getattr(live, name)[i]:.1f}    ':>12}" for name in FIELDS[2:6])
            lines.append(f"{'':<9}{f'seed {seed}':<10}{live.step[i]:>5.0f}{shown}")
    return "\n".join(lines)


def mean_and_error(values):
    """The mean over seeds, and its standard error.

    Examples
    --------
    >>> [round(float(one), 2) for one in mean_and_error([1.0, 2.0, 3.0])]
    [2.0, 0.58]
    """
    values = np.asarray(values, dtype=np.float64)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
