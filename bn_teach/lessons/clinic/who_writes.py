"""Runs in which somebody is wrong about who writes the running averages, or who reads them."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import (
    EFFECTS,
    Axes,
    Experiment,
    Run,
    accuracy_curve,
    at_end,
    averaging_layers,
    in_eval_mode,
    level,
    live_network,
    misty,
    percent_right,
    right_under,
)
from bn_teach.lessons.shared.runs import digits, trained
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, live_losses, train

# A new camera: the validation images become misty, the training images stay as they are.


def misty_images():
    """Validation images as a misty camera would take them, in halves: to take statistics from, and to be judged on."""
    images = misty(digits().validation_x)
    half = len(images) // 2
    return images[:half], images[half:]


@lru_cache(maxsize=2)
def on_the_new_camera(seed):
    """Train on the old camera's images with the new camera's as validation set; nobody asks them before the end."""
    _, scored = misty_images()
    labels = digits().validation_y[-len(scored) :]
    recording = train(replace(digits(), validation_x=scored, validation_y=labels), TrainingConfig(steps=400, seed=seed))
    return recording, replay(recording, 0.9)


def new_camera_judged(seed):
    """The new camera's images, with the running statistics; as a fact, with statistics retaken from training images."""
    recording, seen = on_the_new_camera(seed)
    old = replay(trained(TrainingConfig(steps=400, seed=seed)), 0.9)
    retaken = accuracy_curve(replay(recording, estimator="algorithm2"))
    moved = max(np.abs(a - b).max() for a, b in zip(seen.running_mean, old.running_mean, strict=True))
    curve, own = accuracy_curve(seen), accuracy_curve(old)
    facts = {"moved": float(moved), "own": at_end(own), "retaken": at_end(retaken)}
    return Run(at_end(curve), {"seen": curve, "reference": own}, facts)


def new_camera_learnt(seed):
    """The same weights and images, with statistics of other images of the new camera."""
    recording, _ = on_the_new_camera(seed)
    others, scored = misty_images()
    accuracy = []
    for network in recording.networks():
        statistics = network.population_statistics(network.layers[0](others))
        accuracy.append(right_under(network, statistics, scored, recording.dataset.validation_y))
    curve = recording.checkpoint_steps.astype(np.float64), np.array(accuracy)
    return Run(at_end(curve), {"fixed": curve}, {})


NEW_CAMERA = Case(
    title="A new camera",
    symptom="On held-out images of its own camera a network gets {own:.0f} % right (dotted). A new camera is misty. "
    "Its owner makes the new images the validation set: the running averages are there 'to track the accuracy', so "
    "they should follow. They do not. Largest change of any running mean: {moved:g}. Right on the new camera: "
    "{before}.",
    cause="validation-never-enters",
    causes=("overfitting", "validation-never-enters", "short-memory", "bug"),
    question="Half of the new images are sent through the network, without labels, to take new statistics from. No "
    "weight changes. How many per cent of the other half come out right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="running = p * running + (1 - p) * batch, and the batch is one that went through in training mode: of "
    "training images. Accuracy is not averaged: it is measured, with the help of these averages.",
    fix="Let the new images be read in training mode once (here: population_statistics of them), then judge other "
    "ones.",
    spot="Print a running mean before and after you exchange or delete the validation set: the same, to the last "
    "digit. PyTorch: passes after model.train() write the averages, passes after model.eval() read them.",
    careful="Mist is the kindest case: it changes every pixel x to a * x + b, and the first batch norm takes exactly "
    "that out, once it knows the mean and the variance. A blurred image would stay blurred. The images that statistics "
    "were taken from must not be the ones that are judged. And the test that finds most cases of this clinic misses "
    "this one: statistics taken anew from the training images give {retaken:.1f} %.",
    threads=(
        Thread(
            "Cross Validated 219808",
            "https://stats.stackexchange.com/questions/219808",
            "why moving averages to track accuracy, over which data set, and how does it differ from watching the "
            "validation error?",
        ),
        Thread(
            "Cross Validated 219815",
            "https://stats.stackexchange.com/questions/219815",
            "over which set, training, validation or test, are the population statistics computed, and how?",
        ),
        Thread(
            "CuriousAI/ladder#26",
            "https://github.com/CuriousAI/ladder/issues/26",
            "why do validation and test need the statistics of the training data?",
        ),
    ),
    experiment=Experiment(
        number="accuracy on the new camera",
        unit="%",
        digits=1,
        broken=new_camera_judged,
        fixed=new_camera_learnt,
        effect=EFFECTS.get("new-camera"),
        axes=Axes("accuracy, % (dotted: own camera)", "training step", (0, 104), (0, 104)),
    ),
)

# A training loss that momentum was meant to calm.

IMAGES = 160
"""A mean over that many training images is one point of a loss curve."""


@lru_cache(maxsize=4)
def losses(seed, momentum, **settings):
    """Train with layers that keep averages: the loss of every step."""
    return np.array(live_losses(digits(), TrainingConfig(seed=seed, **settings), momentum=momentum))


def small_batches(seed):
    """Batch size 4, with momentum 0.5 and once more with 0.99."""
    low, high = (losses(seed, momentum, batch_size=4, steps=800) for momentum in (0.5, 0.99))
    lines = {"seen": _by_images(low, 4), "reference": _by_images(high, 4)}
    return Run(_last_quarter(low), lines, {"changed": float(np.abs(high - low).max())})


def large_batches(seed):
    """Batch size 32, and as many images."""
    calm = losses(seed, 0.5, batch_size=32, steps=100)
    return Run(_last_quarter(calm), {"fixed": _by_images(calm, 32)}, {})


def _last_quarter(each_step):
    return float(each_step[-(len(each_step) // 4) :].mean())


def _by_images(each_step, batch_size):
    points = each_step.reshape(-1, IMAGES // batch_size).mean(axis=1)
    return IMAGES * np.arange(1.0, len(points) + 1), points


RESTLESS_LOSS = Case(
    title="A training loss that will not calm down",
    symptom="Batch size 4. The training loss is high and restless: {before} on average over the last quarter. A "
    "colleague: 'Raise momentum from 0.5 to 0.99, then training normalises with calmer statistics.' That run is drawn "
    "as well (dotted). Largest difference between the two, over all 800 steps: {changed:g}.",
    cause="never-read",
    causes=("short-memory", "never-read", "bug", "overfitting"),
    question="Batch size 32 instead, and 100 steps, so that the network sees as many images: what is the training "
    "loss over the last quarter?",
    unit="nats",
    truth=lambda broken, fixed: fixed.value,
    low=0,
    high=10,
    formula="Training: y = gamma * (x - mean of this mini-batch) / (its standard deviation) + beta. There is no "
    "running average in it. Training writes the averages, inference reads them.",
    fix="A mini-batch that is normalised by itself has calmer statistics if it is larger.",
    spot="Train twice from one seed with two momenta and compare the losses. On a CPU they agree to the last digit.",
    careful="The optimiser's momentum is another thing of the same name, and that one does change training. So does "
    "this one, as soon as something acts on the validation accuracy, such as early stopping, and wherever training "
    "reads the averages: Equinox's layer does, unless it is told mode='batch'.",
    threads=(
        Thread("fast.ai forum, topic 41000", ""),
        Thread(
            "tensorflow/tensorflow#29480",
            "https://github.com/tensorflow/tensorflow/issues/29480",
            "believes that training mode, too, scales by the moving averages, and asks for a way to use the "
            "mini-batch's own statistics without writing them into the averages",
        ),
    ),
    experiment=Experiment(
        number="training loss, last quarter",
        unit="nats",
        digits=2,
        broken=small_batches,
        fixed=large_batches,
        effect=EFFECTS.get("restless-loss"),
        axes=Axes("training loss (dotted: momentum 0.99)", "training images seen", (0, 2.5), (0, 1)),
    ),
)

# An evaluation that writes.


def evaluated(*, training_mode, by_digit):
    """Build a function from a seed to a `Run`: the validation set once through, in mini-batches of 16.

    Parameters
    ----------
    training_mode : bool
        As after a forgotten ``eval()``.
    by_digit : bool
        In the order of a folder for each digit; otherwise in random order.
    """

    def run(seed):
        network = live_network(seed)
        layer = averaging_layers(network)[0]
        if not training_mode:
            network.eval()
        mean, std = layer.running_mean, np.sqrt(layer.running_var)
        walk, right = [np.zeros(len(mean))], []
        for share in _shares_right(network, by_digit):
            right.append(share)
            walk.append((layer.running_mean - mean) / std)
        walk = np.array(walk)
        furthest = walk[:, np.abs(walk).max(axis=0).argmax()]
        curve = np.arange(float(len(walk))), furthest
        lines = {"seen": curve, "reference": level(curve, 0.0)} if training_mode else {"fixed": curve}
        facts = {
            "moved": float(np.abs(walk[-1]).mean()),
            "afterwards": in_eval_mode(network),
            "never": _never_updated(network),
            "other_statistics": float(np.mean(list(_shares_right(network.train(), by_digit)))),  # they start at 0 and 1
        }
        return Run(float(np.mean(right)), lines, facts)

    return run


def _shares_right(network, by_digit):
    """Judge the validation set mini-batch by mini-batch, in the mode that the network is in: percent right of each."""
    for rows in _rows(by_digit):
        yield percent_right(network(digits().validation_x[rows]), digits().validation_y[rows])


def _never_updated(network):
    """Validation accuracy of the same weights, had the running statistics stayed at mean 0 and variance 1."""
    for layer in averaging_layers(network):
        layer.running_mean, layer.running_var = np.zeros(layer.num_features), np.ones(layer.num_features)
    return in_eval_mode(network)


def _rows(by_digit):
    """Rows of the validation set in mini-batches of 16; the one image left over is not used."""
    labels = digits().validation_y
    order = np.argsort(labels, kind="stable") if by_digit else np.random.default_rng(0).permutation(len(labels))
    return order[: len(order) - len(order) % 16].reshape(-1, 16)


_WALK = "shift of a running mean during the evaluation, in standard deviations"

BY_FOLDER = Case(
    title="Twenty per cent on the validation folder",
    symptom="A network is trained, then judged. The validation images are read folder by folder, first all zeros, "
    "then all ones, in mini-batches of 16. {before} of them come out right. The picture follows the "
    "running mean that moves most: nobody trains, and it walks.",
    cause="training-mode",
    causes=("other-images", "overfitting", "training-mode", "statistics-left-behind"),
    question="The same weights and the same images in the same order, in inference mode: how many per cent come out "
    "right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="Training mode: every mini-batch is normalised by its own mean and variance, and both go into the running "
    "averages. Sixteen zeros normalised by themselves no longer look like zeros.",
    fix="eval() before the evaluation, train() after it.",
    spot="PyTorch: any(m.training for m in model.modules()) must be False in your evaluation loop (model.training "
    "tells of the outermost module alone). Clone a running mean before it and compare after it: any change means that "
    "validation data were written into the model. All means 0 and all variances 1 is the opposite mistake: they were "
    "never updated. This network would get {never:.0f} % with them.",
    careful="The damage stays. Evaluated properly right afterwards, the network gets {afterwards:.1f} %, for its "
    "averages now hold the digits that came last. Turn the picture: on shuffled images the same mistake costs little, "
    "and can go unnoticed for long. No other statistics help, for none are read: the test that finds most cases of "
    "this clinic misses this one.",
    threads=(
        Thread(
            "princeton-vl/pytorch_stacked_hourglass#44",
            "https://github.com/princeton-vl/pytorch_stacked_hourglass/issues/44",
            "training mode is on in training and in validation: does that not change the running statistics? It did; "
            "a pull request put it right",
        ),
        Thread(
            "tensorflow/tensorflow#11965",
            "https://github.com/tensorflow/tensorflow/issues/11965",
            "the opposite: after training all moving means are still 0 and all moving variances 1",
        ),
    ),
    experiment=Experiment(
        number="validation accuracy",
        unit="%",
        digits=1,
        broken=evaluated(training_mode=True, by_digit=True),
        fixed=evaluated(training_mode=False, by_digit=True),
        effect=EFFECTS.get("by-folder"),
        axes=Axes(_WALK, "validation mini-batch", (-1.5, 1.5), (0, 104)),
    ),
    twist=Twist(
        setting="The same mistake, and the same images in random order.",
        sides=("training", "inference"),
        words="Shuffled images: {before} in training mode, {after} in inference mode.",
        why="A shuffled mini-batch is a fair sample, so little seems wrong, and the running means hardly walk. They "
        "are written all the same, with validation images.",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            broken=evaluated(training_mode=True, by_digit=False),
            fixed=evaluated(training_mode=False, by_digit=False),
            effect=EFFECTS.get("by-folder, twist"),
            axes=Axes(_WALK, "validation mini-batch", (-1.5, 1.5), (0, 104)),
        ),
    ),
)
