"""Recording live PyTorch models; what needs no PyTorch is in test_torch_recorder.py."""

import copy
import io

import numpy as np
import pytest

from bn_teach.running import pooled_statistics, population_statistics
from bn_teach.torch_recorder import (
    TorchRecording,
    exact_statistics,
    record_torch,
    replay_statistics,
    report,
    write_back,
)

torch = pytest.importorskip("torch")

NAN = float("nan")


@pytest.fixture
def conv_net():
    """A small real one: two convolutions, dropout, every layer with a momentum of its own."""

    def conv_net(seed=0, dtype=None):
        torch.manual_seed(seed)
        nn = torch.nn
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, bias=False),
            nn.BatchNorm2d(12, momentum=0.3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(12 * 9, 16, bias=False),
            nn.BatchNorm1d(16, momentum=None),
            nn.ReLU(),
            nn.Linear(16, 10),
        ).to(dtype or torch.float32)

    return conv_net


@pytest.fixture
def images(digits):
    x = torch.tensor(digits.train_x).reshape(-1, 1, 8, 8)
    return x, torch.tensor(digits.train_y)


@pytest.fixture
def train(images):
    """Somebody's own training loop; the last batch of an epoch is smaller."""

    def train(model, steps=40, batch_size=128):
        x, y = images
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        order = torch.Generator().manual_seed(1)
        losses = []
        while len(losses) < steps:
            for rows in torch.randperm(len(x), generator=order).split(batch_size):
                inputs = x[rows].to(next(model.parameters()).dtype)
                loss = torch.nn.functional.cross_entropy(model(inputs), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return losses

    return train


NORMS = ("1", "4", "9")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_replay_at_the_models_own_momentum_is_what_its_buffers_hold(conv_net, train, dtype):
    model = conv_net(dtype=getattr(torch, dtype))
    with record_torch(model) as recorded:
        losses = train(model)
    assert recorded.layers == NORMS
    assert losses[-1] < losses[0] / 2
    for name, momentum in zip(NORMS, (0.9, 0.7, None)):
        history, layer = recorded.history[name], model[int(name)]
        assert history.momentum == momentum
        assert len(history) == len(losses)
        mean, var = (rows[-1] for rows in replay_statistics(history, momentum))
        rtol = 1e-12 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(mean, layer.running_mean, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(var, layer.running_var, rtol=rtol)


def test_n_counts_examples_times_positions(conv_net, train, images):
    model = conv_net()
    with record_torch(model) as recorded:
        train(model, steps=11)
    last = len(images[0]) % 128
    assert recorded.history["1"].sizes.tolist() == [128 * 64] * 10 + [last * 64]
    assert recorded.history["4"].sizes.tolist() == [128 * 9] * 10 + [last * 9]
    assert recorded.history["9"].sizes.tolist() == [128] * 10 + [last]


def test_recording_changes_nothing_about_training(conv_net, train):
    watched, alone = conv_net(), conv_net()
    before = [set(vars(module)) for module in watched.modules()]
    torch.manual_seed(5)
    with record_torch(watched):
        losses = train(watched)
    torch.manual_seed(5)
    assert train(alone) == losses
    for name, tensor in alone.state_dict().items():
        assert torch.equal(watched.state_dict()[name], tensor)
    assert [set(vars(module)) for module in watched.modules()] == before
    assert all(not hooks_of(module) for module in watched.modules())


def hooks_of(module):
    return [hook for name, hooks in vars(module).items() if "hooks" in name for hook in hooks or ()]


def test_an_exception_in_the_training_loop_lets_go_of_the_model_and_keeps_the_rows(conv_net, images):
    model, recordings = conv_net(), []

    def interrupted_training():
        with record_torch(model) as recorded:
            recordings.append(recorded)
            for rows in images[0].split(64)[:3]:
                model(rows)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_training()
    (recorded,) = recordings
    assert all(not hooks_of(module) for module in model.modules())
    assert [len(history.checked()) for history in recorded.history.values()] == [3, 3, 3]
    model(images[0][:8])
    assert len(recorded.history["1"]) == 3


def test_the_recording_can_be_looked_at_while_it_grows(conv_net, images):
    model = conv_net()
    with record_torch(model) as recorded:
        for count in (1, 2):
            model(images[0][:32])
            assert len(recorded.history["4"]) == count
    assert len(recorded.history["4"]) == 2


def test_a_long_recording_is_fetched_from_the_device_in_between():
    layer = torch.nn.BatchNorm1d(2)
    x = torch.arange(600.0)[:, None, None] + torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    with record_torch(layer) as recorded:
        for batch in x:
            layer(batch)
    np.testing.assert_array_equal(recorded.history[""].means, np.arange(600)[:, None] + [1.0, 2.0])
    np.testing.assert_array_equal(recorded.history[""].variances, np.full((600, 2), [1.0, 4.0]))


def test_inference_is_not_recorded(conv_net, images):
    model = conv_net()
    with record_torch(model) as recorded:
        model.eval()
        model(images[0][:32])
        model.train()
        model[4].eval()  # a frozen layer
        model(images[0][:32])
    assert [len(history) for history in recorded.history.values()] == [1, 0, 1]
    with pytest.warns(UserWarning, match="left out: the history of layer '4' must have at least one row, got none"):
        assert set(recorded.statistics(0.9)) == {"1", "9"}
    assert list(recorded.check()) == ["4"]


def test_a_layer_called_twice_a_step_has_two_rows_a_step():
    norm = torch.nn.BatchNorm1d(3)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), norm, torch.nn.Linear(3, 3), norm)
    with record_torch(model) as recorded:
        for _ in range(5):
            model(torch.randn(8, 3))
    assert recorded.layers == ("1",)
    assert len(recorded.history["1"]) == 10
    mean, var = recorded.statistics(0.9)["1"]
    np.testing.assert_allclose(mean, norm.running_mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(var, norm.running_var, rtol=1e-5)


def test_a_model_trained_before_goes_on_from_its_buffers(conv_net, train):
    model = conv_net()
    train(model, steps=11)
    model[9].momentum = 0.1  # None would go on counting the batches from before the recording
    with record_torch(model) as recorded:
        train(model, steps=11)
    for name in NORMS:
        history = recorded.history[name]
        mean, _ = replay_statistics(history, history.momentum)
        np.testing.assert_allclose(mean[-1], model[int(name)].running_mean, rtol=1e-5, atol=1e-6)


def test_a_layer_that_keeps_no_statistics_is_told_which_it_would_have_had():
    without = torch.nn.BatchNorm1d(3, track_running_stats=False)
    keeps = torch.nn.BatchNorm1d(3)
    with record_torch(without) as recorded:
        for _ in range(5):
            x = torch.randn(8, 3)
            without(x)
            keeps(x)
        without.eval()(x)  # normalises by the batch even now, but is not training
    np.testing.assert_allclose(recorded.statistics(0.9)[""][1], keeps.running_var, rtol=1e-6)
    with pytest.raises(ValueError, match="must keep running statistics, got one with track_running_stats=False"):
        write_back(without, recorded.statistics(0.9))


def test_half_precision_is_recorded_in_float32():
    layer = torch.nn.BatchNorm1d(3)
    x = torch.randn(64, 3).bfloat16()
    with record_torch(layer) as recorded:
        layer(x)
    assert recorded.history[""].means.dtype == np.float32
    np.testing.assert_allclose(recorded.history[""].means[0], x.double().mean(dim=0), rtol=1e-6, atol=1e-7)


def test_a_named_argument_is_recorded_like_any_other():
    layer = torch.nn.BatchNorm1d(3)
    with record_torch(layer) as recorded:
        layer(input=torch.randn(8, 3))
    assert len(recorded.history[""]) == 1


def test_a_batch_of_one_that_pytorch_refuses_is_no_gap():
    layer = torch.nn.BatchNorm1d(3)
    with record_torch(layer) as recorded:
        layer(torch.randn(8, 3))
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            layer(torch.randn(1, 3))
        layer(torch.randn(0, 3))
        layer(torch.randn(8, 3))
    assert len(recorded.history[""].checked()) == 2


def test_a_run_that_diverged_names_layer_and_row():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    with record_torch(model) as recorded:
        for scale in (1.0, 1.0, NAN):
            model(scale * torch.randn(8, 3))
    with pytest.raises(ValueError, match=r"means of layer '1' must be finite in every row, got nan in row 2"):
        replay_statistics(recorded.history["1"], 0.9)
    assert np.isfinite(replay_statistics(recorded.history["1"].up_to(2), 0.9)).all()


def test_copies_of_a_model_that_is_being_recorded_are_left_alone(conv_net, images):
    model = conv_net()
    with record_torch(model) as recorded:
        twin = copy.deepcopy(model)
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        for other in (twin, torch.load(file, weights_only=False)):
            other(images[0][:32])
        model(images[0][:32])
    assert [len(history.checked()) for history in recorded.history.values()] == [1, 1, 1]


def test_two_recordings_at_once_do_not_disturb_each_other(conv_net, images):
    model = conv_net()
    with record_torch(model) as outer:
        model(images[0][:32])
        with record_torch(model) as inner:
            model(images[0][:32])
        model(images[0][:32])
    assert (len(outer.history["1"]), len(inner.history["1"])) == (3, 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda nn: nn.Linear(2, 2), ValueError, "model must have at least one BatchNorm layer, got Linear without"),
        (
            lambda nn: nn.Sequential(nn.GroupNorm(1, 2), nn.InstanceNorm2d(2, track_running_stats=True)),
            ValueError,
            "at least one BatchNorm layer, got Sequential without any",
        ),
        (lambda nn: "model", TypeError, r"model must be a torch\.nn\.Module, got 'model'"),
    ],
)
def test_models_that_cannot_be_recorded_are_named(make, error, message):
    with pytest.raises(error, match=message), record_torch(make(torch.nn)):
        pass


def test_a_lazy_layer_is_recorded_from_its_first_batch_on():
    model = torch.nn.Sequential(torch.nn.LazyBatchNorm1d())
    with record_torch(model) as recorded:
        model(torch.randn(8, 3))
    assert recorded.history["0"].means.shape == (1, 3)
    assert recorded.check() == {}


# Exact statistics.


def test_exact_statistics_are_algorithm_2(conv_net, train, images):
    model = conv_net(dtype=torch.float64)
    train(model)
    model[7].p = 0.0  # the twin below would drop others
    batches = list(images[0].double().split(128))
    exact = exact_statistics(model, batches)

    twin = copy.deepcopy(model)
    torch.optim.swa_utils.update_bn(batches[:-1], twin)  # all but the small last one
    for name in NORMS:
        np.testing.assert_allclose(exact[name][0], twin[int(name)].running_mean, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(exact[name][1], twin[int(name)].running_var, rtol=1e-10)


def test_pooled_statistics_are_the_moments_of_everything(conv_net, images):
    model = conv_net(dtype=torch.float64)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images[0].double(), images[1]), 100)
    mean, var = exact_statistics(model, loader, method="pooled")["1"]
    with torch.no_grad():
        z = model[0](images[0].double()).numpy()
    np.testing.assert_allclose(mean, z.mean(axis=(0, 2, 3)), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(var, z.var(axis=(0, 2, 3)), rtol=1e-10)


def test_exact_statistics_leave_the_model_and_the_random_numbers_as_they_were(conv_net, images):
    model = conv_net().eval()
    model[4].train()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    exact_statistics(model, images[0].split(64)[:4])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(not hooks_of(module) for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_exact_statistics_in_the_middle_of_a_recording_are_not_recorded(conv_net, images):
    model = conv_net()
    with record_torch(model) as recorded:
        for _ in range(2):
            model(images[0][:32])
            exact_statistics(model, [images[0][:64]])
    assert [len(history.checked()) for history in recorded.history.values()] == [2, 2, 2]


def test_a_model_that_freezes_its_batch_norms_has_exact_statistics_too():
    class Frozen(torch.nn.BatchNorm1d):
        def train(self, mode=True):
            return super().train(False)

    class Model(torch.nn.Sequential):
        def train(self, mode=True):
            super().train(mode)
            self[0].training = False
            return self

    x = torch.randn(32, 3)
    mean, _ = exact_statistics(Model(torch.nn.BatchNorm1d(3)), [x])["0"]
    np.testing.assert_allclose(mean, x.mean(dim=0), rtol=1e-5, atol=1e-6)


def test_batches_of_another_kind_go_in_by_a_function_of_yours():
    layer = torch.nn.BatchNorm1d(3)
    x = torch.randn(16, 3)
    by_hand = exact_statistics(layer, [{"x": x}], forward=lambda model, batch: model(batch["x"]))
    np.testing.assert_array_equal(by_hand[""], exact_statistics(layer, [x])[""])


@pytest.mark.parametrize(
    ("sizes", "method", "message"),
    [
        ([8, 4, 8], "population", r"batches must be of one size, .*got sizes 4, 8 .*method='pooled' takes any"),
        ([4, 8], "population", "batches must be of one size"),
        ([], "population", "batches must yield at least one batch, got none"),
        ([8], "exact", "method must be one of 'population', 'pooled', got 'exact'"),
    ],
)
def test_batches_that_do_not_do_are_named(sizes, method, message):
    with pytest.raises(ValueError, match=message):
        exact_statistics(torch.nn.BatchNorm1d(3), [torch.randn(size, 3) for size in sizes], method=method)


def test_a_layer_that_no_batch_went_through_is_left_out_and_named():
    model = torch.nn.ModuleDict({"used": torch.nn.BatchNorm1d(3), "idle": torch.nn.BatchNorm1d(3)})
    batches = [torch.randn(8, 3)]
    with pytest.warns(UserWarning, match="left out: the history of layer 'idle' must have at least one row"):
        exact = exact_statistics(model, batches, forward=lambda model, x: model["used"](x))
    assert set(exact) == {"used"}
    with pytest.raises(ValueError, match="history of layer 'used' must have at least one row"):
        exact_statistics(model, batches, forward=lambda model, x: None)


def test_exact_statistics_see_what_no_buffer_takes_in():
    x = torch.randn(8, 3)
    expected = exact_statistics(torch.nn.BatchNorm1d(3), [x])[""]
    switched_off = torch.nn.BatchNorm1d(3)
    switched_off.track_running_stats = False
    without = torch.nn.BatchNorm1d(3, track_running_stats=False)
    for layer in (torch.nn.BatchNorm1d(3, momentum=0.0), without, switched_off):
        np.testing.assert_array_equal(exact_statistics(layer, [x])[""], expected)


def test_a_shared_layer_has_all_its_calls_in_the_exact_statistics():
    class TwoViews(torch.nn.BatchNorm1d):  # a large one and a small one of every batch, as in contrastive training
        def forward(self, x):
            super().forward(x)
            return super().forward(10 * x[:2])

    x = torch.arange(8.0)[:, None] ** 2
    small, large = 10 * x[:2].numpy(), x.numpy()
    mean, var = exact_statistics(TwoViews(1), [x])[""]
    np.testing.assert_allclose(mean, (small.mean() + large.mean()) / 2)
    np.testing.assert_allclose(var, (small.var(ddof=1) + large.var(ddof=1)) / 2, rtol=1e-6)
    # A small last batch is still left out, all of its calls.
    np.testing.assert_array_equal(exact_statistics(TwoViews(1), [x, x[:4]])[""], (mean, var))


def test_both_methods_are_those_of_the_running_module():
    rng = np.random.default_rng(0)
    batches = [torch.tensor(rng.normal(size=(size, 3))) for size in (8, 8, 5)]
    layer = torch.nn.BatchNorm1d(3).double()
    means, variances = (np.stack([getattr(x, f)(dim=0, **k) for x in batches]) for f, k in MOMENTS)
    np.testing.assert_allclose(
        exact_statistics(layer, batches)[""], population_statistics(means[:2], variances[:2], 8), rtol=1e-12
    )
    np.testing.assert_allclose(
        exact_statistics(layer, batches, method="pooled")[""],
        pooled_statistics(means, variances, [8, 8, 5]),
        rtol=1e-12,
    )


MOMENTS = [("mean", {}), ("var", {"correction": 0})]


# Writing back, and the whole way.


def test_what_is_written_back_is_what_inference_uses(conv_net, train, images):
    model = conv_net()
    with record_torch(model) as recorded:
        train(model)
    count = model[1].num_batches_tracked.clone()
    write_back(model, recorded.statistics(0.99))
    for name, (mean, var) in recorded.statistics(0.99).items():
        np.testing.assert_allclose(model[int(name)].running_mean, mean, rtol=1e-6)
        np.testing.assert_allclose(model[int(name)].running_var, var, rtol=1e-6)
    assert torch.equal(model[1].num_batches_tracked, count)


def test_one_layer_alone_can_be_written(conv_net):
    model = conv_net()
    write_back(model, {"4": (np.full(12, 2.0), np.full(12, 3.0))})
    assert model[4].running_mean.tolist() == [2.0] * 12
    assert model[1].running_mean.tolist() == [0.0] * 8


def test_statistics_that_half_precision_cannot_hold_are_refused():
    layer = torch.nn.BatchNorm1d(1).half()
    with pytest.raises(ValueError, match=r"must fit its buffers, which are torch\.float16 and hold 65504 at most"):
        write_back(layer, {"": ([0.0], [1e5])})
    assert layer.running_var.item() == 1


@pytest.mark.parametrize(
    ("statistics", "error", "message"),
    [
        ({"2": (np.ones(8), np.ones(8))}, ValueError, "a layer in statistics must be one of '1', '4', '9', got '2'"),
        ({"4": (np.ones(8), np.ones(8))}, ValueError, r"mean of layer '4' must have shape \(12,\), got \(8,\)"),
        ({"4": (np.ones(12), -np.ones(12))}, ValueError, "variance of layer '4' must be at least 0 everywhere"),
        ({"4": (np.full(12, NAN), np.ones(12))}, ValueError, "mean of layer '4' must be finite everywhere"),
        ([1.0], TypeError, "statistics must map names of layers to"),
    ],
)
def test_statistics_that_do_not_fit_are_named_and_nothing_is_written(conv_net, statistics, error, message):
    model = conv_net()
    good = {"1": (np.full(8, 5.0), np.ones(8))}
    with pytest.raises(error, match=message):
        write_back(model, {**good, **statistics} if isinstance(statistics, dict) else statistics)
    assert model[1].running_mean.tolist() == [0.0] * 8


def test_from_a_training_loop_to_better_statistics(conv_net, train, images, digits, tmp_path):
    model = conv_net()
    model[9].momentum = 0.001  # far too long a memory for 44 steps
    with record_torch(model) as recorded:
        train(model)
    recorded.exact = exact_statistics(model, images[0].split(128))
    told = report(recorded)

    # At a layer's own momentum the report is about the model's own buffers.
    own = np.flatnonzero(told.momenta == recorded.history["9"].momentum)[0]
    mean, var = recorded.exact["9"]
    off = np.abs(model[9].running_mean.numpy() - mean) / np.sqrt(var + model[9].eps)
    np.testing.assert_allclose(told.mean_error[2, own], np.sqrt(np.mean(off**2)), rtol=1e-4)
    assert told.distance.shape == (3, len(told.momenta))
    assert told.nearest[2] < 0.99
    assert told.distance[2, own] > 3 * told.distance[2].min()

    def accuracy():
        x, y = digits.validation_x.reshape(-1, 1, 8, 8), digits.validation_y
        with torch.no_grad():
            return np.mean(model.eval()(torch.tensor(x)).argmax(dim=1).numpy() == y)

    before = accuracy()
    write_back(model, {"9": recorded.exact["9"]})
    assert accuracy() > before + 0.02

    recorded.save(tmp_path / "run.npz")
    assert (tmp_path / "run.npz").stat().st_size < 60_000
    assert str(report(TorchRecording.load(tmp_path / "run.npz"))) == str(told)
