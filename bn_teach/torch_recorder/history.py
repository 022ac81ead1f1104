"""What was recorded, and its replay. Nothing here needs PyTorch."""

import json
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from bn_teach import _checks, _files
from bn_teach.replay import AVERAGES, running_statistics


@dataclass(frozen=True, eq=False)
class LayerHistory:
    """What every update of one batch norm layer was made of: T updates, C channels.

    A layer that the model calls several times a step is updated several times, and has a row for each.

    Attributes
    ----------
    means, variances : numpy.ndarray, shape (T, C)
        Of every batch; the variances are biased (they divide by n).
    sizes : numpy.ndarray of int, shape (T,)
        n, the values per channel in every batch: examples times spatial positions.
    initial_mean, initial_var : float or numpy.ndarray, shape (C,)
        The layer's running statistics when recording began: 0 and 1 for a new layer.
    momentum : float or None
        The layer's own momentum in our convention; None is the cumulative average.
    eps : float
    layer : str
        Its name in the model.
    counted : int or None
        How many updates the layer itself counted, if it did. Fewer or more than T is a gap.

    Examples
    --------
    >>> history = LayerHistory([[1.0], [3.0]], [[0.5], [0.5]], [2, 2])
    >>> len(history), history.channels
    (2, 1)
    """

    means: np.ndarray
    variances: np.ndarray
    sizes: np.ndarray
    initial_mean: float | np.ndarray = 0.0
    initial_var: float | np.ndarray = 1.0
    momentum: float | None = 0.9
    eps: float = 1e-5
    layer: str = ""
    counted: int | None = None

    def __post_init__(self):
        means, variances, sizes = (np.asarray(a) for a in (self.means, self.variances, self.sizes))
        if means.ndim != 2 or variances.shape != means.shape or sizes.shape != means.shape[:1]:
            raise ValueError(
                f"means, variances and sizes{self._of_layer} must have shapes (T, C), (T, C) and (T,), "
                f"got {means.shape}, {variances.shape} and {sizes.shape}"
            )
        if means.dtype.kind not in "fiu" or variances.dtype.kind not in "fiu" or sizes.dtype.kind not in "iu":
            raise TypeError(
                f"means and variances{self._of_layer} must be numbers and sizes whole numbers, "
                f"got {means.dtype}, {variances.dtype} and {sizes.dtype}"
            )
        for name in ("initial_mean", "initial_var"):
            initial = np.asarray(getattr(self, name))
            if initial.shape not in ((), means.shape[1:]) or initial.dtype.kind not in "fiu":
                raise ValueError(
                    f"{name}{self._of_layer} must be a number or have shape {means.shape[1:]}, "
                    f"got {_checks.describe(initial)}"
                )
        for name, values in (("means", means), ("variances", variances), ("sizes", sizes)):
            object.__setattr__(self, name, values)

    def __len__(self):
        return len(self.sizes)

    @property
    def channels(self):
        """C, the number of channels."""
        return self.means.shape[1]

    def up_to(self, updates):
        """Return the first `updates` rows as a history: what came before a run diverged, say."""
        updates = _checks.integer("updates", updates, 0, len(self))
        rows = {name: getattr(self, name)[:updates] for name in ("means", "variances", "sizes")}
        return replace(self, **rows, counted=None)

    def checked(self):
        """Return the history itself if it can be averaged, or say what is wrong with it, and where."""
        if self.counted is not None and self.counted != len(self):
            raise ValueError(
                f"the history{self._of_layer} must have a row for every update, got {len(self)} rows for "
                f"{self.counted} updates that the layer counted. Record before torch.compile or DataParallel "
                "wraps the model, and do not reset or reload it while recording; history.up_to(t) keeps the "
                "first t rows if you know better"
            )
        if len(self) == 0:
            raise ValueError(
                f"the history{self._of_layer} must have at least one row, got none: the layer was never called "
                "in training mode while recording"
            )
        for name, values, allowed in (
            ("means", self.means, np.isfinite(self.means)),
            ("variances", self.variances, np.isfinite(self.variances) & (self.variances >= 0)),
            ("sizes", self.sizes, self.sizes >= 1),
        ):
            wrong = ~allowed.reshape(len(self), -1).all(axis=1)
            if wrong.any():
                row = int(np.argmax(wrong))
                value = values[row][~allowed[row]].ravel()[0] if values.ndim > 1 else values[row]
                raise ValueError(
                    f"{name}{self._of_layer} must be {'at least 1' if name == 'sizes' else 'finite'}"
                    f"{' and not negative' if name == 'variances' else ''} in every row, got {value} in row {row}; "
                    f"history.up_to({row}) is what came before"
                )
        return self

    @property
    def _of_layer(self):
        return f" of layer {self.layer!r}" if self.layer else ""


class TorchRecording:
    """What was recorded of a model: one `LayerHistory` per batch norm layer.

    Parameters
    ----------
    history : mapping of str to LayerHistory
    exact : mapping of str to (mean, var), optional

    Attributes
    ----------
    layers : tuple of str
    history : mapping of str to LayerHistory
        While a model is being recorded, what there is so far.
    exact : mapping of str to (mean, var), or None
        Room for what `exact_statistics` gives: `report` compares with it, and `save` keeps it.
    """

    def __init__(self, history, exact=None):
        for name, one in history.items():
            if not isinstance(one, LayerHistory):
                raise TypeError(f"the history of layer {name!r} must be a LayerHistory, got {_checks.describe(one)}")
        self._history = {name: replace(one, layer=name) for name, one in history.items()}
        self.exact = exact

    @property
    def layers(self):
        """Names of the layers, in the order of the model."""
        return tuple(self._history)

    @property
    def history(self):
        """Name to `LayerHistory`."""
        return MappingProxyType(self._history)

    def statistics(self, momentum=0.9, *, estimator="ema", unbiased=True):
        """Compute the running statistics that every layer would have ended with.

        Parameters
        ----------
        momentum : float or None
        estimator : str
        unbiased : bool
            As in `replay_statistics`.

        Returns
        -------
        dict of str to (mean, var), each of shape (C,)
            Ready for `write_back`.
        """
        momentum = None if momentum is None else _checks.momentum(momentum)
        return {
            name: last_row(replay_statistics(history, momentum, estimator=estimator, unbiased=unbiased))
            for name, history in self.history.items()
        }

    def save(self, path):
        """Write everything to a compressed .npz file (no pickle), which appears whole or not at all."""
        histories = list(self.history.values())
        meta = [{name: getattr(history, name) for name in _SCALARS} for history in histories]
        arrays = {"format": np.array(_FORMAT), "layers": np.array(json.dumps(meta))}
        for index, history in enumerate(histories):
            for name in _ARRAYS:
                arrays[f"{name}_{index}"] = getattr(history, name)
        for index, (mean, var) in enumerate(given_exact(self) if self.exact is not None else ()):
            arrays[f"exact_mean_{index}"], arrays[f"exact_var_{index}"] = mean, var
        _files.write_arrays(path, arrays)

    @classmethod
    def load(cls, path):
        """Read a recording written by `save`; this needs no PyTorch.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, or is not such a recording. Nothing in it is ever unpickled.
        """
        return _files.read_arrays(path, _from_arrays, "TorchRecording.save")


def replay_statistics(history, momentum=0.9, *, estimator="ema", unbiased=True):
    """Compute the running statistics that a recorded layer would have had, update by update.

    Parameters
    ----------
    history : LayerHistory
    momentum : float, None, or array_like of shape (M,)
        Weight kept on the old estimate, in [0, 1]: 1 minus PyTorch's number. None, as in PyTorch, is
        the cumulative average.
    estimator : str
        ``"ema"``, ``"debiased"`` (without what is left of the start) or ``"cumulative"`` (no
        momentum: all batches alike, those before the recording left out).
    unbiased : bool
        Whether the running variance takes in n/(n-1) times the batch variance, as PyTorch does.

    Returns
    -------
    running_mean, running_var : numpy.ndarray, float64, shape ([M,] T, C)
        Row t is the value after update t. At the layer's own momentum the last row is what its buffers
        hold, to rounding.

    Raises
    ------
    ValueError, TypeError
        For a history with gaps, without rows or with values that are not finite (the layer and the row
        are named), an unknown estimator, or a momentum outside [0, 1] (or of 1 with ``debiased``).

    Examples
    --------
    >>> history = LayerHistory(means=[[1.0], [3.0]], variances=[[0.5], [0.5]], sizes=[2, 2])
    >>> running_mean, running_var = replay_statistics(history, 0.5)
    >>> print(running_mean.ravel(), running_var.ravel())
    [0.5  1.75] [1. 1.]
    """
    if not isinstance(history, LayerHistory):
        raise TypeError(
            f"history must be a LayerHistory (recorded.history[name] is one), got {_checks.describe(history)}"
        )
    history.checked()
    _checks.choice("estimator", estimator, AVERAGES)
    if momentum is None and estimator == "ema":
        estimator = "cumulative"
    running = running_statistics(
        history.means,
        history.variances,
        history.sizes,
        0.0 if estimator == "cumulative" else _checks.momenta(momentum),
        estimator=estimator,
        unbiased=_checks.boolean("unbiased", unbiased),
        initial_mean=history.initial_mean,
        initial_var=history.initial_var,
    )
    return tuple(estimate[..., 1:, :] for estimate in running)


_FORMAT = "bn_teach torch recording 1"
_ARRAYS = ("means", "variances", "sizes", "initial_mean", "initial_var")
_SCALARS = ("momentum", "eps", "layer", "counted")


def given_exact(recorded, exact=None):
    """Exact statistics in the order of the layers, checked against them."""
    exact = recorded.exact if exact is None else exact
    if exact is None:
        raise ValueError(
            "exact must be given, or be stored in recorded.exact, got None: exact_statistics(model, batches) "
            "computes it"
        )
    if set(exact) != set(recorded.layers):
        raise ValueError(
            f"exact must have the layers of the recording, {', '.join(map(repr, recorded.layers))}; "
            f"got {', '.join(map(repr, exact)) or 'none'}"
        )
    pairs = []
    for name, history in recorded.history.items():
        mean, var = exact[name]
        shape = (history.channels,)
        mean = _checks.array(f"the exact mean of layer {name!r}", mean, shape=shape)
        var = _checks.array(f"the exact variance of layer {name!r}", var, shape=shape, minimum=0)
        pairs.append((mean, var))
    return pairs


def last_row(running):
    """Where running statistics end."""
    return tuple(estimate[..., -1, :] for estimate in running)


def _from_arrays(arrays):
    if str(arrays["format"]) != _FORMAT:
        raise ValueError(f"its format is {str(arrays['format'])!r}, this version reads {_FORMAT!r}")
    histories, exact = {}, {}
    for index, meta in enumerate(json.loads(str(arrays["layers"]))):
        history = LayerHistory(**{name: arrays[f"{name}_{index}"] for name in _ARRAYS}, **meta)
        histories[history.layer] = history
        if f"exact_mean_{index}" in arrays:
            exact[history.layer] = arrays[f"exact_mean_{index}"], arrays[f"exact_var_{index}"]
    return TorchRecording(histories, exact or None)
