"""Runs in which the weights that are judged are others than those that the statistics were taken with."""

import numpy as np

from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import (
    EFFECTS,
    Axes,
    Experiment,
    Run,
    accuracy_curve,
    finished,
    level,
    right_under,
)
from bn_teach.lessons.shared.runs import digits, trained
from bn_teach.lessons.shared.seeds import load_seeds
from bn_teach.replay import keep_best, replay
from bn_teach.training import TrainingConfig

# The best weights, put back without their statistics.

PATIENCE = 10  # checkpoints


def restored(momentum, batch_size, *, with_statistics):
    """Build a function from a seed to a `Run`: early stopping, then the best weights put back.

    Parameters
    ----------
    momentum : float
    batch_size : int
    with_statistics : bool
        With the statistics of their own step; otherwise the latest ones stay.
    """

    def run(seed):
        replayed = replay(trained(TrainingConfig(batch_size=batch_size, seed=seed)), momentum)
        kept = keep_best(replayed, PATIENCE)
        value = 100 * (kept.seen if with_statistics else kept.latest)
        ends = np.array([kept.best_step, kept.stop_step], dtype=np.float64)
        steps, accuracy = accuracy_curve(replayed)
        seen = steps <= kept.stop_step
        judged = ends, np.array([value, value])
        lines = {"fixed": judged} if with_statistics else {"seen": judged, "reference": (steps[seen], accuracy[seen])}
        facts = {"best_step": kept.best_step, "stop_step": kept.stop_step, "log": 100 * kept.seen}
        return Run(value, lines, facts | _over_seeds(momentum, batch_size))

    return run


def _over_seeds(momentum, batch_size):
    """What luck and the latest statistics come to where other images judge than those that chose, in points."""
    kept = load_seeds().stopped[batch_size, "ema", momentum, PATIENCE]
    return {
        "luck": float((kept.seen - kept.own).mean()),
        "stale": float((kept.own - kept.latest).mean()),
        "runs": len(kept.seen),
    }


def _pair(momentum, batch_size):
    return {
        "broken": restored(momentum, batch_size, with_statistics=False),
        "fixed": restored(momentum, batch_size, with_statistics=True),
    }


_ACCURACY = "validation accuracy, % (dotted: the log)"
_AXES = Axes(_ACCURACY, "training step", (60, 101), (70, 101))

RESTORED = Case(
    title="The best weights, and not the best accuracy",
    symptom="Batch size 4, momentum 0.9. The log (dotted) is best at step {best_step}: {log:.1f} %. Early stopping "
    "waits until step {stop_step}, puts the best weights back, and the model is judged once more on the same images: "
    "{before}.",
    cause="statistics-left-behind",
    causes=("luck", "overfitting", "statistics-left-behind", "training-mode"),
    question="How many percentage points come back when the statistics of that step are restored as well?",
    unit="percentage points",
    truth=lambda broken, fixed: fixed.value - broken.value,
    low=-20,
    high=100,
    formula="What was judged at step {best_step} was f(weights of {best_step}, statistics of {best_step}). What came "
    "back is f(weights of {best_step}, statistics of {stop_step}). Running statistics are part of the model.",
    fix="Save and restore both (PyTorch: the whole state_dict, not the parameters alone), or recompute the statistics "
    "after restoring.",
    spot="Evaluate right after restoring. If the number of the log does not come back to the last digit, something of "
    "the model did not either. PyTorch: keep copy.deepcopy(model.state_dict()); without the copy, what is kept goes on "
    "changing with the model.",
    careful="A part is luck: a step chosen because it looked best tends to look worse on other images. So let one half "
    "of the images choose and the other half judge, over {runs} seeds: {luck:.1f} points are luck, and {stale:.1f} are "
    "lost to the latest statistics. And it is not a loss in every case: with a long memory (turn the picture) the "
    "model gets better by being restored half.",
    threads=(
        Thread(
            "CS231n, solver.py of assignment 2",
            "https://cs231n.github.io/",
            "the training loop of a course: keeps a copy of the parameters that were best on validation images and "
            "puts it back at the end; the running statistics are not among them",
        ),
        Thread(
            "huggingface/pytorch-image-models#102",
            "https://github.com/huggingface/pytorch-image-models/issues/102",
            "no early stopping, but the same slip with averaged weights: should the running statistics be averaged "
            "along? Code differs in that",
        ),
        Thread(
            "fadel/pytorch_ema#13",
            "https://github.com/fadel/pytorch_ema/issues/13",
            "averaged weights again: after they are copied into the model, the statistics still fit the original ones; "
            "the advice is a pass over the training data",
        ),
    ),
    experiment=Experiment(
        number="accuracy after restoring",
        unit="%",
        digits=1,
        **_pair(0.9, 4),
        effect=EFFECTS.get("restored"),
        axes=_AXES,
    ),
    twist=Twist(
        setting="The same with a long memory: batch size 16, momentum 0.999.",
        sides=("latest", "of its step"),
        words="Batch size 16, momentum 0.999: {before} with the latest statistics, {after} with those of the step "
        "itself.",
        why="At step {best_step} the average is still far behind, with 0.999^{best_step} of its weight on the start. "
        "By step {stop_step} it has caught up with the weights a little, and for that the latest statistics are the "
        "better ones. Statistics taken anew would be better than either.",
        experiment=Experiment(
            number="accuracy after restoring",
            unit="%",
            digits=1,
            **_pair(0.999, 16),
            effect=EFFECTS.get("restored, twist"),
            axes=_AXES,
        ),
    ),
)

# An average of weights, with nobody's statistics.

SPANS = (1, 2, 5, 10, 20, 40)
"""Checkpoints at the end whose weights are averaged."""


def mean_network(recording, span):
    """Build a network whose weights are the mean of those of the last `span` checkpoints."""
    network = finished(recording)
    linear = [layer for layer in network.layers if "weight" in layer.parameters]
    for layers, name in ((linear, "weight"), (linear, "bias"), (network.norms, "gamma"), (network.norms, "beta")):
        for layer, stored in zip(layers, getattr(recording, name), strict=True):
            setattr(layer, name, None if stored is None else stored[-span:].mean(axis=0))
    return network


# What inference reads with them: from the network, the replay at momentum 0.9, and the span.


def as_built(network, *_):
    """Mean 0 and variance 1."""
    return [(np.zeros_like(norm.gamma), np.ones_like(norm.gamma)) for norm in network.norms]


def averaged_along(_network, replayed, span):
    """The running averages, averaged over the last `span` checkpoints: with 1, the latest ones."""
    layers = zip(replayed.mean, replayed.var, strict=True)
    return [(mean[-span:].mean(axis=0), var[-span:].mean(axis=0)) for mean, var in layers]


def anew(network, *_):
    """Exact statistics, by one pass of the training set."""
    return network.population_statistics(network.layers[0](digits().train_x))


def mean_weights(statistics, key):
    """Build a function from a seed to a `Run`: accuracy of averaged weights, over how many checkpoints are averaged.

    Parameters
    ----------
    statistics : callable
        `as_built`, `averaged_along` or `anew`.
    key : str
        Of the line.
    """

    def run(seed):
        recording = trained(TrainingConfig(learning_rate=1.0, seed=seed))
        replayed = replay(recording, 0.9)

        networks = [mean_network(recording, span) for span in SPANS]
        right = [right_under(one, statistics(one, replayed, span)) for one, span in zip(networks, SPANS, strict=True)]
        curve, longest = (np.array(SPANS, dtype=np.float64), np.array(right)), SPANS[-1]
        each = float(100 * replayed.validation_accuracy[-longest:].mean())
        latest = right_under(networks[-1], averaged_along(None, replayed, 1))
        facts = {"each": each, "latest": latest, "span": longest}
        lines = {key: curve} | ({"reference": level(curve, each)} if key == "seen" else {})
        return Run(right[-1], lines, facts)

    return run


_SPAN = "checkpoints averaged"

AVERAGED_WEIGHTS = Case(
    title="Averaged, and worse than each",
    symptom="Learning rate 1, so the weights wander. A copy of the network, made before training, collects the mean of "
    "the parameters at the last {span} checkpoints. Those checkpoints get {each:.1f} % right on average (dotted). The "
    "mean of their weights, in inference mode: {before}.",
    cause="nobody-wrote",
    causes=("learning-rate", "nobody-wrote", "overfitting", "luck"),
    question="One pass over the training set takes statistics for the averaged weights: how many per cent are right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="The averaged weights never took part in training, so no mini-batch ever went through them. Their running "
    "statistics are what they were built with, mean 0 and variance 1.",
    fix="Average, then one pass in training mode with the weights frozen.",
    spot="PyTorch: right before you judge the copy, print num_batches_tracked of its batch norms. 0, or the number of "
    "the day when the copy was made: nobody wrote. torch.optim.swa_utils.AveragedModel takes the latest statistics "
    "over, and with use_buffers=True it averages them. update_bn takes new ones in any case.",
    careful="The statistics of the latest weights, a popular remedy, are better than none, and other weights' all the "
    "same: {latest:.1f} %, so that averaging seems not to be worth it. To average more checkpoints does not help "
    "either (picture). But a pass is not the one cure (turn the picture).",
    threads=(
        Thread(
            "mosaicml/composer#624",
            "https://github.com/mosaicml/composer/issues/624",
            "if averaging ends too late, the statistics of the averaged model are never updated, and it does very "
            "poorly; a pass over the training data is proposed",
        ),
        Thread(
            "Lightning-AI/pytorch-lightning#14866",
            "https://github.com/Lightning-AI/pytorch-lightning/issues/14866",
            "accuracy about 0 with averaged weights, 0.75 without: the pass was there, with PyTorch's momentum at 0 in "
            "place of None",
        ),
        Thread(
            "Haochen-Wang409/U2PL#64",
            "https://github.com/Haochen-Wang409/U2PL/issues/64",
            "a teacher of averaged parameters does badly in inference mode, and its authors do not know why; it stays "
            "in training mode so that its statistics move",
        ),
        Thread(
            "huggingface/pytorch-image-models#106",
            "https://github.com/huggingface/pytorch-image-models/issues/106",
            "do averaged statistics fit averaged weights? A maintainer: for weights that lie close together, no pass "
            "is needed",
        ),
    ),
    experiment=Experiment(
        number="accuracy when averaged",
        unit="%",
        digits=1,
        broken=mean_weights(as_built, "seen"),
        fixed=mean_weights(anew, "fixed"),
        effect=EFFECTS.get("averaged-weights"),
        axes=Axes("accuracy, % (dotted: mean of the checkpoints)", _SPAN, (50, 101), (50, 101)),
    ),
    twist=Twist(
        setting="The running statistics (momentum 0.9) averaged as the weights are, over the same checkpoints, against "
        "the pass over the training set.",
        sides=("averaged too", "one pass"),
        words="{before} with averaged statistics, {after} with a pass.",
        why="Close together, weights act nearly linearly, and then the mean of the statistics is nearly that of the "
        "mean weights. A hunch, and measured for this network alone: the latest statistics give {latest:.1f} %.",
        experiment=Experiment(
            number="accuracy when averaged",
            unit="%",
            digits=1,
            broken=mean_weights(averaged_along, "seen"),
            fixed=mean_weights(anew, "fixed"),
            effect=EFFECTS.get("averaged-weights, twist"),
            axes=Axes("accuracy, % (dotted: mean of the checkpoints)", _SPAN, (94, 100), (94, 100)),
        ),
    ),
)

# Weights that were cut out.

SHARES = (0, 30, 50, 60, 70, 80, 90, 95)
"""Of the weights of each linear layer, in per cent: the smallest ones become 0."""


def pruned(recording, share):
    """Build the network at the end of a recording, without the smallest `share` per cent of each layer's weights."""
    network = finished(recording)
    for layer in network.layers:
        if "weight" in layer.parameters:
            size = np.abs(layer.weight)
            layer.weight[size < np.percentile(size, share)] = 0
    return network


def cut(share, statistics, key):
    """Build a function from a seed to a `Run`: accuracy over the share of weights that was pruned.

    Parameters
    ----------
    share : int
        Which of `SHARES` the number is about.
    statistics : callable
        `averaged_along`, those of the whole network, or `anew`.
    key : str
        Of the line.
    """

    def run(seed):
        recording = trained(TrainingConfig(steps=400, seed=seed))
        replayed = replay(recording, 0.9)
        networks = {every: pruned(recording, every) for every in SHARES}
        right = {every: right_under(one, statistics(one, replayed, 1)) for every, one in networks.items()}
        curve = np.array(SHARES, dtype=np.float64), np.array(list(right.values()))
        network, images = networks[share], digits().train_x
        some = images[np.random.default_rng(seed).permutation(len(images))[:64]]
        few = network.population_statistics(network.layers[0](some))
        (_, new), (_, old) = anew(network)[-1], averaged_along(None, replayed, 1)[-1]
        facts = {"whole": right[0], "few": right_under(network, few), "ratio": float((new / old).mean())}
        return Run(right[share], {key: curve}, facts)

    return run


_PRUNED = Axes("validation accuracy, %", "weights pruned, %", (0, 101), (0, 101))

SHRUNK_WEIGHTS = Case(
    title="Smaller, and ruined",
    symptom="To make a trained network smaller, the smallest 80 % of the weights of each layer are set to 0. It had "
    "{whole:.1f} % right, and now has {before}. Its owner concludes that so many weights cannot be spared. The picture "
    "shows other shares.",
    cause="old-statistics",
    causes=("needed-weights", "overfitting", "old-statistics", "learning-rate"),
    question="The statistics are taken anew from the training images, and no weight is touched: how many per cent are "
    "right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="A unit sums up fewer terms now. Its batch norm still takes off the mean, and divides by the standard "
    "deviation, of the old sum. In layer 2 the variance is now {ratio:.2f} times the old one, mean over the units.",
    fix="Take statistics anew after every change of weights: pruned, rounded, merged. Here 64 images without labels do "
    "it: {few:.0f} %.",
    spot="PyTorch: fresh = copy.deepcopy(pruned), torch.optim.swa_utils.update_bn(loader, fresh), and judge both. What "
    "fresh gains was the statistics; what it still lacks is the weights, or calls for training.",
    careful="A remedy that does nothing: 'calibrate' by sending images through in inference mode. That only reads the "
    "statistics. And there is a point where it is the weights (turn the picture).",
    threads=(
        Thread(
            "openvinotoolkit/nncf#41",
            "https://github.com/openvinotoolkit/nncf/pull/41",
            "MobileNetV2 with weights rounded to 4 bits: 14 % right as it is, 65 % once the statistics were adapted",
        ),
        Thread(
            "JiahuiYu/slimmable_networks#35",
            "https://github.com/JiahuiYu/slimmable_networks/issues/35",
            "accuracy falls to nearly nothing after the calibration of a narrower network; another one finds that "
            "model.train() was missing in it",
        ),
        Thread(
            "mit-han-lab/once-for-all#15",
            "https://github.com/mit-han-lab/once-for-all/issues/15",
            "asks why the statistics of a part of a network are reset and taken from 2,000 images",
        ),
    ),
    experiment=Experiment(
        number="accuracy, 80 % pruned",
        unit="%",
        digits=1,
        broken=cut(80, averaged_along, "seen"),
        fixed=cut(80, anew, "fixed"),
        effect=EFFECTS.get("shrunk-weights"),
        axes=_PRUNED,
    ),
    twist=Twist(
        setting="The same with 95 % pruned.",
        sides=("old", "anew"),
        words="95 % pruned: {before} with the old statistics, {after} with new ones (whole network: {whole:.1f} %).",
        why="The statistics are exact now, and most is still lost: what is missing is in the weights. The test tells "
        "the two apart.",
        experiment=Experiment(
            number="accuracy, 95 % pruned",
            unit="%",
            digits=1,
            broken=cut(95, averaged_along, "seen"),
            fixed=cut(95, anew, "fixed"),
            effect=EFFECTS.get("shrunk-weights, twist"),
            axes=_PRUNED,
        ),
    ),
)
