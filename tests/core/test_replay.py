import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_teach import training
from bn_teach.batchnorm import BatchNorm, batch_norm_inference
from bn_teach.data import Dataset, minibatches
from bn_teach.network import BatchNormLayer, Network, cross_entropy
from bn_teach.replay import (
    AVERAGES,
    ESTIMATORS,
    LAST,
    at_the_end,
    early_stop,
    inside,
    keep_best,
    restore,
    running_statistics,
)
from bn_teach.replay import replay as replay_of
from bn_teach.running import exponential_moving_average, unbiased_variance
from bn_teach.theory import start_up_weight
from bn_teach.training import TrainingConfig, train

SMALL = TrainingConfig(batch_size=8, steps=25, hidden=(7, 5), seed=3)


@pytest.fixture(scope="module")
def batch_16(digits):
    return train(digits, TrainingConfig())


@pytest.fixture(scope="module")
def batch_4(digits):
    return train(digits, TrainingConfig(batch_size=4))


# Replay is exact: it gives what a network gives that really keeps running averages while it trains


def train_the_ordinary_way(dataset, config, *, momentum, unbiased):
    """Train as most frameworks do, batch norm layers with running averages and all, and evaluate in eval mode.

    Nothing of `train` or `replay` is used but the initial weights and the order of the examples.
    Returns the losses, the running means and variances after every step and layer, and accuracy and
    validation loss at every checkpoint.
    """
    network = train(dataset, replace(config, steps=0)).network_at(0)
    for i, layer in enumerate(network.layers):
        if isinstance(layer, BatchNormLayer):
            averaging = BatchNorm(len(layer.gamma), momentum=momentum, eps=config.eps, unbiased=unbiased)
            averaging.gamma, averaging.beta = layer.gamma, layer.beta
            network.layers[i] = averaging
    network = Network(network.layers)
    norms = [layer for layer in network.layers if isinstance(layer, BatchNorm)]
    train_x, validation_x = dataset.train_x.astype(config.dtype), dataset.validation_x.astype(config.dtype)
    batches = minibatches(
        len(train_x),
        config.batch_size,
        steps=config.steps,
        seed=training._stream(config, "batches"),
        drop_last=config.drop_last,
    )
    losses, means, variances, accuracies, validation_losses = [], [], [], [], []
    for step, rows in enumerate(batches, start=1):
        loss, dscores = cross_entropy(network(train_x[rows]), dataset.train_y[rows])
        network.backward(dscores)
        network.descend(config.learning_rate)
        losses.append(loss)
        means.append([norm.running_mean for norm in norms])
        variances.append([norm.running_var for norm in norms])
        if step % config.checkpoint_every == 0 or step == config.steps:
            scores = network.eval()(validation_x)
            network.train()
            accuracies.append(np.mean(scores.argmax(axis=1) == dataset.validation_y))
            validation_losses.append(cross_entropy(scores, dataset.validation_y)[0])
    stack = [tuple(map(np.stack, zip(*steps))) for steps in (means, variances)]
    return losses, *stack, accuracies, validation_losses


def assert_replay_is_exact(dataset, config, *, momentum, unbiased):
    recording = train(dataset, config)
    losses, means, variances, accuracies, validation_losses = train_the_ordinary_way(
        dataset, config, momentum=momentum, unbiased=unbiased
    )
    assert losses == recording.loss.tolist()
    if momentum is None:
        ours, rounding = replay_of(recording, estimator="cumulative", unbiased=unbiased), 1e-12
    else:
        ours, rounding = replay_of(recording, momentum, unbiased=unbiased), 0
    assert len(ours.running_mean) == len(means) == len(config.hidden)
    for layer in range(len(means)):
        # Both average in float64. The moving average does the same operations in the same order; the
        # cumulative one divides a sum where the layer updates an average, hence float64 rounding.
        np.testing.assert_allclose(ours.running_mean[layer], means[layer], rtol=rounding, atol=rounding)
        np.testing.assert_allclose(ours.running_var[layer], variances[layer], rtol=rounding, atol=rounding)
    np.testing.assert_array_equal(ours.validation_accuracy, accuracies)
    np.testing.assert_allclose(ours.validation_loss, validation_losses, rtol=1e-6)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999, 1.0, None])
def test_replay_is_exact_for_every_momentum(digits, momentum, unbiased):
    assert_replay_is_exact(digits, TrainingConfig(steps=65), momentum=momentum, unbiased=unbiased)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": (6,)},
        {"hidden": (6, 5, 4)},
        {"activation": "sigmoid"},
        {"dtype": "float64"},
        {"drop_last": False, "batch_size": 14},
        {"batch_size": 2},
        {"batch_size": 120},
        {"checkpoint_every": 1},
        {"eps": 0.1},
        {"weight_scale": 0.1},
        {"learning_rate": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("momentum", [0.9, None])
def test_replay_is_exact_for_every_kind_of_network(clouds, change, momentum):
    assert_replay_is_exact(clouds, replace(SMALL, **change), momentum=momentum, unbiased=True)


# What a replay holds


def test_running_statistics_are_moving_averages_of_the_batch_statistics(recording):
    ours = replay_of(recording, 0.75)
    for layer in range(2):
        means, variances = recording.batch_mean[layer], recording.batch_var[layer]
        np.testing.assert_array_equal(ours.running_mean[layer], exponential_moving_average(means, 0.75))
        expected = exponential_moving_average(unbiased_variance(variances, 8), 0.75, initial=1.0)
        np.testing.assert_array_equal(ours.running_var[layer], expected)


def test_the_first_update_by_hand(recording):
    ours = replay_of(recording, 0.75, unbiased=False)
    np.testing.assert_allclose(ours.running_mean[0][0], 0.25 * recording.batch_mean[0][0], rtol=1e-12)
    first = recording.batch_var[0][0].astype("float64")
    np.testing.assert_allclose(ours.running_var[0][0], 0.75 + 0.25 * first, rtol=1e-12)


def test_unbiased_multiplies_the_batch_variance_by_m_over_m_minus_1(recording):
    with_it, without = (replay_of(recording, 0.0, unbiased=unbiased) for unbiased in (True, False))
    np.testing.assert_allclose(with_it.running_var[1], without.running_var[1] * 8 / 7, rtol=1e-6)
    np.testing.assert_array_equal(with_it.running_mean[1], without.running_mean[1])


def test_each_batch_brings_its_own_m(clouds):
    run = train(clouds, replace(SMALL, drop_last=False, batch_size=14, steps=9))
    latest = replay_of(run, 0.0).running_var[0]
    np.testing.assert_allclose(latest[7], run.batch_var[0][7] * 14 / 13, rtol=1e-6)
    np.testing.assert_allclose(latest[8], run.batch_var[0][8] * 8 / 7, rtol=1e-6)  # the rest of the epoch


@pytest.mark.parametrize("estimator", AVERAGES)
def test_inference_at_checkpoint_t_uses_the_estimate_after_t_updates(recording, estimator):
    ours = replay_of(recording, 0.9, estimator=estimator)
    np.testing.assert_array_equal(ours.steps, [10, 20, 25])
    for layer in range(2):
        np.testing.assert_array_equal(ours.mean[layer], ours.running_mean[layer][[9, 19, 24]])
        np.testing.assert_array_equal(ours.var[layer], ours.running_var[layer][[9, 19, 24]])


def test_debiased_removes_the_start(recording):
    ema, debiased = replay_of(recording, 0.9), replay_of(recording, 0.9, estimator="debiased")
    left = start_up_weight(0.9, np.arange(1, 26))[:, None]
    np.testing.assert_allclose(debiased.running_mean[0], ema.running_mean[0] / (1 - left), rtol=1e-9)
    np.testing.assert_allclose(debiased.running_var[0], (ema.running_var[0] - left) / (1 - left), rtol=1e-9)


def test_momentum_zero_debiased_is_momentum_zero(recording):
    plain, debiased = replay_of(recording, 0.0), replay_of(recording, 0.0, estimator="debiased")
    np.testing.assert_array_equal(plain.running_var[1], debiased.running_var[1])
    np.testing.assert_array_equal(plain.validation_loss, debiased.validation_loss)


def test_momentum_one_is_the_initial_statistics_for_ever(recording):
    ours = replay_of(recording, 1.0)
    assert (ours.mean[0] == 0).all()
    assert (ours.var[1] == 1).all()


def test_cumulative_is_the_mean_of_all_batches_so_far(recording):
    ours = replay_of(recording, estimator="cumulative", unbiased=False)
    np.testing.assert_allclose(ours.running_var[1][9], recording.batch_var[1][:10].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(ours.mean[0][-1], recording.batch_mean[0].mean(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("estimator", ["algorithm2", "population"])
def test_exact_estimators_use_the_recorded_references(recording, estimator):
    ours = replay_of(recording, estimator=estimator)
    for layer in range(2):
        np.testing.assert_array_equal(ours.mean[layer], getattr(recording, f"{estimator}_mean")[layer])
        np.testing.assert_array_equal(ours.var[layer], getattr(recording, f"{estimator}_var")[layer])
    assert ours.running_mean is None
    assert ours.running_var is None


def test_the_batch_estimator_has_no_statistics_to_show(recording):
    ours = replay_of(recording, estimator="batch")
    assert ours.mean is ours.var is ours.running_mean is ours.running_var is None


def test_a_replay_remembers_how_it_was_made(recording):
    ours = replay_of(recording, 0.75, estimator="debiased", unbiased=False)
    assert ours.recording is recording
    assert (ours.momentum, ours.estimator, ours.unbiased) == (0.75, "debiased", (False, False))


@pytest.mark.parametrize("estimator", ["ema", "debiased", "cumulative"])
def test_the_factor_may_be_for_some_layers_alone(recording, estimator):
    both, neither, first = (
        replay_of(recording, 0.75, estimator=estimator, unbiased=where) for where in (True, False, [True, False])
    )
    assert first.unbiased == (True, False)
    assert np.array_equal(first.var[0], both.var[0])
    assert np.array_equal(first.var[1], neither.var[1])
    assert not np.array_equal(both.var[1], neither.var[1])
    with pytest.raises(ValueError, match="unbiased must be one bool, or one for each of the 2 layers"):
        replay_of(recording, 0.75, unbiased=[True])


# What is inside an average


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_inside_an_average_makes_it(estimator, momentum):
    history = np.random.default_rng(0).normal(size=30)
    start, weights = inside(estimator, momentum, 30)
    if estimator not in AVERAGES:
        assert (len(weights), start) == (0, 0)
        return
    assert weights.sum() + start == pytest.approx(1)
    made = weights @ history[::-1] + start * 5.0
    if estimator == "cumulative":
        assert made == pytest.approx(history.mean())
    else:
        debias = estimator == "debiased"
        wanted = exponential_moving_average(history, momentum, initial=0.0 if debias else 5.0, debias=debias)[-1]
        assert made == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        (("median", 0.9, 5), ValueError, "estimator"),
        (("ema", 1.5, 5), ValueError, "momentum"),
        (("debiased", 1.0, 5), ValueError, "momentum"),
        (("ema", 0.9, 0), ValueError, "updates"),
        (("ema", 0.9, 1.5), TypeError, "updates"),
    ],
)
def test_what_has_nothing_inside_is_named(arguments, error, name):
    with pytest.raises(error, match=f"^{name} must"):
        inside(*arguments)


# Accuracy and loss


def scores_under(recording, checkpoint, statistics):
    """Class scores of the validation set, batch norm by batch norm, under given statistics."""
    network, given_statistics = recording.network_at(checkpoint), iter(statistics)
    x = recording.dataset.validation_x.astype("float64")
    for layer in network.layers:
        if isinstance(layer, BatchNormLayer):
            mean, var = next(given_statistics)
            x = batch_norm_inference(x, mean, var, layer.gamma, layer.beta, eps=recording.config.eps)
        else:
            x = layer(x)
    return x


@pytest.mark.parametrize("estimator", [e for e in ESTIMATORS if e != "batch"])
def test_accuracy_and_loss_are_those_of_inference_under_the_statistics(recording, estimator):
    ours, labels = replay_of(recording, 0.9, estimator=estimator), recording.dataset.validation_y
    for k in range(3):
        scores = scores_under(recording, k, [(mean[k], var[k]) for mean, var in zip(ours.mean, ours.var)])
        assert ours.validation_accuracy[k] == np.mean(scores.argmax(axis=1) == labels)
        assert ours.validation_loss[k] == pytest.approx(cross_entropy(scores, labels)[0], rel=1e-4)


@pytest.mark.parametrize(("m", "sizes"), [(8, [8] * 5), (14, [14, 26]), (50, [40])])
def test_the_batch_estimator_is_training_mode_on_validation_mini_batches(clouds, m, sizes):
    """As after a forgotten eval(): in a fixed shuffled order, a remainder joining the batch before it."""
    run = train(clouds, replace(SMALL, batch_size=m))
    ours = replay_of(run, estimator="batch")
    order = np.random.default_rng(0).permutation(40)
    x, y = clouds.validation_x[order].astype("float32"), clouds.validation_y[order]
    for k, network in enumerate(run.networks()):
        scores = np.concatenate([network(rows) for rows in np.split(x, np.cumsum(sizes)[:-1])])
        assert ours.validation_accuracy[k] == np.mean(scores.argmax(axis=1) == y)
        assert ours.validation_loss[k] == pytest.approx(cross_entropy(scores, y)[0], rel=1e-4)


def test_the_order_of_the_validation_set_matters_to_the_batch_estimator_alone(clouds):
    backwards = Dataset(
        clouds.train_x, clouds.train_y, clouds.validation_x[::-1], clouds.validation_y[::-1], "backwards"
    )
    runs = [train(data, SMALL) for data in (clouds, backwards)]
    for estimator in ESTIMATORS:
        one, other = (replay_of(run, 0.9, estimator=estimator).validation_loss for run in runs)
        assert np.allclose(one, other, rtol=1e-5) == (estimator != "batch")


# Several momenta at once


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("estimator", ["ema", "debiased"])
def test_several_momenta_equal_one_by_one_bit_for_bit(recording, estimator, unbiased):
    momenta = [0.0, 0.1, 0.5, 0.9, 0.99, 0.999]
    together = replay_of(recording, momenta, estimator=estimator, unbiased=unbiased)
    assert together.running_mean[0].shape == (6, 25, 7)
    assert together.var[1].shape == (6, 3, 5)
    assert together.validation_accuracy.shape == together.validation_loss.shape == (6, 3)
    for i, momentum in enumerate(momenta):
        alone = replay_of(recording, momentum, estimator=estimator, unbiased=unbiased)
        for name in ("mean", "var", "running_mean", "running_var"):
            for layer in range(2):
                np.testing.assert_array_equal(getattr(together, name)[layer][i], getattr(alone, name)[layer])
        np.testing.assert_array_equal(together.validation_accuracy[i], alone.validation_accuracy)
        np.testing.assert_array_equal(together.validation_loss[i], alone.validation_loss)


@pytest.mark.parametrize("estimator", ["cumulative", "algorithm2", "population", "batch"])
def test_what_momentum_does_not_change_has_no_axis_for_it(recording, estimator):
    several, one = (replay_of(recording, p, estimator=estimator) for p in ([0.0, 0.9], 0.5))
    assert several.validation_accuracy.shape == (3,)
    np.testing.assert_array_equal(several.validation_loss, one.validation_loss)


# Special recordings


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_without_batch_norm_every_estimator_gives_the_plain_network(plain_recording, estimator):
    ours, data = replay_of(plain_recording, [0.0, 0.9], estimator=estimator), plain_recording.dataset
    scores = [network(data.validation_x.astype("float32")) for network in plain_recording.networks()]
    assert ours.validation_accuracy.tolist() == [np.mean(s.argmax(axis=1) == data.validation_y) for s in scores]
    expected = [cross_entropy(s, data.validation_y)[0] for s in scores]
    np.testing.assert_allclose(ours.validation_loss, expected, rtol=1e-5)
    if estimator != "batch":
        assert ours.mean == ours.var == ()


def test_without_hidden_layers_too(clouds):
    run = train(clouds, replace(SMALL, hidden=()))
    assert replay_of(run, 0.9).validation_accuracy[-1] == replay_of(run, estimator="batch").validation_accuracy[-1]


@pytest.mark.parametrize("estimator", AVERAGES)
def test_before_the_first_update_every_average_is_its_initial_value(clouds, estimator):
    ours = replay_of(train(clouds, replace(SMALL, steps=0)), [0.5, 0.9], estimator=estimator)
    shape = (1, 7) if estimator == "cumulative" else (2, 1, 7)
    np.testing.assert_array_equal(ours.mean[0], np.zeros(shape))
    np.testing.assert_array_equal(ours.var[0], np.ones(shape))
    assert ours.running_mean[0].shape == (*shape[:-2], 0, 7)
    np.testing.assert_array_equal(ours.steps, [0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_cancelled_run_replays_like_the_beginning_of_the_whole_run(clouds, recording, estimator):
    asked = []
    partial = train(clouds, SMALL, should_stop=lambda: asked.append(1) or len(asked) > 20)
    begun, whole = (replay_of(run, 0.9, estimator=estimator) for run in (partial, recording))
    np.testing.assert_array_equal(begun.steps, [10, 20])
    np.testing.assert_array_equal(begun.validation_loss, whole.validation_loss[:2])


def test_the_validation_set_changes_the_accuracy_and_nothing_else(clouds, recording):
    other = Dataset(clouds.train_x, clouds.train_y, clouds.validation_x[:1], clouds.validation_y[:1], "one example")
    ours, theirs = replay_of(train(other, SMALL), 0.9), replay_of(recording, 0.9)
    np.testing.assert_array_equal(ours.running_var[1], theirs.running_var[1])
    assert set(ours.validation_accuracy) <= {0.0, 1.0}


def test_replaying_changes_nothing_in_the_recording(clouds):
    run, untouched = train(clouds, SMALL), train(clouds, SMALL)
    for estimator in ESTIMATORS:
        replay_of(run, [0.5, 0.9], estimator=estimator)
    for name in ("batch_mean", "batch_var", "population_var", "algorithm2_mean", "weight", "gamma"):
        for ours, theirs in zip(getattr(run, name), getattr(untouched, name)):
            np.testing.assert_array_equal(ours, theirs)


def test_the_end_of_the_run_is_its_last_ten_checkpoints_or_all_if_there_are_fewer():
    curves = np.random.default_rng(0).random((2, 3, 17))
    np.testing.assert_array_equal(at_the_end(curves), curves[:, :, 7:].mean(axis=-1))
    assert at_the_end(curves[0, 0]) == at_the_end(curves)[0, 0]
    assert at_the_end(np.array([0.5, 1.0])) == 0.75
    assert LAST == 10


def test_prose_that_counts_the_checkpoints_at_the_end_counts_them_rightly():
    notebooks = Path(__file__).parents[2] / "notebooks"
    texts = [*Path(training.__file__).parent.rglob("*.py"), *notebooks.glob("*.ipynb")]
    # A string in the source may go on in the next line.
    said = {n for text in texts for n in re.findall(r'last[\s"]+(\w+)[\s"]+checkpoints', text.read_text("utf-8"))}
    assert {{"ten": "10"}.get(n, n) for n in said} == {str(LAST)}


# The numbers of a real run, at its end: what notebooks say rests on these


def late_accuracy(recording, momentum=0.9, **options):
    return at_the_end(replay_of(recording, momentum, **options).validation_accuracy)


def test_batch_16_hardly_minds_momentum_0_9_but_minds_0_999(batch_16):
    exact = late_accuracy(batch_16, estimator="population")
    fast, slow = late_accuracy(batch_16, [0.9, 0.999])
    assert exact > 0.95
    assert abs(fast - exact) < 0.01
    assert slow < exact - 0.02


def test_batch_4_minds_momentum_0(batch_4):
    exact = late_accuracy(batch_4, estimator="population")
    assert late_accuracy(batch_4, 0.0) < exact - 0.10
    assert abs(late_accuracy(batch_4, 0.9) - exact) < 0.02


def test_memory_is_a_valley(batch_4):
    """Too little is noisy, too much lags behind: best somewhere between."""
    none, some, much = late_accuracy(batch_4, [0.0, 0.9, 0.999])
    assert none < some
    assert much < some


def test_the_first_steps_suffer_most_from_too_much_memory(batch_16):
    early = replay_of(batch_16, 0.999).validation_accuracy[:20].mean()
    exact = replay_of(batch_16, estimator="population").validation_accuracy[:20].mean()
    assert early < exact - 0.1


def test_m_over_m_minus_1_barely_moves_accuracy_from_batch_size_4_up(batch_4):
    assert abs(late_accuracy(batch_4, 0.9) - late_accuracy(batch_4, 0.9, unbiased=False)) < 0.01


@pytest.mark.parametrize("estimator", ["ema", "cumulative"])
def test_under_frozen_weights_averages_settle_at_algorithm_2_and_not_at_one_pass_of_all_data(digits, estimator):
    """On layer 2, where the two differ by a fifth at batch size 4.

    With momentum 0.99, 199 batches of 4 count: one unit's variance is uncertain by sqrt(2/3/199) = 6 %, the mean over
    100 units, of which perhaps 20 are independent, by 1.3 %.
    """
    frozen = train(digits, TrainingConfig(batch_size=4, learning_rate=1e-12, checkpoint_every=800))
    running = replay_of(frozen, 0.99, estimator=estimator).var[1][-1]
    assert np.mean(running / frozen.algorithm2_var[1][-1]) == pytest.approx(1, abs=0.05)
    assert np.mean(running / frozen.population_var[1][-1]) > 1.15


# Early stopping


@pytest.fixture(scope="module")
def made_of(recording):
    """Return a function from a hand-made list of accuracies (or losses) to a replay with checkpoints 10, 20, 30, ..."""
    template = replay_of(recording, 0.9)

    def make(values, name="validation_accuracy"):
        steps = 10 * np.arange(1, len(values) + 1)
        return replace(template, steps=steps, **{name: np.array(values, dtype=float)})

    return make


@pytest.mark.parametrize(
    ("accuracies", "patience", "expected"),
    [
        ([0.5, 0.6, 0.7, 0.6, 0.65, 0.8], 2, (30, 50)),  # gives up before the best of all
        ([0.5, 0.6, 0.7, 0.6, 0.65, 0.8], 3, (60, 60)),  # waits long enough for it
        ([0.5, 0.6, 0.7, 0.6, 0.65, 0.6], 4, (30, 60)),  # patience never runs out
        ([0.5, 0.4, 0.9], 1, (10, 20)),
        ([0.5, 0.7, 0.7, 0.7], 2, (20, 40)),  # the first best wins: an equal is no improvement
        ([0.5, 0.7, 0.7, 0.7, 0.8], 2, (20, 40)),
        ([0.9, 0.1, 0.1], 2, (10, 30)),
        ([0.1, 0.2, 0.3], 1, (30, 30)),
        ([0.5], 1, (10, 10)),
    ],
)
def test_early_stop_by_hand(made_of, accuracies, patience, expected):
    assert early_stop(made_of(accuracies), patience) == expected


def test_early_stop_by_loss_wants_it_low(made_of):
    falling = made_of([3.0, 2.0, 1.5, 1.6, 1.5, 0.1], "validation_loss")
    assert early_stop(falling, 2, metric="validation_loss") == (30, 50)
    assert early_stop(falling, 3, metric="validation_loss") == (60, 60)


@given(st.data())
def test_early_stop_in_general(made_of, data):
    values = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))
    patience = data.draw(st.integers(1, 5))
    best, stop = (step // 10 - 1 for step in early_stop(made_of(values), patience))
    assert best == values.index(max(values[: stop + 1]))
    assert stop - best == patience or (stop == len(values) - 1 and stop - best < patience)


def test_early_stop_gives_plain_integers(recording):
    assert {type(step) for step in early_stop(replay_of(recording, 0.9), 1)} == {int}


def test_the_estimator_decides_which_weights_are_kept(batch_4):
    """Here momentum reaches back into training."""
    assert len({early_stop(replay_of(batch_4, p), 5) for p in (0.0, 0.9, 0.999)}) > 1


# Weights of one step, statistics of another: more in test_restore.py


def test_keep_best_is_early_stop_with_both_kinds_of_statistics(batch_4):
    ours = replay_of(batch_4, 0.9)
    kept = keep_best(ours, 5)
    assert (kept.best_step, kept.stop_step) == early_stop(ours, 5)
    assert kept.seen == ours.validation_accuracy[kept.best_step // 10 - 1]
    assert kept.latest == restore(ours, kept.best_step, kept.stop_step)[0]
    assert kept.latest < kept.seen  # at batch size 4 the latest statistics are another batch's noise


# Running statistics of any layer whose batches were recorded


def test_running_statistics_by_hand():
    means, variances, sizes = np.array([[4.0], [8.0]]), np.array([[2.0], [3.0]]), np.array([2, 4])
    mean, var = running_statistics(means, variances, sizes, 0.5)
    np.testing.assert_array_equal(mean, [[0.0], [2.0], [5.0]])
    np.testing.assert_array_equal(var, [[1.0], [2.5], [3.25]])  # 0.5 + 0.5 * 4; 1.25 + 0.5 * 4
    mean, var = running_statistics(means, variances, sizes, 0.5, unbiased=False, initial_mean=[8.0], initial_var=0.0)
    np.testing.assert_array_equal(mean[:, 0], [8.0, 6.0, 7.0])
    np.testing.assert_array_equal(var[:, 0], [0.0, 1.0, 2.0])


@pytest.mark.parametrize("estimator", AVERAGES)
def test_running_statistics_are_those_of_a_replay(recording, estimator):
    ours = replay_of(recording, 0.9, estimator=estimator)
    batches = recording.batch_mean[1], recording.batch_var[1], recording.batch_sizes
    mean, var = running_statistics(*batches, 0.9, estimator=estimator)
    np.testing.assert_array_equal(mean[1:], ours.running_mean[1])
    np.testing.assert_array_equal(var[1:], ours.running_var[1])
    np.testing.assert_array_equal([mean[0], var[0]], [np.zeros(5), np.ones(5)])


# Bad input


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"momentum": 1.5}, "momentum"),
        ({"momentum": -0.1}, "momentum"),
        ({"momentum": float("nan")}, "momentum"),
        ({"momentum": [0.5, 2.0]}, "momentum"),
        ({"momentum": []}, "momentum"),
        ({"momentum": [[0.5]]}, "momentum"),
        ({"momentum": 1.0, "estimator": "debiased"}, "momentum"),
        ({"estimator": "mean"}, "estimator"),
    ],
)
def test_bad_values_are_named(recording, options, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        replay_of(recording, **options)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"momentum": None}, "momentum"),
        ({"momentum": "0.9"}, "momentum"),
        ({"momentum": True}, "momentum"),
        ({"estimator": None}, "estimator"),
        ({"unbiased": 1}, "unbiased"),
        ({"unbiased": [True, 0]}, "unbiased"),
    ],
)
def test_wrong_types_are_named(recording, options, name):
    with pytest.raises(TypeError, match=f"^{name} must"):
        replay_of(recording, **options)


def test_something_else_than_a_recording_is_named(recording):
    with pytest.raises(TypeError, match="^recording must"):
        replay_of("run.npz")
    with pytest.raises(TypeError, match="^replay must"):
        early_stop(recording, 3)


def test_a_recording_without_checkpoints_is_named(clouds):
    with pytest.raises(training.TrainingDiverged) as raised:
        train(clouds, replace(SMALL, weight_scale=1e30))
    with pytest.raises(ValueError, match="^recording must"):
        replay_of(raised.value.recording)


def test_scores_that_overflow_are_an_error_and_not_nan(clouds):
    """Under its own statistics every layer is tame; under mean 0 and variance 1 each multiplies by 1e12."""
    run = train(clouds, replace(SMALL, weight_scale=1e12, steps=0, hidden=(5, 5, 5)))
    assert np.isfinite(replay_of(run, estimator="population").validation_loss).all()
    with pytest.raises(ValueError, match="^recording must .* at step 0 "):
        replay_of(run, 0.9)


@pytest.mark.parametrize(
    ("patience", "options", "error", "name"),
    [
        (0, {}, ValueError, "patience"),
        (2.0, {}, TypeError, "patience"),
        (2, {"metric": "accuracy"}, ValueError, "metric"),
        (2, {"metric": None}, TypeError, "metric"),
    ],
)
def test_bad_arguments_of_early_stop_are_named(recording, patience, options, error, name):
    with pytest.raises(error, match=f"^{name} must"):
        early_stop(replay_of(recording, 0.9), patience, **options)


def test_early_stop_refuses_several_momenta(recording):
    with pytest.raises(ValueError, match="^replay must"):
        early_stop(replay_of(recording, [0.5, 0.9]), 3)


@pytest.mark.parametrize("estimator", ["ema", "debiased", "cumulative"])
def test_the_history_of_a_unit_needs_no_averages_of_all(recording, estimator):
    whole = replay_of(recording, 0.9, estimator=estimator, unbiased=(True, False))
    slim = whole.slim()
    assert slim.running_mean is None
    for layer in (0, 1):
        for replay in (whole, slim):
            mean, var = replay.history(layer, 3)
            np.testing.assert_array_equal(mean, whole.running_mean[layer][:, 3])
            np.testing.assert_array_equal(var, whole.running_var[layer][:, 3])
        with pytest.raises(ValueError, match="read-only"):
            slim.history(layer, 3)[0][0] = 1.0
