"""What notebook 00 exchanges."""

import numpy as np

from bn_teach.data import load_digits
from bn_teach.lessons.start_here.experiment import held_out_noise
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, train


def test_noise_leaves_everything_that_training_saw():
    run = train(load_digits(), TrainingConfig(steps=20, hidden=(6,)))
    noisy = held_out_noise(run)
    assert np.array_equal(noisy.dataset.train_x, run.dataset.train_x)
    assert noisy.dataset.validation_x.shape == run.dataset.validation_x.shape
    assert np.array_equal(replay(noisy).running_mean[0], replay(run).running_mean[0])
    assert replay(noisy).validation_accuracy[-1] < replay(run).validation_accuracy[-1]
