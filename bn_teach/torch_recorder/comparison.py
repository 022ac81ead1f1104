"""How far off each momentum would have been, layer by layer. Nothing here needs PyTorch."""

from dataclasses import dataclass

import numpy as np

from bn_teach import _checks
from bn_teach.replay import MOVED_BY_MOMENTUM
from bn_teach.torch_recorder.history import TorchRecording, given_exact, last_statistics

MOMENTA = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999)
"""The momenta that `report` tries unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Report:
    """How far each momentum would have been from the exact statistics: L layers, M momenta.

    `print` shows it as a table. A difference counts in units of the layer's own spread,
    ``sqrt(var + eps)`` of the exact variance, which is what the layer divides by.

    Attributes
    ----------
    layers : tuple of str
    momenta : numpy.ndarray, shape (M,)
        Those asked for, and the layers' own.
    own : tuple of float or None
        The momentum that each layer has in the end; None if it has none, or none that the table can have.
    mean_error : numpy.ndarray, shape (L, M)
        How far the running mean is off; root mean square over channels.
    var_ratio : numpy.ndarray, shape (L, M)
        Running variance over exact variance, eps added to both; geometric mean over channels.
    distance : numpy.ndarray, shape (L, M)
        How far a normalised value is off because of both, root mean square over channels and over a
        population with the exact statistics.
    nearest : numpy.ndarray, shape (L,)
        The momentum of least distance.
    left_out : dict of str to str
        The other layers of the recording, each with the reason.
    """

    layers: tuple
    momenta: np.ndarray
    own: tuple
    mean_error: np.ndarray
    var_ratio: np.ndarray
    distance: np.ndarray
    nearest: np.ndarray
    left_out: dict

    def __str__(self):
        width = max(11, *map(len, self.layers)) + 2
        lines = ["How far normalised values would be off at each momentum (0 is exact)", ""]
        lines.append(f"{'layer':{width}}" + "".join(f"{p:9g}" for p in self.momenta) + "   yours  nearest")
        names = [name or "(the model)" for name in self.layers]
        for name, own, distances, nearest in zip(names, self.own, self.distance, self.nearest):
            yours = "1/t" if own is None else f"{own:g}"
            row = "".join(f"{distance:9.3g}" for distance in distances)
            lines.append(f"{name:{width}}{row}{yours:>8}{nearest:9g}")
        if self.left_out:
            lines += ["", "Left out:", *(f"  {name or '(the model)'}: {why}" for name, why in self.left_out.items())]
        return "\n".join(lines)


def report(recorded, exact=None, *, momenta=MOMENTA, estimator="ema", unbiased=True):
    """Compare what each momentum would have ended with to the exact statistics, layer by layer.

    Parameters
    ----------
    recorded : TorchRecording
    exact : mapping of str to (mean, var), optional
        From `exact_statistics`, for the weights at the end of the recording; `recorded.exact` unless
        given.
    momenta : array_like, shape (M,)
        The layers' own momenta are added.
    estimator : str
        ``"ema"`` or ``"debiased"``.
    unbiased : bool

    Returns
    -------
    Report

    Raises
    ------
    ValueError, TypeError
        If no layer can be replayed, or for exact statistics that do not fit the layers.

    Examples
    --------
    >>> from bn_teach.torch_recorder import LayerHistory
    >>> history = LayerHistory(np.full((50, 2), 3.0), np.ones((50, 2)), np.full(50, 8), layer="norm")
    >>> recorded = TorchRecording({"norm": history})
    >>> told = report(recorded, {"norm": ([3.0, 3.0], [8 / 7, 8 / 7])}, momenta=[0.5, 0.999])
    >>> told.nearest  # after 50 updates 0.999 still stands near its start
    array([0.5])
    """
    if not isinstance(recorded, TorchRecording):
        raise TypeError(f"recorded must be a TorchRecording, got {_checks.describe(recorded)}")
    _checks.choice("estimator", estimator, MOVED_BY_MOMENTUM)
    targets, (histories, left_out) = given_exact(recorded, exact), recorded.usable()
    left_out |= {name: "there are no exact statistics of it" for name in histories if name not in targets}
    histories = {name: history for name, history in histories.items() if name in targets}
    if not histories:
        raise ValueError("exact must have a layer that can be replayed: " + "; ".join(left_out.values()))
    own = tuple(_comparable(history.momentum, estimator) for history in histories.values())
    momenta = np.unique([*np.atleast_1d(_checks.momenta(momenta, "momenta")), *(p for p in own if p is not None)])
    errors = np.empty((3, len(histories), len(momenta)))
    for row, (name, history) in enumerate(histories.items()):
        estimates = zip(*last_statistics(history, momenta, estimator=estimator, unbiased=unbiased))
        for column, estimate in enumerate(estimates):
            errors[:, row, column] = differences(*estimate, *targets[name], history.eps)
    distance = errors[-1]
    nearest = momenta[distance.argmin(axis=1)]
    return Report(tuple(histories), momenta, own, *errors, nearest, left_out)


def _comparable(momentum, estimator):
    """A layer's own momentum, if the table can have a column for it."""
    if momentum is None or not 0 <= momentum <= 1 or (momentum == 1 and estimator == "debiased"):
        return None
    return momentum


def differences(running_mean, running_var, mean, var, eps):
    """Error of the mean, ratio of the variances, distance of normalised values: over all channels."""
    std, running_std = np.sqrt(var + eps), np.sqrt(running_var + eps)
    # A value at z spreads from the exact mean is normalised to shift + stretch * z instead of z.
    shift, stretch = (mean - running_mean) / running_std, std / running_std
    return (
        np.sqrt(np.mean(((running_mean - mean) / std) ** 2)),
        np.exp(np.mean(np.log((running_var + eps) / (var + eps)))),
        np.sqrt(np.mean(shift**2 + (stretch - 1) ** 2)),
    )
