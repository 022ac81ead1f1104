"""What a recording tells `checkup`: which momentum would have been right, and what went in. Yields findings."""

from dataclasses import dataclass, replace

import numpy as np

from bn_teach.torch_recorder.comparison import MOMENTA, differences
from bn_teach.torch_recorder.diagnosis import Finding, called
from bn_teach.torch_recorder.evidence import FAR
from bn_teach.torch_recorder.from_model import EXACT
from bn_teach.torch_recorder.history import last_statistics

_LEFT = 0.05  # of the start
_ALTERNATES = 0.25  # share of period two: random batches have next to none


def not_updated(e):
    """Layers that took in no batch of the recorded run."""
    yield from _unlike_the_recording(e, False, "a layer that was not updated", "frozen-backbone", _STALE)


def written_to(e):
    """Layers whose buffers are not what the recorded run made of them."""
    yield from _unlike_the_recording(e, True, "buffers written from outside", "restored", _WRITTEN)


_STALE = (
    "Its buffers are as old as what it was loaded from: right for a layer that is kept in inference mode on purpose, "
    "and stale for any other."
)
_WRITTEN = "What is in the buffers is not the average of what this training saw."


def _unlike_the_recording(e, moved, name, case, cause):
    """One finding for all layers that cannot be replayed, with rows or without."""
    troubled = e.recorded.check()
    layers = tuple(layer for layer in troubled if bool(len(e.recorded.history[layer])) == moved)
    if layers:
        gain = e.gain({layer: e.exact[layer] for layer in layers if layer in e.exact})
        more = f" (and {len(layers) - 1} more)" if layers[1:] else ""
        yield Finding(name, case, troubled[layers[0]] + more, cause, EXACT, layers, **gain)


@dataclass(frozen=True, eq=False)
class Replayed:
    """What every momentum would have ended with, over all layers that can be replayed and have exact statistics.

    Attributes
    ----------
    layers : tuple of str
    kept : float
        Of the old estimate at an update, as a rule.
    cumulative : bool
    updates : int
    left : float
        Of the start, in the layer that has most of it.
    off, off_free : float
        How far normalised values are off, in standard deviations, root mean square over layers; and once the start is
        taken out.
    best, off_best : float
        The momentum of `MOMENTA` that comes nearest, and how far that is off.
    right : dict of str to (mean, var)
        Its statistics.
    """

    layers: tuple
    kept: float
    cumulative: bool
    updates: int
    left: float
    off: float
    off_free: float
    best: float
    off_best: float
    right: dict


def replayed(e):
    """Replay the recording at its own momenta and at others; None if it cannot be compared."""
    histories = {name: history for name, history in _usable(e).items() if name in e.exact}
    if not histories:
        return None
    own = {name: history.last(history.kept) for name, history in histories.items()}
    free = {name: _freed(history, *own[name]) for name, history in histories.items()}
    ends = {name: last_statistics(history, np.array(MOMENTA)) for name, history in histories.items()}
    at = [{name: (mean[k], var[k]) for name, (mean, var) in ends.items()} for k in range(len(MOMENTA))]
    off_at = [_off(e, histories, statistics) for statistics in at]
    nearest = int(np.argmin(off_at))
    return Replayed(
        layers=tuple(histories),
        kept=float(np.median([np.median(history.kept) for history in histories.values()])),
        cumulative=all(history.momentum is None for history in histories.values()),
        updates=max(map(len, histories.values())),
        left=max(float(np.prod(history.kept)) for history in histories.values()),
        off=_off(e, histories, own),
        off_free=_off(e, histories, free),
        best=MOMENTA[nearest],
        off_best=off_at[nearest],
        right=at[nearest],
    )


def memory(e):
    """Start-up, noise or lag: which momentum would have been right."""
    r = replayed(e)
    if r is None:
        yield from _momentum_alone(e)
        return
    gap, gain = e.between("exact", "own"), e.gain(r.right)
    worth = r.off > 2 * r.off_best and (gap.get("sure") or r.off - r.off_best > FAR)
    numbers = (
        f"normalised values are off by {r.off:.2g} standard deviations (root mean square over layers); keeping "
        f"{r.best:g} they would be off by {r.off_best:.2g}"
    )
    if gain:
        numbers += f", and the score would be {e.scores['own'].value + gain['cost']:.4g}"
    keeps = f"each update keeps {r.kept:g} of the old estimate: {numbers}"
    if r.left > _LEFT and not r.cumulative and r.off - r.off_free > (r.off - r.off_best) / 2:
        told = (
            "start-up",
            "first-epoch",
            f"after {r.updates} updates the start weighs {100 * r.left:.0f} %: {numbers}",
            _START,
        )
    elif r.cumulative and worth:
        told = "old weights", "fair-average", f"momentum=None, all updates weigh alike: {numbers}", _OLD
    elif r.kept < 0.5:
        told = "noise", "ported", keeps, _NOISE + _REVERSED
    elif worth and r.best > r.kept and r.best**r.updates < 0.5:  # else it is the start that was right
        told = "noise", "ported", keeps, _NOISE
    elif worth and r.best < r.kept:
        told = "lag", "jagged-curve", keeps, _LAG
    else:
        return
    written = "exact_statistics(model, train_batches)" if gap else f"recorded.statistics({r.best:g})"
    mend = f"write_back(model, {written})  # and momentum={1 - r.best:.3g} in the layers, for the next training"
    yield Finding(*told, mend, r.layers, **gap)


_START = "The running averages have not yet forgotten where they began."
_OLD = "Early batches count as much as late ones, and were made by weights that are long gone."
_NOISE = "The average forgets too soon, and has the noise of single batches."
_REVERSED = " PyTorch's momentum is the weight of the new batch: elsewhere it is that of the old estimate."
_LAG = "The average remembers too long: the weights moved on, and it trails behind."


def _momentum_alone(e):
    """Without exact statistics: what a momentum says of itself."""
    told = {name: history for name, history in _usable(e).items() if history.momentum is not None}
    kept = {name: float(np.median(history.kept)) for name, history in told.items()}
    left = {name: float(np.prod(history.kept)) for name, history in told.items() if _began_new(history)}
    start = tuple(name for name in left if left[name] > _LEFT)
    if start:
        most = max(start, key=left.get)
        seen = f"after {len(told[most])} updates that keep {kept[most]:g}, the start weighs {100 * left[most]:.0f} %"
        mend = "recorded.exact = exact_statistics(model, train_batches)  # tells which momentum is right"
        yield Finding("start-up", "first-epoch", f"{seen} in {called(most)}", _START, mend, start)
    little = tuple(name for name in kept if kept[name] < 0.5 and name not in start)
    if little:
        least = kept[little[0]]
        mend = f"write_back(model, recorded.statistics({1 - least:g}))"
        seen = f"each update keeps {least:g} of the old estimate"
        yield Finding("noise", "ported", seen, _NOISE + _REVERSED, mend, little)


def _began_new(history):
    """Whether the buffers began as those of a new layer."""
    return not np.any(history.initial_mean) and bool(np.all(np.equal(history.initial_var, 1)))


def in_turn(e):
    """Two populations in turn through the same layer."""
    seen = {}
    for name, history in _usable(e).items():
        share = alternation(history)
        if share > _ALTERNATES:
            seen[name] = share
    if not seen:
        return
    name = max(seen, key=seen.get)
    halves = []
    for first in (0, 1):
        rows = {n: _every_other(e.recorded.history[n], first) for n in seen}
        halves.append({n: half.last(half.kept) for n, half in rows.items()})
    gains = [gain for half in halves if (gain := e.gain(half))]
    yield Finding(
        "two populations in turn",
        "two-crowds",
        f"in {called(name)} every second batch is of another kind: {100 * seen[name]:.0f} % of what differs "
        "from one batch to the next has period two",
        "One average for two populations is right for neither; no momentum helps.",
        "norm_a, norm_b = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)  # one for each kind",
        tuple(seen),
        **max(gains, key=lambda gain: gain["cost"], default={}),
    )


def alternation(history):
    """Share of the variance from batch to batch that has period two; drift left out. 0 for random batches."""
    if len(history) < 16:
        return 0.0
    values = np.concatenate([history.means, np.sqrt(history.variances)], axis=1).astype(np.float64)
    curve = values[1:-1] - (values[:-2] + values[2:]) / 2  # a straight line is gone, what alternates is doubled
    signs = np.where(np.arange(len(curve)) % 2, -1.0, 1.0)[:, None]
    alternating, all_of_it = (signs * curve).mean(axis=0) ** 2, (curve**2).mean(axis=0)
    moved = all_of_it > 0
    return float((alternating[moved] / all_of_it[moved]).mean()) if moved.any() else 0.0


def _every_other(history, first):
    return _some(history, np.arange(len(history)) % 2 == first)


def twice(e):
    """Batches that were averaged twice."""
    seen = {}
    for name, history in _usable(e).items():
        if len(history) >= 4:
            again = _equal_to_the_last(history)
            if again.mean() > 0.25:
                seen[name] = again
    if not seen:
        return
    name = max(seen, key=lambda name: seen[name].mean())
    history = e.recorded.history[name]
    kept = float(np.median(history.kept))
    once = {n: _some(e.recorded.history[n], ~again) for n, again in seen.items()}
    yield Finding(
        "counted twice",
        "counted-twice",
        f"{seen[name].sum()} of the {len(history)} updates of {called(name)} are equal to the one before: each "
        f"batch keeps {kept**2:.4g} of the old estimate, where {kept:g} is set",
        "A batch that goes through twice (activation checkpointing runs the forward pass again) is averaged twice: "
        "momentum squared.",
        f"for m in checkpointed: m.momentum = {1 - kept**0.5:.3g}",
        tuple(seen),
        **e.gain({n: one.last(one.kept) for n, one in once.items()}),
    )


def _equal_to_the_last(history):
    """Which updates are the one before again, to rounding."""
    rows = np.concatenate([history.means, history.variances], axis=1)
    near = np.abs(np.diff(rows, axis=0)) <= 1e-5 * np.abs(rows[1:])
    return np.concatenate([[False], near.all(axis=1) & (np.diff(history.sizes) == 0)])


def sizes(e):
    """Batches much smaller than the others, with the same weight."""
    seen = {}
    for name, history in _usable(e).items():
        small = history.sizes < history.sizes.max() / 2
        if small.any() and not small.all():
            seen[name] = small
    if not seen:
        return
    rest = {n: _some(e.recorded.history[n], ~small) for n, small in seen.items()}
    gain = e.gain({n: one.last(one.kept) for n, one in rest.items()})
    one = next(iter(seen))
    numbers = e.recorded.history[one].sizes
    if gain.get("sure") or numbers.min() <= numbers.max() / 64:
        yield Finding(
            "sizes that vary",
            "epoch-end",
            f"{seen[one].sum()} of {len(numbers)} batches in {called(one)} have less than half the values of "
            f"the largest: {numbers.min()} to {numbers.max()} per channel, all of the same weight",
            "A running average counts batches, not examples: a small one weighs as much as a large one.",
            "loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True)",
            tuple(seen),
            **gain,
        )


def unexplained(e, findings):
    """What exact statistics bring, and none of the findings so far has explained."""
    gain = e.between("exact", "own")
    told = max((finding.cost for finding in findings if finding.cost is not None), default=0.0)
    if not gain.get("sure") or told > gain["cost"] / 2:
        return
    off, r = e.distances(), replayed(e)
    worst = max(off, key=off.get, default="")
    seen = f"exact statistics are worth more; {called(worst)} is off by {off.get(worst, 0):.2g} standard deviations"
    if r and r.off_best > 3 * FAR:
        seen += f", and no momentum would have come nearer than {r.off_best:.2g}"
    if off.get(worst, 0) < 2 * FAR or (r and r.off_best <= 3 * FAR):
        yield Finding("an average at work", "", seen, _AT_WORK, EXACT, **gain)
    else:
        more = "" if e.recorded else " (A recording of the training would tell more.)"
        yield Finding("statistics of other weights", "restored", seen, _OTHERS + more, EXACT, **gain)


_AT_WORK = "A moving average of the latest batches always has some noise and some lag; exact statistics have neither."
_OTHERS = (
    "The buffers do not belong to these weights: weights restored, loaded or edited without them, or other data went "
    "through in training mode."
)


def _some(history, rows):
    """A history of some of the updates."""
    momenta = None if history.momenta is None else history.momenta[rows]
    means, variances, numbers = history.means[rows], history.variances[rows], history.sizes[rows]
    return replace(history, means=means, variances=variances, sizes=numbers, momenta=momenta)


def _usable(e):
    """Histories that can be replayed."""
    histories = e.recorded.history if e.recorded else {}
    return {name: history for name, history in histories.items() if not history.trouble}


def _freed(history, mean, var):
    """An end of a replay without what is left of its start."""
    left = float(np.prod(history.kept))
    if left == 1:
        return mean, var
    free = (var - left * np.asarray(history.initial_var)) / (1 - left)
    return (mean - left * np.asarray(history.initial_mean)) / (1 - left), np.maximum(free, 0)


def _off(e, histories, statistics):
    """How far normalised values are off, root mean square over the layers."""
    each = [differences(*statistics[n], *e.exact[n], history.eps)[-1] for n, history in histories.items()]
    return float(np.sqrt(np.mean(np.square(each))))


EXAMINATIONS = {
    "layers that were not updated, or written to": (not_updated, written_to),
    "start-up, noise and lag": (memory,),
    "two populations in turn": (in_turn,),
    "batches counted twice": (twice,),
    "sizes that vary": (sizes,),
}
