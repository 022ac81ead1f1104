"""Runs in which two kinds of images share one average, or one kind has a whole batch to itself."""

import copy
from functools import lru_cache

import numpy as np

from bn_teach.data import minibatches
from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import (
    EFFECTS,
    Axes,
    Experiment,
    Run,
    averaged,
    finished,
    fitting,
    live_network,
    misty,
    percent_right,
    right_under,
    statistics_seen,
)
from bn_teach.lessons.shared.runs import digits, trained
from bn_teach.network import Network, build_network
from bn_teach.training import TrainingConfig

# A test batch that is normalised by itself.

CLASSES = (1, 2, 5, 10)
"""In one test batch."""


def drawn_batches(classes, seed, size=20):
    """Yield rows of the validation set in batches, each drawn from so many classes."""
    rng = np.random.default_rng(seed)
    for chosen in rng.permutation(10).reshape(-1, classes):
        rows = rng.permutation(np.flatnonzero(np.isin(digits().validation_y, chosen)))
        yield from rows[: len(rows) - len(rows) % size].reshape(-1, size)


def judged_in_batches(*, own, at=0, taken=np.asarray):
    """Build a function from a seed to a `Run`: accuracy over the number of classes in a test batch.

    Parameters
    ----------
    own : bool
        Each batch is normalised by its own statistics; otherwise by those of the training set.
    at : int
        Which of `CLASSES` the number is about.
    taken : callable
        What the camera makes of an image.
    """

    def run(seed):
        network = finished(trained(TrainingConfig(steps=400, seed=seed)))
        statistics = network.population_statistics(network.layers[0](digits().train_x))
        x, labels = taken(digits().validation_x), digits().validation_y

        def right(batches):
            if own:
                return float(np.mean([percent_right(network(x[rows]), labels[rows]) for rows in batches]))
            return float(np.mean([right_under(network, statistics, x[rows], labels[rows]) for rows in batches]))

        curve = np.array(CLASSES, dtype=np.float64), np.array([right(drawn_batches(n, seed)) for n in CLASSES])
        facts = {"mixed": curve[1][-1], "two": curve[1][1], "five": curve[1][2]}
        if own:
            facts["larger"] = right(drawn_batches(1, seed, size=40))
        return Run(float(curve[1][at]), {"seen": curve} if own else {"fixed": curve}, facts)

    return run


_CLASSES = Axes("accuracy, %", "classes in a test batch of 20", (0, 104), (0, 104))

ONE_CLASS_TEST = Case(
    title="Fine when mixed, lost when sorted",
    symptom="A network keeps no running averages: at inference, too, every batch is normalised by itself, as some code "
    "for few-shot learning does. Shuffled test images: {mixed:.0f} % right. Then the same images come class by class, "
    "in batches of 20, and its owner calls eval() to be safe: {before}.",
    cause="batch-decides",
    causes=("overfitting", "batch-decides", "too-few-images", "other-images"),
    question="The same images in the same order, normalised with statistics of the training set: how many per cent "
    "come out right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="At inference, too: y = gamma * (x - mean of this batch) / (its standard deviation) + beta. What twenty "
    "images of one class have in common lies in their mean, and the mean is taken away. With two classes in a batch "
    "{two:.0f} % come out right, with five {five:.0f} %, with ten {mixed:.0f} %.",
    fix="Statistics of the training set: let the layers keep averages, or take them once with the weights frozen.",
    spot="PyTorch: predict an image in eval() among two different sets of neighbours. Its scores must be the same (to "
    "about 1e-5). If they are not, look for layers with running_mean None, built with track_running_stats=False.",
    careful="Two cures that do not help. eval(): there is nothing that it could read. A larger batch: 40 images of one "
    "class give {larger:.0f} %. And what ruins the sorted images is a cure elsewhere (turn the picture).",
    threads=(
        Thread(
            "facebookarchive/C3D#277",
            "https://github.com/facebookarchive/C3D/issues/277",
            "good scores on a shuffled test set, next to nothing on one in order, and poor ones in batches of one; the "
            "question back is whether inference uses the global statistics",
        ),
        Thread(
            "xu-ji/IIC#49",
            "https://github.com/xu-ji/IIC/issues/49",
            "99 % with the authors' script, 85 % by hand: no running statistics are tracked, so a test batch has to be "
            "like those of training",
        ),
        Thread(
            "facebookresearch/higher#55",
            "https://github.com/facebookresearch/higher/issues/55",
            "a few-shot example stays in training mode to be judged, and falls to about chance without; it is meant so",
        ),
    ),
    experiment=Experiment(
        number="accuracy, one class a batch",
        unit="%",
        digits=1,
        broken=judged_in_batches(own=True),
        fixed=judged_in_batches(own=False),
        effect=EFFECTS.get("one-class-test"),
        axes=_CLASSES,
    ),
    twist=Twist(
        setting="A misty camera, and ten classes in every test batch.",
        sides=("the batch's", "training set's"),
        words="Misty and mixed: {before} with the batch's own statistics, {after} with those of the training set.",
        why="Mist moves the mean and the variance of every unit, and each batch takes that out again. So ask what the "
        "images of a batch have in common: what should go (the mist), or what is asked for (the class)?",
        experiment=Experiment(
            number="accuracy, ten classes a batch",
            unit="%",
            digits=1,
            broken=judged_in_batches(own=True, at=-1, taken=misty),
            fixed=judged_in_batches(own=False, at=-1, taken=misty),
            effect=EFFECTS.get("one-class-test, twist"),
            axes=_CLASSES,
        ),
    ),
)

# Two cameras in turn, one average.

MOMENTA = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
BATCH, STEPS = 16, 800


def slightly_misty(images):
    """Take images as a camera would that is a little misty."""
    return 0.8 * images + 0.1


@lru_cache(maxsize=4)
def two_cameras(seed, second, *, in_one_batch=False):
    """Train on clean mini-batches and those of a `second` camera in turn, or on both in every mini-batch."""
    network, x, labels = build_network(64, 10, seed=seed), digits().train_x, digits().train_y

    def batches():
        for step, rows in enumerate(minibatches(len(x), BATCH, steps=STEPS, seed=seed)):
            clean = BATCH // 2 if in_one_batch else BATCH * (step % 2 == 0)
            yield np.concatenate([x[rows[:clean]], second(x[rows[clean:]])]), labels[rows]

    return network, statistics_seen(network, fitting(network, batches()))


def second_camera(*, shared, second=misty):
    """Build a function from a seed to a `Run`: accuracy on the second camera's images over the memory of the average.

    Parameters
    ----------
    shared : bool
        One average for both cameras; otherwise one for the second camera alone.
    second : callable
        What the second camera makes of an image.
    """

    def run(seed):
        network, statistics = two_cameras(seed, second)
        if not shared:
            statistics = [(means[1::2], variances[1::2]) for means, variances in statistics]
        images, labels = second(digits().validation_x), digits().validation_y
        memory = 1 / (1 - np.array(MOMENTA))
        averages = [averaged(statistics, momentum, BATCH) for momentum in MOMENTA]
        right = np.array([right_under(network, average, images, labels) for average in averages])
        number = float(right[MOMENTA.index(0.9)])
        if not shared:
            return Run(number, {"fixed": (memory, right)}, {})
        clean = np.array([right_under(network, average) for average in averages])
        facts = {"clean": clean[MOMENTA.index(0.9)], "calm": right[-1], "steps": STEPS}
        return Run(number, {"seen": (memory, right), "reference": (memory, clean)}, facts)

    return run


def mixed_batches(seed):
    """Accuracy on misty images if every mini-batch of training was half clean, half misty; momentum 0.9."""
    network, statistics = two_cameras(seed, misty, in_one_batch=True)
    average = averaged(statistics, 0.9, BATCH)
    return right_under(network, average, misty(digits().validation_x), digits().validation_y)


def first_look(seed):
    """The broken run of `TWO_CROWDS`, and what mixing would have given."""
    run = second_camera(shared=True)(seed)
    return Run(run.value, run.lines, run.facts | {"mixed": mixed_batches(seed)})


_MEMORY = Axes(
    "accuracy on the second camera, % (dotted: on the first)",
    "memory in mini-batches, 1 / (1 - momentum)",
    (0, 104),
    (20, 104),
)

TWO_CROWDS = Case(
    title="One camera right, the other wrong",
    symptom="A network learns from two cameras, a mini-batch of clean images and one of misty images in turn, and "
    "training goes well on both. After {steps} steps, momentum 0.9, it is judged in inference mode: {clean:.0f} % of "
    "clean held-out images are right (dotted), and {before} of misty ones. The picture shows other momenta as well.",
    cause="two-kinds",
    causes=("short-memory", "overfitting", "two-kinds", "validation-never-enters"),
    question="An average for each camera, and the same weights: how many per cent of the misty images are right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="Training normalises each mini-batch by its own camera. The one average takes in both: its mean lies "
    "between the cameras, and its variance is a mean of two variances, without the distance between them. No image of "
    "training was ever normalised by such numbers.",
    fix="An average for each camera: a batch norm for each, or the averages are exchanged before each is judged.",
    spot="PyTorch: take statistics anew twice, with update_bn on images of one kind alone, and judge each kind with "
    "its own. If both are good now, and no momentum was good for both, one average served two kinds.",
    careful="Momentum is no cure. With a long memory, the usual advice, the average lies between the cameras: "
    "{calm:.0f} % of misty images at 0.99. With a short one it serves whoever came last, here the misty camera. Both "
    "cameras in every mini-batch, half and half, helps, for then training sees what inference sees, and is no full "
    "cure here: {mixed:.0f} %. Cameras that differ little can share (turn the picture).",
    threads=(
        Thread(
            "carpedm20/DCGAN-tensorflow#266",
            "https://github.com/carpedm20/DCGAN-tensorflow/issues/266",
            "a discriminator sees real and generated images in batches of their own, with shared batch norm variables: "
            "is that meant so?",
        ),
        Thread(
            "LiheYoung/UniMatch#94",
            "https://github.com/LiheYoung/UniMatch/issues/94",
            "why do weakly augmented images go through in training mode? Strongly augmented ones had harmed the "
            "statistics badly",
        ),
        Thread(
            "eriklindernoren/Keras-GAN#9",
            "https://github.com/eriklindernoren/Keras-GAN/issues/9",
            "half batches, all real or all generated, work better than one of both; the guess is that two "
            "distributions upset the running averages",
        ),
    ),
    experiment=Experiment(
        number="accuracy on misty images",
        unit="%",
        digits=1,
        broken=first_look,
        fixed=second_camera(shared=False),
        effect=EFFECTS.get("two-crowds"),
        axes=_MEMORY,
    ),
    twist=Twist(
        setting="A second camera that is only a little misty: contrast 0.8 in place of 0.3.",
        sides=("one average", "its own"),
        words="A little mist: {before} with the shared average, {after} with one of its own.",
        why="The two means lie close together, measured in standard deviations, so the one between them is near both.",
        experiment=Experiment(
            number="accuracy on slight mist",
            unit="%",
            digits=1,
            broken=second_camera(shared=True, second=slightly_misty),
            fixed=second_camera(shared=False, second=slightly_misty),
            effect=EFFECTS.get("two-crowds, twist"),
            axes=_MEMORY,
        ),
    ),
)

# A backbone that was frozen.

TUNING_STEPS = 200


def fine_tuned(*, writes, old_task=True):
    """Build a function from a seed to a `Run`: a new head learns misty digits on a backbone that learnt clean ones.

    Parameters
    ----------
    writes : bool
        The backbone is in training mode; no weight of it is trained either way.
    old_task : bool
        The number is about clean digits and their head; otherwise about misty ones and the new head.
    """

    def run(seed):
        network = live_network(seed)
        backbone, old_head = Network(network.layers[:-1]), network.layers[-1]
        new_head, before = copy.deepcopy(old_head), [layer.weight.copy() for layer in _linear(backbone)]
        x, labels = misty(digits().train_x), digits().train_y

        def batches():
            for rows in minibatches(len(x), BATCH, steps=TUNING_STEPS, seed=seed):
                yield (backbone.train() if writes else backbone.eval())(x[rows]), labels[rows]

        def judged():
            tasks = (old_head, digits().validation_x), (new_head, misty(digits().validation_x))
            return [percent_right(head(backbone.eval()(images)), digits().validation_y) for head, images in tasks]

        shown = [judged()]
        for step, _ in enumerate(fitting(Network([new_head]), batches()), start=1):
            if step % 10 == 0:
                shown.append(judged())
        old, new = np.array(shown).T
        steps = np.arange(0.0, TUNING_STEPS + 1, 10)
        line = steps, old if old_task else new
        changed = [np.abs(layer.weight - was).max() for layer, was in zip(_linear(backbone), before, strict=True)]
        facts = {"known": old[0], "steps": TUNING_STEPS, "changed": float(max(changed))}
        return Run(float(line[1][-1]), {"seen": line} if writes else {"fixed": line}, facts)

    return run


def _linear(network):
    return [layer for layer in network.layers if "weight" in layer.parameters]


FROZEN_BACKBONE = Case(
    title="Frozen, and yet it forgets",
    symptom="A network gets {known:.1f} % of clean digits right. Its backbone is frozen, so that no weight of it "
    "learns (largest change: {changed:g}), and a second head is trained on misty digits, {steps} steps at batch size "
    "16. Then the first head, which nobody touched, is judged again on clean digits: {before}.",
    cause="frozen-writes",
    causes=("overfitting", "learning-rate", "frozen-writes", "bug"),
    question="With the backbone in inference mode while the second head learns: how many percentage points of the old "
    "task are saved?",
    unit="percentage points",
    truth=lambda broken, fixed: fixed.value - broken.value,
    low=-20,
    high=100,
    formula="running = p * running + (1 - p) * batch needs no gradient: every pass in training mode does it. After "
    "{steps} steps at 0.9, 0.9^{steps} of the old average is left, which is nothing.",
    fix="backbone.eval() after every model.train(), which switches everything back.",
    spot="PyTorch: clone a running mean of the frozen part before an epoch and compare after it. If it moved, "
    "requires_grad=False was not enough: any(m.training for m in backbone.modules()) must be False while you train.",
    careful="A smaller learning rate, the first thing that one tries, changes nothing, to the last digit: the averages "
    "do not know of it. And for the new task the drift is a gain (turn the picture). So decide which task counts.",
    threads=(
        Thread(
            "pytorch/pytorch#86590",
            "https://github.com/pytorch/pytorch/issues/86590",
            "all parameters of a part are set to requires_grad=False, and after training its running statistics have "
            "changed all the same; a wish for a switch, and a warning that much published code has it so",
        ),
        Thread(
            "Lightning-AI/pytorch-lightning#15062",
            "https://github.com/Lightning-AI/pytorch-lightning/issues/15062",
            "a callback freezes the backbone with train_bn=False, and running means and variances go on changing",
        ),
        Thread(
            "chemprop/chemprop#952",
            "https://github.com/chemprop/chemprop/pull/952",
            "layers had been frozen by gradients alone, which leaves the running statistics free; eval() is added",
        ),
        Thread(
            "lightly-ai/lightly#1438",
            "https://github.com/lightly-ai/lightly/issues/1438",
            "the same find in examples; the answer is that much published code leaves it so, and that it depends on "
            "the model",
        ),
    ),
    experiment=Experiment(
        number="accuracy on the old task",
        unit="%",
        digits=1,
        broken=fine_tuned(writes=True),
        fixed=fine_tuned(writes=False),
        effect=EFFECTS.get("frozen-backbone"),
        axes=Axes("accuracy on clean digits, old head, %", "step of the new head", (40, 101), (40, 101)),
    ),
    twist=Twist(
        setting="The same two runs, judged on the new task: misty digits, with the head that learnt them.",
        sides=("drifts", "eval()"),
        words="New task: {before} with a backbone that drifts, {after} with one in inference mode.",
        why="Statistics of the misty digits are the right ones for misty digits, and the drift takes them. In "
        "inference mode the second head has to make do with what clean statistics make of mist.",
        experiment=Experiment(
            number="accuracy on the new task",
            unit="%",
            digits=1,
            broken=fine_tuned(writes=True, old_task=False),
            fixed=fine_tuned(writes=False, old_task=False),
            effect=EFFECTS.get("frozen-backbone, twist"),
            axes=Axes("accuracy on misty digits, new head, %", "step of the new head", (0, 101), (70, 101)),
        ),
    ),
)
