"""All that touches a PyTorch model: recording it, exact statistics, writing statistics back."""

from collections.abc import Mapping
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np

from bn_teach import _checks
from bn_teach.frameworks import kept_fraction
from bn_teach.running import pooled_statistics, population_statistics
from bn_teach.torch_recorder.history import LayerHistory, TorchRecording

_ROWS_ON_DEVICE = 256


@contextmanager
def record_torch(model):
    """Record the batch statistics of every batch norm layer of `model` while you train it.

    Parameters
    ----------
    model : torch.nn.Module
        With at least one BatchNorm1d, 2d or 3d. Only what happens in training mode is recorded.

    Yields
    ------
    TorchRecording
        It grows while you train, and stays when the model is let go.

    Raises
    ------
    ValueError
        For a model without batch norm, or with a lazy layer that has not seen a batch yet.
    TypeError
        For anything but a model, or a model with SyncBatchNorm: its batches are spread over
        processes, and each sees a part of them.

    Notes
    -----
    Recording reads the input of every batch norm layer once more: on a CPU a training step takes 1.05 to
    1.2 times as long, the less the larger the model (measured by `benchmarks/torch_recorder.py`).
    When the block ends, by an exception too, the model is exactly as it would have been without.

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
    recorded = _LiveRecording({name: _Tap(name, layer) for name, layer in _batch_norms(model).items()})
    hooks = []
    try:
        for tap in recorded.taps.values():
            hooks.append(tap.layer.register_forward_hook(tap, with_kwargs=True, always_call=True))
        yield recorded
    finally:
        for hook in hooks:
            hook.remove()
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
        ``"population"``: mean of the batch means, and n/(n-1) times the mean of the batch variances
        (Algorithm 2, line 10); smaller batches at the end are left out. ``"pooled"``: the exact moments
        of everything that went through the layer, batches of any size.
    forward : callable, optional
        ``forward(model, batch)``, for batches of another kind or to be moved to another device.

    Returns
    -------
    dict of str to (mean, var), each of shape (C,)

    Raises
    ------
    ValueError
        If there are no batches, or none went through one of the layers, or their sizes differ under
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
    forward = _forward if forward is None else forward
    batch = None
    with _undisturbed(model), record_torch(model) as recorded, _torch().no_grad():
        model.train()
        for layer in _batch_norms(model).values():
            layer.train()  # models that freeze their batch norms keep them in inference mode
        for batch in batches:
            forward(model, batch)
    if batch is None:
        raise ValueError("batches must yield at least one batch, got none (a generator can be read only once)")
    return {name: _put_together(history.checked(), method) for name, history in recorded.history.items()}


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
        that do not fit; then nothing at all is written.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    >>> write_back(model, {"0": ([1.0, 2.0], [3.0, 4.0])})
    >>> model[0].running_mean
    tensor([1., 2.])
    """
    torch = _torch()
    layers = _batch_norms(model)
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
        checked.append((layer, mean, var))
    with torch.no_grad():
        for layer, mean, var in checked:
            layer.running_mean.copy_(torch.tensor(mean))
            layer.running_var.copy_(torch.tensor(var))


class _LiveRecording(TorchRecording):
    """A recording that still grows."""

    def __init__(self, taps):
        super().__init__({})
        self._history, self.taps = dict.fromkeys(taps), taps

    @property
    def history(self):
        if self.taps is None:
            return super().history
        return MappingProxyType({name: tap.history() for name, tap in self.taps.items()})

    def finish(self):
        self._history, self.taps = dict(self.history), None


class _Tap:
    """A forward hook that notes the statistics of every batch that its layer trains on."""

    def __init__(self, name, layer):
        self.name, self.layer = name, layer
        self.means, self.variances, self.sizes = [], [], []
        self.refused, self.paused = 0, False
        self.momentum = kept_fraction("pytorch", layer.momentum)
        self.counted_before = self._count()
        self.start = {}
        if layer.running_mean is not None:
            self.start["initial_mean"] = _to_numpy(layer.running_mean).copy()
            self.start["initial_var"] = _to_numpy(layer.running_var).copy()

    def __call__(self, layer, args, kwargs, output):
        # A copy of the model (deepcopy keeps hooks) is another layer, and none of our business.
        if layer is not self.layer or not layer.training or self.paused:
            return
        if output is None or output.numel() == 0:
            # A batch of one is refused, an empty one ignored; PyTorch has counted both all the same.
            self.refused += 1
            return
        mean, var, size = _moments(args[0] if args else kwargs["input"])
        self.means.append(mean)
        self.variances.append(var)
        self.sizes.append(size)
        if len(self.sizes) % _ROWS_ON_DEVICE == 0:
            self._fetch()

    def history(self):
        self._fetch()
        shape = (0, self.layer.num_features)
        counted = None if self._count() is None else self._count() - self.counted_before - self.refused
        return LayerHistory(
            np.concatenate([*self.means, np.empty(shape, np.float32)]),
            np.concatenate([*self.variances, np.empty(shape, np.float32)]),
            np.array(self.sizes, dtype=np.int64),
            **self.start,
            momentum=self.momentum,
            eps=self.layer.eps,
            layer=self.name,
            counted=counted,
        )

    def _fetch(self):
        """Bring rows from the device, many at a time, because each time has to wait for it."""
        self.means, self.variances = _fetched(self.means), _fetched(self.variances)

    def _count(self):
        tracked = self.layer.num_batches_tracked
        return None if tracked is None else int(tracked)

    def __reduce__(self):
        # A model saved while it is recorded takes a hook along that does nothing.
        return _hook_of_a_copy, ()


def _torch():
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "this needs PyTorch, which is not installed: see https://pytorch.org. A recording that was saved "
            "can be loaded and replayed without it",
            name=error.name,
        ) from error
    return torch


def _batch_norms(model):
    """Name to layer, for every batch norm layer of the model, in its order."""
    nn = _torch().nn
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {_checks.describe(model)}")
    layers = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.SyncBatchNorm):
            raise TypeError(
                f"model must have no SyncBatchNorm, got one as layer {name!r}: its batch is spread over processes, "
                "and each of them sees a part only. Record before convert_sync_batchnorm"
            )
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        if isinstance(module, nn.modules.lazy.LazyModuleMixin):
            raise ValueError(
                f"model must know the size of every layer, got {type(module).__name__} as layer {name!r}, which "
                "takes it from its first batch: call the model on a batch first"
            )
        layers[name] = module
    if not layers:
        raise ValueError(
            f"model must have at least one BatchNorm layer, got {type(model).__name__} without any (other kinds of "
            "normalisation keep no running statistics)"
        )
    return layers


def _moments(x):
    """Mean and biased variance of every channel, on the device of `x`, and how many values each has."""
    torch = _torch()
    x = x.detach()
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    size = x.numel() // x.shape[1]
    with torch.no_grad():
        if x.device.type in ("cpu", "cuda"):
            # What batch norm calls itself: the very same numbers, in a fraction of the time of var_mean.
            mean, var = torch.batch_norm_update_stats(x, None, None, 0.0)
        else:
            var, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
    return mean, var, size


def _fetched(rows):
    """Replace tensors of one row by one array of many; arrays stay."""
    tensors = [row for row in rows if not isinstance(row, np.ndarray)]
    arrays = [row for row in rows if isinstance(row, np.ndarray)]
    return [*arrays, _to_numpy(_torch().stack(tensors))] if tensors else arrays


def _to_numpy(tensor):
    return tensor.detach().cpu().numpy()


def _hook_of_a_copy():
    return _do_nothing


def _do_nothing(*_):
    pass


def _forward(model, batch):
    return model(batch[0] if isinstance(batch, (tuple, list)) else batch)


@contextmanager
def _undisturbed(model):
    """Put back modes, buffers and random numbers when the block ends; who records the model sees nothing of it."""
    torch = _torch()
    taps = [
        hook
        for layer in _batch_norms(model).values()
        for hook in layer._forward_hooks.values()
        if isinstance(hook, _Tap)
    ]
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices)):
        try:
            for tap in taps:
                tap.paused = True
            yield
        finally:
            for tap in taps:
                tap.paused = False
            for module, training in modes:
                module.training = training
            with torch.no_grad():
                for module, name, buffer, before in buffers:
                    module._buffers[name] = buffer.copy_(before)


def _put_together(history, method):
    means, variances, sizes = history.means, history.variances, history.sizes
    if method == "pooled":
        return pooled_statistics(means, variances, sizes)
    full = sizes == sizes[0]
    tail = len(full) if full.all() else int(np.argmin(full))
    if sizes.max() > sizes[0] or full[tail:].any():
        raise ValueError(
            "batches must be of one size, except for smaller ones at the end, with method='population'; got sizes "
            f"{', '.join(map(str, np.unique(sizes)))} (values per channel). method='pooled' takes any"
        )
    return population_statistics(means[:tail], variances[:tail], int(sizes[0]))
