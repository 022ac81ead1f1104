"""Runs in which the average remembers too little, too much, or the wrong thing."""

from functools import lru_cache

import numpy as np

from bn_teach.lessons.clinic.case import Case, Thread, Twist
from bn_teach.lessons.clinic.experiment import EFFECTS, Axes, Experiment, Run, accuracy_curve, at_end, percent_right
from bn_teach.lessons.shared.runs import digits, trained
from bn_teach.replay import replay
from bn_teach.theory import start_up_weight
from bn_teach.training import TrainingConfig


def at_last(curve):
    """What the last checkpoint shows."""
    return float(curve[1][-1])


def typical_jump(curve):
    """How far a curve jumps from one checkpoint to the next, on average over the second half of the run."""
    late = curve[1][len(curve[1]) // 2 :]
    return float(np.abs(np.diff(late)).mean())


@lru_cache(maxsize=2)  # each holds on to its recording
def training_curve(recording):
    """Training accuracy at every checkpoint as a log shows it: in training mode, on 256 of the images."""
    m = recording.config.batch_size
    x, labels = digits().train_x[:256], digits().train_y[:256]
    accuracy = [percent_right(net.scores_by_batch(net.layers[0](x), m), labels) for net in recording.networks()]
    return recording.checkpoint_steps.astype(np.float64), np.array(accuracy)


def judged(before, after, *, number=at_end, others=None, **settings):
    """Build a broken and a fixed run out of one network, judged by two kinds of statistics.

    Parameters
    ----------
    before, after : (float, str)
        Momentum and estimator of `replay`.
    number : callable
        From an accuracy curve to the number that the experiment is about.
    others : dict of str to float, optional
        Names of facts, and the momentum of the moving average that each tells the number of.
    **settings
        Of `TrainingConfig`.

    Returns
    -------
    dict
        "broken" and "fixed": functions from a seed to a `Run`.
    """

    def curve(recording, momentum, estimator):
        return accuracy_curve(replay(recording, momentum, estimator=estimator))

    def broken(seed):
        recording = trained(TrainingConfig(seed=seed, **settings))
        seen = curve(recording, *before)
        facts = {
            "steps": recording.steps,
            "left": 100 * start_up_weight(max(before[0], after[0]), recording.steps),
            "exact": number(curve(recording, 0.0, "algorithm2")),
        }
        for name, momentum in (others or {}).items():
            facts[name] = number(curve(recording, momentum, "ema"))
        return Run(number(seen), {"seen": seen, "reference": training_curve(recording)}, facts)

    def fixed(seed):
        seen = curve(trained(TrainingConfig(seed=seed, **settings)), *after)
        return Run(number(seen), {"fixed": seen}, {})

    return {"broken": broken, "fixed": fixed}


def _gain(broken, fixed):
    return fixed.value - broken.value


_ACCURACY = "validation accuracy, % (dotted: training)"
_STEP = "training step"

_BRISK = {"learning_rate": 0.3, "steps": 400}

FAIR_AVERAGE = Case(
    title="An average that is fair to all",
    symptom="Batch size 16, learning rate 0.3. So as to favour none, every mini-batch of the whole training gets the "
    "same weight in the running statistics (PyTorch: momentum=None). Training goes well, and yet validation accuracy "
    "is {before} over the last ten checkpoints. The weights can do better than that.",
    cause="old-weights",
    causes=("overfitting", "start", "old-weights", "too-few-images"),
    question="The same weights, judged with statistics from one more pass over the training set: how many percentage "
    "points more?",
    unit="percentage points",
    truth=_gain,
    low=-20,
    high=50,
    formula="cumulative = (batch 1 + ... + batch t) / t. Each batch went through the weights of its own step, and "
    "half of them through those of the first half of training. Algorithm 2 of the paper, its recipe for inference, "
    "averages too, but all its mini-batches go through the weights as they are now.",
    fix="Freeze the weights, send the training set through once, average that.",
    spot="PyTorch: fresh = copy.deepcopy(model), torch.optim.swa_utils.update_bn(loader, fresh), then evaluate fresh. "
    "If the accuracy rises by two points, the running statistics were most likely stale (28 of 32 runs like this one "
    "did, and 1 of 32 with momentum 0.1). If not, they may still be those of other images than you have now, or not be "
    "read at all, because training mode is on.",
    careful="So why does anybody keep a moving average? Because it forgets: with momentum 0.9 it was nearly as "
    "good as the full pass here (turn the picture), and it is there in the middle of training, at no extra pass.",
    threads=(
        Thread(
            "discuss.d2l.ai, topic 83",
            "https://discuss.d2l.ai/t/batch-normalization/83",
            "somebody asks why prediction needs a moving average at all, when one could compute the average of the "
            "whole data set once training is finished",
        ),
        Thread(
            "keras-team/keras#3949",
            "https://github.com/keras-team/keras/issues/3949",
            "training and prediction on the same data disagree by far in very large networks, and the suspicion is "
            "that the average holds too much history; the wish is for a pass over the whole data set afterwards",
        ),
    ),
    experiment=Experiment(
        number="validation accuracy",
        unit="%",
        digits=1,
        **judged((0.9, "cumulative"), (0.9, "algorithm2"), **_BRISK),
        effect=EFFECTS.get("fair-average"),
        axes=Axes(_ACCURACY, _STEP, (70, 101), (90, 100)),
    ),
    twist=Twist(
        setting="The same weights, judged by a moving average with momentum 0.9, and by one more pass over the "
        "training set.",
        sides=("0.9", "full pass"),
        words="{before} with momentum 0.9, {after} with the pass.",
        why="Both see weights as they are now, or nearly: momentum 0.9 looks back 9 steps on average. It needs no "
        "extra pass, so it is there at every step of training.",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            **judged((0.9, "ema"), (0.9, "algorithm2"), **_BRISK),
            effect=EFFECTS.get("fair-average, twist"),
            axes=Axes(_ACCURACY, _STEP, (70, 101), (90, 100)),
        ),
    ),
)

PORTED = Case(
    title="Ported, and unsteady",
    symptom="A network moves from one framework to another with its whole configuration, number for number. Batch "
    "size 8. The training loss is the same as before. The validation curve jumps, and averages {before} over the last "
    "ten checkpoints, several points less than in the old framework.",
    cause="reversed",
    causes=("too-few-images", "reversed", "two-divisors", "learning-rate"),
    question="How many percentage points does the port lose?",
    unit="percentage points",
    truth=_gain,
    formula="Keras, Flax, ONNX: running = momentum * running + (1 - momentum) * batch. PyTorch: running = (1 - "
    "momentum) * running + momentum * batch. Taken over as it is, 0.99 keeps 1 % of the old value, and the running "
    "statistics are those of the latest mini-batch.",
    fix="Write 1 - 0.99 = 0.01 (bn_teach.frameworks.kept_fraction translates).",
    spot="Print the momentum of your layers. In PyTorch a number above 0.5 looks like a port, in Keras or Flax one "
    "below 0.5.",
    careful="Turn the picture: at batch size 64 and only 100 steps the slip is a gain. A mini-batch of 64 is a fair "
    "sample, and an average that keeps 99 % is still full of its initial value then. A quick test can make the wrong "
    "number look right.",
    threads=(
        Thread(
            "pytorch/examples#289",
            "https://github.com/pytorch/examples/issues/289",
            "asks whether a default of 0.1 can be right when other libraries have 0.9 or 0.99; the answer is that the "
            "convention is the other way round",
        ),
        Thread(
            "pytorch/vision#8250",
            "https://github.com/pytorch/vision/issues/8250",
            "MaxViT had been ported with 0.99 as it stood in the original; the repair made it 0.01",
        ),
        Thread(
            "huggingface/transformers#19454",
            "https://github.com/huggingface/transformers/pull/19454",
            "the same slip the other way, from PyTorch to TensorFlow, in several models; a loaded model predicts as it "
            "should, and goes wrong only after some further training",
        ),
    ),
    experiment=Experiment(
        number="validation accuracy",
        unit="%",
        digits=1,
        **judged((0.01, "ema"), (0.99, "ema"), batch_size=8),
        effect=EFFECTS.get("ported"),
        axes=Axes(_ACCURACY, _STEP, (30, 101), (88, 100)),
    ),
    twist=Twist(
        setting="The same slip at batch size 64, 100 steps after the start.",
        sides=("0.01 kept", "0.99 kept"),
        words="{before} with the slip, {after} with the number that was meant.",
        why="After 100 steps 0.99^100 = {left:.0f} % of the weight is still on the initial value, mean 0 and variance "
        "1. A mini-batch of 64 is a fair sample, so the slip wins for as long as that lasts.",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            **judged((0.01, "ema"), (0.99, "ema"), batch_size=64, steps=100),
            effect=EFFECTS.get("ported, twist"),
            axes=Axes(_ACCURACY, _STEP, (20, 101), (60, 100)),
        ),
    ),
)

_FIRST_EPOCH = {"batch_size": 64, "steps": 21, "checkpoint_every": 1, "number": at_last}

FIRST_EPOCH = Case(
    title="A poor first epoch",
    symptom="Keras's default momentum of 0.99, batch size 64. After the first epoch, {steps} steps, the network has "
    "learnt much of the training set (dotted), but only {before} of the validation images come out right.",
    cause="start",
    causes=("overfitting", "training-mode", "start", "learning-rate"),
    question="How much of the weight in the running average is still on its initial value, mean 0 and variance 1, "
    "after these 21 updates?",
    unit="%",
    truth=lambda broken, fixed: broken.facts["left"],
    computable=True,
    formula="After t updates the weight on the initial value is momentum^t: 0.99^21 = 0.81. To take it out, divide: "
    "(running - momentum^t * initial) / (1 - momentum^t), the correction known from Adam.",
    fix="The same average, freed of its start (debias=True).",
    spot="Compute momentum ** steps (PyTorch: (1 - momentum) ** steps). Above 0.05, do not trust the validation "
    "accuracy yet, or recompute the statistics. (Haiku and Caffe divide the start out.)",
    careful="No correction is needed if the memory is shorter: with momentum 0.9 the first epoch looks as good (turn "
    "the picture). And this is one of two meanings of 'unbiased': the other one, m/(m-1), moves this accuracy by less "
    "than 0.1 points on average.",
    threads=(
        Thread(
            "google/flax#1360",
            "https://github.com/google/flax/issues/1360",
            "calls it wrong that the first mini-batch is averaged with 0 and 1; a maintainer answers that it is a "
            "prior, and matters little over many batches",
        ),
        Thread(
            "keras-team/keras#9003",
            "https://github.com/keras-team/keras/pull/9003",
            "100 steps at 0.99 give a variance of 2.9 or 5.8 for a true 4, as the initial value was 1 or 9; switches "
            "the correction on",
        ),
        Thread(
            "tensorflow/tensorflow#1122",
            "https://github.com/tensorflow/tensorflow/issues/1122",
            "good in training, terrible in testing; one of those who reported it finds the cause in the cold start of "
            "the moving averages",
        ),
    ),
    experiment=Experiment(
        number="validation accuracy",
        unit="%",
        digits=1,
        **judged((0.99, "ema"), (0.99, "debiased"), **_FIRST_EPOCH),
        effect=EFFECTS.get("first-epoch"),
        axes=Axes(_ACCURACY, _STEP, (0, 101), (40, 100)),
    ),
    twist=Twist(
        setting="The same weights after the same 21 steps, without any correction: momentum 0.99, and 0.9.",
        sides=("0.99", "0.9"),
        words="{before} with momentum 0.99, {after} with 0.9.",
        why="0.99^21 = 0.81 of the weight is on the start, but only 0.9^21 = 0.11.",
        experiment=Experiment(
            number="validation accuracy",
            unit="%",
            digits=1,
            **judged((0.99, "ema"), (0.9, "ema"), **_FIRST_EPOCH),
            effect=EFFECTS.get("first-epoch, twist"),
            axes=Axes(_ACCURACY, _STEP, (0, 101), (40, 100)),
        ),
    ),
)

_FAST = {"learning_rate": 1.0, "steps": 400, "number": typical_jump}

JAGGED_CURVE = Case(
    title="A validation curve like a saw",
    symptom="Training runs steadily (dotted), {steps} steps at learning rate 1. Validation accuracy jumps by {before} "
    "from one checkpoint to the next, on average over the second half. Momentum is 0.999. A well-meant piece of "
    "advice: smooth more, raise momentum further.",
    cause="long-memory",
    causes=("short-memory", "overfitting", "too-few-images", "long-memory"),
    question="How far does the curve of the very same weights jump on average, judged with momentum 0.9?",
    unit="percentage points",
    truth=lambda broken, fixed: fixed.value,
    low=0,
    high=50,
    formula="Two things make a memory too long. Start-up: momentum^t of the weight is still on mean 0 and variance 1, "
    "0.999^{steps} = {left:.0f} %. Lag: the rest belongs to weights that are gone, for an average looks back p / (1 - "
    "p) steps on average: 9 with 0.9, and 999 with 0.999 once there were enough. Here start-up is the larger part "
    "(turn the picture).",
    fix="A shorter memory: momentum 0.9 (PyTorch: 0.1). The weights are the same.",
    spot="Evaluate every checkpoint twice: as it is, and after recomputing its statistics. If the second curve is "
    "smooth, the weights were never the problem.",
    careful="Smoother statistics did not make a smoother curve, and the advice makes it worse: statistics that never "
    "leave their start give jumps of {never:.1f} points in this run. Forgetting everything is no cure either: with "
    "momentum 0.01 they are {noise:.1f} points, now from the noise of single mini-batches. Exact statistics: "
    "{exact:.1f}.",
    threads=(
        Thread(
            "keras-team/keras#3366",
            "https://github.com/keras-team/keras/issues/3366",
            "validation loss and accuracy oscillate wildly since batch norm was added",
        ),
        Thread(
            "keras-team/keras#7265",
            "https://github.com/keras-team/keras/issues/7265",
            "one and the same mini-batch of 128 for training and for validation, and the losses are far apart",
        ),
        Thread(
            "keras-team/keras#10666",
            "https://github.com/keras-team/keras/issues/10666",
            "validation loss goes up and down by half; with momentum 0.9 in place of 0.99 it is gone",
        ),
        Thread(
            "tensorflow/tensorflow#15727",
            "https://github.com/tensorflow/tensorflow/issues/15727",
            "erratic validation loss, though everything was done as the documentation says",
        ),
    ),
    experiment=Experiment(
        number="typical jump",
        unit="points",
        digits=1,
        **judged((0.999, "ema"), (0.9, "ema"), **_FAST, others={"never": 1.0, "noise": 0.01}),
        effect=EFFECTS.get("jagged-curve"),
        axes=Axes(_ACCURACY, _STEP, (50, 101), (0, 8)),
    ),
    twist=Twist(
        setting="The same weights and momentum 0.999 both times, and then without the start: all that is left of mean "
        "0 and variance 1 divided out. What remains of the saw is lag and noise.",
        sides=("0.999", "no start"),
        words="The typical jump is {before} with the start, and {after} without it.",
        why="After {steps} steps {left:.0f} % of the weight is on the start. Without it, an average that looks so far "
        "back is one over nearly all steps, and lags behind weights that move fast; 0.9 has little of either.",
        experiment=Experiment(
            number="typical jump",
            unit="points",
            digits=1,
            **judged((0.999, "ema"), (0.999, "debiased"), **_FAST),
            effect=EFFECTS.get("jagged-curve, twist"),
            axes=Axes(_ACCURACY, _STEP, (50, 101), (0, 8)),
        ),
    ),
)
