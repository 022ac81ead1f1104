"""Runs that several questions and notebooks look at, each trained once."""

from functools import lru_cache

import numpy as np

from bn_teach.data import load_digits
from bn_teach.replay import at_the_end, keep_best, replay
from bn_teach.training import TrainingConfig, train

SEEDS = range(5)


@lru_cache(maxsize=1)
def digits():
    """Load the digits, once."""
    return load_digits()


@lru_cache(maxsize=12)  # 8 MB each: five seeds of two batch sizes, and what else a notebook looks at
def trained(config):
    """Train a network on the digits, once."""
    return train(digits(), config)


def run(batch_size=16, seed=0):
    """Train the default network on the digits, once."""
    return trained(TrainingConfig(batch_size=batch_size, seed=seed))


def accuracy_at_end(recording, momentum=0.9, estimator="ema"):
    """Average the validation accuracy over the end of the run."""
    return float(at_the_end(replay(recording, momentum, estimator=estimator).validation_accuracy))


def points_lost(batch_size, momentum, estimator="ema", *, seeds=SEEDS):
    """Average over seeds: how many percentage points of accuracy are lost against Algorithm 2 at the end."""
    runs = [run(batch_size, seed) for seed in seeds]
    lost = [accuracy_at_end(one, estimator="algorithm2") - accuracy_at_end(one, momentum, estimator) for one in runs]
    return 100 * float(np.mean(lost))


def stop_early(batch_size, momentum, *, patience=10, seeds=SEEDS):
    """Stop runs of several seeds early, by the moving average, and judge the weights that are kept.

    Returns
    -------
    dict
        Averages over the seeds, of ``step``, the one that was kept, and of validation accuracies in per
        cent: ``seen``, with the statistics of that step; ``latest``, with those of the step where
        training stopped; ``exact``, by Algorithm 2.
    """
    rows = []
    for seed in seeds:
        kept = keep_best(replay(run(batch_size, seed), momentum), patience)
        exact = replay(run(batch_size, seed), estimator="algorithm2")
        under_exact = exact.validation_accuracy[exact.steps == kept.best_step][0]
        rows.append((kept.best_step, 100 * kept.seen, 100 * kept.latest, 100 * under_exact))
    return dict(zip(("step", "seen", "latest", "exact"), np.mean(rows, axis=0).tolist(), strict=True))
