"""What was recorded, and its replay. Nothing here needs PyTorch."""

import json
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from bn_teach import _checks, _files
from bn_teach.replay import AVERAGES, running_statistics
from bn_teach.torch_recorder.following import last_values


@dataclass(frozen=True, eq=False)
class LayerHistory:
    """What every update of one batch norm layer was made of: T updates, C channels.

    A layer that the model calls several times a step is updated several times, and has a row for each. A batch
    that its buffers do not take in (in inference, at PyTorch's momentum 0) has none.

    Attributes
    ----------
    means, variances : numpy.ndarray, shape (T, C)
        Of every batch; the variances are biased (they divide by n).
    sizes : numpy.ndarray of int, shape (T,)
        n, the values per channel in every batch: examples times spatial positions.
    initial_mean, initial_var : float or numpy.ndarray, shape (C,)
        The layer's running statistics before the first of these updates: 0 and 1 for a new layer.
    momentum : float or None
        The layer's own momentum in our convention, in the end; None is the cumulative average.
    eps : float
    layer : str
        Its name in the model.
    counted : int or None
        How many batches the layer itself counted, if it did: those that PyTorch refused and those at momentum 0
        are among them.
    momenta : numpy.ndarray, shape (T,), or None
        What every update kept, where that is not `momentum` throughout.
    parted : (int, str) or None
        After how many updates the buffers of the layer parted from its replay, and why.

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
    momenta: np.ndarray | None = None
    parted: tuple[int, str] | None = None

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
        if self.momenta is not None:
            momenta = np.asarray(self.momenta, dtype=np.float64)
            if momenta.shape != sizes.shape:
                raise ValueError(f"momenta{self._of_layer} must have shape {sizes.shape}, got {momenta.shape}")
            object.__setattr__(self, "momenta", momenta)
        for name, values in (("means", means), ("variances", variances), ("sizes", sizes)):
            object.__setattr__(self, name, values)

    def __len__(self):
        return len(self.sizes)

    @property
    def channels(self):
        """C, the number of channels."""
        return self.means.shape[1]

    @property
    def kept(self):
        """What every update kept of the old estimate, shape (T,)."""
        if self.momenta is not None:
            return self.momenta
        if self.momentum is None:
            return 1 - 1 / np.arange(1, len(self) + 1)
        return np.full(len(self), float(self.momentum))

    def up_to(self, updates):
        """Return the first `updates` rows as a history: what came before a run diverged, say."""
        updates = _checks.integer("updates", updates, 0, len(self))
        rows = ("means", "variances", "sizes", *(() if self.momenta is None else ("momenta",)))
        parted = self.parted if self.parted and self.parted[0] < updates else None
        return replace(self, **{name: getattr(self, name)[:updates] for name in rows}, counted=None, parted=parted)

    @cached_property
    def trouble(self):
        """Why this history cannot be replayed, in a sentence that names the layer and the row; None if it can."""
        if len(self) == 0:
            why = self.parted[1] if self.parted else "the layer was never called in training mode while recording"
            return f"the history{self._of_layer} must have at least one row, got none: {why}"
        for name, values, least in (("means", self.means, -np.inf), ("variances", self.variances, 0)):
            # The extremes tell of NaN and infinity as well, and need no copy.
            if not (least <= values.min() and values.max() < np.inf and values.min() > -np.inf):
                allowed = np.isfinite(values) & (values >= least)
                row = int(np.argmin(allowed.all(axis=1)))
                return (
                    f"{name}{self._of_layer} must be finite{' and not negative' if least == 0 else ''} in every row, "
                    f"got {values[row][~allowed[row]][0]} in row {row}; history.up_to({row}) is what came before"
                )
        if self.sizes.min() < 1:
            row = int(np.argmax(self.sizes < 1))
            return (
                f"sizes{self._of_layer} must be at least 1 in every row, got {self.sizes[row]} in row {row}; "
                f"history.up_to({row}) is what came before"
            )
        if self.parted:
            row, why = self.parted
            return (
                f"the replay{self._of_layer} must lead where its buffers stand, but after update {row} of {len(self)} "
                f"they part: {why}. history.up_to({row}) is what came before"
            )
        return None

    def checked(self):
        """Return the history itself if it can be replayed, or raise a ValueError that says what is wrong with it."""
        if self.trouble:
            raise ValueError(self.trouble)
        return self

    def last(self, kept, *, unbiased=True):
        """Where the running statistics end, keeping `kept` (..., T) at every update: mean and var, shape (..., C)."""
        initial = self.initial_mean, self.initial_var
        return last_values(self.means, self.variances, self.sizes, kept, initial, unbiased=unbiased)

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

    def check(self):
        """Say which layers cannot be replayed: their names, with the reason. Nothing is all well.

        For every other layer the replay at its own momenta is what its buffers hold.
        """
        return {name: history.trouble for name, history in self.history.items() if history.trouble}

    def usable(self):
        """Histories of the layers that can be replayed, and why the others cannot; if none can, a ValueError."""
        histories = self.history
        left_out = {name: history.trouble for name, history in histories.items() if history.trouble}
        if left_out and len(left_out) == len(histories):
            raise ValueError(next(iter(left_out.values())))
        return {name: history for name, history in histories.items() if name not in left_out}, left_out

    def own(self, layer):
        """Compute the running statistics of a layer at the momenta that it had itself: what its buffers hold.

        Parameters
        ----------
        layer : str

        Returns
        -------
        mean, var : numpy.ndarray, float64, shape (C,)

        Raises
        ------
        ValueError
            For a layer that is not in the recording, or whose buffers hold something else; it says why.
        """
        history = self.history[_checks.choice("layer", layer, self.layers)].checked()
        return history.last(history.kept)

    def up_to(self, updates):
        """Return a recording of the first `updates` updates of every layer: what came before a layer parted, say.

        A layer that is called twice a step has two updates a step. Exact statistics are not kept: they belong to the
        weights at the end.
        """
        updates = _checks.integer("updates", updates, 0)
        histories = self.history.items()
        return TorchRecording({name: history.up_to(min(updates, len(history))) for name, history in histories})

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
            Ready for `write_back`. A layer that cannot be replayed is left out, with a warning that says why.

        Raises
        ------
        ValueError
            If no layer can be replayed.
        """
        histories, left_out = self.usable()
        for why in left_out.values():
            warnings.warn(f"left out: {why}", stacklevel=2)
        return {
            name: last_statistics(history, momentum, estimator=estimator, unbiased=unbiased)
            for name, history in histories.items()
        }

    def save(self, path):
        """Write everything to a compressed .npz file (no pickle), which appears whole or not at all."""
        histories = list(self.history.values())
        meta = [{name: getattr(history, name) for name in _SCALARS} for history in histories]
        arrays = {"format": np.array(_FORMAT), "layers": np.array(json.dumps(meta))}
        for index, history in enumerate(histories):
            for name in (*_ARRAYS, *(() if history.momenta is None else ("momenta",))):
                arrays[f"{name}_{index}"] = getattr(history, name)
        exact = given_exact(self) if self.exact is not None else {}
        for index, name in enumerate(self.history):
            if name in exact:
                arrays[f"exact_mean_{index}"], arrays[f"exact_var_{index}"] = exact[name]
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
        return _files.read_arrays(path, from_arrays, "TorchRecording.save")


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
    estimator, momentum = _averaged(estimator, momentum)
    running = running_statistics(
        history.means,
        history.variances,
        history.sizes,
        momentum,
        estimator=estimator,
        unbiased=_checks.boolean("unbiased", unbiased),
        initial_mean=history.initial_mean,
        initial_var=history.initial_var,
    )
    return tuple(estimate[..., 1:, :] for estimate in running)


def last_statistics(history, momentum, *, estimator="ema", unbiased=True):
    """Where `replay_statistics` ends, mean and var of shape ([M,] C), without a pass over the updates."""
    estimator, momentum = _averaged(estimator, momentum)
    unbiased = _checks.boolean("unbiased", unbiased)
    updates = len(history.checked())
    if estimator == "cumulative":
        return history.last(1 - 1 / np.arange(1, updates + 1), unbiased=unbiased)
    momentum = np.asarray(momentum)[..., None]
    ended = history.last(np.repeat(momentum, updates, axis=-1), unbiased=unbiased)
    if estimator == "ema":
        return ended
    _checks.debiasable(momentum)
    left, starts = momentum**updates, (history.initial_mean, history.initial_var)
    return tuple((end - left * start) / (1 - left) for end, start in zip(ended, starts))


def _averaged(estimator, momentum):
    """The estimator and the momenta that are meant: a momentum of None is the cumulative average."""
    _checks.choice("estimator", estimator, AVERAGES)
    if estimator == "cumulative" or (momentum is None and estimator == "ema"):
        return "cumulative", 0.0
    return estimator, _checks.momenta(momentum)


_FORMAT = "bn_teach torch recording 1"
_ARRAYS = ("means", "variances", "sizes", "initial_mean", "initial_var")
_SCALARS = ("momentum", "eps", "layer", "counted", "parted")


def given_exact(recorded, exact=None):
    """Exact statistics, name to (mean, var), in the order of the layers and checked against them."""
    exact = recorded.exact if exact is None else exact
    if exact is None:
        raise ValueError(
            "exact must be given, or be stored in recorded.exact, got None: exact_statistics(model, batches) "
            "computes it"
        )
    unknown = [name for name in exact if name not in recorded.layers]
    if unknown or not exact:
        raise ValueError(
            f"exact must have layers of the recording, {', '.join(map(repr, recorded.layers))}; "
            f"got {', '.join(map(repr, unknown)) or 'none'}"
        )
    pairs = {}
    for name, history in recorded.history.items():
        if name not in exact:
            continue
        mean, var = exact[name]
        shape = (history.channels,)
        mean = _checks.array(f"the exact mean of layer {name!r}", mean, shape=shape)
        var = _checks.array(f"the exact variance of layer {name!r}", var, shape=shape, minimum=0)
        pairs[name] = mean, var
    return pairs


def from_arrays(arrays):
    """Build a recording from the arrays of a file."""
    if str(arrays["format"]) != _FORMAT:
        raise ValueError(f"its format is {str(arrays['format'])!r}, this version reads {_FORMAT!r}")
    histories, exact, used = {}, {}, {"format", "layers"}
    present = {name for name in arrays if not name.startswith("example_")}  # those of the shipped example stand beside
    for index, meta in enumerate(json.loads(str(arrays["layers"]))):
        names = {f"{name}_{index}": name for name in (*_ARRAYS, "momenta") if f"{name}_{index}" in present}
        parted = tuple(meta.pop("parted", None) or ()) or None
        history = LayerHistory(**{name: arrays[key] for key, name in names.items()}, **meta, parted=parted)
        if history.layer in histories:
            raise ValueError(f"two of its layers are named {history.layer!r}")
        _checks.number(f"eps of layer {history.layer!r}", history.eps, 0)
        if (history.variances < 0).any():
            raise ValueError(f"a variance of layer {history.layer!r} is negative")
        histories[history.layer] = history
        used |= set(names)
        of_exact = [f"exact_mean_{index}", f"exact_var_{index}"]
        if present.issuperset(of_exact):
            exact[history.layer] = tuple(arrays[key] for key in of_exact)
            used |= set(of_exact)
    if more := sorted(present - used):
        raise ValueError(f"it holds {', '.join(map(repr, more[:3]))} besides")
    recording = TorchRecording(histories, exact or None)
    if exact:
        given_exact(recording)
    return recording
