"""What people do in training, measured: small groups, Batch Renormalization, a frozen body, dropout before batch norm.

Each function does it for one seed. 16 of them come with the package (`load_reads`); ``python tools/reads.py`` measures
and writes them again. Numbers are per cent of images recognised, unless they say otherwise.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from bn_teach import _checks
from bn_teach.batchnorm import BatchNorm
from bn_teach.data import Dataset, minibatches
from bn_teach.lessons.shared.runs import digits
from bn_teach.lessons.when_training_reads.experiment import READERS, Setting, compare, live
from bn_teach.lessons.when_training_reads.layers import BatchRenorm, Dropout, Frozen, Grouped, GroupNorm
from bn_teach.network import Linear, Network, ReLU, keep_running_averages
from bn_teach.replay import at_the_end
from bn_teach.training import TrainingConfig, learn, train_live, untrained

SEEDS = range(16)
SHIPPED = Path(__file__).with_name("reads.json")


def right(network, x, y):
    """Per cent of images that a network recognises, in the mode that it is in."""
    return 100 * float((network(x).argmax(axis=1) == y).mean())


# How far a replay goes wrong


def replay_off(reader, seed):
    """Train with momentum 0.9, replay 0.99 from it, and train with 0.99, too.

    Parameters
    ----------
    reader : str
        One of `READERS`.
    seed : int

    Returns
    -------
    dict of str to float
        For how many of 400 steps the losses of the two agree to the last digit; and how many percentage points of
        accuracy the replay is off at the end, without its sign.
    """
    found = compare(digits(), Setting(TrainingConfig(steps=400, seed=seed), reader))
    off = np.abs(found.first.replayed.accuracy - found.second.kept.accuracy)
    return {"equal steps": float(found.equal), "points off": 100 * float(at_the_end(off))}


def highest_loss(reader, momentum, seed):
    """Train 400 steps on mini-batches of 4, the averages read from the first steps on; the highest loss, in nats."""
    setting = Setting(TrainingConfig(batch_size=4, steps=400, seed=seed), reader, start=1, ramp=0)
    return float(min(np.nan_to_num(live(digits(), setting, momentum, momentum).loss, nan=np.inf).max(), 1e9))


# Small groups: one step of gradient descent on 64 images, which batch norm sees in groups

GROUPS = (2, 4, 8, 16, 64)
WHOLE, STEPS, LAST = 64, 200, 50
JUDGES = ("training, own group", "own group", "running averages", "frozen last steps")


def in_groups(group, seed):
    """Train 200 steps on mini-batches of 64 in groups, and ask the judges.

    Parameters
    ----------
    group : int
        A divisor of 64, at least 2.
    seed : int

    Returns
    -------
    dict of str to float
        By `JUDGES`: training images by their own group; validation images by their own group, by the running averages,
        and by those of a second training whose last 50 steps were frozen.
    """
    if WHOLE % _checks.integer("group", group, 2):
        raise ValueError(f"group must divide the mini-batch of {WHOLE}, got {group}")
    data, config = digits(), TrainingConfig(batch_size=WHOLE, steps=STEPS, seed=seed)
    *_, (_, network) = train_live(data, config, like=partial(Grouped, group=group))
    running = right(network.eval(), data.validation_x, data.validation_y)
    own = [
        right(network.train(), *(part[: len(part) // WHOLE * WHOLE] for part in parts))  # the rest fills no mini-batch
        for parts in ((data.train_x, data.train_y), (data.validation_x, data.validation_y))
    ]
    start = (STEPS - LAST) * (WHOLE // group)
    *_, (_, network) = train_live(data, config, like=partial(Grouped, group=group, start=start))
    frozen = right(network.eval(), data.validation_x, data.validation_y)
    return dict(zip(JUDGES, (*own, running, frozen), strict=True))


# Batch Renormalization, and what has no running averages at all

LAYERS = {
    "batch norm": {"like": "pytorch", "momentum": 0.9},
    "renorm": {"like": partial(BatchRenorm, ramp=200), "momentum": 0.9},
    "renorm, 0.99": {"like": partial(BatchRenorm, ramp=200), "momentum": 0.99},
    "by the averages": {"like": "equinox_ema", "momentum": 0.9},
    "layer norm": {"like": GroupNorm},
    "group norm": {"like": partial(GroupNorm, groups=10)},
}
"""What stands in the place of batch norm, by name."""

BATCHES = ("2", "4", "16", "16, one digit")


def with_layers(layers, batches, seed):
    """Train 800 steps with other layers in the place of batch norm, and judge in inference mode.

    Parameters
    ----------
    layers : str
        A key of `LAYERS`.
    batches : str
        One of `BATCHES`: the batch size, and whether each mini-batch holds a single digit.
    seed : int

    Returns
    -------
    float
    """
    data = digits()
    size, *single = _checks.choice("batches", batches, BATCHES).split(", ")
    config = TrainingConfig(batch_size=int(size), seed=seed)
    network = keep_running_averages(untrained(data, config), **LAYERS[_checks.choice("layers", layers, tuple(LAYERS))])
    *_, (_, network) = learn(network, data, config, of_one_digit(data.train_y, config) if single else None)
    return right(network.eval(), data.validation_x, data.validation_y)


def of_one_digit(labels, config):
    """Yield the rows of mini-batches that hold a single digit each, drawn at random."""
    rng = np.random.default_rng([config.seed, 9])
    rows = [np.flatnonzero(labels == digit) for digit in range(labels.max() + 1)]
    for _ in range(config.steps):
        yield rng.choice(rows[rng.integers(len(rows))], config.batch_size, replace=False)


# Fine-tuning on misty digits: all weights but those of the head stand still

MODES = ("training mode", "inference mode")


def fine_tuned(mode, seed, steps=200):
    """Train on the digits, then teach a copy of the head misty digits, while no weight below it moves.

    Parameters
    ----------
    mode : str
        One of `MODES`: in which the batch norms below the head are meanwhile.
    seed : int
    steps : int
        Of fine-tuning, on mini-batches of 16.

    Returns
    -------
    dict of str to float
        Old and misty images with the old head, before; old images with the old head, and misty ones with the new head,
        after.
    """
    _checks.choice("mode", mode, MODES)
    old, misty = digits(), misty_digits()
    *_, (_, network) = train_live(old, TrainingConfig(seed=seed))
    network.eval()
    before = [right(network, data.validation_x, data.validation_y) for data in (old, misty)]
    *body, head = network.layers
    if mode == "inference mode":
        body = [Frozen.of(layer) if isinstance(layer, BatchNorm) else layer for layer in body]
    for layer in body:
        layer.parameters = ()  # what requires_grad=False does: nothing here is learnt
    new = Network([*body, Linear(head.weight.copy(), head.bias.copy())]).train()
    for _ in learn(new, misty, TrainingConfig(steps=steps, seed=seed)):
        pass
    after = right(Network([*body, head]).eval(), old.validation_x, old.validation_y)
    learnt = right(new.eval(), misty.validation_x, misty.validation_y)
    return dict(zip(("old, before", "misty, before", "old, after", "misty, after"), (*before, after, learnt)))


def misty_digits():
    """The digits with less contrast and more light."""
    data = digits()
    return Dataset(0.3 * data.train_x + 0.5, data.train_y, 0.3 * data.validation_x + 0.5, data.validation_y, "misty")


# Dropout

DROPPED = (0.0, 0.5, 0.7, 0.8)
PLACES = ("before batch norm", "after the last")


def with_dropout(q, seed, place=PLACES[0]):
    """Train a network of three hidden layers with dropout, and judge its weights with three kinds of statistics.

    Parameters
    ----------
    q : float
        Probability that a value is dropped.
    seed : int
    place : str
        One of `PLACES`: dropout follows every activation, and so stands below batch norms; or the last one alone.

    Returns
    -------
    dict of str to float
        Accuracy with the running averages, with statistics recomputed as usual, and with those of a pass without
        dropout. And "variance": that of the running averages divided by that without dropout, on average over layer 2.
    """
    data, config = digits(), TrainingConfig(hidden=(100, 100, 100), seed=seed)
    behind = (0, 1, 2) if _checks.choice("place", place, PLACES) == PLACES[0] else (2,)
    plain = untrained(data, config)  # without dropout and without averages; the others are made over its weights
    rng = np.random.default_rng([seed, 10])
    network, recomputed = (dropping(keep_running_averages(plain, momentum=p), behind, q, rng) for p in (0.9, None))
    *_, (_, network) = learn(network, data, config)
    pass_over = len(data.train_x) // config.batch_size
    for rows in minibatches(len(data.train_x), config.batch_size, steps=pass_over, seed=seed):
        recomputed(data.train_x[rows])  # in training mode, all alike: as PyTorch's update_bn does
    z, judged = (plain.layers[0](x) for x in (data.train_x, data.validation_x))
    exact = plain.population_statistics(z)
    _, second, _ = (layer.running_var for layer in network.layers if isinstance(layer, BatchNorm))
    validation = data.validation_x, data.validation_y
    return {
        "variance": float(second.mean() / exact[1][1].mean()),
        "running averages": right(network.eval(), *validation),
        "recomputed": right(recomputed.eval(), *validation),
        "recomputed, nothing dropped": 100
        * float((plain.inference(judged, exact).argmax(axis=1) == validation[1]).mean()),
    }


def dropping(network, behind, q, rng):
    """Put dropout behind some of a network's activations, counted from 0."""
    layers, activations = [], 0
    for layer in network.layers:
        layers.append(layer)
        if isinstance(layer, ReLU):
            layers += [Dropout(q, rng)] * (activations in behind)
            activations += 1
    return Network(layers)


# What is shipped

MEASUREMENTS = {
    **{f"replay: {reader}": partial(replay_off, reader) for reader in READERS},
    **{
        f"highest loss: {reader}, {momentum}": partial(highest_loss, reader, momentum)
        for reader, momentum in (("nobody", 0.99), ("average", 0.9), ("average", 0.99), ("renorm", 0.99))
    },
    **{f"groups: {group}": partial(in_groups, group) for group in GROUPS},
    **{f"{layers}: {batches}": partial(with_layers, layers, batches) for layers in LAYERS for batches in BATCHES},
    **{f"fine-tuning: {mode}": partial(fine_tuned, mode) for mode in MODES},
    **{f"dropout: {q}": partial(with_dropout, q) for q in DROPPED},
    "dropout: 0.8, after the last": partial(with_dropout, 0.8, place=PLACES[1]),
}
"""Name to a function of the seed that gives one number, or several by name."""


def load_reads(path=SHIPPED):
    """Read what ``tools/reads.py`` wrote.

    Returns
    -------
    dict of str to numpy.ndarray, shape (16,), or to a dict of them
        By the names of `MEASUREMENTS`.

    Examples
    --------
    >>> reads = load_reads()
    >>> bool(reads["renorm: 2"].mean() > reads["batch norm: 2"].mean() + 10)
    True
    """
    stored = json.loads(Path(path).read_text(encoding="utf-8"))
    return {
        name: {key: np.array(one) for key, one in values.items()} if isinstance(values, dict) else np.array(values)
        for name, values in stored.items()
    }


def spread(values):
    """Write the mean over seeds, ± the standard deviation from seed to seed.

    Examples
    --------
    >>> spread(np.array([1.0, 3.0, 5.0]))
    '3.0 ± 2.0'
    """
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}"
