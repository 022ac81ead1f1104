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


# The twelve cases


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
