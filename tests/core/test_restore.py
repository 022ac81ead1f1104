"""Weights of one checkpoint with the statistics of another: `restore` and `keep_best` of replay."""

import numpy as np
import pytest

from bn_teach.batchnorm import BatchNorm
from bn_teach.network import cross_entropy, keep_running_averages
from bn_teach.replay import ESTIMATORS, early_stop, keep_best, replay, restore


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_with_its_own_statistics_a_checkpoint_is_as_it_was_seen(recording, estimator):
    replayed = replay(recording, 0.9, estimator=estimator)
    for k, step in enumerate(replayed.steps):
        expected = replayed.validation_accuracy[k], replayed.validation_loss[k]
        assert restore(replayed, step, step) == expected


@pytest.mark.parametrize("estimator", ["ema", "debiased", "cumulative", "algorithm2", "population"])
def test_same_as_a_network_whose_buffers_were_set_by_hand(recording, estimator):
    replayed = replay(recording, 0.5, estimator=estimator)
    network = keep_running_averages(recording.network_at(0))
    norms = [layer for layer in network.layers if isinstance(layer, BatchNorm)]
    for layer, norm in enumerate(norms):
        norm.running_mean, norm.running_var = replayed.mean[layer][2], replayed.var[layer][2]
    scores, labels = network.eval()(recording.dataset.validation_x), recording.dataset.validation_y
    accuracy, loss = restore(replayed, 10, 25)
    assert accuracy == np.mean(scores.argmax(axis=1) == labels)
    assert loss == pytest.approx(cross_entropy(scores, labels)[0], rel=1e-5)
    assert loss != replayed.validation_loss[0]


def test_own_batch_has_nothing_to_restore(recording):
    replayed = replay(recording, estimator="batch")
    assert restore(replayed, 10, 25) == restore(replayed, 10, 10)


def test_without_batch_norm_there_are_no_statistics(plain_recording):
    replayed = replay(plain_recording)
    assert restore(replayed, 10, 25) == pytest.approx(restore(replayed, 10, 10), rel=1e-6)


@pytest.mark.parametrize("metric", ["validation_accuracy", "validation_loss"])
def test_keep_best_is_early_stop_and_two_looks_at_it(recording, metric):
    replayed = replay(recording, 0.9)
    kept = keep_best(replayed, 1, metric=metric)
    assert (kept.best_step, kept.stop_step) == early_stop(replayed, 1, metric=metric)
    assert kept.seen == restore(replayed, kept.best_step, kept.best_step)[0]
    assert kept.latest == restore(replayed, kept.best_step, kept.stop_step)[0]


@pytest.mark.parametrize(
    ("steps", "error", "name"),
    [
        ((5, 10), ValueError, "weights_step"),
        ((10, 26), ValueError, "statistics_step"),
        ((-1, 10), ValueError, "weights_step"),
        ((10, 2.5), TypeError, "statistics_step"),
    ],
)
def test_refuses_steps_without_a_checkpoint(recording, steps, error, name):
    with pytest.raises(error, match=f"^{name} must"):
        restore(replay(recording), *steps)


def test_refuses_what_is_no_replay_of_one_momentum(recording):
    with pytest.raises(TypeError, match="^replay must"):
        restore(recording, 10, 10)
    with pytest.raises(ValueError, match="^replay must"):
        restore(replay(recording, [0.9, 0.99]), 10, 10)
