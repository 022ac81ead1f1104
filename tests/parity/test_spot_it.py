"""The clinic's "Spot it" lines, run as they stand on the framework that they name: they tell broken from healthy."""

import copy
import os
import tempfile
from dataclasses import replace
from itertools import islice
from math import sqrt

import numpy as np
import pytest
from packaging.version import Version

from bn_teach import CASES
from bn_teach.data import load_digits
from bn_teach.theory import running_var_std

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.prune")
pytest.importorskip("torch.utils.checkpoint")

# What each line tells to do or to look at. The test of its case does that.
QUOTED = {
    "new-camera": ("a running mean before and after you exchange or delete the validation set", "model.train() write"),
    "fair-average": ("fresh = copy.deepcopy(model)", "update_bn(loader, fresh)", "two points", "training mode is on"),
    "restless-loss": ("Train twice from one seed with two momenta and compare the losses",),
    "ported": ("Print the momentum of your layers", "In PyTorch a number above 0.5", "in Keras or Flax one below 0.5"),
    "two-modes": ("momentum=1, eps=1e-12", "sqrt(m / (m - 1))", "batch times height times width"),
    "missing-variance": ("1,000 channels", "batches of 2, a thousand times", "1 in PyTorch", "0.5 in Keras 3 and Flax"),
    "first-epoch": ("(1 - momentum) ** steps", "Above 0.05"),
    "jagged-curve": ("Evaluate every checkpoint twice", "after recomputing its statistics"),
    "tidy-pass": ("loader.sampler", "RandomSampler", "update_bn averages the variances"),
    "epoch-end": (
        "len(dataset) % batch_size == 1",
        "Expected more than 1 value per channel when training",
        "not in a convolution",
        "Keras and Flax say nothing",
    ),
    "by-folder": ("any(m.training for m in model.modules())", "Clone a running mean"),
    "restored": ("Evaluate right after restoring", "to the last digit", "copy.deepcopy(model.state_dict())"),
    "one-class-test": (
        "in eval() among two different sets of neighbours",
        "1e-5",
        "running_mean None, built with track_running_stats=False",
    ),
    "padding": ("in train() once more, with twice as much padding", "must not change"),
    "two-crowds": ("twice, with update_bn on images of one kind alone", "no momentum was good for both"),
    "dropout-before": ("with p = 0 in all dropout layers", "1.5 times as large", "update_bn alone leaves dropout on"),
    "accumulation": ("layer.register_forward_pre_hook(lambda layer, inputs: print(len(inputs[0])))",),
    "counted-twice": ("num_batches_tracked must be 1", "use_reentrant=True and with False"),
    "averaged-weights": (
        "num_batches_tracked of its batch norms",
        "AveragedModel takes the latest statistics over, and with use_buffers=True it averages them",
        "update_bn takes new ones",
    ),
    "shrunk-weights": ("copy.deepcopy(pruned)", "update_bn(loader, fresh)"),
    "frozen-backbone": (
        "clone a running mean of the frozen part",
        "requires_grad=False was not enough",
        "any(m.training for m in backbone.modules())",
    ),
}


def test_every_case_is_spotted():
    assert set(QUOTED) == set(CASES)


@pytest.mark.parametrize("name", QUOTED)
def test_the_line_still_says_what_is_tested_here(name):
    assert [words for words in QUOTED[name] if words not in CASES[name].spot] == []


# A network on the digits, trained as in the clinic, but by PyTorch


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def misty(digits):
    return replace(digits, validation_x=0.3 * digits.validation_x + 0.5)


@pytest.fixture(scope="module")
def like_keras():
    """A layer of Keras 3 on PyTorch, which writes a configuration file when it is first imported, but not at home."""
    os.environ["KERAS_BACKEND"] = "torch"
    with tempfile.TemporaryDirectory() as home:
        os.environ["KERAS_HOME"] = home
        return pytest.importorskip("keras", minversion="3.0").layers.BatchNormalization


@pytest.fixture(scope="module")
def like_flax():
    nnx = pytest.importorskip("flax.nnx")
    return lambda channels, **options: nnx.BatchNorm(channels, rngs=nnx.Rngs(0), use_running_average=False, **options)


def network(momentum, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(64, 100),
        torch.nn.BatchNorm1d(100, momentum=momentum),
        torch.nn.ReLU(),
        torch.nn.Linear(100, 100),
        torch.nn.BatchNorm1d(100, momentum=momentum),
        torch.nn.ReLU(),
        torch.nn.Linear(100, 10),
    )


def norms(model):
    return [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm1d)]


def loader_of(digits, batch_size=16, *, shuffle=True, seed=0):
    images = torch.utils.data.TensorDataset(torch.tensor(digits.train_x), torch.tensor(digits.train_y))
    generator = torch.Generator().manual_seed(seed)
    return torch.utils.data.DataLoader(images, batch_size, shuffle=shuffle, drop_last=True, generator=generator)


def train(model, loader, steps, learning_rate=0.1, *, frozen_from=None, look=lambda step: None):
    """Train step by step; `frozen_from` a step on, batch norm stays in inference mode. Returns the losses."""
    optimiser, losses = torch.optim.SGD(model.parameters(), learning_rate), []
    while len(losses) < steps:
        for x, y in islice(loader, steps - len(losses)):
            model.train()
            if frozen_from is not None and len(losses) >= frozen_from:
                for norm in norms(model):
                    norm.eval()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
            look(len(losses))
    return losses


@torch.no_grad()
def accuracy(model, digits, *, training=False):
    """In percent; training mode moves the averages."""
    model.train(training)
    right = model(torch.tensor(digits.validation_x)).argmax(dim=1) == torch.tensor(digits.validation_y)
    return 100 * right.double().mean().item()


def recomputed(model, digits):
    fresh = copy.deepcopy(model)
    torch.optim.swa_utils.update_bn(loader_of(digits), fresh)
    return fresh


def moves(model, train_images, judged, **mode):
    """How many points new statistics bring."""
    return accuracy(recomputed(model, train_images), judged, **mode) - accuracy(copy.deepcopy(model), judged, **mode)


# The cases


def test_new_camera(digits, misty):
    def trained_beside(validation):
        model = network(0.1)
        train(model, loader_of(digits), 50, look=lambda step: validation and accuracy(model, validation))
        return model

    model = trained_beside(digits)
    before = model[1].running_mean.clone()
    for validation in (misty, None):  # exchanged, and deleted
        assert torch.equal(trained_beside(validation)[1].running_mean, before)
    for training in (False, True):
        accuracy(model, misty, training=training)
        assert torch.equal(before, model[1].running_mean) is not training


def test_fair_average(digits, misty):
    rises = {None: [], 0.1: []}
    for seed in range(8):
        for momentum, seen in rises.items():
            model = network(momentum, seed)
            train(model, loader_of(digits, seed=seed), 400, learning_rate=0.3)
            seen.append(moves(model, digits, digits) >= 2)
    # Of 32 runs 28 and 1 did. With such odds fewer than 5 of 8 come once in 90 times, and more than 2 once in 650.
    assert sum(rises[None]) >= 5
    assert sum(rises[0.1]) <= 2
    # What it does not tell: statistics of other images than those that are judged, and a network that reads none.
    own = accuracy(model, digits)
    assert accuracy(model, misty) < own - 25
    assert accuracy(recomputed(model, digits), misty) < own - 25
    assert accuracy(recomputed(model, replace(misty, train_x=0.3 * digits.train_x + 0.5)), misty) > own - 5
    assert moves(model, digits, digits, training=True) == 0


def test_restless_loss(digits):
    def losses(momentum, frozen_from=None):
        return train(network(momentum), loader_of(digits, batch_size=4), 60, frozen_from=frozen_from)

    assert losses(0.5) == losses(0.01)
    # From where training reads the averages, it does tell.
    once, twice = losses(0.5, frozen_from=30), losses(0.01, frozen_from=30)
    assert once[:30] == twice[:30]
    assert all(a != b for a, b in zip(once[30:], twice[30:]))


def test_ported(like_keras, like_flax):
    assert [norm.momentum > 0.5 for norm in norms(network(0.99))] == [True, True]
    assert [norm.momentum > 0.5 for norm in norms(network(0.1))] == [False, False]
    assert like_keras(momentum=0.1).momentum < 0.5 < like_keras().momentum
    assert like_flax(5, momentum=0.1).momentum < 0.5 < like_flax(5).momentum


@pytest.mark.parametrize("shape", [(2, 5), (4, 5), (3, 5, 2, 2)])
def test_two_modes(shape):
    kind = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    x = torch.tensor(np.random.default_rng(0).normal(size=shape))
    m = x.numel() // 5

    def ratios(layer):
        return (layer.double().train()(x) / layer.eval()(x)).detach().numpy()

    np.testing.assert_allclose(ratios(kind(5, momentum=1, eps=1e-12)), sqrt(m / (m - 1)), rtol=1e-6)
    assert not np.allclose(ratios(kind(5, eps=1e-12)), sqrt(m / (m - 1)), rtol=0.1)  # other statistics than the batch's
    if Version(torch.__version__) >= Version("2.10"):
        with pytest.raises(ValueError, match="eps must be positive"):
            kind(5, momentum=1, eps=0).double()(x)


def test_missing_variance(like_keras, like_flax):
    channels, steps = 1000, 1000
    batches = np.random.default_rng(0).normal(size=(steps, 2, channels)).astype(np.float32)
    pytorch, keras, flax = torch.nn.BatchNorm1d(channels), like_keras(), like_flax(channels)
    for batch in batches:
        pytorch(torch.tensor(batch))
        keras(torch.tensor(batch), training=True)
        flax(batch)
    alone = running_var_std(1.0, 0.9, 2)  # how far one channel scatters
    assert pytorch.running_var.mean().item() == pytest.approx(1, abs=5 * alone / sqrt(channels))
    assert pytorch.running_var.std().item() == pytest.approx(alone, rel=0.15)
    assert alone == pytest.approx(1 / 3, abs=0.02)
    for variance in (keras.moving_variance.value.detach().numpy(), np.asarray(flax.var[...])):
        allowed = 5 * running_var_std(1.0, 0.99, 2) / 2 / sqrt(channels)
        assert variance.mean() == pytest.approx(0.5, abs=allowed + 0.99**steps)


@pytest.mark.parametrize(("momentum", "steps"), [(0.01, 21), (0.1, 100)])
def test_first_epoch(momentum, steps, digits):
    model = network(momentum)
    train(model, loader_of(digits, batch_size=64), steps)
    if (1 - momentum) ** steps > 0.05:
        assert moves(model, digits, digits) > 5
    else:
        assert abs(moves(model, digits, digits)) < 1


def curves(momentum, seed, digits):
    """Second half of a run at learning rate 1: accuracy at every tenth step, as it is and with new statistics."""
    model, both = network(momentum, seed), []

    def look(step):
        if step > 200 and step % 10 == 0:
            both.append((accuracy(model, digits), accuracy(recomputed(model, digits), digits)))

    train(model, loader_of(digits, seed=seed), 400, learning_rate=1.0, look=look)
    return np.array(both)


@pytest.mark.parametrize(("momentum", "jagged"), [(0.001, True), (0.1, False)])
def test_jagged_curve(momentum, jagged, digits):
    runs = [curves(momentum, seed, digits) for seed in range(2)]
    as_it_is, after_recomputing = np.mean([np.abs(np.diff(run, axis=0)).mean(axis=0) for run in runs], axis=0)
    assert (as_it_is > 1.5 * after_recomputing) == jagged


def test_tidy_pass(digits):
    model = network(0.1)
    train(model, loader_of(digits), 200)
    order = np.argsort(digits.train_y, kind="stable")
    in_order = replace(digits, train_x=digits.train_x[order], train_y=digits.train_y[order])
    with torch.no_grad():
        inputs = model[0](torch.tensor(digits.train_x))
    variance = inputs.var(dim=0)
    for shuffle in (False, True):
        loader = loader_of(in_order, shuffle=shuffle)
        assert isinstance(loader.sampler, torch.utils.data.RandomSampler) is shuffle
        torch.optim.swa_utils.update_bn(loader, model)
        ratio = (model[1].running_var / variance).mean().item()
        assert (abs(ratio - 1) < 0.05) if shuffle else (ratio < 0.75)
    # It averages the variances of the mini-batches, and does not pool them.
    torch.optim.swa_utils.update_bn(loader_of(in_order, shuffle=False), model)
    batches = inputs[order][: len(inputs) // 16 * 16].reshape(-1, 16, 100)
    torch.testing.assert_close(model[1].running_var, batches.var(dim=1).mean(dim=0), rtol=1e-4, atol=0)


def test_epoch_end(digits, like_keras, like_flax):
    some = replace(digits, train_x=digits.train_x[:1025], train_y=digits.train_y[:1025])
    images = torch.utils.data.TensorDataset(torch.tensor(some.train_x), torch.tensor(some.train_y))
    assert len(images) % 128 == 1
    loader = torch.utils.data.DataLoader(images, 128)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        train(network(0.1), loader, 9)
    train(network(0.1), loader_of(some, batch_size=128), 9)  # drop_last
    last = list(loader)[-1][0]
    assert len(last) == 1
    torch.nn.BatchNorm2d(1)(last.reshape(1, 1, 8, 8))  # 64 values
    assert not like_keras()(last, training=True).detach().numpy().any()  # beta, and no word of it
    assert not np.asarray(like_flax(64)(last.numpy())).any()


def test_by_folder(digits):
    model = network(0.1)
    train(model, loader_of(digits), 50)
    x = torch.tensor(digits.validation_x)
    healthy, partly = copy.deepcopy(model).eval(), copy.deepcopy(model).eval()
    partly[1].train()  # somebody switched a part of it
    for one, broken in ((healthy, False), (partly, True), (model.train(), True)):
        before = one[1].running_mean.clone()
        assert any(m.training for m in one.modules()) is broken
        one(x)
        assert torch.equal(before, one[1].running_mean) is not broken
    assert not partly.training  # which is why the outermost module alone does not tell
    never = network(0.1)
    assert (never[1].running_mean == 0).all()
    assert (never[1].running_var == 1).all()


def test_restored(digits):
    model, kept = network(0.1), {}
    copies = {
        "all": lambda: copy.deepcopy(model.state_dict()),
        "references": lambda: model.state_dict(),
        "parameters": lambda: {name: value.detach().clone() for name, value in model.named_parameters()},
    }

    def look(step):
        if step == 100:
            kept.update({name: take() for name, take in copies.items()}, log=accuracy(model, digits))

    train(model, loader_of(digits, batch_size=4), 200, look=look)
    log, ends = kept.pop("log"), copy.deepcopy(model.state_dict())
    back = {}
    for name in ("references", "parameters", "all"):
        model.load_state_dict(ends)
        model.load_state_dict(kept[name], strict=False)
        back[name] = accuracy(model, digits)
    assert back["all"] == log  # to the last digit
    assert back["parameters"] != log
    model.load_state_dict(ends)
    assert back["references"] == accuracy(model, digits) != log  # it went on changing, and is the end


def test_one_class_test(digits):
    keeping = network(0.1)
    train(keeping, loader_of(digits), 100)
    bare = copy.deepcopy(keeping)
    for norm in norms(bare):
        norm.running_mean = norm.running_var = None
        norm.track_running_stats = False
    image = torch.tensor(digits.validation_x[:1])
    neighbours = [torch.tensor(digits.validation_x[digits.validation_y == digit]) for digit in (3, 8)]
    for model, broken in ((keeping, False), (bare, True)):
        one, other = (model.eval()(torch.cat([image, around]))[0] for around in neighbours)
        assert torch.allclose(one, other, atol=1e-5) is not broken
        assert any(norm.running_mean is None for norm in norms(model)) is broken
    built = torch.nn.BatchNorm1d(5, track_running_stats=False)
    assert built.running_mean is None


@pytest.mark.parametrize("masked", [False, True])
def test_padding(masked):
    values = torch.randn(8, 20, 3, generator=torch.Generator().manual_seed(0)) + 3
    real = torch.arange(20) < torch.randint(5, 21, (8, 1), generator=torch.Generator().manual_seed(0))
    layer = torch.nn.BatchNorm1d(3).train()

    def at_real_places(padding):
        longer = torch.nn.functional.pad(values * real[..., None], (0, 0, 0, padding))
        if masked:
            return layer(longer[:, :20][real])  # places by channels
        return layer(longer.transpose(1, 2)).transpose(1, 2)[:, :20][real]

    assert torch.allclose(at_real_places(0), at_real_places(20), atol=1e-5) is masked


def test_two_crowds(digits, misty):
    foggy = replace(misty, train_x=0.3 * digits.train_x + 0.5)
    kinds = {"clean": digits, "misty": foggy}

    def right(model):
        return [accuracy(model, one) for one in kinds.values()]

    def trained(momentum):
        model = network(momentum)
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        for step, rows in enumerate(np.random.default_rng(0).integers(0, len(digits.train_x), (400, 16))):
            images = list(kinds.values())[step % 2].train_x[rows]
            loss = torch.nn.functional.cross_entropy(model(torch.tensor(images)), torch.tensor(digits.train_y[rows]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return model

    models = [trained(momentum) for momentum in (1.0, 0.5, 0.1, 0.01)]
    assert all(min(right(model)) < 90 for model in models)  # no momentum is good for both
    assert all(accuracy(recomputed(models[2], one), one) > 95 for one in kinds.values())


def test_dropout_before(digits):
    def built(place):
        torch.manual_seed(0)
        layers = []
        for inputs in (64, 100):
            layers += [torch.nn.Linear(inputs, 100)]
            layers += [torch.nn.Dropout(0.5)] if place == "below" else []
            layers += [torch.nn.BatchNorm1d(100), torch.nn.ReLU()]
        layers += [torch.nn.Dropout(0.5)] if place == "behind" else []
        return torch.nn.Sequential(*layers, torch.nn.Linear(100, 10))

    def ratio(model, fresh):
        return max((a.running_var / b.running_var).mean().item() for a, b in zip(norms(model), norms(fresh)))

    for place, broken in (("below", True), ("behind", False)):
        model = built(place)
        train(model, loader_of(digits), 200)
        without = copy.deepcopy(model)
        for layer in without.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.0
        assert (ratio(model, recomputed(without, digits)) > 1.5) is broken
        assert ratio(model, recomputed(model, digits)) < 1.5  # dropout is on, and nothing shows


def test_accumulation(digits):
    model, seen = network(0.1), []
    hook = norms(model)[0].register_forward_pre_hook(lambda layer, inputs: seen.append(len(inputs[0])))
    images = torch.tensor(digits.train_x[:64])
    for some in images.split(2):
        model(some).sum().backward()  # gradients add up
    assert seen == [2] * 32
    hook.remove()


@pytest.mark.parametrize("use_reentrant", [None, True, False])
def test_counted_twice(use_reentrant, digits):
    model = network(0.1)
    body, head = model[:-1], model[-1]
    x = torch.tensor(digits.train_x[:16]).requires_grad_()
    if use_reentrant is None:
        hidden = body(x)
    else:
        hidden = torch.utils.checkpoint.checkpoint(body, x, use_reentrant=use_reentrant)
    head(hidden).sum().backward()
    assert {norm.num_batches_tracked.item() for norm in norms(model)} == {1 if use_reentrant is None else 2}
    # The square root is the cure: 1 - sqrt(1 - 0.1) twice is 0.1 once.
    assert pytest.approx(0.1, abs=1e-4) == 1 - (1 - 0.0513) ** 2


def test_averaged_weights(digits):
    swa = torch.optim.swa_utils
    model = network(0.1)
    by_hand = copy.deepcopy(model)  # made before training, and given parameters alone
    latest, both = swa.AveragedModel(model), swa.AveragedModel(model, use_buffers=True)
    means = []

    def look(step):
        if step > 200 and step % 10 == 0:
            latest.update_parameters(model)
            both.update_parameters(model)
            means.append(model[1].running_mean.clone())

    train(model, loader_of(digits), 400, learning_rate=1.0, look=look)
    for mine, theirs in zip(by_hand.parameters(), latest.module.parameters()):
        mine.data.copy_(theirs.data)
    assert norms(by_hand)[0].num_batches_tracked == 0
    assert torch.equal(latest.module[1].running_mean, model[1].running_mean)
    torch.testing.assert_close(both.module[1].running_mean, torch.stack(means).mean(dim=0))
    assert accuracy(by_hand, digits) < accuracy(recomputed(by_hand, digits), digits) - 5


def test_shrunk_weights(digits):
    pruned = network(0.1)
    train(pruned, loader_of(digits), 400)
    assert abs(moves(pruned, digits, digits)) < 1.5
    for layer in pruned:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.utils.prune.l1_unstructured(layer, "weight", amount=0.8)
            torch.nn.utils.prune.remove(layer, "weight")
    before = pruned[1].running_mean.clone()
    pruned.eval()(torch.tensor(digits.train_x))  # a "calibration" that only reads
    assert torch.equal(before, pruned[1].running_mean)
    assert moves(pruned, digits, digits) > 15


def test_frozen_backbone(digits, misty):
    model = network(0.1)
    train(model, loader_of(digits), 200)
    backbone = model[:-1].requires_grad_(requires_grad=False)
    for frozen in (True, False):
        before = model[1].running_mean.clone()
        model.train()
        if frozen:
            backbone.eval()
        assert any(m.training for m in backbone.modules()) is not frozen
        optimiser = torch.optim.SGD(model[-1].parameters(), 0.1)
        for x, y in islice(loader_of(replace(digits, train_x=0.3 * digits.train_x + 0.5)), 20):
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
        assert torch.equal(before, model[1].running_mean) is frozen
