"""Runs that several questions and notebooks look at, each trained once."""

from functools import lru_cache

import numpy as np

from bn_teach.data import load_digits, minibatches
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


def layer_statistics(recording, *, epochs=1, seed=0):
    """Send mini-batches through the finished network, its weights frozen, in training mode.

    Parameters
    ----------
    recording : Recording
    epochs : int
        Each shuffled anew.
    seed : int
        Of the order of the images. Those that fill no mini-batch are left out.

    Returns
    -------
    list of (means, variances), one for each batch norm layer from below
        Of every mini-batch, float64, shape (B, H); the variances divide by m.
    """
    network = recording.network_at(len(recording.checkpoint_steps) - 1)
    x, m = recording.dataset.train_x.astype(recording.config.dtype), recording.config.batch_size
    rows = []
    for chosen in minibatches(len(x), m, steps=epochs * (len(x) // m), seed=seed):
        network(x[chosen])
        rows.append([(norm.cache.mean.ravel(), norm.cache.var.ravel()) for norm in network.norms])
    return [tuple(np.array(column, dtype=np.float64) for column in zip(*layer)) for layer in zip(*rows)]


def points_lost(batch_size, momentum, estimator="ema", *, seeds=SEEDS):
    """Average over seeds: how many percentage points of accuracy are lost against Algorithm 2 at the end."""
    runs = [run(batch_size, seed) for seed in seeds]
    lost = [accuracy_at_end(one, estimator="algorithm2") - accuracy_at_end(one, momentum, estimator) for one in runs]
    return 100 * float(np.mean(lost))
