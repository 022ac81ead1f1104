"""All that touches a PyTorch model: recording it, exact statistics, writing statistics back."""

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np

from bn_teach import _checks
from bn_teach.running import pooled_statistics, unbiased_variance
from bn_teach.torch_recorder.history import TorchRecording
from bn_teach.torch_recorder.noting import Recorder, unnoted


@contextmanager
def record_torch(model, *, last=None):
    """Record the batch statistics of every batch norm layer of `model` while you train it.

    What is recorded is right, or named: the replay of a layer at its own momenta is compared with its buffers, and
    where they part (a checkpoint was loaded, the layer ran compiled), `recorded.check()` says so and why.

    Parameters
    ----------
    model : torch.nn.Module
        With at least one BatchNorm1d, 2d or 3d. Only what its buffers take in is recorded.
    last : int, optional
        Keep the last updates of each layer alone: so many at least, and some hundreds more or twice as many at
        most. It is then as if recording had begun that much later.

    Yields
    ------
    TorchRecording
        It grows while you train, may be read meanwhile, and stays when the model is let go.

    Raises
    ------
    ValueError, TypeError
        For a model without batch norm, or anything but a model.

    Notes
    -----
    Recording reads the input of every normalisation once more: on a CPU a training step takes 1.05 to
    1.2 times as long, the less the larger the model (measured by `benchmarks/torch_recorder.py`). An update takes
    8 bytes for every channel: a step of a ResNet-50, with its 26,560, 0.2 MB.
    The model itself is not touched: it is at any moment as it would have been without, to be copied or saved.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    >>> with record_torch(model) as recorded:
    ...     for _ in range(5):
    ...         y = model(torch.randn(8, 4))
    >>> recorded.history["1"].means.shape
    (5, 3)
    >>> mean, var = recorded.statistics(0.9)["1"]  # 0.9 is PyTorch's 0.1, its default
    >>> np.allclose(mean, model[1].running_mean)
    True
    """
    last = last if last is None else _checks.integer("last", last, 1)
    batch_norms(model)
    recorded = _LiveRecording(Recorder(lambda: batch_norms(model, some=False), last=last))
    with recorded.recorder:
        try:
            yield recorded
        finally:
            recorded.finish()


def exact_statistics(model, batches, *, method="population", forward=None):
    """Compute what a running average is after: statistics of the training data under frozen weights.

    The paper's Algorithm 2. Every batch goes through the model in training mode (dropout included, as
    a running average sees it), and the statistics of all of them are put together. Nothing is learnt,
    and model, buffers and PyTorch's random numbers are afterwards as they were.

    Parameters
    ----------
    model : torch.nn.Module
    batches : iterable
        Training mini-batches of the size used in training: tensors, or tuples whose first entry is the
        input, as a DataLoader gives them.
    method : str
        ``"population"``: mean of the batch means, and mean of n/(n-1) times the batch variances
        (Algorithm 2, line 10); smaller batches at the end are left out. ``"pooled"``: the exact moments
        of everything that went through the layer, batches of any size.
    forward : callable, optional
        ``forward(model, batch)``, for batches of another kind. Tensors are moved to where the model is.

    Returns
    -------
    dict of str to (mean, var), each of shape (C,)
        A layer that no batch went through, or that has NaN, is left out, with a warning.

    Raises
    ------
    ValueError
        If there are no batches, or none went through any of the layers, or their sizes differ under
        ``"population"``.

    References
    ----------
    Ioffe & Szegedy (2015), Algorithm 2, lines 7 to 10.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.BatchNorm1d(3)
    >>> batches = [torch.randn(8, 3) for _ in range(4)]
    >>> mean, var = exact_statistics(model, batches, method="pooled")[""]
    >>> np.allclose(mean, torch.cat(batches).mean(dim=0)), model.num_batches_tracked.item()
    (True, 0)
    """
    _checks.choice("method", method, ("population", "pooled"))
    recorded, ends = frozen_pass(model, batches, plain_forward if forward is None else forward)
    if not ends:
        raise ValueError("batches must yield at least one batch, got none (a generator can be read only once)")
    histories, left_out = recorded.usable()
    for why in left_out.values():
        warnings.warn(f"left out: {why}", stacklevel=2)
    return {name: put_together(history, [end[name] for end in ends], method) for name, history in histories.items()}


def frozen_pass(model, batches, forward, *, dropout=True):
    """Send batches through in training mode, while the weights stand still.

    Parameters
    ----------
    model, batches, forward
        As in `exact_statistics`.
    dropout : bool
        Whether what is no batch norm is in training mode too.

    Returns
    -------
    recorded : TorchRecording
    ends : list of dict of str to int
        After every batch, how many rows each layer has.
    """
    recorder = Recorder(lambda: batch_norms(model), every=True)
    ends = []  # a layer may be called several times for one batch
    with undisturbed(model), recorder, pytorch().no_grad():
        model.train(dropout)
        for tap in recorder.taps.values():
            tap.layer.training = True  # models that freeze their batch norms keep them in inference mode
        for batch in batches:
            forward(model, batch)
            ends.append({name: tap.count + len(tap.rows) for name, tap in recorder.taps.items()})
        return TorchRecording(recorder.histories()), ends


def write_back(model, statistics):
    """Write running statistics of your choice into the layers of a model.

    Parameters
    ----------
    model : torch.nn.Module
    statistics : mapping of str to (mean, var), each of shape (C,)
        From `TorchRecording.statistics`, `exact_statistics`, or a few layers of either.

    Raises
    ------
    ValueError, TypeError
        For a layer that the model does not have or that keeps no running statistics, or for statistics
        that do not fit, half-precision buffers included; then nothing at all is written.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    >>> write_back(model, {"0": ([1.0, 2.0], [3.0, 4.0])})
    >>> model[0].running_mean
    tensor([1., 2.])
    """
    torch = pytorch()
    layers = batch_norms(model)
    if not isinstance(statistics, Mapping):
        raise TypeError(f"statistics must map names of layers to (mean, var), got {_checks.describe(statistics)}")
    checked = []
    for name, (mean, var) in statistics.items():
        layer = layers[_checks.choice("a layer in statistics", name, tuple(layers))]
        if layer.running_mean is None:
            raise ValueError(f"layer {name!r} must keep running statistics, got one with track_running_stats=False")
        shape = (layer.num_features,)
        mean = _checks.array(f"the mean of layer {name!r}", mean, shape=shape)
        var = _checks.array(f"the variance of layer {name!r}", var, shape=shape, minimum=0)
        most = torch.finfo(layer.running_var.dtype).max
        if max(np.abs(mean).max(), var.max()) > most:
            raise ValueError(
                f"the statistics of layer {name!r} must fit its buffers, which are {layer.running_var.dtype} and hold "
                f"{most:g} at most; got {max(np.abs(mean).max(), var.max()):g}. Keep them in float32: layer.float()"
            )
        checked.append((layer, mean, var))
    with torch.no_grad():
        for layer, mean, var in checked:
            layer.running_mean.copy_(torch.tensor(mean))
            layer.running_var.copy_(torch.tensor(var))


class _LiveRecording(TorchRecording):
    """A recording that still grows."""

    def __init__(self, recorder):
        super().__init__({})
        self.recorder = recorder

    @property
    def layers(self):
        return tuple(self.history)

    @property
    def history(self):
        recorder = self.recorder  # another thread may let go of it
        return MappingProxyType(self._history if recorder is None else recorder.histories())

    def finish(self):
        """Keep what there is, and let go of the model."""
        try:
            self._history = self.recorder.histories()
        except KeyboardInterrupt:  # a second one: the recording is kept all the same
            self._history = self.recorder.histories()
            raise
        finally:
            self.recorder = None

    def __reduce__(self):
        # A copy is what there is so far.
        return TorchRecording, (dict(self.history), self.exact)


def pytorch():
    """Import PyTorch, or say what needs none."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "this needs PyTorch, which is not installed: see https://pytorch.org. A recording that was saved "
            "can be loaded and replayed without it",
            name=error.name,
        ) from error
    return torch


def batch_norms(model, *, some=True):
    """Name to layer, for every batch norm layer of the model, in its order; there must be `some`."""
    nn = pytorch().nn
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {_checks.describe(model)}")
    kind = nn.modules.batchnorm._BatchNorm
    layers = {name: module for name, module in model.named_modules() if isinstance(module, kind)}
    if some and not layers:
        raise ValueError(
            f"model must have at least one BatchNorm layer, got {type(model).__name__} without any (other kinds of "
            "normalisation keep no running statistics, but for InstanceNorm with track_running_stats=True, which is "
            "not recorded; a model of torch.jit has no layers to be seen)"
        )
    return layers


def plain_forward(model, batch):
    """Call the model with a batch, or with the first entry of a tuple, on the device where the model is."""
    x = batch[0] if isinstance(batch, (tuple, list)) else batch
    where = next(model.parameters(), None)
    return model(x if where is None or not hasattr(x, "to") else x.to(where.device))


@contextmanager
def undisturbed(model):
    """Put back modes, buffers and random numbers when the block ends; who records the model sees nothing of it."""
    torch = pytorch()
    before = [(module, module.training, dict(module._buffers)) for module in model.modules()]
    held = [buffer for _, _, buffers in before for buffer in buffers.values() if _has_values(buffer)]
    held = [(buffer, buffer.clone()) for buffer in held]
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices), unnoted(model.modules()):
        try:
            yield
        finally:
            for module, training, buffers in before:
                module.training = training
                module._buffers.update(buffers)
            with torch.no_grad():
                for buffer, values in held:
                    if not torch.equal(buffer, values):  # otherwise who records the model would see a write
                        buffer.copy_(values)


def _has_values(buffer):
    return buffer is not None and not pytorch().nn.parameter.is_lazy(buffer) and not buffer.is_meta


def put_together(history, ends, method):
    """Exact mean and variance of a layer, from the rows of a `frozen_pass` and where those of each batch end."""
    means, variances, sizes = history.means, history.variances, history.sizes
    if method == "pooled":
        return pooled_statistics(means, variances, sizes)
    starts = [0, *ends[:-1]]
    sizes_of = [tuple(sizes[start:end]) for start, end in zip(starts, ends)]
    full = sizes_of[0]
    tail = next((at for at, one in enumerate(sizes_of) if one != full), len(ends))
    if any(len(one) > len(full) or any(n > m for n, m in zip(one, full)) or one == full for one in sizes_of[tail:]):
        raise ValueError(
            "batches must be of one size, except for smaller ones at the end, with method='population'; got sizes "
            f"{', '.join(map(str, np.unique(sizes)))} (values per channel). method='pooled' takes any"
        )
    rows = slice(ends[tail - 1])
    unbiased = unbiased_variance(variances[rows].astype(np.float64), sizes[rows, None])
    return means[rows].mean(axis=0, dtype=np.float64), unbiased.mean(axis=0)
