"""Noting what every batch norm layer of a PyTorch model trains on, at the one function where all of them pass.

`torch.nn.functional.batch_norm` gets what is normalised, the buffers that take it in, and with which momentum. It is
exchanged while a model is recorded; the model itself is not touched. Nothing here may disturb a training loop: what
cannot be noted is kept as a reason, and told when somebody reads.
"""

import functools
import sys
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np

from bn_teach.torch_recorder.following import Followed
from bn_teach.torch_recorder.history import LayerHistory

_ROWS_ON_DEVICE = 256  # fetched together, because each time has to wait for the device
_ALARMS = 8  # after so many writes that changed nothing (a broadcast to itself), a write is no reason to look at once
_MUCH = 2**30  # bytes of rows, to be said before it hurts
_LOCK = threading.RLock()  # who reads sees rows and buffers between two updates
_RECORDERS = []


class Recorder:
    """Notes the batches of every batch norm layer of one model.

    Parameters
    ----------
    layers : callable
        Gives name to layer, as the model is now.
    every : bool
        Whether batches that no buffer takes in are noted as well; then the buffers are not followed.
    last : int or None
        How many updates of each layer are kept at least; all, unless given.
    """

    def __init__(self, layers, *, every=False, last=None):
        self.layers, self.every, self.last, self.bytes = layers, every, last, 0
        self.thread = threading.get_ident()
        self.taps = {name: Tap(name, layer, self) for name, layer in layers().items()}
        self._by_layer = {id(tap.layer): tap for tap in self.taps.values()}
        self._by_buffer = {}

    def __enter__(self):
        with _LOCK:
            _RECORDERS.append(self)
            _exchange()
        return self

    def __exit__(self, *_):
        with _LOCK:
            _RECORDERS.remove(self)
            _exchange()

    def tap(self, running_mean, caller):
        """Find the tap of a layer by the buffer that it uses; if it uses none, by who called."""
        if running_mean is None:
            return self._by_layer.get(id(caller))
        tap = self._by_buffer.get(id(running_mean))
        if tap is None or tap.layer._buffers.get("running_mean") is not running_mean:
            buffers = [(tap.layer._buffers.get("running_mean"), tap) for tap in self.taps.values()]
            self._by_buffer = {id(buffer): tap for buffer, tap in reversed(buffers) if buffer is not None}
            tap = self._by_buffer.get(id(running_mean))
        return tap

    def histories(self):
        """Name to `LayerHistory`: what there is so far, compared with the buffers of each layer."""
        if threading.get_ident() != self.thread:
            time.sleep(1e-4)  # somebody who looks again and again would have the lock all the time, and halt training
        with _LOCK:
            now, found = self.layers(), {}
            for name, tap in self.taps.items():
                gone = None
                if now.get(name) is not tap.layer:
                    gone = "another layer took its place in the model" if name in now else "it was taken from the model"
                found[name] = tap.history(gone)
            late = "it came into the model after recording had begun"
            return found | {name: _nothing(name, late) for name in now if name not in found}

    def grown(self, more):
        """Count the bytes of the rows."""
        before, self.bytes = self.bytes, self.bytes + more
        if before < _MUCH <= self.bytes:
            with suppress(Warning):  # where warnings are errors, the training loop goes on all the same
                warnings.warn(
                    f"the recording holds {self.bytes / 2**30:.1f} GiB of rows, and every update of a layer adds 8 "
                    "bytes for each of its channels; record_torch(model, last=1000) keeps the last thousand or two",
                    stacklevel=2,
                )


class Tap:
    """What is noted of one layer."""

    def __init__(self, name, layer, recorder):
        self.name, self.layer, self.recorder = name, layer, recorder
        self.rows = []  # (mean, var, size, kept) of every update, still on the device
        self.count, self.arrays = 0, [None] * 4  # those that were fetched
        self.start = self.followed = None  # the buffers before the first row; where they must stand after those fetched
        buffers = self._buffers()
        self.met = buffers and _copied(buffers)
        self.mark, self.alarms = buffers and _mark(*buffers), 0  # what the last update left
        self.good, self.parted, self.trouble = 0, None, None
        self.seen, self.untaken, self.paused = 0, 0, False
        self.later_start = None
        self.counted_before = self._counter()

    # What happens in the training loop. None of it raises.

    def look(self, x, running_mean, running_var, momentum):
        """Before a batch goes in: its row, and the buffers as they stand. None if there is nothing to note."""
        try:
            if self.paused or self.parted:
                return None
            self.seen += running_mean is not None
            if x.numel() == 0 or (running_mean is None and not self.layer.training):
                return None  # an empty batch moves nothing; without buffers, inference takes batch statistics as well
            buffers = self.layer._buffers.get("running_mean") is not None
            if buffers and not self.recorder.every and (running_mean is None or momentum == 0):
                self.untaken += 1
                return None
            if why := _unreadable(x):
                self.trouble = self.trouble or f"a batch went through it {why}, where none can be noted"
                return None
            if running_mean is not None and not self.recorder.every:
                if not (self.rows or self.count):
                    start = _copied((running_mean, running_var))
                    self.start, self.followed = start, Followed.start(*start)
                elif self.alarms < _ALARMS and self._touched(running_mean, running_var):
                    self.alarms += 1
                    self.fetch((running_mean, running_var), by_others=True)
            return *_moments(x), 1 - float(momentum) if buffers else self._would_keep()
        except Exception as error:
            self._note_trouble(error)

    def settle(self, row, running_mean, running_var, failed):
        """After the batch: after an exception (the user's own) the row stays only if the buffers took the batch in."""
        try:
            if failed and self.rows and self.rows[-1] is row and not self._taken_in(running_mean, running_var):
                self.rows.pop()
            if running_mean is not None and not failed:
                self.mark = _mark(running_mean, running_var)
            if len(self.rows) >= _ROWS_ON_DEVICE:
                self.fetch(self._buffers())
        except Exception as error:
            self._note_trouble(error)

    def _taken_in(self, *buffers):
        """Whether the buffers have left the place to which all rows but the last one lead."""
        if self.followed is None:
            return False
        before = self.followed.after(*_stacked(self.rows[:-1])) if len(self.rows) > 1 else self.followed
        return not before.agrees(*map(_to_numpy, buffers), _rounding(buffers[0]))

    def _note_trouble(self, error):
        self.trouble = self.trouble or f"a batch could not be noted ({type(error).__name__}: {error})"

    # What happens now and then, and when somebody reads.

    def fetch(self, buffers, *, by_others=False):
        """Bring rows from the device, and compare where they lead with `buffers`."""
        if self.rows:
            try:
                new = _stacked(self.rows)
                followed = self.followed and self.followed.after(*new)
                arrays = [_grown(array, self.count, rows) for array, rows in zip(self.arrays, new)]
            except Exception as error:  # rows that outlived what they were made in, say
                self.rows, self.parted = [], (self.count, f"{type(error).__name__} in reading its rows: {error}")
                return
            # An interrupt finds all of it done or nothing: Python looks for signals at calls, and here is none.
            count = self.count + len(new[0])
            self.arrays, self.followed, self.count, self.rows = arrays, followed, count, []
            self.recorder.grown(2 * new[0].nbytes)
        if self.parted or not self.count:
            return
        mean = var = None
        if self.followed:
            mean, var = map(_to_numpy, buffers)
            if not self.followed.agrees(mean, var, _rounding(buffers[0])):
                self.parted = (self.count if by_others else self.good), self._why(by_others)
                return
        self.good = self.count
        self._forget(mean, var)

    def _forget(self, mean, var):
        """Keep the last updates alone: the recording is then as if it had begun later, at the buffers of then."""
        last = self.recorder.last
        if last is None:
            return
        if self.later_start is None:
            self.later_start = 0, self.start
        elif self.count - self.later_start[0] >= last:
            first, self.start = self.later_start
            self.arrays = [array[first : self.count].copy() for array in self.arrays]
            self.recorder.bytes -= 2 * first * self.arrays[0][:1].nbytes
            self.count, self.good = self.count - first, self.good - first
            self.later_start = self.count, None if mean is None else (mean.copy(), var.copy())

    def history(self, gone=None):
        """What there is so far; `gone` says why the layer is no longer that of the model, if so."""
        try:
            return self._history(gone)
        except Exception as error:
            return _nothing(self.name, f"the layer cannot be read ({type(error).__name__}: {error})")

    def _history(self, gone):
        buffers = self._buffers()
        try:
            self.fetch(buffers, by_others=bool(buffers and self.mark and self._touched(*buffers)))
        except Exception as error:
            self._note_trouble(error)
        parted = self.parted or (gone and (self.count, gone))
        if not parted and (self.trouble and self.followed is None):
            parted = self.count, self.trouble  # there are no buffers to tell whether that matters
        if not parted and not self.count:
            parted = self._why_nothing()
        arrays = [None if array is None else array[: self.count] for array in self.arrays]
        *rows, kept = arrays if self.count else _no_rows(self.layer.num_features)
        history = LayerHistory(
            *rows,
            **(dict(zip(("initial_mean", "initial_var"), self.start)) if self.count and self.start else {}),
            momentum=self._momentum(kept),
            eps=self.layer.eps,
            layer=self.name,
            counted=self._counted(),
            parted=parted,
        )
        return history if np.array_equal(history.kept, kept) else replace(history, momenta=kept)

    # Reasons

    def _why(self, by_others):
        buffer, _ = self._buffers()
        if _rounding(buffer) > 1e-4:
            return (
                f"they are kept in {buffer.dtype}, which rounds small changes away. Keep them in float32 "
                "(layer.float(), or autocast instead of model.half())"
            )
        if self.trouble:
            return self.trouble
        if self.mark[0] is not buffer:
            return "it was given other buffers (functional_call, a conversion of the model and back)"
        if (self._counted() or 0) > self.seen:
            return (
                f"the layer counted {self._counted()} batches, and the recorder saw {self.seen}: it ran where it "
                "cannot be seen (torch.compile, torch.jit, DataParallel, SyncBatchNorm over processes, a copy that "
                "shares its buffers), or something wrote to its buffers and its counter (a state loaded, a teacher or "
                "an average that takes over buffers)"
            )
        return (
            "something other than its training wrote to them (a state loaded, a reset, write_back, update_bn, a "
            "broadcast, a teacher that follows, a batch norm that is not torch.nn.functional's)"
            + ("" if by_others else ", at one of the updates after that one")
        )

    def _why_nothing(self):
        if self.trouble:
            return 0, self.trouble
        if self.untaken:
            return 0, (
                f"of {self.untaken} batches in training mode it took in none: its momentum was 0, or "
                "track_running_stats off"
            )
        buffers = self._buffers()
        if (self._counted() or 0) > 0 and buffers:
            return 0, self._why(True)
        if buffers and self.met and not all(map(np.array_equal, self.met, _copied(buffers))):
            return 0, "its buffers moved, but no batch of it passed torch.nn.functional.batch_norm, where it is noted"
        return None  # never called in training mode: an empty history says so itself

    # The layer

    def _buffers(self):
        buffers = self.layer._buffers.get("running_mean"), self.layer._buffers.get("running_var")
        lazy = getattr(self.layer, "has_uninitialized_params", bool)()
        return None if lazy or any(buffer is None or buffer.is_meta for buffer in buffers) else buffers

    def _touched(self, running_mean, running_var):
        ours, now = self.mark, _mark(running_mean, running_var)
        return not (ours and ours[0] is now[0] and ours[1] is now[1] and ours[2:] == now[2:])

    def _counter(self):
        try:
            return int(self.layer.num_batches_tracked)
        except Exception:  # none, or a lazy one
            return None

    def _counted(self):
        now = self._counter()
        return None if now is None else now - (self.counted_before or 0)

    def _would_keep(self):
        """What a layer without buffers would keep."""
        if self.layer.momentum is None:
            return 1 - 1 / (self.count + len(self.rows) + 1)
        return 1 - float(self.layer.momentum)

    def _momentum(self, kept):
        if self.layer.momentum is None:
            return None
        return float(kept[-1]) if len(kept) else 1 - float(self.layer.momentum)


def _no_rows(channels):
    return np.empty((0, channels), np.float32), np.empty((0, channels), np.float32), np.empty(0, int), np.empty(0)


def _nothing(name, why):
    """The history of a layer of which there is none."""
    *rows, _ = _no_rows(0)
    return LayerHistory(*rows, layer=name, parted=(0, why))


@contextmanager
def unnoted(layers):
    """Let no recorder note what these layers do."""
    layers = {id(layer) for layer in layers}
    taps = [tap for recorder in _RECORDERS for tap in recorder.taps.values() if id(tap.layer) in layers]
    before = [tap.paused for tap in taps]
    for tap in taps:
        tap.paused = True
    try:
        yield
    finally:
        for tap, paused in zip(taps, before):
            tap.paused = paused


def _exchange():
    """Have batches noted as long as there is a recorder."""
    functional = sys.modules["torch"].nn.functional
    ours = hasattr(functional.batch_norm, "noted_by_bn_teach")
    if _RECORDERS and not ours:
        functional.batch_norm = _noted(functional.batch_norm)
    elif ours and not _RECORDERS:
        functional.batch_norm = functional.batch_norm.noted_by_bn_teach


@functools.cache
def _noted(original):
    from torch.overrides import has_torch_function_variadic

    @functools.wraps(original)
    def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
        def call():
            return original(input, running_mean, running_var, weight, bias, training, momentum, eps)

        # A tensor with ways of its own comes here once more, without them.
        if not training or has_torch_function_variadic(input, running_mean, running_var, weight, bias):
            return call()
        caller = sys._getframe(1).f_locals.get("self") if running_mean is None else None
        taps = [tap for recorder in _RECORDERS if (tap := recorder.tap(running_mean, caller))]
        if not taps:
            return call()
        with _LOCK:
            noted = [(tap, row) for tap in taps if (row := tap.look(input, running_mean, running_var, momentum))]
            failed = True
            try:
                # First the row, then the batch: an interrupt in between is found out by the buffers.
                for tap, row in noted:
                    tap.rows.append(row)
                output = call()
                failed = False
                return output
            finally:
                for tap, row in noted:
                    tap.settle(row, running_mean, running_var, failed)

    batch_norm.noted_by_bn_teach = original
    # torch.jit and torch.compile take such a function for the original one, and see nothing of this.
    batch_norm.__original_fn = original
    batch_norm.__script_if_tracing_wrapper = True
    return batch_norm


def _moments(x):
    """Mean and biased variance of every channel, on the device of `x`, and how many values each has."""
    torch = sys.modules["torch"]
    x = x.detach()  # no_grad would do as well, but an interrupt in it can leave it on in the user's program
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if x.is_cpu or x.is_cuda:
        # What batch norm calls itself: the very same numbers, in a fraction of the time of var_mean.
        mean, var = torch.batch_norm_update_stats(x, None, None, 0.0)
    else:
        var, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
    return mean, var, x.numel() // x.shape[1]


def _unreadable(x):
    """Where `x` has no values to be read, if so: in words."""
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling():
        return "in torch.compile or torch.export"
    if torch.jit.is_tracing():
        return "in torch.jit.trace"
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        return "in a transform of torch.func (vmap, grad)"
    kind = type(x)
    if (kind is not torch.Tensor and kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__) or x.is_meta:
        return f"as a {type(x).__name__} without values"
    if x.is_cuda and torch.cuda.is_current_stream_capturing():
        return "while a CUDA graph was captured"
    return None


def _grown(array, count, rows):
    """Write rows behind the `count` first ones of an array that doubles when it is full."""
    size = count + len(rows)
    if array is None or len(array) < size or np.result_type(array, rows) != array.dtype:
        room = np.empty(
            (max(size, 2 * count, 64), *rows.shape[1:]), rows.dtype if array is None else np.result_type(array, rows)
        )
        if count:
            room[:count] = array[:count]
        array = room
    array[count:size] = rows
    return array


def _mark(running_mean, running_var):
    try:
        return running_mean, running_var, running_mean._version, running_var._version
    except RuntimeError:  # made in inference mode, they have none
        return running_mean, running_var, 0, 0


def _stacked(rows):
    """Rows (mean, var, size, kept) as four arrays."""
    means, variances, sizes, kept = zip(*rows)
    stack = sys.modules["torch"].stack
    return _to_numpy(stack(means)), _to_numpy(stack(variances)), np.array(sizes), np.array(kept)


def _copied(buffers):
    return tuple(_to_numpy(buffer).copy() for buffer in buffers)


def _rounding(buffer):
    return sys.modules["torch"].finfo(buffer.dtype).eps


def _to_numpy(tensor):
    if tensor.dtype in (sys.modules["torch"].float16, sys.modules["torch"].bfloat16):
        tensor = tensor.float()
    return tensor.detach().cpu().numpy()
