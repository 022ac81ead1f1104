"""What all tests share: settings, and a few small recordings that many of them look at."""

import os
import sys

# Two threads are slower than one at these sizes, and much slower on a busy machine.
# NumPy and PyTorch read this when they are first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from bn_teach.data import Dataset, load_digits
from bn_teach.training import TrainingConfig, train

settings.register_profile("bn_teach", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("bn_teach")


@pytest.fixture(autouse=True)
def nothing_ahead(monkeypatch):
    """Explorers compute what is asked for and no more, so that tests do not slow each other down."""
    monkeypatch.setattr("bn_teach.lessons.shared.idle.AHEAD", False)


@pytest.fixture(autouse=True)
def the_same_random_numbers():
    """Every test of PyTorch sees the same ones in every run, alone or among others."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def digits():
    return load_digits()


@pytest.fixture(scope="session")
def clouds():
    """Three overlapping clouds of points in 6 dimensions: 120 to train on, 40 to validate."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 3
    x = rng.normal(size=(160, 6)) + 1.5 * rng.normal(size=(3, 6))[labels]
    return Dataset.from_arrays(x, labels, seed=1, name="clouds")


@pytest.fixture(scope="session")
def recording(clouds):
    """25 steps with batch norm, two hidden layers, checkpoints after 10, 20 and 25 of them."""
    return train(clouds, TrainingConfig(batch_size=8, steps=25, hidden=(7, 5), seed=3))


@pytest.fixture(scope="session")
def plain_recording(clouds):
    """The same without batch norm."""
    return train(clouds, TrainingConfig(batch_size=8, steps=25, hidden=(7, 5), seed=3, batch_norm=False))
