"""What several cases need: trained networks, and numbers taken from them. Accuracies are in percent."""

from functools import lru_cache

import numpy as np

from bn_teach.batchnorm import BatchNorm
from bn_teach.data import load_digits
from bn_teach.replay import at_the_end
from bn_teach.training import TrainingConfig, train


@lru_cache(maxsize=1)
def digits():
    """Load the digits, once."""
    return load_digits()


@lru_cache(maxsize=6)  # 4 to 8 MB each
def trained(seed, **settings):
    """Train a network on the digits; the latest few are remembered."""
    return train(digits(), TrainingConfig(seed=seed, **settings))


def accuracy_curve(replayed):
    """Validation accuracy at every checkpoint: steps, and percent."""
    return replayed.steps.astype(np.float64), 100 * replayed.validation_accuracy


def at_end(curve):
    """Average a curve over the end of the run."""
    return float(at_the_end(curve[1]))


@lru_cache(maxsize=2)  # each holds on to its recording
def training_curve(recording):
    """Training accuracy at every checkpoint as a log shows it: in training mode, on 256 of the images."""
    m = recording.config.batch_size
    x, labels = digits().train_x[:256], digits().train_y[:256]
    accuracy = [percent_right(net.scores_by_batch(net.layers[0](x), m), labels) for net in recording.networks()]
    return recording.checkpoint_steps.astype(np.float64), np.array(accuracy)


def percent_right(scores, labels):
    """Share of images whose highest score is that of the right digit, in percent."""
    return 100 * float(np.mean(scores.argmax(axis=1) == labels))


def averaging_layers(network):
    """List the batch norm layers of a network that keep running averages."""
    return [layer for layer in network.layers if isinstance(layer, BatchNorm)]


def level(curve, value):
    """Draw a level line, as long as a curve."""
    ends = curve[0][[0, -1]]
    return ends, np.full(len(ends), float(value))
