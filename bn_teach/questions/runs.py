"""Runs that several questions and notebooks look at, each trained once."""

from functools import lru_cache

from bn_teach.data import load_digits
from bn_teach.replay import replay
from bn_teach.sentences import LAST
from bn_teach.training import TrainingConfig, train


@lru_cache(maxsize=4)
def run(batch_size=16, seed=0):
    """Train the default network on the digits, once."""
    return train(load_digits(), TrainingConfig(batch_size=batch_size, seed=seed))


def accuracy_at_end(recording, momentum=0.9, estimator="ema"):
    """Average the validation accuracy over the last checkpoints."""
    return float(replay(recording, momentum, estimator=estimator).validation_accuracy[-LAST:].mean())
