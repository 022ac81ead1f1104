"""Runs whose recipe puts something into the statistics, or into the mini-batch, that nobody meant to be there."""

import numpy as np

from bn_teach.batchnorm import BatchNorm
from bn_teach.data import minibatches
from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import (
    EFFECTS,
    Axes,
    Experiment,
    Run,
    accuracy_curve,
    at_end,
    averaged,
    averaging_layers,
    fitting,
    in_eval_mode,
    right_under,
    statistics_seen,
)
from bn_teach.lessons.shared.runs import digits, trained
from bn_teach.network import Network, build_network, cross_entropy, keep_running_averages
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig

# Dropout below batch norm.


class Dropout:
    """Set a share of the values to 0 and scale up the rest, while `on`."""

    parameters = ()

    def __init__(self, share, seed):
        self.share, self.rng, self.on = share, np.random.default_rng(seed), True

    def __call__(self, x):
        """Drop, and remember what was kept."""
        kept = (self.rng.random(x.shape) >= self.share) / (1 - self.share)
        self.scale = kept.astype(x.dtype) if self.on else np.ones_like(x)
        return x * self.scale

    def backward(self, dy):
        """Let through what was kept."""
        return dy * self.scale


def with_dropout(seed, place):
    """Build a network of three hidden layers; dropout "below" every batch norm, "behind" the last one, or None."""
    network = keep_running_averages(build_network(64, 10, hidden=(100, 100, 100), seed=seed), momentum=0.9)
    layers = []
    for number, layer in enumerate(network.layers):
        wanted = {"below": isinstance(layer, BatchNorm), "behind": layer is network.layers[-1], None: False}
        if wanted[place]:
            layers.append(Dropout(0.5, [seed, number]))
        layers.append(layer)
    return Network(layers)


def switch_dropout(network, *, on):
    """Switch all dropout layers, and return the network."""
    for layer in network.layers:
        if isinstance(layer, Dropout):
            layer.on = on
    return network


def judged_without_dropout(network):
    """Validation accuracy in inference mode, with dropout off; afterwards the network is as in training."""
    accuracy = in_eval_mode(switch_dropout(network, on=False))
    switch_dropout(network, on=True)
    return accuracy


def taken_anew(network, seed, *, dropout):
    """Validation accuracy after a pass that takes the statistics anew, with dropout on or off."""
    for layer in averaging_layers(network):
        layer.momentum, layer.num_batches_tracked = None, 0
    x = digits().train_x
    for rows in minibatches(len(x), 16, steps=len(x) // 16, seed=seed):
        switch_dropout(network, on=dropout)(x[rows])
    return judged_without_dropout(network)


def dropout_curve(network, seed, steps):
    """Train with mini-batches of 16: validation accuracy at every 20th step, as steps and percent."""
    x, labels = digits().train_x, digits().train_y
    batches = ((x[rows], labels[rows]) for rows in minibatches(len(x), 16, steps=steps, seed=seed))
    shown = np.arange(20.0, steps + 1, 20.0)
    seen = [judged_without_dropout(network) for t, _ in enumerate(fitting(network, batches), 1) if t % 20 == 0]
    return shown, np.array(seen)


def dropout_placed(place, key):
    """Build a function from a seed to a `Run`: validation accuracy at the end.

    Parameters
    ----------
    place : str or None
        Of dropout, as in `with_dropout`.
    key : str
        Of the line.
    """

    def run(seed):
        network = with_dropout(seed, place)
        curve, first = dropout_curve(network, seed, 400), averaging_layers(network)[0]
        was = first.running_var
        facts = {name: taken_anew(network, seed, dropout=name == "on") for name in ("on", "off")}
        return Run(at_end(curve), {key: curve}, facts | {"ratio": float((was / first.running_var).mean())})

    return run


_DROPOUT = Axes("validation accuracy, %", "training step", (0, 101), (70, 101))

DROPOUT_BEFORE = Case(
    title="A gap that closes slowly",
    symptom="Three hidden layers, each of them linear, dropout (0.5), batch norm, ReLU. In inference mode {before} of "
    "the validation images are right at the end of 400 steps, and the curve climbs slowly. Without dropout it would "
    "have been near 98 % by then. Statistics taken anew, as PyTorch's update_bn does it, bring {on:.1f} %.",
    cause="dropout",
    causes=("overfitting", "dropout", "old-weights", "biased"),
    question="Dropout of 0.5 once, behind the last batch norm, instead: how many per cent are right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="Dropout of a share q keeps the mean mu and turns the variance v into (v + q * mu²) / (1 - q). Batch norm "
    "averages that, and reads it at inference, when dropout is off: in layer 1 the running variance is {ratio:.1f} "
    "times that of what comes in then, mean over the units.",
    fix="Dropout behind the last batch norm.",
    spot="PyTorch: take statistics anew with p = 0 in all dropout layers, and compare running_var before and after. "
    "Where it was 1.5 times as large or more, dropout stands below. (update_bn alone leaves dropout on, and hardly "
    "moves it.)",
    careful="'It is a shift of the variance' is the usual word for it, and says too little: statistics taken anew "
    "without dropout, which know of no shift, bring it to {off:.1f} %. The larger part is in the weights, which learn "
    "slowly under that noise: with 1,600 steps some 3 points are missing still. 'Batch norm and dropout do not go "
    "together' says too much (turn the picture).",
    threads=(
        Thread(
            "FengAoWang/TMO-Net#12",
            "https://github.com/FengAoWang/TMO-Net/issues/12",
            "why does dropout stand before batch norm? It was meant as noise, turned out to be hard to tune, and moved "
            "behind batch norm in later work",
        ),
        Thread(
            "luigibonati/mlcolvar#267",
            "https://github.com/luigibonati/mlcolvar/issues/267",
            "linear, activation, dropout, batch norm: trains less steadily and does worse than the usual order; it was "
            "changed",
        ),
        Thread(
            "pythonlessons/mltu#41",
            "https://github.com/pythonlessons/mltu/issues/41",
            "is it true that the two together make things worse? The answer: common practice, not a problem in itself",
        ),
    ),
    experiment=Experiment(
        number="validation accuracy",
        unit="%",
        digits=1,
        broken=dropout_placed("below", "seen"),
        fixed=dropout_placed("behind", "fixed"),
        effect=EFFECTS.get("dropout-before"),
        axes=_DROPOUT,
    ),
    twist=Twist(
        setting="Dropout of 0.5 behind the last batch norm, and no dropout at all.",
        sides=("behind", "none"),
        words="{before} with dropout behind the last batch norm, {after} without dropout.",
        why="Behind the last batch norm no statistics are left that dropout could disturb. (These few images leave "
        "nothing for dropout to gain either.)",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            broken=dropout_placed("behind", "seen"),
            fixed=dropout_placed(None, "fixed"),
            effect=EFFECTS.get("dropout-before, twist"),
            axes=_DROPOUT,
        ),
    ),
)

# Gradients that are added up.

BATCH, ACCUMULATED_STEPS = 64, 200


def accumulating(network, x, labels, size, seed):
    """Train in steps of 64 images, in micro-batches of `size`; yield the loss of each micro-batch."""
    for rows in minibatches(len(x), BATCH, steps=ACCUMULATED_STEPS, seed=seed):
        total = {}
        for some in rows.reshape(-1, size):
            loss, dscores = cross_entropy(network(x[some]), labels[some])
            network.backward(dscores * (size / BATCH))
            for number, layer in enumerate(network.layers):
                for name in layer.parameters:
                    total[number, name] = total.get((number, name), 0) + getattr(layer, "d" + name)
            yield loss
        for (number, name), gradient in total.items():
            setattr(network.layers[number], "d" + name, gradient)
        network.descend(0.1)


def accumulated(size, key):
    """Build a function from a seed to a `Run`: validation accuracy after steps of 64 images, in micro-batches.

    Parameters
    ----------
    size : int
        Images in a micro-batch: a divisor of 64.
    key : str
        Of the line, which shows the training loss.
    """

    def run(seed):
        network, x, losses = build_network(64, 10, seed=seed), digits().train_x, []
        steps = accumulating(network, x, digits().train_y, size, seed)
        statistics = statistics_seen(network, (losses.append(loss) for loss in steps))
        shown = np.array(losses).reshape(ACCUMULATED_STEPS // 4, -1).mean(axis=1)
        facts = {
            "loss": float(shown[-5:].mean()),
            "slower": right_under(network, averaged(statistics, 0.9 ** (size / BATCH), size)),
            "exact": right_under(network, network.population_statistics(network.layers[0](x))),
        }
        curve = 4.0 * np.arange(1, len(shown) + 1), shown
        return Run(right_under(network, averaged(statistics, 0.9, size)), {key: curve}, facts)

    return run


_LOSS = Axes("training loss, nats", "step of 64 images", (0, 3), (40, 101))

ACCUMULATION = Case(
    title="As good as a batch of 64",
    symptom="Two images fit into memory. So the gradients of 32 micro-batches of 2 are added up before each step, and "
    "the log says 'effective batch size 64'. After 200 steps at learning rate 0.1 the training loss is {loss:.2f}, and "
    "{before} of the validation images are right. Where 64 images fit at once, the same recipe does far better.",
    cause="micro-batches",
    causes=("learning-rate", "micro-batches", "short-memory", "overfitting"),
    question="One mini-batch of 64 in each step, the same images in the same order: how many per cent are right?",
    unit="%",
    truth=lambda broken, fixed: fixed.value,
    formula="Gradients add up. Means and variances do not: each micro-batch is normalised by its own 2 images. Of two "
    "numbers one becomes +1 and the other -1 (or nearly), however far apart they were.",
    fix="Larger micro-batches (turn the picture), or a norm that does not look at the batch, such as group norm.",
    spot="PyTorch: a hook on the first batch norm tells the batch size that it sees: "
    "layer.register_forward_pre_hook(lambda layer, inputs: print(len(inputs[0]))). That is the one which counts here.",
    careful="Two cures of the averages that do not help. Slower ones, so that 64 images weigh as they would at once "
    "(momentum 0.9^(1/32)): {slower:.0f} %. Exact statistics: {exact:.0f} %. The statistics fit the network; it is the "
    "weights that learnt from pairs.",
    threads=(
        Thread(
            "ultralytics/yolov5#1630",
            "https://github.com/ultralytics/yolov5/issues/1630",
            "is any batch below 64 the same as 64 then? Similar, and not identical: batch norm does not accumulate, "
            "and smaller batches tend to end worse",
        ),
        Thread(
            "open-mmlab/mmcv#1869",
            "https://github.com/open-mmlab/mmcv/issues/1869",
            "accuracy 8 % lower with accumulated gradients, and a warning that batch norm may be the cause",
        ),
        Thread(
            "run-ai/runai#14",
            "https://github.com/run-ai/runai/issues/14",
            "how are the statistics handled? For every small batch by itself, so it is not equivalent",
        ),
        Thread(
            "pytorch/pytorch#46516",
            "https://github.com/pytorch/pytorch/issues/46516",
            "a wish for statistics of the whole accumulated batch",
        ),
    ),
    experiment=Experiment(
        number="validation accuracy",
        unit="%",
        digits=1,
        broken=accumulated(2, "seen"),
        fixed=accumulated(64, "fixed"),
        effect=EFFECTS.get("accumulation"),
        axes=_LOSS,
    ),
    twist=Twist(
        setting="Four micro-batches of 16, against 64 at once.",
        sides=("4 times 16", "64"),
        words="{before} with micro-batches of 16, {after} with 64 images at once.",
        why="Sixteen images are a fair sample of what a unit sees, so there is little to lose. How many it takes "
        "depends on the task: count what the layer sees, in a convolution places included.",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            broken=accumulated(16, "seen"),
            fixed=accumulated(64, "fixed"),
            effect=EFFECTS.get("accumulation, twist"),
            axes=_LOSS,
        ),
    ),
)

# Activations that are computed twice.


def counted(updates, *, momentum, batch_size, of_accuracy=False):
    """Build a function from a seed to a `Run`: each mini-batch enters the averages so many times.

    Twice p * running + (1 - p) * batch with the same batch is p² * running + (1 - p²) * batch: once, with p².

    Parameters
    ----------
    updates : int
    momentum : float
    batch_size : int
    of_accuracy : bool
        The number is validation accuracy; otherwise how far the running means of layer 1 lie from the exact ones, in
        standard deviations of the unit.
    """

    def run(seed):
        recording = trained(TrainingConfig(batch_size=batch_size, steps=400, seed=seed))
        replayed = replay(recording, momentum**updates)
        facts = {"updates": updates * recording.steps, "steps": recording.steps}
        key = "seen" if updates > 1 else "fixed"
        if of_accuracy:
            curve = accuracy_curve(replayed)
            return Run(at_end(curve), {key: curve}, facts)
        steps = recording.checkpoint_steps
        exact, std = recording.population_mean[0], np.sqrt(recording.population_var[0])
        off = steps, (np.abs(replayed.mean[0] - exact) / std).mean(axis=1)
        late, end, unit = steps > 300, exact[-1, 0], std[-1, 0]
        lines = {key: (np.arange(301.0, 401.0), (replayed.running_mean[0][300:, 0] - end) / unit)}
        if updates > 1:
            lines["reference"] = steps[late].astype(np.float64), (exact[late, 0] - end) / unit
        return Run(at_end(off), lines, facts)

    return run


COUNTED_TWICE = Case(
    title="The same losses, other averages",
    symptom="To save memory, activations are not kept, but computed once more in the backward pass (activation "
    "checkpointing). The losses are those of before, to the last digit. The running averages are not: batch size 4, "
    "momentum 0.9, and the running means of layer 1 lie {before} from the exact ones (sd: in standard deviations of "
    "the unit), farther than before. After {steps} steps num_batches_tracked is {updates}.",
    cause="twice",
    causes=("bug", "twice", "two-divisors", "reversed"),
    question="Which momentum gives the very same averages without checkpointing?",
    unit="",
    truth=lambda broken, fixed: 0.9**2,
    computable=True,
    formula="p * (p * running + (1 - p) * batch) + (1 - p) * batch = p² * running + (1 - p²) * batch. A batch that "
    "counts twice makes 0.9 into 0.81, and the average looks back half as far.",
    fix="The square root of the momentum that is meant: 0.9487 for 0.9 (PyTorch: 1 - sqrt(1 - 0.1) = 0.0513).",
    spot="PyTorch: after one training step num_batches_tracked must be 1. torch.utils.checkpoint makes it 2, with "
    "use_reentrant=True and with False.",
    careful="use_reentrant, which one tries first, is another thing: the second pass is there either way. The losses "
    "never tell, for training does not read the averages. The effect is small: at batch size 4 and momentum 0.9 it is "
    "noise, and moves the accuracy by some tenths of a point. And with a long memory it is a gain (turn the picture).",
    threads=(
        Thread(
            "pytorch/pytorch#62471",
            "https://github.com/pytorch/pytorch/issues/62471",
            "does checkpointing change the running average? A small model with momentum 0.001 answers: it does",
        ),
        Thread(
            "pytorch/pytorch#96136",
            "https://github.com/pytorch/pytorch/issues/96136",
            "updated twice in the reentrant kind and in the other; runs with and without are hard to compare",
        ),
        Thread(
            "deepinsight/insightface#2053",
            "https://github.com/deepinsight/insightface/issues/2053",
            "asks whether momentum has to become 1 - sqrt(1 - momentum), as a forum says",
        ),
        Thread(
            "pfnet/pytorch-pfn-extras#117",
            "https://github.com/pfnet/pytorch-pfn-extras/pull/117",
            "a checkpoint that lowers PyTorch's momentum so that two updates end where one would have; gradients had "
            "been right all along",
        ),
    ),
    experiment=Experiment(
        number="distance from exact",
        unit="sd",
        digits=3,
        broken=counted(2, momentum=0.9, batch_size=4),
        fixed=counted(1, momentum=0.9, batch_size=4),
        effect=EFFECTS.get("counted-twice"),
        axes=Axes(
            "running mean of one unit, in standard deviations (dotted: exact)", "training step", (-2, 2), (0, 0.3)
        ),
    ),
    twist=Twist(
        setting="A long memory: batch size 16, momentum 0.999, and the accuracy.",
        sides=("twice", "once"),
        words="Momentum 0.999: {before} if each batch counts twice, {after} if it counts once.",
        why="0.999² = 0.998 looks back half as far, so after 400 steps less of the start is left: 0.998^400 = 45 % of "
        "the weight, in place of 0.999^400 = 67 %. A mistake has mended another one.",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            broken=counted(2, momentum=0.999, batch_size=16, of_accuracy=True),
            fixed=counted(1, momentum=0.999, batch_size=16, of_accuracy=True),
            effect=EFFECTS.get("counted-twice, twist"),
            axes=Axes("validation accuracy, %", "training step", (0, 101), (50, 101)),
        ),
    ),
)
