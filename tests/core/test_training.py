import math
import pickle
import re
from dataclasses import FrozenInstanceError, asdict, fields, replace

import numpy as np
import pytest

from bn_teach import training
from bn_teach.batchnorm import BatchNorm, batch_norm_forward, batch_norm_inference, batch_statistics
from bn_teach.data import Dataset, minibatches
from bn_teach.network import cross_entropy
from bn_teach.replay import replay
from bn_teach.training import (
    TrainingConfig,
    TrainingDiverged,
    learn,
    live_losses,
    train,
    train_live,
    untrained,
    watched,
)

SMALL = TrainingConfig(batch_size=8, steps=25, hidden=(7, 5), seed=3)


def layers_of(recording, name):
    value = getattr(recording, name)
    return [array for array in value if array is not None] if isinstance(value, tuple) else [value]


def arrays_of(recording):
    """Every array of a recording, its dataset aside, by a readable name."""
    return {
        f"{field.name}[{i}]": array
        for field in fields(recording)
        if field.name not in ("config", "dataset")
        for i, array in enumerate(layers_of(recording, field.name))
    }


def assert_same_recording(a, b):
    assert a.config == b.config
    assert a.dataset.name == b.dataset.name
    for part in ("train_x", "train_y", "validation_x", "validation_y"):
        np.testing.assert_array_equal(getattr(a.dataset, part), getattr(b.dataset, part), strict=True)
    assert_same_run(a, b)


def assert_same_run(a, b):
    ours, theirs = arrays_of(a), arrays_of(b)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], strict=True, err_msg=name)


def rows_of_batches(dataset, config):
    """The row numbers of every mini-batch that `train` takes."""
    return list(
        minibatches(
            len(dataset.train_x),
            config.batch_size,
            steps=config.steps,
            seed=training._stream(config, "batches"),
            drop_last=config.drop_last,
        )
    )


def stop_before_step(step):
    """A `should_stop` that lets `step - 1` steps be done."""
    asked = []
    return lambda: asked.append(None) or len(asked) == step


# The configuration


def test_defaults_are_those_of_the_explorer():
    assert asdict(TrainingConfig()) == {
        "batch_size": 16,
        "steps": 800,
        "hidden": (100, 100),
        "activation": "relu",
        "learning_rate": 0.1,
        "batch_norm": True,
        "eps": 1e-5,
        "checkpoint_every": 10,
        "drop_last": True,
        "weight_scale": None,
        "dtype": "float32",
        "seed": 0,
    }


def test_a_configuration_is_frozen_and_serves_as_a_key():
    with pytest.raises(FrozenInstanceError):
        TrainingConfig().steps = 3
    remembered = {TrainingConfig(hidden=[7, 5]): "this one"}
    assert remembered[TrainingConfig(hidden=(7, 5))] == "this one"
    assert TrainingConfig(hidden=np.array([7, 5])).hidden == (7, 5)
    assert TrainingConfig(seed=1) not in remembered


def test_a_configuration_has_no_momentum():
    with pytest.raises(TypeError, match="momentum"):
        TrainingConfig(momentum=0.9)


# What is recorded


def test_shapes_of_a_recording(recording, clouds):
    assert recording.dataset is clouds
    assert recording.steps == 25
    assert [a.shape for a in recording.batch_mean] == [a.shape for a in recording.batch_var] == [(25, 7), (25, 5)]
    assert recording.loss.shape == recording.batch_sizes.shape == (25,)
    np.testing.assert_array_equal(recording.checkpoint_steps, [10, 20, 25])
    for name in ("population_mean", "population_var", "algorithm2_mean", "algorithm2_var", "gamma", "beta"):
        assert [a.shape for a in getattr(recording, name)] == [(3, 7), (3, 5)]
    assert [a.shape for a in recording.weight] == [(3, 6, 7), (3, 7, 5), (3, 5, 3)]
    assert recording.bias[:2] == (None, None)
    assert recording.bias[2].shape == (3, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_of_a_recording(clouds, dtype):
    run = train(clouds, replace(SMALL, dtype=dtype, steps=5))
    for name in ("batch_mean", "batch_var", "weight", "bias", "gamma", "beta"):
        assert {a.dtype for a in layers_of(run, name)} == {np.dtype(dtype)}
    for name in ("population_mean", "population_var", "algorithm2_mean", "algorithm2_var", "loss"):
        assert {a.dtype for a in layers_of(run, name)} == {np.dtype("float64")}


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [(25, 10, [10, 20, 25]), (20, 10, [10, 20]), (3, 10, [3]), (3, 1, [1, 2, 3]), (0, 10, [0]), (1, 1, [1])],
)
def test_a_checkpoint_every_so_many_steps_and_at_the_last(clouds, steps, every, expected):
    run = train(clouds, replace(SMALL, steps=steps, checkpoint_every=every))
    np.testing.assert_array_equal(run.checkpoint_steps, expected)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_checkpoint_t_holds_the_weights_that_meet_row_t(clouds, batch_norm):
    """Updates done: checkpoint 10 comes after row 9, so its weights, on mini-batch 10, give row 10 bit for bit."""
    config = replace(SMALL, checkpoint_every=1, batch_norm=batch_norm)
    run, rows = train(clouds, config), rows_of_batches(clouds, config)
    x = clouds.train_x.astype("float32")
    for k, t in enumerate(run.checkpoint_steps[:-1]):
        network = run.network_at(k)
        loss, _ = cross_entropy(network(x[rows[t]]), clouds.train_y[rows[t]])
        assert loss == run.loss[t]
        for layer, norm in enumerate(network.norms):
            np.testing.assert_array_equal(norm.cache.mean, run.batch_mean[layer][t])
            np.testing.assert_array_equal(norm.cache.var, run.batch_var[layer][t])


def test_row_0_belongs_to_the_untrained_network(clouds, recording):
    untrained = train(clouds, replace(SMALL, steps=0)).network_at(0)
    batch = clouds.train_x[rows_of_batches(clouds, SMALL)[0]]
    mean, var = batch_statistics(batch @ untrained.layers[0].weight.astype("float64"))
    np.testing.assert_allclose(recording.batch_mean[0][0], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(recording.batch_var[0][0], var, rtol=1e-4)  # biased: divided by 8


def test_every_checkpoint_is_reached_by_steps_of_gradient_descent(clouds):
    config = replace(SMALL, checkpoint_every=1, dtype="float64", learning_rate=0.3)
    run, rows = train(clouds, config), rows_of_batches(clouds, config)
    for k in range(3):
        network = run.network_at(k)
        batch = rows[run.checkpoint_steps[k]]
        network.backward(cross_entropy(network(clouds.train_x[batch]), clouds.train_y[batch])[1])
        network.descend(0.3)
        for (layers, name), number in zip(training._learnt_arrays(network), (3, 3, 2, 2)):
            assert len(layers) == number
            for layer, stored in zip(layers, getattr(run, name)):
                if stored is not None:
                    np.testing.assert_array_equal(getattr(layer, name), stored[k + 1])


def test_epochs_count_examples_seen(clouds, recording):
    np.testing.assert_allclose(recording.epochs, np.array([10, 20, 25]) * 8 / 120)


def test_networks_are_those_of_the_checkpoints_in_turn(recording):
    for k, network in enumerate(recording.networks()):
        alone = recording.network_at(k)
        x = recording.dataset.validation_x.astype("float32")
        np.testing.assert_array_equal(network(x), alone(x))


def test_training_a_network_further_leaves_its_recording_alone(clouds):
    run = train(clouds, replace(SMALL, steps=10))
    before = [array.copy() for array in layers_of(run, "weight")]
    network = run.network_at(0)
    network.backward(cross_entropy(network(clouds.train_x.astype("float32")), clouds.train_y)[1])
    network.descend(1.0)
    assert not np.array_equal(network.layers[0].weight, before[0][0])
    for array, expected in zip(layers_of(run, "weight"), before):
        np.testing.assert_array_equal(array, expected)


def test_networks_are_to_look_at_not_to_train(clouds, recording):
    network = next(recording.networks())
    network.backward(cross_entropy(network(clouds.train_x.astype("float32")), clouds.train_y)[1])
    with pytest.raises(ValueError, match="read-only"):
        network.descend(1.0)
    assert recording.weight[0].flags.writeable  # only the network's view of it is not


# What training depends on, and what not


def test_the_same_configuration_gives_the_same_run(clouds, recording):
    assert_same_recording(train(clouds, SMALL), recording)


def test_the_seed_decides_weights_and_order(clouds):
    one, other = (train(clouds, replace(SMALL, steps=1, seed=seed)) for seed in (0, 1))
    assert not np.array_equal(one.weight[0], other.weight[0])
    assert not np.array_equal(rows_of_batches(clouds, one.config), rows_of_batches(clouds, other.config))


def test_a_longer_run_begins_like_a_shorter_one(clouds, recording):
    longer = train(clouds, replace(SMALL, steps=40))
    np.testing.assert_array_equal(longer.loss[:25], recording.loss)
    np.testing.assert_array_equal(longer.population_var[1][:2], recording.population_var[1][:2])


def test_how_often_checkpoints_are_taken_does_not_matter(clouds, recording):
    often = train(clouds, replace(SMALL, checkpoint_every=1))
    np.testing.assert_array_equal(often.loss, recording.loss)
    np.testing.assert_array_equal(often.algorithm2_var[1][[9, 19, 24]], recording.algorithm2_var[1])


@pytest.mark.parametrize("keep", [1, 40])
def test_training_never_looks_at_the_validation_set(clouds, recording, keep):
    """Delete all but one example of it, or replace it by noise: the recorded run is the same bit for bit."""
    noise = np.random.default_rng(5).normal(size=(keep, 6))
    other = Dataset(clouds.train_x, clouds.train_y, noise, np.zeros(keep, int), "replaced")
    assert_same_run(train(other, SMALL), recording)


@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.999, 1.0, None])
def test_training_does_not_depend_on_momentum(clouds, recording, momentum):
    assert live_losses(clouds, SMALL, momentum=momentum) == recording.loss.tolist()


def test_learn_takes_any_network_and_any_mini_batches(clouds, recording):
    usual = [loss for loss, _ in learn(untrained(clouds, SMALL), clouds, SMALL)]
    assert usual == recording.loss.tolist()
    rows, seen = [np.arange(0, 8), np.arange(8, 20)], []
    with watched(lambda step, steps: seen.append((step, steps))):
        losses = [loss for loss, _ in learn(untrained(clouds, SMALL), clouds, replace(SMALL, steps=2), rows)]
    network = untrained(clouds, SMALL)
    for chosen, loss in zip(rows, losses):
        expected, dscores = cross_entropy(network(clouds.train_x[chosen].astype("float32")), clouds.train_y[chosen])
        assert loss == expected
        network.backward(dscores)
        network.descend(SMALL.learning_rate)
    assert seen == [(1, 2), (2, 2)]


def test_a_layer_without_parameters_learns_nothing(clouds):
    network = untrained(clouds, SMALL)
    network.layers[0].parameters = ()
    before = network.layers[0].weight.copy(), network.layers[-1].weight.copy()
    list(learn(network, clouds, SMALL))
    np.testing.assert_array_equal(network.layers[0].weight, before[0])
    assert not np.array_equal(network.layers[-1].weight, before[1])


def test_train_live_really_keeps_running_averages(clouds, recording):
    for t, (_, network) in enumerate(train_live(clouds, SMALL, momentum=0.5, unbiased=False)):
        layer = network.layers[1]
        assert isinstance(layer, BatchNorm)
        assert layer.num_batches_tracked == t + 1
    assert t == 24
    weights = 0.5 * 0.5 ** np.arange(24, -1, -1.0)
    expected = weights @ recording.batch_var[0].astype("float64") + 0.5**25
    np.testing.assert_allclose(layer.running_var, expected, rtol=1e-12)
    np.testing.assert_array_equal(layer.gamma, recording.gamma[0][-1])


# Kinds of networks

KINDS = {
    "no hidden layer": {"hidden": ()},
    "one layer": {"hidden": (6,)},
    "three layers": {"hidden": (6, 5, 4)},
    "sigmoid": {"activation": "sigmoid"},
    "no batch norm": {"batch_norm": False},
    "no batch norm, batches of one": {"batch_norm": False, "batch_size": 1},
    "float64": {"dtype": "float64"},
    "small weights": {"weight_scale": 0.1},
    "keep the last batch": {"drop_last": False, "batch_size": 14},
    "the whole set as one batch": {"batch_size": 120},
    "batches of two": {"batch_size": 2},
    "no steps": {"steps": 0},
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_networks_train(clouds, kind):
    config = replace(SMALL, **KINDS[kind])
    run = train(clouds, config)
    normed = len(config.hidden) * config.batch_norm
    for name in ("batch_mean", "batch_var", "population_mean", "algorithm2_var", "gamma", "beta"):
        assert len(getattr(run, name)) == normed
    assert len(run.weight) == len(run.bias) == len(config.hidden) + 1
    assert run.steps == config.steps
    assert all(np.isfinite(array).all() for array in arrays_of(run).values())


@pytest.mark.parametrize("kind", ["one layer", "three layers", "sigmoid", "no batch norm", "float64"])
def test_kinds_of_networks_learn(clouds, kind):
    run = train(clouds, replace(SMALL, **{**KINDS[kind], "steps": 200, "learning_rate": 0.3}))
    assert run.loss[-20:].mean() < 0.6 * run.loss[:5].mean()


def test_a_kept_last_batch_is_smaller_and_counts_as_such(clouds):
    run = train(clouds, replace(SMALL, drop_last=False, batch_size=14, steps=18))
    np.testing.assert_array_equal(run.batch_sizes, ([14] * 8 + [8]) * 2)  # 120 = 8 * 14 + 8
    assert run.epochs[-1] == 2


def test_without_steps_the_only_checkpoint_is_the_untrained_network(clouds):
    run = train(clouds, replace(SMALL, steps=0))
    assert run.steps == 0
    np.testing.assert_array_equal(run.checkpoint_steps, [0])
    np.testing.assert_array_equal(run.gamma[0], np.ones((1, 7)))
    np.testing.assert_array_equal(run.epochs, [0.0])
    assert run.batch_mean[0].shape == (0, 7)


# The two exact references


def exact_statistics_the_plain_way(network, x, normalise):
    """Run `x` through `network`; `normalise(norm, z)` returns what a batch norm makes of z."""
    seen = []
    for layer in network.layers:
        if layer in network.norms:
            seen.append(batch_statistics(x))
            x = normalise(layer, x)
        else:
            x = layer(x)
    return seen


def by_statistics_of_all(norm, z):
    return batch_norm_inference(z, *batch_statistics(z), norm.gamma, norm.beta, eps=norm.eps)


def by_its_own_batch(norm, z):
    return batch_norm_forward(z, norm.gamma, norm.beta, eps=norm.eps)[0]


@pytest.mark.parametrize("m", [8, 14])  # 120 = 15 * 8 = 8 * 14 + 8
def test_exact_references_against_the_plain_way(clouds, m):
    run = train(clouds, replace(SMALL, dtype="float64", batch_size=m))
    order = training._stream(run.config, "algorithm2").permutation(120)
    for k in range(len(run.checkpoint_steps)):
        network = run.network_at(k)
        population = exact_statistics_the_plain_way(network, clouds.train_x, by_statistics_of_all)
        by_batch = [
            exact_statistics_the_plain_way(network, clouds.train_x[order[i : i + m]], by_its_own_batch)
            for i in range(0, 120 - m + 1, m)
        ]
        for layer in range(2):
            means, variances = (np.array([batch[layer][i] for batch in by_batch]) for i in (0, 1))
            for found, expected in [
                (run.population_mean, population[layer][0]),
                (run.population_var, population[layer][1]),
                (run.algorithm2_mean, means.mean(axis=0)),
                (run.algorithm2_var, m / (m - 1) * variances.mean(axis=0)),
            ]:
                np.testing.assert_allclose(found[layer][k], expected, rtol=1e-9, atol=1e-12)


def test_float32_references_are_exact_to_float32_rounding(clouds, recording):
    """The references say what is true of the weights, so they may differ from float64 by rounding alone.

    A sum over 120 examples in float32 is wrong by at most 120 * 6e-8 = 7e-6 of its terms, and one more layer passes on
    what the first got wrong.
    """
    last = recording.network_at(2)
    for layers, name in training._learnt_arrays(last):
        for layer in layers:
            if getattr(layer, name) is not None:
                setattr(layer, name, getattr(layer, name).astype("float64"))
    exact = last.population_statistics(last.layers[0](clouds.train_x))
    for layer, (mean, var) in enumerate(exact):
        np.testing.assert_allclose(recording.population_mean[layer][-1], mean, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(recording.population_var[layer][-1], var, rtol=1e-4)


@pytest.mark.parametrize("m", [4, 16])
def test_the_two_references_agree_on_the_first_layer(digits, m):
    """Both look at the same numbers there: the first linear layer sees raw data.

    The variance of all data is the mean of the batch variances plus that of the B batch means, which is
    sigma^2 / m on average and uncertain by sqrt(2 / B) of itself. So the mean batch variance times
    m / (m-1) is uncertain by sqrt(2 / B) / (m-1). The means differ only by the r examples that fill
    no batch, by about sigma sqrt(r) / N.
    """
    run, n = train(digits, TrainingConfig(batch_size=m, steps=50)), len(digits.train_x)
    b, r = divmod(n, m)
    error = math.sqrt(2 / b) / (m - 1)
    ratio = run.algorithm2_var[0] / run.population_var[0]
    assert abs(ratio - 1).max() < 5 * error
    assert abs(ratio.mean() - 1) < error
    distance = abs(run.algorithm2_mean[0] - run.population_mean[0]) / np.sqrt(run.population_var[0])
    assert distance.max() < 5 * math.sqrt(r) / n + 1e-5  # and float32 rounding


def test_above_the_first_layer_they_do_not_agree_and_less_so_for_larger_batches(digits):
    ratios = []
    for m in (2, 4, 8, 16):
        run = train(digits, TrainingConfig(batch_size=m, steps=100))
        ratios.append((run.algorithm2_var[1] / run.population_var[1])[-3:].mean())
    assert (np.diff(ratios) < 0).all()
    assert ratios[0] > 1.4
    # 1.19 to 1.23, 1.09 to 1.10 and 1.05 for a dozen seeds.
    assert (abs(np.array(ratios[1:]) - [1.2, 1.1, 1.05]) < [0.06, 0.03, 0.02]).all()


# Watching and stopping


def test_on_step_hears_of_every_step_and_its_loss(clouds, recording):
    heard = []
    train(clouds, SMALL, on_step=lambda step, loss: heard.append((step, loss)))
    assert heard == list(enumerate(recording.loss.tolist(), start=1))


@pytest.mark.parametrize(
    ("done", "checkpoints"), [(0, [0]), (10, [10]), (14, [10, 14]), (20, [10, 20]), (24, [10, 20, 24])]
)
def test_a_cancelled_training_gives_the_steps_done(clouds, recording, done, checkpoints):
    partial = train(clouds, SMALL, should_stop=stop_before_step(done + 1))
    assert partial.config == SMALL
    np.testing.assert_array_equal(partial.checkpoint_steps, checkpoints)
    # The same as if only so many steps had been asked for.
    assert_same_run(partial, train(clouds, replace(SMALL, steps=done)))
    np.testing.assert_array_equal(partial.batch_var[1], recording.batch_var[1][:done])


def test_should_stop_may_never_say_so(clouds, recording):
    asked = []
    assert_same_run(train(clouds, SMALL, should_stop=lambda: bool(asked.append(1))), recording)
    assert len(asked) == 25


# Divergence


def diverged(dataset, **changes):
    with pytest.raises(TrainingDiverged) as raised:
        train(dataset, replace(SMALL, **changes))
    return raised.value


DIVERGING = {
    "learning rate": {"learning_rate": 1e6},
    "learning rate, checkpoint every step": {"learning_rate": 1e6, "checkpoint_every": 1},
    "learning rate without batch norm": {"learning_rate": 1e20, "batch_norm": False, "checkpoint_every": 1},
    "learning rate beyond float32": {"learning_rate": 1e39},
    "weights, at once": {"weight_scale": 1e30},
    "weights, after a step": {"weight_scale": 1e15},
    "infinite weights that a sigmoid hides": {
        "learning_rate": 1e39,
        "batch_norm": False,
        "activation": "sigmoid",
        "checkpoint_every": 1,
    },
    "float64": {"learning_rate": 1e100, "dtype": "float64", "checkpoint_every": 1},
}


@pytest.mark.parametrize("case", DIVERGING)
def test_divergence_tells_the_step_and_keeps_what_came_before(clouds, case):
    error = diverged(clouds, **DIVERGING[case])
    run = error.recording
    assert 1 <= error.step <= 25
    assert run.steps == error.step - 1
    assert (run.checkpoint_steps <= run.steps).all()
    assert all(np.isfinite(array).all() for array in arrays_of(run).values())
    assert f"diverged at step {error.step}" in str(error)
    assert "learning_rate" in str(error)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_data_that_are_too_large_are_not_blamed_on_the_learning_rate(clouds, batch_norm):
    huge = Dataset(clouds.train_x * 1e30, clouds.train_y, clouds.validation_x * 1e30, clouds.validation_y, "huge")
    message = str(diverged(huge, batch_norm=batch_norm))
    assert re.search(r"Scale the data .*: values in train_x are as large as \d\.\d+e\+3\d\.$", message)
    assert "learning_rate" not in message


def test_what_came_before_divergence_is_the_ordinary_run(clouds):
    error = diverged(clouds, **DIVERGING["learning rate, checkpoint every step"])
    assert error.step > 1
    ordinary = train(clouds, replace(error.recording.config, steps=error.step - 1))
    assert_same_run(error.recording, ordinary)
    assert replay(error.recording, 0.9).validation_accuracy.shape == (error.step - 1,)


def test_weights_that_are_too_large_before_any_step(clouds):
    error = diverged(clouds, weight_scale=1e30, steps=0)
    assert error.step == error.recording.steps == 0


def test_a_finite_loss_does_not_hide_an_infinite_variance(clouds):
    # x around 1e19 in float32: finite, its variance is not, and x_hat = x / infinity = 0 gives a finite loss.
    error = diverged(clouds, weight_scale=1e19, hidden=(5,))
    assert error.step == 1


def test_a_mini_batch_of_algorithm_2_without_variance_is_divergence_too():
    twice = np.repeat(np.random.default_rng(0).normal(size=(4, 3)), 30, axis=0)
    dataset = Dataset(twice, np.arange(120) % 2, twice[:2], [0, 1], "repeated")
    assert diverged(dataset, eps=0.0, batch_size=2, steps=0).step == 0


def test_no_warning_of_numpys_on_the_way_to_divergence(clouds, recwarn):
    diverged(clouds, **DIVERGING["learning rate without batch norm"])
    assert not recwarn.list


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_survives_the_way_to_another_process(clouds, kind):
    run = train(clouds, replace(SMALL, **KINDS[kind]))
    assert_same_recording(pickle.loads(pickle.dumps(run)), run)


def test_so_does_the_error_of_a_training_that_diverged(clouds):
    raised = diverged(clouds, **DIVERGING["learning rate without batch norm"])
    again = pickle.loads(pickle.dumps(raised))
    assert (again.step, str(again)) == (raised.step, str(raised))
    assert_same_recording(again.recording, raised.recording)


# Bad input


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"batch_size": 1}, "batch_size"),
        ({"batch_size": 0, "batch_norm": False}, "batch_size"),
        ({"steps": -1}, "steps"),
        ({"hidden": (5, 0)}, "hidden"),
        ({"activation": "tanh"}, "activation"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": math.inf}, "learning_rate"),
        ({"eps": -1e-5}, "eps"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
        ({"weight_scale": 0.0}, "weight_scale"),
        ({"weight_scale": math.nan}, "weight_scale"),
        ({"dtype": "float16"}, "dtype"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_configurations_are_named(change, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        TrainingConfig(**change)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"batch_size": 16.0}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"steps": "800"}, "steps"),
        ({"hidden": 100}, "hidden"),
        ({"hidden": "100"}, "hidden"),
        ({"hidden": (1.5,)}, "hidden"),
        ({"activation": None}, "activation"),
        ({"learning_rate": "0.1"}, "learning_rate"),
        ({"batch_norm": 1}, "batch_norm"),
        ({"drop_last": "no"}, "drop_last"),
        ({"dtype": np.float32}, "dtype"),
        ({"seed": None}, "seed"),
    ],
)
def test_wrong_types_in_a_configuration_are_named(change, name):
    with pytest.raises(TypeError, match=f"^{name} must"):
        TrainingConfig(**change)


def test_a_batch_larger_than_the_data_is_named(clouds):
    with pytest.raises(ValueError, match=r"^config\.batch_size must"):
        train(clouds, replace(SMALL, batch_size=121))


def test_a_last_batch_of_one_is_named(clouds):
    with pytest.raises(ValueError, match=r"^config\.drop_last must"):
        train(clouds, replace(SMALL, batch_size=7, drop_last=False))
    # Without batch norm, or if it is dropped, a batch of one does no harm.
    train(clouds, replace(SMALL, batch_size=7, drop_last=False, batch_norm=False))
    train(clouds, replace(SMALL, batch_size=7))


def test_arguments_of_another_kind_are_named(clouds):
    with pytest.raises(TypeError, match="^dataset must"):
        train(clouds.train_x, SMALL)
    with pytest.raises(TypeError, match="^config must"):
        train(clouds, 16)


@pytest.mark.parametrize("checkpoint", [-1, 3])
def test_a_checkpoint_that_does_not_exist_is_named(recording, checkpoint):
    with pytest.raises(ValueError, match="^checkpoint must"):
        recording.network_at(checkpoint)
