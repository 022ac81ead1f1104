"""Runs that several questions and notebooks look at, each trained once."""

from functools import lru_cache

import numpy as np

from bn_teach.data import load_digits
from bn_teach.replay import at_the_end, replay
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
