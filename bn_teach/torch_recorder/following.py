"""Does a replay lead where the buffers of a layer stand? Plain arithmetic; nothing here needs PyTorch."""

from dataclasses import dataclass

import numpy as np

from bn_teach.running import unbiased_variance


def weights(kept):
    """Return the weight of every update in an average that kept `kept` (..., T) at each, and what is left of its start.

    Examples
    --------
    >>> weights(np.array([[0.5, 0.5]]))
    (array([[0.25, 0.5 ]]), array([0.25]))
    """
    later = np.cumprod(np.concatenate([np.ones_like(kept[..., :1]), kept[..., ::-1]], axis=-1), axis=-1)
    return (1 - kept) * later[..., -2::-1], later[..., -1]


def last_values(means, variances, sizes, kept, initial, *, unbiased=True):
    """Return where a running mean and variance end: one product of matrices each, instead of a pass over the updates.

    Parameters
    ----------
    means, variances : numpy.ndarray, shape (T, C)
    sizes : numpy.ndarray, shape (T,)
    kept : numpy.ndarray, shape (..., T)
        Weight kept on the old estimate at every update.
    initial : (mean, var)
    unbiased : bool

    Returns
    -------
    mean, var : numpy.ndarray, float64, shape (..., C)
    """
    weight, _ = weights(kept)
    mean, var = (np.asarray(start, dtype=np.float64) for start in initial)
    return _ended(weight, means, mean, 1.0), _ended(weight, variances, var, _factor(sizes) if unbiased else 1.0)


def _factor(sizes):
    """What makes each variance unbiased, shape (T,)."""
    return unbiased_variance(np.ones(len(sizes)), sizes) if len(sizes) else 1.0


def _ended(weight, rows, initial, factor):
    """Where an average of ``factor * rows`` ends: its start, and the weighted ways from there to every value."""
    taken = weight * factor
    end = initial + (taken - weight).sum(axis=-1)[..., None] * initial + np.zeros(rows.shape[1])
    for at in range(0, len(rows), 512):  # a copy in float64 of all rows would be twice as large as they are
        some = slice(at, at + 512)
        end += taken[..., some] @ (rows[some] - initial)
    return end


@dataclass(frozen=True, eq=False)
class Followed:
    """Where the buffers of a layer must stand, by its own momenta, and how far rounding may carry them from there.

    Every update rounds a value of about the size of what is averaged, and the average forgets old roundings as it
    forgets old batches. So the sizes are averaged along with the values, and the updates that count are counted.

    Attributes
    ----------
    mean, var : numpy.ndarray, float64, shape (C,)
    mean_size, var_size : numpy.ndarray, float64, shape (C,)
        Averages of the sizes of what went in.
    updates : float
        How many roundings are still remembered.
    rounding : float
        That of the coarsest numbers that went in.
    """

    mean: np.ndarray
    var: np.ndarray
    mean_size: np.ndarray
    var_size: np.ndarray
    updates: float = 0.0
    rounding: float = 0.0

    @classmethod
    def start(cls, mean, var):
        """Return the state before any update."""
        mean, var = (np.asarray(values, dtype=np.float64) for values in (mean, var))
        return cls(mean, var, np.abs(mean), np.abs(var))

    def after(self, means, variances, sizes, kept):
        """Return the state after some updates more."""
        with np.errstate(all="ignore"):  # a run that diverges has NaN and infinity in its rows and in its buffers
            mean, var = last_values(means, variances, sizes, kept, (self.mean, self.var))
            # Another kernel may compute a variance from the mean of squares: a hundredth of them in place of a proof.
            of_mean, of_var = np.abs(means) + np.sqrt(variances), variances + 0.01 * means**2
            # A momentum of PyTorch's above 1 takes the old estimate away again: values cancel, roundings do not.
            weight, left = (np.abs(part) for part in weights(kept))
            mean_size = left * self.mean_size + _ended(weight, of_mean, 0.0, 1.0)
            var_size = left * self.var_size + _ended(weight, of_var, 0.0, _factor(sizes))
            remembered = np.divide(weight, np.abs(1 - kept), out=np.zeros_like(weight), where=kept != 1).sum()
        rounding = max(self.rounding, float(np.finfo(means.dtype).eps))
        return Followed(mean, var, mean_size, var_size, float(left * self.updates + remembered), rounding)

    def agrees(self, mean, var, stored):
        """Whether buffers that are rounded to `stored` (0.008 in bfloat16) stand there.

        A hundred roundings are room for the statistics of a batch, which another kernel sums up in another order.
        """
        room = (100 + 4 * self.updates) * self.rounding + 2 * stored
        pairs = ((self.mean, mean, self.mean_size), (self.var, var, self.var_size))
        with np.errstate(all="ignore"):
            return all(
                bool(np.all((np.abs(ours - theirs) <= room * size) | ~(np.isfinite(ours) | np.isfinite(theirs))))
                for ours, theirs, size in pairs
            )
