"""Runs in which it matters whether a variance was divided by m or by m - 1."""

import numpy as np

from bn_teach.batchnorm import BatchNorm
from bn_teach.data import GaussianPopulation
from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import EFFECTS, Axes, Experiment, Run, accuracy_curve, at_end, level
from bn_teach.lessons.shared.runs import trained
from bn_teach.replay import LAST, replay
from bn_teach.running import exponential_moving_average, unbiased_variance
from bn_teach.training import TrainingConfig

# One mini-batch in both modes.


def ratio_of_modes(x, *, unbiased, layers=1):
    """Send one mini-batch through batch norms in training mode, then at inference, and compare.

    With momentum 0 the running statistics are those of this very mini-batch, and eps is 0.

    Parameters
    ----------
    x : numpy.ndarray, shape (m, 1)
    unbiased : bool
        Whether the running variance is divided by m - 1.
    layers : int
        One on top of the other.

    Returns
    -------
    float
        Standard deviation of the output in training mode, divided by that at inference.
    """
    stack = [BatchNorm(1, momentum=0.0, eps=0.0, unbiased=unbiased) for _ in range(layers)]
    training, inference = x, x
    for layer in stack:
        training = layer(training)
    for layer in stack:
        inference = layer.eval()(inference)
    return float(training.std() / inference.std())


def over_batch_sizes(*, unbiased):
    """Build a function from a seed to a `Run`: the ratio of the modes for batches of 4 to 64."""

    def run(seed):
        rng = np.random.default_rng(seed)
        sizes = np.array([4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0])
        ratios = [ratio_of_modes(rng.normal(size=(int(m), 1)), unbiased=unbiased) for m in sizes]
        curve = sizes, np.array(ratios)
        facts = {"at_two": ratio_of_modes(rng.normal(size=(2, 1)), unbiased=unbiased)}
        return Run(ratios[0], {"seen": curve} if unbiased else {"fixed": curve}, facts)

    return run


def over_depth(*, unbiased):
    """Build a function from a seed to a `Run`: the ratio of the modes through 1 to 20 layers, in batches of 64."""

    def run(seed):
        x = np.random.default_rng(seed).normal(size=(64, 1))
        depths = np.arange(1, 21)
        ratios = np.array([ratio_of_modes(x, unbiased=unbiased, layers=depth) for depth in depths])
        curve = depths.astype(np.float64), ratios
        return Run(float(ratios[-1]), {"seen": curve} if unbiased else {"fixed": curve}, {})

    return run


TWO_MODES = Case(
    title="Two modes, two answers",
    symptom="One layer, one mini-batch of 4. Momentum 0 makes the running statistics those of this very mini-batch, "
    "and eps is 0. So inference should repeat what training mode said. It does not: in training mode the output is "
    "{before} times as large. The picture shows that ratio for larger mini-batches.",
    cause="two-divisors",
    causes=("bug", "eps", "two-divisors", "start"),
    question="What is the ratio with mini-batches of 2?",
    unit="",
    truth=lambda broken, fixed: broken.facts["at_two"],
    computable=True,
    formula="Training mode divides the sum of squared deviations by m, the running variance takes it in divided by m "
    "- 1. Ratio of the outputs, with eps at 0: sqrt(m / (m - 1)).",
    fix="None is needed: for one layer it is what the paper prescribes. To see the modes agree, let the running "
    "variance divide by m too (unbiased=False; Keras and Flax do).",
    spot="PyTorch: momentum=1, eps=1e-12 (2.10 and later refuse 0), the same mini-batch in train() and in eval(). If "
    "the ratio is sqrt(m / (m - 1)), with m counting batch times height times width, all is well.",
    careful="No bug, and hardly a cost: at batch sizes 4 and 8 the divisor moves the accuracy of the digits network "
    "by about 0.1 points on average over 16 seeds. But it multiplies from layer to layer if there is nothing in "
    "between (turn the picture), and at batch size 2 it costs something in the second layer (the case after this one).",
    threads=(
        Thread(
            "pytorch/pytorch#4741",
            "https://github.com/pytorch/pytorch/issues/4741",
            "the error is high after eval() and lower without it; is it a bug in the framework? (Not every such "
            "report is about the divisor.)",
        ),
        Thread(
            "pytorch/pytorch#19902",
            "https://github.com/pytorch/pytorch/issues/19902",
            "one divisor in training, the other one for the running variance: reported as inconsistent",
        ),
        Thread(
            "pytorch/pytorch#1410",
            "https://github.com/pytorch/pytorch/issues/1410",
            "asks for the same divisor in both modes, or for a switch",
        ),
        Thread(
            "pytorch/pytorch#100048",
            "https://github.com/pytorch/pytorch/issues/100048",
            "20 layers in a row on mini-batches of 64, and the outputs of the two modes differ by 17 %",
        ),
    ),
    experiment=Experiment(
        number="ratio at batch size 4",
        unit="",
        digits=3,
        broken=over_batch_sizes(unbiased=True),
        fixed=over_batch_sizes(unbiased=False),
        effect=EFFECTS.get("two-modes"),
        axes=Axes("output in training mode / at inference", "batch size", (0.95, 1.25), (0.95, 1.25)),
    ),
    twist=Twist(
        setting="20 layers, one on top of the other, and mini-batches of 64.",
        sides=("m - 1", "m"),
        words="20 layers, mini-batches of 64: the ratio is {before}; with one divisor for both it is {after}.",
        why="Each layer makes the same small difference once more: (64/63)^(20/2) = 1.171. With nothing but batch norm "
        "in between, nothing takes it back.",
        experiment=Experiment(
            number="ratio after 20 layers",
            unit="",
            digits=3,
            broken=over_depth(unbiased=True),
            fixed=over_depth(unbiased=False),
            effect=EFFECTS.get("two-modes, twist"),
            axes=Axes("output in training mode / at inference", "layers", (0.95, 1.25), (0.95, 1.25)),
        ),
    ),
)

# Many mini-batches against the truth.

VARIANCE = 4.0
STEPS = 6000


def running_variance(batch_size, *, unbiased, seed):
    """Average the variances of many mini-batches from a population of variance 4, momentum 0.999."""
    batches = GaussianPopulation(std=VARIANCE**0.5).sample(batch_size, STEPS, seed)
    variances = batches.var(axis=1)
    if unbiased:
        variances = unbiased_variance(variances, batch_size)
    return exponential_moving_average(variances, 0.999, initial=1.0)


def settled(*, unbiased):
    """Build a function from a seed to a `Run`: the running variance with mini-batches of 4."""

    def run(seed):
        tracked = running_variance(4, unbiased=unbiased, seed=seed)
        shown = np.arange(49, STEPS, 50)
        curve = shown + 1.0, tracked[shown]
        lines = {"fixed": curve} if unbiased else {"seen": curve, "reference": level(curve, VARIANCE)}
        facts = {"of_two": float(running_variance(2, unbiased=unbiased, seed=seed)[-1])}
        return Run(float(tracked[-1]), lines, facts)

    return run


def accuracy_with(*, unbiased, key):
    """Build a function from a seed to a `Run`: the digits network at batch size 2, momentum 0.9.

    Parameters
    ----------
    unbiased : tuple of bool
        Whether the running variance of a layer is multiplied by m/(m-1).
    key : str
        Of the line.
    """

    def run(seed):
        recording = trained(TrainingConfig(batch_size=2, seed=seed))
        curve, none = (accuracy_curve(replay(recording, 0.9, unbiased=layers)) for layers in (unbiased, False))
        every = [
            (paper[-LAST:].mean() / one_pass[-LAST:].mean())
            for paper, one_pass in zip(recording.algorithm2_var, recording.population_var, strict=True)
        ]
        return Run(at_end(curve), {key: curve}, {"none": at_end(none), "layer_1": every[0], "layer_2": every[1]})

    return run


MISSING_VARIANCE = Case(
    title="A quarter of the variance is missing",
    symptom="Numbers with a variance of 4 (dotted) go through a layer in mini-batches of 4. After 6,000 mini-batches "
    "the running variance has long settled: at {before}.",
    cause="biased",
    causes=("start", "short-memory", "biased", "bug"),
    question="Where does it settle with mini-batches of 2?",
    unit="",
    truth=lambda broken, fixed: broken.facts["of_two"],
    computable=True,
    formula="Deviations are taken from the mini-batch's own mean, which lies in the midst of its values. Divided by "
    "m, their squares come out too small: (m - 1) / m of the variance on average. 3/4 for m = 4, 1/2 for m = 2, 31/32 "
    "for m = 32.",
    fix="Multiply by m / (m - 1) before averaging (unbiased=True; PyTorch does it, in every layer).",
    spot="Feed a layer of 1,000 channels random numbers of variance 1 in batches of 2, a thousand times, and average "
    "its running variances: near 1 in PyTorch, near 0.5 in Keras 3 and Flax. (One channel of PyTorch's alone is off by "
    "a third.)",
    careful="The factor belongs to the first layer. Above it, the inputs were already normalised by their own "
    "mini-batch, and the variance is not too small any more; multiplied all the same, it comes out too large. The "
    "more, the smaller the mini-batch: at batch size 2 that costs accuracy (turn the picture). At 4 and 8 the switch "
    "moves it by about 0.1 points on average over 16 seeds, in all layers or in the first one alone.",
    threads=(
        Thread(
            "keras-team/keras#8982",
            "https://github.com/keras-team/keras/issues/8982",
            "mini-batches of 2 give a variance of 0.47 where 1 is right; a pull request, #9028, followed",
        ),
        Thread(
            "ml-explore/mlx#3817",
            "https://github.com/ml-explore/mlx/pull/3817",
            "the running variance takes in the unbiased estimate from now on, normalisation in training stays biased",
        ),
    ),
    experiment=Experiment(
        number="running variance",
        unit="",
        digits=2,
        broken=settled(unbiased=False),
        fixed=settled(unbiased=True),
        effect=EFFECTS.get("missing-variance"),
        axes=Axes("running variance (dotted: the truth)", "mini-batches", (0, 5), (0, 5)),
    ),
    twist=Twist(
        setting="The digits network, two layers of batch norm, at batch size 2. The running variance is multiplied by "
        "m / (m - 1) = 2 in both layers, or in the first one alone.",
        sides=("both layers", "layer 1"),
        words="With the factor in both layers {before}, in layer 1 alone {after} (in none {none:.1f} %).",
        why="Against one pass of all images, the variance with the factor is {layer_1:.1f} times as large in layer 1, "
        "and {layer_2:.1f} times in layer 2: there the plain mean of the batch variances is near the mark. Two images "
        "that were normalised together have been pushed apart, to +1 and -1. The factor m / (m - 1) is for numbers "
        "that were drawn independently.",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            broken=accuracy_with(unbiased=(True, True), key="seen"),
            fixed=accuracy_with(unbiased=(True, False), key="fixed"),
            effect=EFFECTS.get("missing-variance, twist"),
            axes=Axes("validation accuracy, %", "training step", (0, 101), (40, 80)),
        ),
    ),
)
