"""Who trains by the averages: the shipped measurement against runs of today; and what a slip with momentum costs."""

import pytest

from bn_teach.frameworks import kept_fraction
from bn_teach.lessons.shared.seeds import load_seeds
from bn_teach.lessons.your_framework.experiment import MODES, SEEDS, load_equinox, loss_moved, trained_as


def test_both_modes_are_measured_on_every_seed():
    assert tuple(load_equinox()) == MODES
    assert {len(values) for values in load_equinox().values()} == {len(SEEDS)}
    assert len(SEEDS) >= 16


def test_the_shipped_numbers_say_what_the_notebook_says():
    seeds, keras, pytorch = load_seeds(), kept_fraction("keras", 0.1), kept_fraction("pytorch", 0.1)
    assert 10 < seeds.lost(4, keras).mean() < 12
    assert 1.5 < seeds.lost(16, keras).mean() < 2.1
    assert abs(seeds.lost(4, pytorch).mean()) < 0.3
    assert seeds.lost(16, 0.999).min() > 1
    accuracy = load_equinox()
    assert accuracy["equinox_ema"].min() < 50 < 90 < accuracy["equinox_ema"].max()
    assert accuracy["equinox_batch"].min() > 85


def test_momentum_moves_the_loss_only_where_training_reads_the_averages():
    assert loss_moved("pytorch", 10) == loss_moved("equinox_batch", 10) == 0
    assert loss_moved("equinox_ema", 10) > 0.1


@pytest.mark.slow
def test_what_equinox_batch_mode_reaches():
    # Another processor drifts apart in 800 steps: within the range of all seeds, and a little.
    reached = load_equinox()["equinox_batch"]
    assert reached.min() - 3 < trained_as("equinox_batch", 2) < reached.max() + 2
