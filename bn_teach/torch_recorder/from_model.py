"""What the model alone tells `checkup`: its modes, its buffers, its weights. Each function yields findings."""

import numpy as np

from bn_teach.torch_recorder.diagnosis import Finding, called
from bn_teach.torch_recorder.evidence import FAR

EXACT = "write_back(model, exact_statistics(model, train_batches))"
EVAL = "model.eval()  # before you validate, and nothing that calls train() after it"


def not_finite(e):
    """Buffers with NaN or infinity, or a negative variance."""
    layers = tuple(name for name, layer in e.layers.items() if layer.mean is not None and not layer.sound)
    if layers:
        yield Finding(
            "not finite",
            "",
            f"NaN, infinity or a negative variance in the buffers of {_of(layers, e)}",
            "One batch with NaN or infinity (half precision overflows at 65,504) stays in a running average for good.",
            EXACT,
            layers,
            **e.between("exact", "own"),
        )


def half_precision(e):
    """Buffers that round small updates away."""
    layers = tuple(name for name, layer in e.layers.items() if layer.rounding > 1e-4)
    if layers:
        yield Finding(
            "half-precision buffers",
            "",
            f"the buffers of {_of(layers, e)} are rounded to one part in {1 / e.layers[layers[0]].rounding:.0f}",
            "An update that is smaller than the rounding changes nothing: the average stands still before it arrives.",
            "for m in norms: m.float()  # and autocast in place of model.half()",
            layers,
            **e.between("exact", "own"),
        )


def never_updated(e):
    """Buffers that are still 0 and 1."""
    layers = tuple(name for name, layer in e.layers.items() if layer.at_start)
    if layers:
        counts = {e.layers[name].counted for name in layers} - {None}
        counted = f", while their counters say {max(counts)} batches" if counts and max(counts) else ""
        yield Finding(
            "never updated",
            "averaged-weights",
            f"mean 0 and variance 1 in every channel of {_of(layers, e)}{counted}",
            "Weights came without their buffers (a copy that averages the weights, a state of parameters alone), or "
            "momentum is 0: what inference divides by has never seen data.",
            EXACT,
            layers,
            **e.gain({name: e.exact[name] for name in layers if name in e.exact}),
        )


def validates_in_training_mode(e):
    """Layers that were in training mode while the user validated."""
    layers = tuple(name for name, heard in e.validating.items() if heard.training)
    if layers:
        batches = max(len(e.validating[name].sizes) for name in layers)
        yield Finding(
            "training mode in validation",
            "by-folder",
            f"training mode in {_of(layers, e)} while you validated: {batches} validation batches were normalised by "
            "themselves, and went into the running averages",
            "In training mode a prediction depends on the others in its batch, and held-out data move the averages.",
            EVAL,
            layers,
            **e.between("own", "as validated"),
        )


def mixed_modes(e):
    """A layer in training mode inside a model that says it is in inference mode."""
    layers = tuple(name for name, layer in e.layers.items() if layer.training)
    if layers and e.model and not e.model.training and not any(h.training for h in e.validating.values()):
        yield Finding(
            "mixed modes",
            "by-folder",
            f"training mode in {_of(layers, e)}, inside a model that says it is not (model.training tells of the "
            "outermost module alone)",
            "Somebody called train() on a part of the model after eval().",
            EVAL,
            layers,
        )


def no_averages(e):
    """Layers that keep no running statistics, and so read the test batch."""
    layers = tuple(name for name, layer in e.layers.items() if layer.mean is None)
    if layers:
        heard = e.validation.get(layers[0])
        ratio, sure = heard.sortedness if heard else (1.0, np.inf)
        alike = (
            f", and the variance between their means is {ratio:.1f} times that of random ones" if ratio > sure else ""
        )
        yield Finding(
            "no averages kept",
            "one-class-test",
            f"track_running_stats=False in {_of(layers, e)}: test batches normalise themselves{alike}",
            "What is predicted for an example depends on the others in its batch: on their classes, and their number.",
            "nn.BatchNorm2d(channels)  # track_running_stats is on unless switched off; then exact_statistics",
            layers,
            **e.gain({name: e.exact[name] for name in layers if name in e.exact}),
        )


def keeps_little(e):
    """A momentum that keeps less than half, where there is no recording that tells more."""
    layers = tuple(n for n, layer in e.layers.items() if layer.momentum is not None and layer.momentum < 0.5)
    if layers and not e.recorded:
        new = 1 - e.layers[layers[0]].momentum
        yield Finding(
            "keeps little",
            "ported",
            f"PyTorch's momentum={new:g} in {_of(layers, e)}: each update keeps {1 - new:g} of the old estimate",
            "PyTorch's momentum is the weight of the new batch; in Keras, Flax and ONNX that of the old estimate.",
            f"for m in norms: m.momentum = {1 - new:.3g}  # and for the weights that you have: {EXACT}",
            layers,
            **e.between("exact", "own"),
        )


def start_left(e):
    """What is left of the start, where there is no recording that tells more."""
    layers = {n: layer for n, layer in e.layers.items() if 0.05 < layer.left < 1 and _began_new(layer, e.exact.get(n))}
    if layers and not e.recorded:
        one = max(layers.values(), key=lambda layer: layer.left)
        yield Finding(
            "start-up",
            "first-epoch",
            f"after {one.counted} updates that keep {one.momentum:g} each, the start (mean 0, variance 1) still weighs "
            f"{100 * one.left:.0f} % in {_of(tuple(layers), e)}",
            "The running averages have not yet forgotten where they began.",
            EXACT,
            tuple(layers),
            **e.between("exact", "own"),
        )


def _began_new(layer, exact):
    """Whether the buffers began at 0 and 1, as far as can be told: a trained layer brings other ones."""
    if not layer.sound or layer.at_start:
        return False
    return exact is None or _start_in(layer, *exact)[0] > layer.left / 2


def another_age(e):
    """Buffers that hold more of their start than their counter says, or a counter at 0 where they cost something."""
    seen, costs = {}, e.between("exact", "own").get("sure")
    for name, layer in e.layers.items():
        if name in e.exact and layer.sound and not layer.at_start and layer.counted is not None:
            start, fits = _start_in(layer, *e.exact[name])
            if layer.momentum is not None and fits > 0.9 and start - layer.left > 0.15:
                seen[name] = (
                    f"{100 * start:.0f} % of the start in its buffers, and {100 * layer.left:.0f} % by its counter"
                )
            elif layer.counted == 0 and costs:  # converted weights have none either, and their buffers are good
                seen[name] = "buffers that have moved, and a counter at 0"
    if seen:
        name = next(iter(seen))
        yield Finding(
            "another age",
            "restored",
            f"in {_of(tuple(seen), e)}; {called(name)} has {seen[name]} ({e.layers[name].counted} batches)",
            "Buffers and counter come from different moments, or the momentum was another one for most of the time.",
            EXACT,
            tuple(seen),
            **e.gain({name: e.exact[name] for name in seen}),
        )


def _start_in(layer, mean, var):
    """How much of (0, 1) is in the buffers if the rest is exact, and what share of the difference that explains."""
    scale = np.sqrt(var + layer.eps)
    off = np.concatenate([(layer.mean - mean) / scale, (layer.var - var) / scale**2])
    start = np.concatenate([-mean / scale, (1 - var) / scale**2])
    left = float(off @ start / max(start @ start, 1e-12))
    return left, left**2 * float(start @ start) / max(float(off @ off), 1e-12)


def counted_unequally(e):
    """Layers that counted twice as many batches as others, and are called as often."""
    counts = {name: layer.counted for name, layer in e.layers.items() if layer.counted}
    calls = {name: len(e.training[name].sizes) for name in counts if name in e.training}
    if not calls or e.recorded:
        return
    rates = {name: counts[name] / calls[name] for name in calls}
    least = min(rates.values())
    layers = tuple(name for name, rate in rates.items() if abs(rate / least - 2) < 0.02)
    if layers:
        once = next(name for name, rate in rates.items() if rate == least)
        yield Finding(
            "counted twice",
            "counted-twice",
            f"{counts[layers[0]]} batches counted in {_of(layers, e)}, and {counts[once]} in {called(once)}",
            "A batch that goes through twice (activation checkpointing runs the forward pass again) is averaged twice: "
            "momentum squared.",
            "for m in checkpointed: m.momentum = 1 - (1 - m.momentum) ** 0.5",
            layers,
        )


def eps_of_others(e):
    """A variance so small that eps decides, and another framework's eps that would do better."""
    tiny = tuple(n for n, layer in e.layers.items() if layer.sound and (layer.var < 10 * 1e-3).any())
    if not tiny or e.judge is None or "own" not in e.scores:
        return
    has = e.layers[tiny[0]].eps
    for eps in (1e-3, 1e-5):
        gain = {} if eps == has else e.told(e.judge(eps=eps, what=f"eps {eps:g}"), e.scores["own"])
        if gain.get("sure"):
            least = min(float(e.layers[name].var.min()) for name in tiny)
            yield Finding(
                "eps",
                "",
                f"variances down to {least:.2g} in {_of(tiny, e)}, where it matters whether eps is {has:g} or {eps:g}",
                "eps is a part of the trained model, and it was trained with another (Keras: 0.001, PyTorch: 0.00001).",
                f"for m in norms: m.eps = {eps:g}",
                tiny,
                **gain,
            )


def frozen_and_moving(e):
    """Weights that do not learn, in layers whose statistics move."""
    moved = set()
    if e.recorded:
        moved = {name for name, history in e.recorded.history.items() if len(history)}
    layers = tuple(
        n for n, one in e.layers.items() if one.frozen and (one.training or n in moved) and one.mean is not None
    )
    if layers:
        before = {n: e.recorded.history[n] for n in layers if n in moved}
        start = {n: (h.initial_mean, h.initial_var) for n, h in before.items() if np.ndim(h.initial_mean)}
        updates = max((len(history) for history in before.values()), default=0)
        move = f"moved with {updates} recorded batches" if updates else "the next batch in training mode moves"
        yield Finding(
            "frozen weights, moving statistics",
            "frozen-backbone",
            f"frozen weights in {_of(layers, e)}, and running statistics that {move}",
            "requires_grad=False does not stop running statistics: in training mode they follow the new data, and the "
            "frozen layers are no longer what they were.",
            "for m in frozen.modules(): m.eval()  # after every model.train()",
            layers,
            **e.gain(start),
        )


def changed_after(e):
    """Weights that were averaged, pruned or rounded after the statistics were taken."""
    gap, off = e.between("exact", "own"), max(e.distances().values(), default=0)
    if not (gap.get("sure") or off > 2 * FAR) or all(layer.at_start for layer in e.layers.values()):
        return
    if e.model.averaged:
        yield Finding(
            "averaged weights",
            "averaged-weights",
            f"{e.model.name} holds averaged weights, and its buffers are off by {_worst(e)}",
            "The average of weights has activations of its own: the buffers came from one of the models, or from none.",
            "torch.optim.swa_utils.update_bn(train_batches, model)",
            **gap,
        )
    elif e.model.zeros > 0.3 or e.model.levels:
        few = (
            f"a matrix of weights has {e.model.levels} values"
            if e.model.levels
            else f"{100 * e.model.zeros:.0f} % of the weights are 0"
        )
        yield Finding(
            "shrunk weights",
            "shrunk-weights",
            f"{few}, and the buffers are off by {_worst(e)}",
            "Pruned or rounded weights have other activations: the statistics are those of the weights before.",
            EXACT,
            **gap,
        )


def _worst(e):
    distances = e.distances()
    name = max(distances, key=distances.get)
    return f"{distances[name]:.2g} standard deviations in {called(name)}"


def _of(layers, e):
    """So many of so many layers."""
    return f"{len(layers)} of {len(e.layers)} batch norm layer{'s' * (len(e.layers) > 1)}"


EXAMINATIONS = {
    "modes": (validates_in_training_mode, mixed_modes),
    "buffers that are not finite, too coarse, or never updated": (not_finite, half_precision, never_updated),
    "tracking switched off": (no_averages,),
    "momentum": (keeps_little,),
    "what is left of the start": (start_left,),
    "counters": (another_age, counted_unequally),
    "eps": (eps_of_others,),
    "frozen weights": (frozen_and_moving,),
    "weights averaged, pruned or rounded afterwards": (changed_after,),
}
