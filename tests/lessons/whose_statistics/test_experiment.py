"""The bench of notebook 08: cameras, test batches, mixtures; against the core, closed forms and hand-made cases."""

import math

import numpy as np
import pytest

from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.whose_statistics.experiment import (
    CORRUPTIONS,
    Batches,
    batch_moments,
    bench,
    corrupt,
    group,
    mixed,
    mixture,
    source_weight,
)
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=200, hidden=(20, 12), dtype="float64", eps=0.0)


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def tried(digits):
    return bench(train(digits, CONFIG))


# Cameras


def test_mist_and_contrast_by_hand():
    pixels = np.array([[0.0, 0.5, 1.0, 0.25]])
    np.testing.assert_allclose(corrupt(pixels, "mist"), [[0.5, 0.65, 0.8, 0.575]])
    np.testing.assert_allclose(corrupt(pixels, "contrast"), [[0.0, 0.2, 0.4, 0.1]])
    np.testing.assert_allclose(corrupt(pixels, "brighter"), [[0.4, 0.9, 1.0, 0.65]])
    np.testing.assert_array_equal(corrupt(pixels, "none"), pixels)


def test_blur_averages_the_neighbours_and_goes_on_beyond_the_edge():
    image = np.arange(9.0).reshape(1, 9)
    blurred = corrupt(image, "blur").reshape(3, 3)
    assert blurred[1, 1] == pytest.approx(4)
    corner = np.mean([0, 0, 1, 0, 0, 1, 3, 3, 4])  # the corner's own neighbourhood, its edge pixels repeated
    assert blurred[0, 0] == pytest.approx(corner)


def test_noise_has_its_size_and_is_the_same_every_time(digits):
    noise = corrupt(digits.validation_x, "noise") - digits.validation_x
    # The standard error of a standard deviation from n values is sd / sqrt(2 n).
    assert abs(noise.std() - 0.35) < 5 * 0.35 / math.sqrt(2 * noise.size)
    np.testing.assert_array_equal(noise, corrupt(digits.validation_x, "noise") - digits.validation_x)


@pytest.mark.parametrize("corruption", [name for name in CORRUPTIONS if name != "noise"])
def test_a_camera_works_in_the_units_of_the_images(corruption, digits):
    x = digits.validation_x[:5].astype(np.float64)
    other = corrupt(255 * x - 7, corruption, low=-7.0, high=248.0)
    np.testing.assert_allclose(other, 255 * corrupt(x, corruption) - 7, atol=1e-9)


def test_unknown_cameras_and_blurred_rows_are_refused_by_name():
    with pytest.raises(ValueError, match="corruption must be one of 'none'.*got 'fog'"):
        corrupt(np.zeros((1, 4)), "fog")
    with pytest.raises(ValueError, match="corruption must not be 'blur'.*got 5 columns"):
        corrupt(np.zeros((1, 5)), "blur")


# Test batches


@pytest.mark.parametrize("n", [1, 16, 100, 449])
@pytest.mark.parametrize("classes", [None, 1, 3, 10])
def test_every_image_is_in_one_test_batch_and_no_batch_has_more_classes(digits, n, classes):
    labels = digits.validation_y
    batches = group(labels, n, classes=classes)
    assert sorted(batches.order) == list(range(449))
    assert batches.sizes.sum() == 449
    assert n == 449 or classes or batches.sizes.min() >= n
    for start, size in zip(batches.starts, batches.sizes):
        assert len(np.unique(labels[batches.order[start : start + size]])) <= (classes or 10)


def test_all_classes_together_are_the_same_as_shuffled(digits):
    for name in ("order", "starts"):
        shuffled, ten = (getattr(group(digits.validation_y, 16, classes=k, seed=3), name) for k in (None, 10))
        np.testing.assert_array_equal(shuffled, ten)


def test_a_test_batch_of_nothing_cannot_be_set(digits):
    with pytest.raises(ValueError, match="n must be a whole number from 1 to 449, got 0"):
        group(digits.validation_y, 0)
    with pytest.raises(ValueError, match="classes must be .* at least 1, got 0"):
        group(digits.validation_y, 16, classes=0)


# Mixtures


def test_the_weight_of_the_training_images():
    assert source_weight(0, 16) == 0
    assert source_weight(16, 16) == 0.5
    assert source_weight(math.inf, 16) == 1
    np.testing.assert_allclose(source_weight(4, np.array([1, 4, 12])), [0.8, 0.5, 0.25])
    assert mixture(10.0, 4.0, 0.25) == 5.5


def test_moments_of_batches_of_unequal_sizes():
    rng = np.random.default_rng(0)
    z, batches = rng.normal(5, 3, (10, 4)), Batches(np.arange(10), np.array([0, 3, 4]))
    mean, var = batch_moments(z, batches)
    for k, part in enumerate((z[:3], z[3:4], z[4:])):
        np.testing.assert_allclose(mean[k], part.mean(axis=0))
        np.testing.assert_allclose(var[k], part.var(axis=0), atol=1e-12)


def test_all_is_inference_mode_and_nothing_is_training_mode(tried):
    network, x = tried.network, tried.images()
    z = network.layers[0](x)
    np.testing.assert_allclose(tried.mixed(math.inf, 7).scores, network.inference(z, tried.source), atol=1e-9)
    batches = group(tried.dataset.validation_y, 16)
    own = network.scores_by_batch(z[batches.order], 16)
    np.testing.assert_allclose(tried.mixed(0, 16).scores[batches.order], own, atol=1e-9)


def test_a_mixture_in_between_is_the_formula_layer_by_layer(tried):
    batches = group(tried.dataset.validation_y, 449)
    seen = tried.mixed(100, 449)
    z = tried.network.layers[0](tried.images()[batches.order])
    a = 100 / 549
    for norm, relu, (mean, var), after in zip(
        tried.network.norms, tried.network.layers[2::3], tried.source, tried.network.layers[3::3], strict=True
    ):
        used = a * mean + (1 - a) * z.mean(axis=0), a * var + (1 - a) * z.var(axis=0)
        z = after(relu(norm.gamma * (z - used[0]) / np.sqrt(used[1]) + norm.beta))
    np.testing.assert_allclose(seen.scores[batches.order], z, atol=1e-8)


def test_what_came_into_a_batch_norm_has_the_statistics_that_are_told(tried):
    seen = tried.mixed(4, 16)
    for values, (mean, var), (used_mean, _), (source_mean, _) in zip(seen.values, seen.batch, seen.used, tried.source):
        first = values[: seen.batches.sizes[0]]
        np.testing.assert_allclose(mean[0], first.mean(axis=0), atol=1e-9)
        np.testing.assert_allclose(var[0], first.var(axis=0), atol=1e-9)
        np.testing.assert_allclose(used_mean[0], 0.2 * source_mean + 0.8 * mean[0], atol=1e-9)


def test_one_image_and_one_for_the_training_images_halve_its_distance_and_its_variance(tried):
    # (x - mean) / 2 over sqrt(var / 2): 1 / sqrt(2) times the normalised value of inference mode, in the first layer.
    seen = tried.mixed(1, 1)
    (x, *_), ((mean, var), *_), ((used_mean, used_var), *_) = seen.values, tried.source, seen.used
    np.testing.assert_allclose((x - used_mean) / np.sqrt(used_var), (x - mean) / np.sqrt(var) / math.sqrt(2), atol=1e-9)


@pytest.mark.parametrize("corruption", ["mist", "contrast"])
def test_what_multiplies_and_shifts_every_pixel_leaves_no_trace_in_the_test_batch_alone(tried, corruption):
    clear, worse = tried.mixed(0, 16).scores, tried.mixed(0, 16, corruption=corruption).scores
    np.testing.assert_allclose(worse, clear, atol=1e-4)  # eps is 0, pixels are float32
    assert np.abs(tried.mixed(16, 16, corruption=corruption).scores - tried.mixed(16, 16).scores).max() > 0.1


def test_training_values_are_what_the_source_was_taken_from(tried):
    for values, (mean, var) in zip(tried.training_values(), tried.source, strict=True):
        np.testing.assert_allclose(values.mean(axis=0), mean, atol=1e-9)
        np.testing.assert_allclose(values.var(axis=0), var, atol=1e-9)


def test_bad_mixtures_and_networks_are_refused_by_name(tried, digits):
    for N in (-1, math.nan, -math.inf):
        with pytest.raises(ValueError, match="N must be a finite number of at least 0"):
            mixed(tried.network, tried.images(), group(digits.validation_y, 16), tried.source, N)
    with pytest.raises(TypeError, match="recording must be a Recording"):
        bench(tried)
    with pytest.raises(ValueError, match="recording must have batch norm"):
        bench(train(digits, TrainingConfig(steps=1, batch_norm=False)))


def test_any_data_set_can_lie_on_the_bench():
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1, 4], 40)  # classes 2 and 3 are missing
    dataset = Dataset.from_arrays(rng.normal(10 * labels[:, None], 5, (120, 6)), labels, name="six numbers")
    tried = bench(train(dataset, TrainingConfig(steps=60, hidden=(8,))))
    assert tried.accuracy(math.inf, 1) > 0.8
    assert tried.mixed(4, 8, corruption="mist", classes=1).scores.shape == (30, 5)


def test_images_that_are_all_alike_are_no_reason_to_stop():
    dataset = Dataset.from_arrays(np.ones((12, 4)), [0, 1] * 6)
    tried = bench(train(dataset, TrainingConfig(steps=2, hidden=(3,), batch_size=4)))
    assert np.isfinite(tried.mixed(1, 2, corruption="contrast").scores).all()
