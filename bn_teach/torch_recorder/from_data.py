"""What the data tell `checkup`: training batches and validation batches as the layers hear them. Yields findings."""

import numpy as np

from bn_teach.torch_recorder.comparison import differences
from bn_teach.torch_recorder.diagnosis import Finding, called
from bn_teach.torch_recorder.evidence import FAR

_INFLATED = 1.25  # times the variance without dropout


def sorted_batches(e):
    """Training batches that are no random samples."""
    if e.sample is None:
        return
    ratio, sure = e.sample.sortedness
    if ratio > sure:
        cost = e.between("exact", "as given")
        yield Finding(
            "sorted batches",
            "tidy-pass",
            f"the variance between the means of training batches is {ratio:.1f} times that between random batches",
            "Each batch holds examples of one kind: the mean of the batch variances misses what lies between batches, "
            "and a running average follows the kind that came last.",
            "loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True)  # also where nothing is trained",
            **cost,
        )


def batch_of_one(e):
    """A last batch of a single example, refused or averaged."""
    small = [name for name, heard in e.training.items() if len(heard.sizes) > 1 and heard.examples.min() == 1]
    many = {name: int(heard.examples.max()) for name, heard in e.training.items()}
    if not (small or e.alone) or max(many.values(), default=0) == 1:
        return
    taken_in = {name: e.training[name] for name in small if e.training[name].examples[-1] == 1 and not e.alone}
    whole, without = {}, {}
    for name, heard in taken_in.items():
        layer = e.layers[name]
        keeps = 0.9 if layer.momentum is None else layer.momentum
        whole[name], without[name] = (_averaged(heard, keeps, last) for last in (None, -1))
    cost = {}
    if whole and e.judge and "own" in e.scores:
        cost = e.told(e.judge(without), e.judge(whole))
    size = max(many.values())
    what = "PyTorch refuses it" if e.alone else f"it weighs as much as the batches of {size}"
    yield Finding(
        "a batch of one",
        "epoch-end",
        f"one of the training batches is a single example among batches of {size}: {what}",
        "len(dataset) % batch_size is 1. A single value has no variance, and a single image little: with the weight of "
        "a whole batch it goes into the running averages.",
        "loader = DataLoader(dataset, batch_size, shuffle=True, drop_last=True)",
        tuple(small),
        **cost,
    )


def _averaged(heard, keeps, last):
    """Where an average of the batches ends that began at their mean."""
    rows = slice(None, last)
    factor = (heard.sizes / np.maximum(heard.sizes - 1, 1))[rows, None]
    found = []
    for values in (heard.means[rows], heard.variances[rows] * factor):
        end = values.mean(axis=0)
        for row in values:
            end = keeps * end + (1 - keeps) * row
        found.append(end)
    return tuple(found)


def other_inputs(e):
    """Validation inputs from another distribution than the training inputs."""
    best = max((e.scores[n] for n in ("own", "exact", "still") if n in e.scores), key=lambda s: s.value, default=None)
    if best is None or "validation" not in e.scores:
        return
    shift = shifts(e)
    gain = e.told(e.scores["validation"], best)
    if not gain["sure"] or shift.get(e.first, 0) < FAR:
        return
    told = ", ".join(f"{called(name)} {far:.2g}" for name, far in list(shift.items())[:4])
    yield Finding(
        "other inputs",
        "new-camera",
        f"validation inputs lie off training inputs by these standard deviations, layer by layer: {told}",
        "Running averages hold the statistics of the training inputs, and validation inputs are of another kind; "
        "statistics taken from them, without labels, are judged here on the same inputs.",
        "write_back(model, exact_statistics(model, batches_of_the_new_kind))  # if all that comes will be of it",
        tuple(shift),
        **gain,
    )


def shifts(e):
    """Layer to how far validation inputs are off training inputs, both normalised batch by batch below it."""
    found = {}
    for name, heard in e.validation.items():
        if name in e.training:
            found[name] = differences(*heard.pooled, *e.training[name].pooled, e.layers[name].eps)[-1]
    return found


def dropout_before(e):
    """Dropout that makes the variance in training larger than at inference."""
    if not e.still:
        return
    ratio = {
        name: float(np.median((e.exact[name][1] + 1e-12) / (var + 1e-12)))
        for name, (_, var) in e.still.items()
        if name in e.exact
    }
    worst = max(ratio, key=ratio.get)
    gain = e.between("still", "exact")
    if ratio[worst] < _INFLATED and not gain.get("sure"):
        return
    yield Finding(
        "dropout before batch norm",
        "dropout-before",
        f"the variance in {called(worst)} is {ratio[worst]:.2f} times as large with dropout on as with dropout "
        "off (median over its channels)",
        "Dropout keeps the mean and raises the variance; at inference it is off, and the running variance too large.",
        "for m in dropouts: m.eval()  # then exact statistics; better, dropout only after the last batch norm",
        tuple(name for name in ratio if ratio[name] > 1.05),
        **gain,
    )


def padding(e):
    """Positions that all hold the same: padding that is averaged along."""
    alike = {name: heard.alike for name, heard in e.training.items() if heard.alike > 0.2}
    if not alike:
        return
    name = max(alike, key=alike.get)
    yield Finding(
        "padding",
        "padding",
        f"in {called(name)} {100 * alike[name]:.0f} % of the positions hold one and the same vector",
        "If it is padding, it counts as data: it draws the mean to itself, the more, the shorter the sequences are.",
        "x = norm(x[mask])  # normalise what is real: (positions, channels)",
        tuple(alike),
    )


def few_values(e):
    """So few values in a normalisation that training itself is noisy; or groups smaller than the batch."""
    groups = {}
    for name, heard in e.training.items():
        given = int(np.median(heard.sizes))
        recorded = e.recorded.history.get(name) if e.recorded else None
        used = int(np.median(recorded.sizes)) if recorded is not None and len(recorded) else given
        if used <= 2 or (used <= 8 and given >= 2 * used):
            groups[name] = used, given
    if not groups:
        return
    name, (used, given) = min(groups.items(), key=lambda one: one[1])
    of = f", while the batches that you gave have {given}" if given > used else ""
    yield Finding(
        "few values",
        "accumulation",
        f"in training, {called(name)} normalised {used} values per channel at a time{of}",
        "Accumulated gradients, or one small group for each device, make the step larger and not the batch that is "
        "normalised: it stays as noisy, and inference is another function than training.",
        "for m in norms: m.eval()  # for the last part of training: it then learns with what inference uses",
        tuple(groups),
    )


EXAMINATIONS = {
    "sorted training batches": (sorted_batches,),
    "a batch of one": (batch_of_one,),
    "validation inputs of another kind": (other_inputs,),
    "dropout before batch norm": (dropout_before,),
    "padding": (padding,),
    "few values in a normalisation": (few_values,),
}
