"""What slips with momentum cost: the shipped measurement against runs of today, and who trains by the averages."""

import pytest

from bn_teach.lessons.your_framework.experiment import SEEDS, SLIPS, load_slips, loss_moved, trained_as


@pytest.fixture(scope="module")
def slips():
    return load_slips()


def test_every_slip_is_measured_on_every_seed(slips):
    assert list(slips) == list(SLIPS)
    assert {len(values) for values in slips.values()} == {len(SEEDS)}
    assert len(SEEDS) >= 16


def test_the_shipped_numbers_say_what_the_notebook_says(slips):
    assert 10 < slips["0.1 in Keras, batch size 4"].mean() < 12
    assert 1.5 < slips["0.1 in Keras, batch size 16"].mean() < 2.1
    assert abs(slips["0.1 in PyTorch, batch size 4"].mean()) < 0.3
    assert slips["0.999 in a short run, batch size 16"].min() > 1
    legacy, batch = slips['accuracy, Equinox, default (mode="ema")'], slips['accuracy, Equinox, mode="batch"']
    assert legacy.min() < 50 < 90 < legacy.max()
    assert batch.min() > 85


@pytest.mark.parametrize("name", ["0.1 in Keras, batch size 16", "0.999 in a short run, batch size 16"])
def test_a_seed_of_a_slip_comes_out_again(slips, name):
    # Another processor drifts apart in 800 steps: within the range of all seeds, and a point.
    assert slips[name].min() - 1 < SLIPS[name](3) < slips[name].max() + 1


def test_momentum_moves_the_loss_only_where_training_reads_the_averages():
    assert loss_moved("pytorch", 10) == loss_moved("equinox_batch", 10) == 0
    assert loss_moved("equinox_ema", 10) > 0.1


@pytest.mark.slow
def test_what_equinox_batch_mode_reaches(slips):
    reached = slips['accuracy, Equinox, mode="batch"']
    assert reached.min() - 3 < trained_as("equinox_batch", 2) < reached.max() + 2
