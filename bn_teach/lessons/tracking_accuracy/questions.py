"""The questions of notebook 04_tracking_accuracy."""

from dataclasses import replace

import numpy as np

from bn_teach.data import load_digits
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.runs import points_lost, run, stop_early
from bn_teach.replay import replay
from bn_teach.theory import effective_batches, start_up_weight
from bn_teach.training import TrainingConfig, train


def _without_validation_set():
    digits = load_digits()
    one = replace(digits, validation_x=digits.validation_x[:1], validation_y=digits.validation_y[:1])
    config = TrainingConfig(steps=100)
    before, after = (replay(train(dataset, config)) for dataset in (digits, one))
    same = all(
        np.array_equal(a, b)
        for a, b in zip(before.running_mean + before.running_var, after.running_mean + after.running_var)
    )
    return {"answer": _SAME if same else _LITTLE}


def _freed_of_its_start():
    return {
        "answer": points_lost(16, 0.999, "debiased"),
        "before": points_lost(16, 0.999),
        "left": 100 * start_up_weight(0.999, run().steps),
    }


def _large_batches_without_memory():
    return {"answer": points_lost(64, 0.0), "small": points_lost(4, 0.0)}


def _too_much_memory_everywhere():
    # Stable ones: with batches of 4 five runs lose 6 to 10 points, depending on the processor.
    small, middle, large = (points_lost(m, 0.999, seeds=range(2)) for m in (16, 64, 256))
    alike = max(small, middle, large) < 2 * min(small, middle, large)
    most = _SMALL if small > large else _LARGE
    return {"answer": _ALL if alike else most, "small": small, "middle": middle, "large": large}


def _which_weights():
    sensible, slow = stop_early(16, 0.9), stop_early(16, 0.999)
    difference = sensible["exact"] - slow["exact"]
    return {
        "answer": _WORSE if difference > 0.5 else _AS_GOOD,
        "difference": difference,
        "sensible": sensible["exact"],
        **slow,
    }


def _latest_at_batch_size_4():
    stopped = stop_early(4, 0.9)
    return {"answer": stopped["seen"] - stopped["latest"], "batches": effective_batches(0.9), **stopped}


def _latest_with_much_memory():
    stopped = stop_early(16, 0.999)
    gained = stopped["latest"] - stopped["seen"]
    answer = _NOTHING if abs(gained) < 0.5 else _GAINS if gained > 0 else _COSTS
    return {"answer": answer, "gained": gained, **stopped}


_SAME = "not one digit of them changes"
_LITTLE = "they change a little"
_SMALL = "the small ones"
_LARGE = "the large ones"
_ALL = "all about alike"
_WORSE = "worse weights"
_AS_GOOD = "weights just as good, judged too low"
_COSTS = "it costs accuracy"
_NOTHING = "it makes no difference"
_GAINS = "it gains accuracy"

QUESTIONS = {
    "delete-validation": Question(
        "Before training, all validation images but one are deleted. What happens to the running means and variances?",
        _without_validation_set,
        "Just now the network was trained twice, with 449 validation images and with one, and every running mean and "
        "variance of every step was compared. They are made of training mini-batches alone. Validation images are "
        "what the finished averages are used *for*.",
        choices=(_LITTLE, "they become much noisier", _SAME),
    ),
    "freed-of-its-start": Question(
        "Batch size 16. At the end of the run, momentum 0.999 loses about 5 percentage points against exact "
        "statistics. Now the average is freed of its start: what the initial mean 0 and variance 1 still weigh in it "
        "is taken out. How many points does it still lose?",
        _freed_of_its_start,
        "With its start it loses {before:.1f}. So most of the damage is not old mini-batches, but the initial value, "
        "which still has {left:.0f} % of the weight after 800 steps. What remains is lag: mini-batches that were seen "
        "through weights which have moved on since. (Averages over five runs.)",
        unit="percentage points",
        close=0.7,
    ),
    "valley-left": Question(
        "At batch size 4, momentum 0 costs about 20 percentage points. What does it cost at batch size 64?",
        _large_batches_without_memory,
        "At batch size 4 it is {small:.0f}. A mini-batch of 64 is a good sample all by itself: its mean scatters four "
        "times less, and a network forgives small errors altogether. (Averages over five runs.)",
        unit="percentage points",
        close=1.0,
    ),
    "valley-right": Question(
        "And at the other end of the slider, momentum 0.999? Which of the batch sizes 16, 64 and 256 lose most there?",
        _too_much_memory_everywhere,
        "Points lost at batch size 16, 64 and 256: {small:.1f}, {middle:.1f} and {large:.1f}. Start-up and lag are "
        "counted in steps, whatever the size of the batches. A larger batch makes up for noise, and noise is not what "
        "is wrong here. (Averages over two runs. With batches of 2 or 4 it is worse still, and differs a lot from run "
        "to run.)",
        choices=(_SMALL, _LARGE, _ALL),
    ),
    "which-weights": Question(
        "Batch size 16, early stopping with a patience of 10 checkpoints. One learner tracks accuracy with momentum "
        "0.9, another one with 0.999. Afterwards both judge the weights they kept under exact statistics. What did "
        "the second one keep?",
        _which_weights,
        "Momentum 0.999 saw {seen:.0f} % at best. Under exact statistics the weights it kept have {exact:.1f} %; those "
        "that momentum 0.9 kept have {sensible:.1f} %. Nothing went wrong in training; early stopping was misled about "
        "when to end it, and about which checkpoint was the best. (Averages over five runs.)",
        choices=(_AS_GOOD, _WORSE, "better weights"),
    ),
    "restore-latest": Question(
        "Batch size 4, momentum 0.9, patience 10. Training stops, the best weights are put back, and the running "
        "statistics are forgotten: they stay what they were when training stopped, 100 steps later. How many "
        "percentage points does that cost?",
        _latest_at_batch_size_4,
        "{seen:.1f} % was seen when the weights were kept; with the latest statistics they have {latest:.1f} %. "
        "Momentum 0.9 remembers about {batches:.0f} mini-batches, so after 100 steps next to nothing in the average "
        "belongs to the weights it is used with. Part of the loss is luck given back: under exact statistics these "
        "weights have {exact:.1f} %. (Averages over five runs; single runs differ by several points.)",
        unit="percentage points",
        close=2.0,
    ),
    "restore-reversal": Question(
        "The same slip, at batch size 16 and momentum 0.999: best weights put back, the latest statistics left in "
        "place. What does it do?",
        _latest_with_much_memory,
        "{seen:.1f} % was seen when the weights were kept, and with the later statistics the same weights have "
        "{latest:.1f} %: {gained:.1f} points more. The average was still on its way from its initial value, and 100 "
        "steps later it had come nearer to the truth, under which these weights have {exact:.1f} %. (Averages over "
        "five runs.)",
        choices=(_COSTS, _NOTHING, _GAINS),
    ),
}
