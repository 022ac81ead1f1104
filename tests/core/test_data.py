import tracemalloc
from dataclasses import FrozenInstanceError
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_teach.data import (
    Dataset,
    EmpiricalPopulation,
    ExponentialPopulation,
    GaussianPopulation,
    load_digits,
    minibatches,
)

X, Y = np.arange(24.0).reshape(8, 3), np.array([0, 1, 2, 0, 1, 2, 0, 1])


# Dataset


def test_a_dataset_knows_its_sizes():
    dataset = Dataset(X[:6], Y[:6], X[6:], Y[6:], "mine")
    assert (dataset.num_features, dataset.num_classes, dataset.name) == (3, 3, "mine")
    np.testing.assert_array_equal(dataset.train_x, X[:6])
    np.testing.assert_array_equal(dataset.validation_y, [0, 1])


def test_classes_seen_only_in_validation_count():
    assert Dataset(X[:6], [0] * 6, X[6:], [0, 4], "mine").num_classes == 5


def test_a_dataset_cannot_be_changed():
    dataset = Dataset(X[:6], Y[:6], X[6:], Y[6:], "mine")
    with pytest.raises(FrozenInstanceError):
        dataset.train_x = X
    with pytest.raises(ValueError, match="read-only"):
        dataset.train_x[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        dataset.validation_y[0] = 1


def test_changing_the_arrays_it_was_made_of_does_not_change_a_dataset():
    x, y = X.copy(), Y.copy()
    dataset = Dataset(x[:6], y[:6], x[6:], y[6:], "mine")
    x[:], y[:] = np.nan, 7
    np.testing.assert_array_equal(dataset.train_x, X[:6])
    np.testing.assert_array_equal(dataset.train_y, Y[:6])
    assert x.flags.writeable


@pytest.mark.parametrize(
    ("given_dtype", "kept"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("int64", "float64"),
        ("uint8", "float32"),
        ("float16", "float32"),
    ],
)
def test_floats_keep_their_precision_and_what_is_smaller_becomes_the_smallest_float_that_holds_it(given_dtype, kept):
    x = X.astype(given_dtype)
    for dataset in (Dataset(x[:6], Y[:6], x[6:], Y[6:], "mine"), Dataset.from_arrays(x, Y)):
        assert dataset.train_x.dtype == kept
        assert dataset.train_y.dtype == np.int64
    np.testing.assert_array_equal(Dataset(x[:6], Y[:6], x[6:], Y[6:], "mine").train_x, X[:6])


def test_arrays_that_somebody_else_can_still_write_are_copied():
    x = X.copy()
    view = x[:6]
    view.flags.writeable = False
    dataset = Dataset(view, Y[:6], X[6:], Y[6:], "mine")
    x[:] = 0
    np.testing.assert_array_equal(dataset.train_x, X[:6])


def test_bytes_take_little_more_than_the_floats_that_they_become():
    x, y = np.zeros((4000, 784), np.uint8), np.arange(4000) % 10
    tracemalloc.start()
    dataset = Dataset.from_arrays(x, y)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert dataset.train_x.nbytes + dataset.validation_x.nbytes == 4 * x.nbytes
    assert kept < 4.1 * x.nbytes
    assert peak < 6 * x.nbytes


# Arrays that are something else


class Table(dict):
    """As much of a DataFrame as counts here: columns by name, an array of all of them."""

    columns = property(tuple)

    def __array__(self, dtype=None, copy=None):
        return np.stack([np.asarray(column) for column in self.values()], axis=1)


ALL = np.arange(8.0)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ma.masked_greater(X, 20), TypeError, "x must be an array of real numbers, got a masked array: leave out"),
        (
            Table(a=ALL, kind=["x"] * 8),
            TypeError,
            "x must be an array of real numbers, got something else in column",
        ),
        (Table(a=ALL, b=ALL * np.nan), ValueError, "x must be finite everywhere, got NaN or infinity in column 'b'"),
        (
            Table(dict.fromkeys(range(4), ALL * np.nan)),
            ValueError,
            "x must be finite everywhere, got NaN or infinity in columns 0, 1, 2, ...",
        ),
    ],
)
def test_what_is_wrong_with_the_examples_is_named(x, error, message):
    with pytest.raises(error) as caught:
        Dataset.from_arrays(x, Y)
    assert str(caught.value).startswith(message)


def test_a_table_of_numbers_is_an_array():
    dataset = Dataset.from_arrays(Table(a=ALL, b=-ALL), Y)
    np.testing.assert_array_equal(dataset.train_x[:, 0], -dataset.train_x[:, 1])


def test_masked_labels_are_refused():
    with pytest.raises(TypeError, match="y must be a whole number .*, got a masked array"):
        Dataset.from_arrays(X, np.ma.masked_equal(Y, 2))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (1990 + np.arange(6000) % 31, "31 different ones up to 2020 in 6000 examples: are they years, ids,"),
        (np.arange(500), "500 different ones up to 499 in 500 examples: are they years"),
        (10_000 + np.arange(500) * 3, "500 different ones up to 11497 in 500 examples"),
    ],
    ids=["years", "rows", "ids"],
)
def test_labels_that_are_no_classes_are_asked_about(labels, said):
    x = np.zeros((len(labels), 1))
    with pytest.raises(ValueError, match=said):
        Dataset.from_arrays(x, labels)
    if len(np.unique(labels)) < 100:
        assert Dataset.from_arrays(x, np.unique(labels, return_inverse=True)[1]).num_classes == 31


@pytest.mark.parametrize("labels", [np.arange(2000) % 1000, np.repeat([3, 8], 10), np.arange(40)])
def test_many_classes_and_missing_ones_are_no_reason_to_ask(labels):
    assert Dataset.from_arrays(np.zeros((len(labels), 1)), labels).num_classes == labels.max() + 1


# Splitting arrays


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_every_example_goes_to_exactly_one_part_with_its_label(n, fraction, seed):
    x = np.arange(float(n))[:, None]
    dataset = Dataset.from_arrays(x, np.arange(n), validation_fraction=fraction, seed=seed)
    together = np.concatenate([dataset.train_x, dataset.validation_x]).ravel()
    np.testing.assert_array_equal(np.sort(together), np.arange(n))
    np.testing.assert_array_equal(dataset.train_x.ravel(), dataset.train_y)
    np.testing.assert_array_equal(dataset.validation_x.ravel(), dataset.validation_y)
    assert len(dataset.validation_x) == min(max(round(fraction * n), 1), n - 1)


def test_the_seed_decides_the_split():
    x = np.arange(40.0)[:, None]

    def split(seed):
        return Dataset.from_arrays(x, np.zeros(40, int), seed=seed).train_x

    np.testing.assert_array_equal(split(3), split(3))
    np.testing.assert_array_equal(split(3), split(np.random.default_rng(3)))
    assert not np.array_equal(split(3), split(4))


def test_images_are_flattened():
    dataset = Dataset.from_arrays(np.arange(48.0).reshape(4, 3, 4), [0, 1, 0, 1])
    assert dataset.train_x.shape == (3, 12)
    assert dataset.train_x[0, 1] - dataset.train_x[0, 0] == 1


def test_from_arrays_is_named_custom_unless_told_otherwise():
    assert Dataset.from_arrays(X, Y).name == "custom"
    assert Dataset.from_arrays(X, Y, name="mine").name == "mine"


# The digits


def test_digits_are_1797_images_with_pixels_from_0_to_1(digits):
    assert (digits.train_x.shape, digits.validation_x.shape) == ((1348, 64), (449, 64))
    assert digits.train_x.dtype == np.float32
    assert (digits.num_features, digits.num_classes, digits.name) == (64, 10, "digits")
    assert digits.train_x.min() == 0
    assert digits.train_x.max() == 1


def test_digits_are_scikit_learns_copy(digits):
    theirs = pytest.importorskip("sklearn.datasets").load_digits()

    def rows(x, y):
        table = np.column_stack([x, y])
        return table[np.lexsort(table.T)]

    ours = rows(
        np.concatenate([digits.train_x, digits.validation_x]) * 16,
        np.concatenate([digits.train_y, digits.validation_y]),
    )
    np.testing.assert_array_equal(ours, rows(theirs.data, theirs.target))


def test_digits_split_as_asked():
    assert len(load_digits(validation_fraction=0.5).validation_x) == 898
    assert not np.array_equal(load_digits(seed=1).train_x, load_digits(seed=2).train_x)


def test_digits_name_their_source_and_licence():
    notice = resources.files("bn_teach").joinpath("DIGITS.md").read_text(encoding="utf-8")
    assert "Alpaydin" in notice
    assert "10.24432/C50P49" in notice
    assert "CC BY 4.0" in notice
    assert "10.24432/C50P49" in load_digits.__doc__


# Populations whose truth is known

POPULATIONS = {
    "gaussian": GaussianPopulation(mean=5.0, std=2.0),
    "exponential": ExponentialPopulation(mean=5.0, std=2.0),
    "empirical": EmpiricalPopulation([1.0, 2.0, 2.0, 7.0, 30.0]),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_a_sample_has_the_moments_that_its_population_claims(name):
    population = POPULATIONS[name]
    x = population.sample(1000, steps=400, seed=0)
    assert x.shape == (400, 1000)
    z = (x.ravel() - population.mean) / population.std
    # Five standard errors: 1 / sqrt(n) of the mean, sqrt((kurtosis - 1) / n) of the variance.
    n, kurtosis = z.size, population.excess_kurtosis + 3
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs(np.mean(z**2) - 1) < 5 * np.sqrt((kurtosis - 1) / n)
    # That of the fourth moment comes from the sample itself.
    assert abs(np.mean(z**4) - kurtosis) < 5 * np.std(z**4) / np.sqrt(n)


@pytest.mark.parametrize("name", POPULATIONS)
def test_the_area_under_a_density_is_the_share_of_the_values(name):
    population = POPULATIONS[name]
    grid = np.linspace(-20, 60, 8001)
    density = population.density(grid)
    assert density.sum() * 0.01 == pytest.approx(1, abs=5e-3)
    values = population.sample(1000, steps=100, seed=1)
    assert density[grid < 5].sum() * 0.01 == pytest.approx(np.mean(values < 5), abs=0.02)


def test_an_empirical_population_is_exactly_its_values():
    population = EmpiricalPopulation([1.0, 2.0, 6.0])
    assert (population.mean, population.std) == (3.0, pytest.approx(np.sqrt(14 / 3)))
    assert set(population.sample(20, 5, 0).ravel()) == {1.0, 2.0, 6.0}
    with pytest.raises(ValueError, match="read-only"):
        population.values[0] = 5


def test_an_exponential_population_has_a_least_value():
    x = ExponentialPopulation(mean=5.0, std=2.0).sample(100, steps=100, seed=0)
    assert 3 <= x.min() < 3.01
    np.testing.assert_array_equal(ExponentialPopulation(mean=5.0, std=2.0).density([2.9, 3.0]), [0.0, 0.5])


def test_samples_have_the_populations_mean_and_standard_deviation():
    x = GaussianPopulation(mean=5.0, std=2.0).sample(100, steps=400, seed=0)
    assert x.shape == (400, 100)
    # Standard errors for 40,000 values: 2 / 200 = 0.01 and 2 / sqrt(80,000) = 0.007. Five of each.
    assert abs(x.mean() - 5.0) < 0.05
    assert abs(x.std() - 2.0) < 0.036


def test_a_sample_depends_on_the_seed_alone():
    population = GaussianPopulation()
    np.testing.assert_array_equal(population.sample(3, 4, 7), population.sample(3, 4, np.random.default_rng(7)))
    assert not np.array_equal(population.sample(3, 4, 7), population.sample(3, 4, 8))


# Mini-batches


@given(st.integers(1, 30), st.data())
def test_an_epoch_has_every_example_at_most_once(n, data):
    m = data.draw(st.integers(1, n))
    per_epoch = n // m
    batches = list(minibatches(n, m, steps=2 * per_epoch, seed=data.draw(st.integers(0, 1000))))
    assert [len(rows) for rows in batches] == [m] * (2 * per_epoch)
    for epoch in (batches[:per_epoch], batches[per_epoch:]):
        seen = np.concatenate(epoch)
        assert len(set(seen.tolist())) == len(seen)
        assert set(seen.tolist()) <= set(range(n))


def test_without_drop_last_an_epoch_has_every_example_exactly_once():
    batches = list(minibatches(7, 3, steps=6, seed=0, drop_last=False))
    assert [len(rows) for rows in batches] == [3, 3, 1, 3, 3, 1]
    for epoch in (batches[:3], batches[3:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch)), np.arange(7))


def test_every_epoch_is_shuffled_anew():
    first, second = minibatches(50, 50, steps=2, seed=0)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(50))


def test_no_steps_no_batches():
    assert list(minibatches(5, 2, steps=0, seed=0)) == []


def test_a_longer_run_begins_like_a_shorter_one():
    short, long = list(minibatches(9, 2, steps=6, seed=1)), list(minibatches(9, 2, steps=20, seed=1))
    for a, b in zip(short, long):
        np.testing.assert_array_equal(a, b)


# Bad input

NAN = float("nan")
PARTS = (X[:6], Y[:6], X[6:], Y[6:], "mine")


def changed(position, value):
    return Dataset(*PARTS[:position], value, *PARTS[position + 1 :])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: changed(0, X[0]), "train_x"),
        (lambda: changed(0, np.empty((0, 3))), "train_x"),
        (lambda: changed(2, [[1.0, NAN, 1.0]] * 2), "validation_x"),
        (lambda: changed(1, Y[:5]), "train_y"),
        (lambda: changed(1, [[1], [1, 2]]), "train_y"),
        (lambda: changed(1, [0, 1, 2, -1, 0, 1]), "train_y"),
        (lambda: changed(2, X[6:, :2]), "validation_x"),
        (lambda: Dataset.from_arrays(X[:, 0], Y), "x"),
        (lambda: Dataset.from_arrays(5.0, [0]), "x"),
        (lambda: Dataset.from_arrays(X, Y[:3]), "y"),
        (lambda: Dataset.from_arrays(X[:1], Y[:1]), "validation_fraction"),
        (lambda: Dataset.from_arrays([], []), "x"),
        (lambda: Dataset.from_arrays(X, Y, validation_fraction=0), "validation_fraction"),
        (lambda: Dataset.from_arrays(X, Y, validation_fraction=1.0), "validation_fraction"),
        (lambda: Dataset.from_arrays(X, Y, validation_fraction=NAN), "validation_fraction"),
        (lambda: Dataset.from_arrays(X, Y, seed=-1), "seed"),
        (lambda: load_digits(validation_fraction=1.5), "validation_fraction"),
        (lambda: GaussianPopulation(std=-1.0), "std"),
        (lambda: GaussianPopulation(mean=NAN), "mean"),
        (lambda: GaussianPopulation().sample(0, 5, 0), "batch_size"),
        (lambda: GaussianPopulation().sample(2, 0, 0), "steps"),
        (lambda: GaussianPopulation(std=0.0).density([1.0]), "std"),
        (lambda: ExponentialPopulation(std=0.0), "std"),
        (lambda: ExponentialPopulation().sample(0, 5, 0), "batch_size"),
        (lambda: ExponentialPopulation().density([NAN]), "x"),
        (lambda: EmpiricalPopulation([2.0, 2.0]), "values"),
        (lambda: EmpiricalPopulation([]), "values"),
        (lambda: EmpiricalPopulation([[1.0, 2.0]]), "values"),
        (lambda: EmpiricalPopulation([1.0, 2.0]).sample(2, 0, 0), "steps"),
        (lambda: list(minibatches(5, 6, steps=1, seed=0)), "batch_size"),
        (lambda: list(minibatches(5, 0, steps=1, seed=0)), "batch_size"),
        (lambda: list(minibatches(0, 1, steps=1, seed=0)), "batch_size"),
    ],
)
def test_bad_values_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: changed(0, [["a"]]), "train_x"),
        (lambda: changed(1, Y[:6] * 1.0), "train_y"),
        (lambda: changed(1, list("abcabc")), "train_y"),
        (lambda: changed(3, [True, False]), "validation_y"),
        (lambda: changed(4, 7), "name"),
        (lambda: Dataset.from_arrays(X, Y, seed=0.5), "seed"),
        (lambda: Dataset.from_arrays(X, Y, seed=None), "seed"),
        (lambda: Dataset.from_arrays(X, Y, validation_fraction="a"), "validation_fraction"),
        (lambda: GaussianPopulation().sample(2.0, 5, 0), "batch_size"),
    ],
)
def test_wrong_types_are_named(call, name):
    with pytest.raises(TypeError, match=f"^{name} must"):
        call()


def test_labels_that_are_no_class_numbers_are_told_what_helps():
    with pytest.raises(TypeError, match="y must") as caught:
        Dataset.from_arrays(X, list("abcdefgh"))
    assert "np.unique(labels, return_inverse=True)" in caught.value.__notes__[0]
