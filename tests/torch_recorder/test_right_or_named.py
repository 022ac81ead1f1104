"""One of two things is true of every layer of every run: its replay is what its buffers hold, or it is named."""

import copy
import pickle
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest

from bn_teach.torch_recorder import TorchRecording, record_torch, write_back

torch = pytest.importorskip("torch")
nn = torch.nn

X = torch.tensor([1.0, 4.0, 2.0, 8.0, 5.0, 7.0, 3.0, 10.0])[:, None]
MEAN, VAR = 5.0, 68 / 7  # of the eight numbers; n - 1 = 7


def own(recorded, layer="", of=None):
    """The replay at a layer's own momenta, one number each; it must be what the buffers of `of` hold."""
    mean, var = recorded.own(layer)
    if of is not None:
        np.testing.assert_allclose(mean, of.running_mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(var, of.running_var, rtol=1e-5)
    return mean.item(), var.item()


def two_layers():
    return nn.Sequential(nn.BatchNorm1d(1), nn.BatchNorm1d(1))


# The smallest inputs of each kind, with the right value.


def test_a_momentum_set_inside_the_block():
    layer = nn.BatchNorm1d(1)
    with record_torch(layer) as recorded:
        layer.momentum = 0.5
        layer(X)
    assert own(recorded, of=layer) == pytest.approx((0.5 * MEAN, 0.5 + 0.5 * VAR))
    assert recorded.history[""].momentum == 0.5


def test_a_second_pass_at_momentum_0_is_no_update():
    layer = nn.BatchNorm1d(1)
    with record_torch(layer) as recorded:
        layer(X)
        layer.momentum = 0
        layer(10 * X)
    assert own(recorded, of=layer) == pytest.approx((0.1 * MEAN, 0.9 + 0.1 * VAR))
    assert recorded.statistics(0.5)[""][0] == pytest.approx(0.5 * MEAN)  # nor is it one at any other momentum


def test_a_pass_that_is_not_tracked_is_no_update():
    layer = nn.BatchNorm1d(1)
    with record_torch(layer) as recorded:
        layer(X)
        layer.track_running_stats = False  # as virtual adversarial training does
        layer(10 * X)
        layer.track_running_stats = True
    assert own(recorded, of=layer) == pytest.approx((0.1 * MEAN, 0.9 + 0.1 * VAR))


def test_buffers_written_from_outside_are_named_and_what_came_before_is_good():
    layer = nn.BatchNorm1d(1)
    with record_torch(layer) as recorded:
        layer(X)
        layer.running_var.fill_(9.0)
        layer(X)
    with pytest.raises(ValueError, match="after update 1 of 2 they part: something other than its training wrote to"):
        recorded.own("")
    assert own(recorded.up_to(1)) == pytest.approx((0.1 * MEAN, 0.9 + 0.1 * VAR))


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointing_updates_twice(use_reentrant):
    layer = nn.BatchNorm1d(1)
    with record_torch(layer) as recorded:
        x = X.clone().requires_grad_()
        torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=use_reentrant).sum().backward()
    assert own(recorded, of=layer) == pytest.approx((0.19 * MEAN, 0.81 + 0.19 * VAR))
    assert len(recorded.history[""]) == layer.num_batches_tracked == 2


def test_a_subclass_that_normalises_something_else():
    class Masked(nn.BatchNorm1d):
        def forward(self, x, mask):
            return super().forward(x[mask])

    layer = Masked(1)
    with record_torch(layer) as recorded:
        layer(X, mask=X[:, 0] < 6)
    kept = X[X < 6].numpy()
    assert own(recorded, of=layer) == pytest.approx((0.1 * kept.mean(), 0.9 + 0.1 * kept.var(ddof=1)))


def test_a_cumulative_average_that_has_counted_before():
    layer = nn.BatchNorm1d(1, momentum=None)
    layer(X)
    with record_torch(layer) as recorded:
        layer(X + 5)
    assert own(recorded, of=layer) == pytest.approx((MEAN + 2.5, VAR))


def test_one_frozen_layer_refuses_none_of_the_others():
    model = two_layers()
    model[0].eval()
    with record_torch(model) as recorded:
        model(X)
    assert list(recorded.check()) == ["0"]
    own(recorded, "1", of=model[1])


def test_a_layer_that_was_replaced_is_named():
    model = nn.Sequential(nn.BatchNorm1d(1))
    with record_torch(model) as recorded:
        model(X)
        model[0] = nn.BatchNorm1d(1)
        model(X + 9)
    with pytest.raises(ValueError, match="layer '0' .* after update 1 of 1 they part: another layer took its place"):
        recorded.own("0")
    assert own(recorded.up_to(1), "0")[0] == pytest.approx(0.1 * MEAN)


# More kinds that are right.


class LengthFirst(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Split(nn.BatchNorm1d):
    """Half the batch by another layer, as timm's SplitBatchNorm."""

    def __init__(self, channels):
        super().__init__(channels)
        self.other = nn.BatchNorm1d(channels)

    def forward(self, x):
        first, second = x.chunk(2)
        return torch.cat([super().forward(first), self.other(second)])


class ByHand(nn.BatchNorm1d):
    def forward(self, x):
        return nn.functional.batch_norm(2 * x, self.running_mean, self.running_var, training=True, momentum=0.3)


class Tuple(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x), None


class Sparse(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x).to_sparse()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LengthFirst(3), (4, 5, 3)),
        (Split(3), (8, 3)),
        (ByHand(3), (8, 3)),
        (Tuple(3), (8, 3)),
        (Sparse(3), (8, 3)),
        (nn.BatchNorm1d(3, momentum=1.5), (8, 3)),
        (nn.BatchNorm1d(3, affine=False), (8, 3)),
        (nn.BatchNorm2d(3), (4, 3, 5, 5)),
        (nn.BatchNorm3d(3), (4, 3, 2, 2, 2)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_every_subclass_is_recorded_where_it_normalises(layer, shape):
    model = nn.Sequential(layer)
    with record_torch(model) as recorded:
        for scale in (1, 2, 3):
            model(scale * torch.randn(shape))
    assert recorded.check() == {}
    for name in recorded.layers:
        mean, var = recorded.own(name)
        np.testing.assert_allclose(mean, model.get_submodule(name).running_mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(var, model.get_submodule(name).running_var, rtol=1e-5)


@pytest.mark.parametrize("momentum", [1.5, 1.9])
def test_a_momentum_above_one_is_followed_where_values_cancel(momentum):
    """It keeps -0.5 or -0.9 of the old estimate: a running variance may come out near zero, or below."""
    for seed in range(100):
        torch.manual_seed(seed)
        layer = nn.BatchNorm1d(3, momentum=momentum)
        with record_torch(layer) as recorded:
            for scale in (1, 2, 3):
                layer(scale * torch.randn(8, 3))
        assert recorded.check() == {}, seed
        # Variances are below 40, of which 1.9 and 0.9 times are taken; ten roundings in float32 in three updates.
        room = 40 * (1.9 + 0.9) * 10 * np.finfo(np.float32).eps
        np.testing.assert_allclose(recorded.own("")[1], layer.running_var, rtol=0, atol=room)
        with record_torch(layer) as recorded:
            layer(torch.randn(8, 3))
            layer.running_var.mul_(1.01)
            layer(torch.randn(8, 3))
        assert "something other than its training wrote to" in recorded.check()[""], seed


def autocast(model, x):
    with torch.autocast("cpu", torch.bfloat16):
        model(x)


def default_device(model, x):
    with torch.device("cpu"):  # a mode that every function of torch goes through
        model(x)


def refused(model, x):
    for batch in (x[:1], torch.zeros(8, 9), "x"):
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            model(batch)
    model(x[:0])
    model(x)


def exported(model, x):
    torch.export.export(model, (x,))
    model(x)


def vmapped(model, x):
    with pytest.raises(RuntimeError, match="Batch norm got a batched tensor"):
        torch.func.vmap(model)(torch.stack([x, x]))
    model(x)


def functional(model, x):
    torch.func.functional_call(model, dict(model.named_parameters()) | dict(model.named_buffers()), (x,))


def loaded_again(model, x):
    model(x)
    model.load_state_dict(copy.deepcopy(model.state_dict()))
    model(x)


def symbolic(model, x):
    torch.fx.symbolic_trace(model)(x)


def another_model(model, x):
    copy.deepcopy(model)(9 * x)
    model(x)


def in_inference_mode(model, x):
    with torch.inference_mode():
        model(x)


LOOPS = [autocast, default_device, refused, exported, vmapped, functional, loaded_again, symbolic, another_model]


@pytest.mark.parametrize("loop", [*LOOPS, in_inference_mode], ids=lambda loop: loop.__name__)
def test_whatever_else_a_loop_does_the_replay_is_right(loop):
    model = nn.Sequential(nn.Linear(1, 1), *two_layers())
    with record_torch(model) as recorded:
        model(X)
        loop(model, X + 3)
        model(X)
    assert recorded.check() == {}
    for name in recorded.layers:
        own(recorded, name, of=model.get_submodule(name))


def test_adversarial_training_that_switches_tracking_off():
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.Linear(1, 1))
    with record_torch(model) as recorded:
        for _ in range(3):
            model(X)
            model[1].track_running_stats = False
            direction = torch.randn_like(X).requires_grad_()
            model(X + direction).sum().backward()
            model[1].track_running_stats = True
    assert direction.grad is not None
    assert len(recorded.history["1"]) == 3
    own(recorded, "1", of=model[1])


def test_stochastic_weight_averaging_is_right_for_the_model_and_named_for_the_average():
    model = nn.Sequential(nn.BatchNorm1d(1))
    averaged = torch.optim.swa_utils.AveragedModel(model)
    with record_torch(model) as recorded, record_torch(averaged) as of_average:
        for step in range(3):
            model(X + step)
            averaged.update_parameters(model)
            averaged(X - step)
    own(recorded, "0", of=model[0])
    with pytest.raises(ValueError, match="after update 1 of 2 they part: .* or an average that takes over buffers"):
        of_average.own("module.0")  # its buffers are copied from the model at every update


def test_a_model_converted_to_double_is_followed():
    layer = nn.BatchNorm1d(1)
    with record_torch(layer) as recorded:
        layer(X / 3)
        layer.double()
        for _ in range(3):
            layer(X.double() / 3)
    own(recorded, of=layer)
    assert recorded.check() == {}


@pytest.mark.skipif(not torch.distributed.is_available(), reason="built without torch.distributed")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.*", "ignore::FutureWarning")
def test_distributed_data_parallel_broadcasts_buffers_and_changes_nothing_in_the_first_process(tmp_path):
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        everywhere = nn.parallel.DistributedDataParallel(model)
        with record_torch(everywhere) as recorded:
            for step in range(12):  # more than there are alarms
                everywhere(X + step).sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    assert recorded.layers == ("module.1",)
    own(recorded, "module.1", of=model[1])


def test_buffers_that_another_process_broadcasts_are_named():
    layer = nn.BatchNorm1d(1)
    with record_torch(layer) as recorded:
        for step in range(3):
            layer.running_mean.copy_(torch.full((1,), float(step)))  # what the first process has
            layer(X)
    with pytest.raises(ValueError, match="after update 1 of 2 they part: something other .* broadcast"):
        recorded.own("")


def test_a_state_loaded_before_the_first_batch_is_where_the_replay_starts():
    trained, layer = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    trained(X)
    with record_torch(layer) as recorded:
        layer.load_state_dict(trained.state_dict())
        layer(X)
    assert own(recorded, of=layer)[0] == pytest.approx(0.19 * MEAN)


# Kinds that are named, each with its reason. The loop goes on.


def scripted(model):
    torch.jit.script(model)(X)


def replica(model):
    one = model[0]._replicate_for_data_parallel()  # as DataParallel does it for its first device
    one._parameters = dict(model[0]._parameters)
    one._buffers = {name: buffer.detach() for name, buffer in model[0]._buffers.items()}
    one(X)


def teacher(model):
    for buffer, of_student in zip(model.buffers(), two_layers().buffers()):
        buffer.copy_(of_student)


def traced(model):
    torch.jit.trace(model, X, check_trace=False)


def other_buffers(model):
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    torch.func.functional_call(model, buffers, (X,))


def half_precision(model):
    model.bfloat16()
    for _ in range(100):
        model(X.bfloat16())


def quietly_written(model):
    model[0].running_mean.data.fill_(3.0)  # .data leaves no version behind


def updated_by_hand(model):
    model[0].running_mean.lerp_(X.mean(0), 0.1)


def reset(model):
    model[0].reset_running_stats()


@pytest.mark.parametrize(
    ("loop", "why"),
    [
        (
            scripted,
            r"the layer counted 3 batches, and the recorder saw 2: it ran where it cannot be seen \(torch.com",
        ),
        (replica, "the layer counted 3 batches, and the recorder saw 2: .*DataParallel"),
        (teacher, "after update 1 of 2 they part: something other than its training wrote to them .*a teacher"),
        (traced, "a batch went through it in torch.jit.trace, where none can be noted"),
        (other_buffers, "after update 2 of 3 they part: it was given other buffers"),
        (half_precision, "they are kept in torch.bfloat16, which rounds small changes away"),
        (quietly_written, "something other than its training wrote to them .*, at one of the updates after that one"),
        (updated_by_hand, "after update 1 of 2 they part: something other than its training wrote to them"),
        (reset, "after update 1 of 2 they part: something other than its training wrote to them"),
        (lambda model: model.append(nn.BatchNorm1d(1)), None),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore::torch.jit.TracerWarning")
def test_what_cannot_be_replayed_is_named_with_the_reason(loop, why):
    model = two_layers()
    with record_torch(model) as recorded:
        model(X)
        loop(model)
        model(X.to(model[0].running_mean.dtype))
    if why is None:
        assert recorded.check() == {
            "2": "the history of layer '2' must have at least one row, got none: it came into the model after "
            "recording had begun"
        }
        return
    with pytest.raises(ValueError, match=why):
        recorded.own("0")


class ByArithmetic(nn.BatchNorm1d):
    def forward(self, x):
        with torch.no_grad():
            self.running_mean.lerp_(x.mean(0), self.momentum)
        return x - x.mean(0)


class Imported(nn.BatchNorm1d):
    batch_norm = staticmethod(nn.functional.batch_norm)  # from torch.nn.functional import batch_norm

    def forward(self, x):
        return self.batch_norm(x, self.running_mean, self.running_var, training=True)


class Below(nn.BatchNorm1d):
    def forward(self, x):  # this leaves no version behind
        return torch.batch_norm(x, None, None, self.running_mean, self.running_var, True, 0.1, 1e-5, False)


@pytest.mark.parametrize("kind", [ByArithmetic, Imported, Below])
def test_what_never_passes_where_it_is_noted_is_not_said_to_be_unused(kind):
    layer = kind(1)
    with record_torch(layer) as recorded:
        layer(X)
    assert "its buffers moved, but no batch of it passed torch.nn.functional.batch_norm" in recorded.check()[""]


@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")  # PyTorch's word to whoever has just that
def test_compiled_code_is_recorded_or_named():
    model = two_layers()
    with record_torch(model) as recorded:
        model(X)
        torch.compile(model, backend="eager", fullgraph=True)(X)
        model(X)
    if why := recorded.check().get("0"):  # PyTorch 2.4 goes where it is noted, later versions do not
        assert "the layer counted 3 batches, and the recorder saw 2: it ran where it cannot be seen (torch.comp" in why
    else:
        own(recorded, "0", of=model[0])


def test_a_model_without_values_is_named_until_it_has_some():
    with torch.device("meta"):
        model = two_layers()
    with record_torch(model) as recorded:
        model(X.to("meta"))
        assert "a batch went through it as a Tensor without values" in recorded.check()["0"]
        model.to_empty(device="cpu")
        for layer in model:
            layer.reset_parameters()
        model(X)
    own(recorded, "0", of=model[0])
    assert recorded.check() == {}


def test_a_layer_without_buffers_in_vmap_is_named():
    layer = nn.BatchNorm1d(1, track_running_stats=False)
    with record_torch(layer) as recorded:
        layer(X)
        torch.func.vmap(layer)(torch.stack([X, X]))
    assert "in a transform of torch.func" in recorded.check()[""]


# Nothing disturbs the loop.


def test_the_exception_of_the_user_is_the_one_that_is_raised():
    def loop():
        model = two_layers()
        with record_torch(model):
            model(X)
            del model[0].num_batches_tracked, model[0].eps  # a layer that nobody could read any more
            raise ZeroDivisionError("the user's own")

    with pytest.raises(ZeroDivisionError):
        loop()


def test_a_model_saved_inside_the_block_is_an_ordinary_one(tmp_path):
    model = two_layers()
    with record_torch(model):
        model(X)
        torch.save(model, tmp_path / "model.pt")
    program = "import sys, torch; sys.modules['bn_teach'] = None; torch.load(sys.argv[1], weights_only=False)"
    command = [sys.executable, "-c", program, str(tmp_path / "model.pt")]
    subprocess.run(command, check=True)


def test_a_recording_is_copied_and_pickled_inside_the_block():
    model = two_layers()
    with record_torch(model) as recorded:
        model(X)
        copies = [copy.deepcopy(recorded), pickle.loads(pickle.dumps(recorded))]
        model(X)
    for one in copies:
        assert type(one) is TorchRecording
        assert [len(history) for history in one.history.values()] == [1, 1]
    assert [len(history) for history in recorded.history.values()] == [2, 2]


def test_functional_is_as_before_when_the_last_block_ends():
    before = nn.functional.batch_norm
    first, second = record_torch(two_layers()), record_torch(two_layers())
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # not the other way round
    assert nn.functional.batch_norm is not before
    second.__exit__(None, None, None)
    assert nn.functional.batch_norm is before


def test_reading_from_another_thread_loses_nothing():
    model, looks, done = two_layers(), [], threading.Event()
    with record_torch(model) as recorded:

        def read():
            while not done.is_set():
                looks.append((len(recorded.history["1"]), recorded.check()))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for step in range(1000):
            model(X + step % 7)
        done.set()
        reader.join(60)
    assert len(recorded.history["1"]) == 1000
    assert len(looks) > 10
    assert [count for count, _ in looks] == sorted(count for count, _ in looks)
    assert all(set(named) <= ({"0", "1"} if count == 0 else set()) or count < 2 for count, named in looks)
    own(recorded, "1", of=model[1])


def test_reading_at_every_step_costs_the_same_late_as_early():
    layer, spent = nn.BatchNorm1d(8), []
    x = torch.randn(16, 8)
    with record_torch(layer) as recorded:
        for _ in range(4000):
            layer(x)
            before = time.thread_time()
            len(recorded.history[""])
            spent.append(time.thread_time() - before)
    # If every look went through all rows, the last quarter would take seven times the first one.
    assert np.median(spent[3000:]) < 3 * np.median(spent[:1000])


def test_a_bounded_recording_is_one_that_began_later():
    torch.manual_seed(0)
    layer, twin = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    batches = torch.randn(3000, 8, 2) + torch.arange(3000.0)[:, None, None] / 100
    with record_torch(layer, last=300) as recorded, record_torch(twin) as whole:
        for batch in batches:
            layer(batch)
            twin(batch)
    kept = len(recorded.history[""])
    assert 300 <= kept <= 1200
    for one in (recorded, whole):
        np.testing.assert_allclose(one.own("")[0], layer.running_mean, rtol=1e-5)
    np.testing.assert_array_equal(recorded.history[""].means, whole.history[""].means[-kept:])
    np.testing.assert_allclose(recorded.statistics(0.9)[""], whole.statistics(0.9)[""], rtol=1e-6)


def test_an_interrupt_at_any_line_leaves_a_usable_recording(monkeypatch):
    monkeypatch.setattr("bn_teach.torch_recorder.noting._ROWS_ON_DEVICE", 3)  # so that rows are fetched as well
    before, interrupted = sys.gettrace(), True
    lines = 0
    while interrupted:
        lines += 1
        model, countdown = two_layers(), iter(range(lines))

        def trace(frame, event, _, countdown=countdown):
            if not frame.f_code.co_filename.endswith(("noting.py", "following.py", "batchnorm.py", "functional.py")):
                return None  # in a callback of somebody else's an exception is lost
            if event == "line" and next(countdown, None) is None:
                raise KeyboardInterrupt
            return trace

        with record_torch(model) as recorded:
            model(X)
            model(X + 1)
            try:
                sys.settrace(trace)
                model(X + 2)
                interrupted = False
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(before)
        assert recorded.check() == {}
        assert torch.is_grad_enabled()
        for name in recorded.layers:
            assert len(recorded.history[name]) in (2, 3)
            own(recorded, name, of=model.get_submodule(name))
    assert lines > 100


# What loops do, in any order.


class Loop:
    """A model in the hands of somebody who does anything at all."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        shared = nn.BatchNorm1d(3)
        self.model = nn.Sequential(
            nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), shared, nn.Linear(3, 3), shared, nn.Linear(3, 3),
            nn.BatchNorm1d(3, momentum=None), nn.Linear(3, 3), nn.BatchNorm1d(3, affine=False),
        )  # fmt: skip
        self.saved = copy.deepcopy(self.model.state_dict())

    def layer(self):
        norms = [module for module in self.model if isinstance(module, nn.BatchNorm1d)]
        return norms[self.rng.integers(len(norms))]

    def batch(self):
        return torch.randn(int(self.rng.integers(2, 9)), 3) * self.rng.uniform(0.5, 3) + self.rng.normal()

    def train(self):
        loss = (self.model(self.batch()) ** 2).mean()
        if loss.requires_grad:
            loss.backward()
            with torch.no_grad():
                for parameter in self.model.parameters():
                    if parameter.grad is not None:
                        parameter -= 0.01 * parameter.grad.clamp(-1, 1)
                        parameter.grad = None

    def several_calls(self):
        for _ in range(3):
            self.model(self.batch())

    def checkpointed(self):
        way = bool(self.rng.integers(2))
        torch.utils.checkpoint.checkpoint(self.model, self.batch().requires_grad_(), use_reentrant=way).sum().backward()

    def evaluate(self):
        self.model.eval()
        self.model(self.batch())
        self.model.train()

    def set_momentum(self):
        self.layer().momentum = [0.0, 0.01, 0.1, 0.5, 1.0, None][self.rng.integers(6)]

    def freeze(self):
        self.layer().train(bool(self.rng.integers(2)))

    def track(self):
        self.layer().track_running_stats = bool(self.rng.integers(2))

    def refused(self):
        with suppress(ValueError, RuntimeError):  # of PyTorch: where all layers are frozen, a batch of one is none
            self.model(torch.randn(*[(1, 3), (4, 5)][self.rng.integers(2)]))

    def save(self):
        self.saved = copy.deepcopy(self.model.state_dict())

    def empty(self):
        self.model(torch.zeros(0, 3))

    def fail(self):
        def hook(*_):
            raise ZeroDivisionError("the user's own")

        hook = self.layer().register_forward_hook(hook)
        with suppress(ZeroDivisionError):
            self.model(self.batch())
        hook.remove()

    # Rarer, because they name a layer for good.

    def load(self):
        self.model.load_state_dict(self.saved)

    def write(self):
        layer = self.layer()
        kind = self.rng.integers(3)
        if kind == 0:
            layer.running_mean.data.add_(1.0)
        elif kind == 1:
            layer.reset_running_stats()
        else:
            write_back(layer, {"": (np.ones(3), np.full(3, 2.0))})

    def convert(self):
        self.model.double()
        self.model(self.batch().double())
        self.model.float()  # which rounds the buffers once more

    def replace(self):
        self.model[7] = nn.BatchNorm1d(3)

    OFTEN = (train, train, train, train, several_calls, checkpointed, evaluate, set_momentum, freeze, track, refused,
             save, empty, fail)  # fmt: skip
    SELDOM = (load, write, convert, replace)

    def go(self, steps, seldom):
        for _ in range(steps):
            kinds = self.SELDOM if self.rng.random() < seldom else self.OFTEN
            kinds[self.rng.integers(len(kinds))](self)


@pytest.mark.parametrize("seed", range(30))
def test_in_any_order_the_replay_is_right_or_the_layer_is_named(seed):
    loop = Loop(seed)
    seldom = 0.02 if seed % 2 else 0.0
    with record_torch(loop.model) as recorded:
        for _ in range(5):
            loop.go(40, seldom)
            named = recorded.check()  # in the middle as well as in the end
    assert named == recorded.check()
    if not seldom:
        assert all("got none" in why for why in named.values())
    for name in set(recorded.layers) - set(named):
        layer = loop.model.get_submodule(name)
        mean, var = recorded.own(name)
        scale = np.sqrt(recorded.history[name].variances.max())
        np.testing.assert_allclose(mean, layer.running_mean, rtol=2e-5, atol=1e-5 * scale)
        np.testing.assert_allclose(var, layer.running_var, rtol=2e-5)
    for why in named.values():
        assert "part: " in why or "got none" in why
    for name, why in named.items():  # what is said to be good can be replayed
        if "part: " in why:
            good = recorded.history[name].parted[0]
            assert name not in recorded.up_to(good).check() or good == 0


def test_recording_a_layer_of_a_loop_costs_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = two_layers()
        with record_torch(model) as recorded:
            for _ in range(600):
                model(X)
    assert len(recorded.history["0"]) == 600


def test_a_recording_that_grows_large_says_so_once(monkeypatch):
    monkeypatch.setattr("bn_teach.torch_recorder.noting._MUCH", 3000)
    layer = nn.BatchNorm1d(1)
    with warnings.catch_warnings(record=True) as said, record_torch(layer):
        warnings.simplefilter("always")
        for _ in range(1500):
            layer(X)
    assert len(said) == 1
    assert "every update of a layer adds 8 bytes for each of its channels" in str(said[0].message)
    warnings.simplefilter("error")
    with record_torch(layer) as recorded:  # where warnings are errors, the loop goes on
        for _ in range(1500):
            layer(X)
    assert recorded.check() == {}
