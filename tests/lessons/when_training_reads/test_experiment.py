"""Two trainings that differ in momentum, and what a replay says of them: exactly right as long as nobody reads."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bn_teach.lessons.when_training_reads import experiment as module
from bn_teach.lessons.when_training_reads.experiment import LOST, READERS, Setting, compare, live
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, train

SMALL = TrainingConfig(batch_size=8, steps=40, hidden=(7, 5))
KINDS = {
    "two layers": {},
    "sigmoid, four layers": {"activation": "sigmoid", "hidden": (20, 20, 20, 20)},
    "one layer, float64": {"hidden": (30,), "dtype": "float64"},
    "pairs": {"batch_size": 2},
    "batches of two sizes": {"batch_size": 100, "drop_last": False, "weight_scale": 0.1},
}


def of(reader, config=SMALL, **changes):
    return Setting(config, reader, **{"start": 20, "ramp": 10, **changes})


# Where nobody reads


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_bit_for_bit_equal_over_200_steps_where_nobody_reads(digits, kind):
    config = TrainingConfig(steps=200, checkpoint_every=50, **KINDS[kind])
    found = compare(digits, Setting(config, "nobody", momentum=0.0, other=0.999))
    assert found.equal == len(found.first.loss) == 200
    assert found.first.loss.tobytes() == found.second.loss.tobytes() == train(digits, config).loss.tobytes()
    # And the replay is right to the last digit: its averages, and the accuracy under them.
    for truth, claimed in ((found.second, found.first), (found.first, found.second)):
        assert claimed.replayed.mean.tobytes() == truth.kept.mean.tobytes()
        assert claimed.replayed.accuracy.tobytes() == truth.kept.accuracy.tobytes()


def test_what_is_kept_is_what_a_recording_replays(clouds):
    found, run = compare(clouds, of("nobody")), train(clouds, SMALL)
    for momentum, lived in ((0.9, found.first), (0.99, found.second)):
        replayed = replay(run, momentum)
        np.testing.assert_allclose(lived.kept.mean, replayed.running_mean[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(lived.kept.accuracy, replayed.validation_accuracy, atol=1.01 / 40)
        np.testing.assert_array_equal(lived.looks, replayed.steps)


def test_renorm_whose_limits_stay_closed_reads_nothing(clouds):
    setting = of("renorm", r_max=1, d_max=0)
    found = compare(clouds, setting)
    assert not setting.reads
    assert found.equal == 40
    np.testing.assert_array_equal(found.first.loss, compare(clouds, of("nobody")).first.loss)


# Where somebody reads


@pytest.mark.parametrize(
    ("reader", "changes", "equal"),
    [
        ("frozen", {}, 20),
        ("frozen", {"start": 1}, 1),
        ("renorm", {"ramp": 0}, 20),
        ("renorm", {}, 21),  # in the first step of the ramp the limits are still closed
        ("average", {}, 1),  # the first mini-batch takes the place of the averages' start
    ],
)
def test_losses_part_at_the_first_read(clouds, reader, changes, equal):
    setting = of(reader, **changes)
    assert setting.reads
    assert compare(clouds, setting).equal == equal


@pytest.mark.parametrize("reader", READERS)
def test_replay_is_right_up_to_the_first_read_and_wrong_after_it(clouds, reader):
    found = compare(clouds, of(reader))
    right = (found.first.replayed.mean == found.second.kept.mean).all(axis=1)
    if reader == "frozen":  # the averages stop before they could go wrong; what goes wrong are weights
        assert right.all()
        late = found.first.looks > 20
        assert not np.array_equal(found.first.replayed.accuracy[late], found.second.kept.accuracy[late])
    else:
        # The weights change with the first loss that differs, and what the next mini-batch says with them.
        assert right[: found.equal + 1].all()
        assert right.all() == (reader == "nobody")


def test_nothing_is_left_to_freeze_after_the_last_step(clouds):
    found = compare(clouds, of("frozen", start=40))
    assert found.equal == 40
    assert found.first.replayed.accuracy.tobytes() == found.second.kept.accuracy.tobytes()


def test_frozen_averages_stand_still(clouds):
    mean = live(clouds, of("frozen"), 0.9, 0.99).kept.mean
    assert (mean[19:] == mean[19]).all()
    assert (mean[18] != mean[19]).all()


# Divergence


def test_a_training_by_slow_averages_diverges_and_tells_when(digits):
    config = TrainingConfig(batch_size=4, steps=60)
    found = compare(digits, Setting(config, "average", start=1, ramp=0))
    assert found.first.lost_at is None
    assert found.second.loss[found.second.lost_at - 1] > LOST
    assert (found.second.loss[: found.second.lost_at - 1] <= LOST).all()
    assert found.guessing == pytest.approx(math.log(10))


@pytest.mark.parametrize("at", [1, 13])
@pytest.mark.parametrize("how", ["a loss that is not finite", "a layer that refuses"])
def test_a_training_that_breaks_off_keeps_what_came_before(clouds, monkeypatch, at, how):
    whole = live(clouds, of("nobody"), 0.9, 0.99)

    def breaking(network, dataset, config):
        for step, (loss, _) in enumerate(learn(network, dataset, config), start=1):
            if step == at and how == "a layer that refuses":
                raise ValueError("x must be finite everywhere, got NaN or infinity in it")
            yield (math.nan if step == at else loss), network

    learn = module.learn
    monkeypatch.setattr(module, "learn", breaking)
    broken = live(clouds, of("nobody"), 0.9, 0.99)
    assert len(broken.loss) == (at if how.startswith("a loss") else at - 1)
    np.testing.assert_array_equal(broken.loss[: at - 1], whole.loss[: at - 1])
    assert broken.lost_at == at
    assert broken.looks.tolist() == [10][: at // 10]
    assert broken.kept.mean.shape == (len(broken.loss), 7) or at == 1


def test_no_warning_of_numpys_on_the_way_to_divergence(digits, recwarn):
    config = TrainingConfig(batch_size=2, steps=30)
    broken = live(digits, Setting(config, "average", start=1, ramp=0), 0.999, 0.9)
    assert broken.lost_at is not None
    assert not recwarn.list


# Bad input


@pytest.mark.parametrize(
    ("reader", "changes", "said"),
    [
        ("everybody", {}, r"reader must be one of 'nobody', 'renorm', 'average', 'frozen', got 'everybody'"),
        ("frozen", {"start": 41}, r"start must be a whole number from 1 to 40, got 41"),
        ("frozen", {"start": 0}, r"start must be a whole number from 1 to 40, got 0"),
        (
            "renorm",
            {"ramp": 21},
            r"ramp must end within the run, got 21 steps from step 20 on, where 20 of 40 are left",
        ),
        ("renorm", {"ramp": -1}, r"ramp must be a whole number of at least 0, got -1"),
        ("renorm", {"r_max": 0.9}, r"r_max must be a finite number of at least 1.0, got 0.9"),
        ("renorm", {"d_max": -1.0}, r"d_max must be a finite number of at least 0.0, got -1.0"),
        ("nobody", {"momentum": 1.5}, r"momentum must be between 0 and 1"),
        ("nobody", {"other": -1}, r"other must be between 0 and 1"),
    ],
)
def test_bad_settings_are_named_with_what_is_allowed(reader, changes, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        of(reader, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch_norm": False}, "config must have batch_norm=True, a hidden layer and at least one step"),
        ({"hidden": ()}, "config must have batch_norm=True, a hidden layer and at least one step"),
        ({"batch_size": 121}, "config.batch_size must not exceed the 120 training examples, got 121"),
        ({"batch_size": 7, "drop_last": False}, "config.drop_last must be True here, got False"),
    ],
)
def test_a_run_that_cannot_be_looked_at_is_named_and_is_no_divergence(clouds, changes, said):
    with pytest.raises(ValueError, match=said):
        compare(clouds, of("nobody", replace(SMALL, **changes)))


def test_arguments_of_another_kind_are_named(clouds):
    with pytest.raises(TypeError, match="config must be a TrainingConfig"):
        Setting(16)
    with pytest.raises(TypeError, match="dataset must be a Dataset"):
        compare(clouds.train_x, of("nobody"))
