"""The questions of notebook 04_tracking_accuracy."""

from dataclasses import replace

import numpy as np

from bn_teach.data import load_digits
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.seeds import load_seeds, mean_and_error, stop_now
from bn_teach.replay import replay
from bn_teach.theory import start_up_weight
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


def _lost(*arguments):
    """Percentage points lost against Algorithm 2, mean over the shipped seeds."""
    return float(load_seeds().lost(*arguments).mean())


def _freed_of_its_start():
    return {
        "answer": _lost(16, 0.999, "debiased"),
        "before": _lost(16, 0.999),
        "left": 100 * start_up_weight(0.999, TrainingConfig().steps),
    }


def _large_batches_without_memory():
    return {"answer": _lost(64, 0.0), "small": _lost(4, 0.0)}


def _too_much_memory_everywhere():
    small, middle, large = (_lost(m, 0.999) for m in (16, 64, 256))
    alike = max(small, middle, large) < 2 * min(small, middle, large)
    most = _SMALL if small > large else _LARGE
    return {"answer": _ALL if alike else most, "small": small, "middle": middle, "large": large}


def _kept(batch_size, momentum):
    return load_seeds().stopped[batch_size, "ema", momentum, 10]


def _which_weights():
    sensible, slow = _kept(16, 0.9), _kept(16, 0.999)
    difference, error = mean_and_error(slow.exact - sensible.exact)
    now = [stop_now(16, p).exact for p in (0.9, 0.999)]
    return {
        "answer": _AS_GOOD if abs(difference) < 1 else _BETTER if difference > 0 else _WORSE,
        "difference": difference,
        "error": error,
        "ahead": int((slow.exact > sensible.exact).sum()),
        "behind": int((slow.exact < sensible.exact).sum()),
        "own": float(slow.own.mean()),
        "exact": float(slow.exact.mean()),
        "sensible": float(sensible.exact.mean()),
        "now": _listed(now[1] - now[0]),
    }


def _slip(batch_size, momentum):
    """What the latest statistics gain over those of the weights' own step: mean, error, two runs of now."""
    kept, live = _kept(batch_size, momentum), stop_now(batch_size, momentum)
    gained, error = mean_and_error(kept.latest - kept.own)
    means = {name: float(getattr(kept, name).mean()) for name in ("seen", "own", "latest", "exact")}
    return {"gained": gained, "error": error, "now": _listed(live.latest - live.own), **means}


def _listed(points):
    return " and ".join(f"{one:+.1f}" for one in points)


def _latest_at_batch_size_4():
    slip = _slip(4, 0.9)
    return {"answer": -slip["gained"], "luck": slip["seen"] - slip["own"], **slip}


def _latest_with_much_memory():
    slip = _slip(16, 0.999)
    answer = _NOTHING if abs(slip["gained"]) < 0.5 else _GAINS if slip["gained"] > 0 else _COSTS
    return {"answer": answer, **slip}


_SAME = "not one digit of them changes"
_LITTLE = "they change a little"
_SMALL = "the small ones"
_LARGE = "the large ones"
_ALL = "all about alike"
_WORSE = "worse weights, judged rightly"
_BETTER = "better weights, judged rightly"
_AS_GOOD = "other weights, about as good, judged too low"
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
        "which still has {left:.0f} % of the weight after 800 steps: start-up. What remains is lag: mini-batches that "
        "were seen through weights which have moved on since. (Averages over 32 seeds.)",
        unit="percentage points",
    ),
    "valley-left": Question(
        "At batch size 4, momentum 0 costs about 20 percentage points. What does it cost at batch size 64?",
        _large_batches_without_memory,
        "At batch size 4 it is {small:.0f}. A mini-batch of 64 is a good sample all by itself: its mean scatters four "
        "times less, and a network forgives small errors altogether. (Averages over 32 seeds.)",
        unit="percentage points",
    ),
    "valley-right": Question(
        "And at the other end of the slider, momentum 0.999? Which of the batch sizes 16, 64 and 256 lose most there?",
        _too_much_memory_everywhere,
        "Points lost at batch size 16, 64 and 256: {small:.1f}, {middle:.1f} and {large:.1f}. Start-up and lag are "
        "counted in steps, whatever the size of the batches. A larger batch makes up for noise, and noise is not what "
        "is wrong here. (Averages over 32 seeds.)",
        choices=(_SMALL, _LARGE, _ALL),
    ),
    "which-weights": Question(
        "Batch size 16, early stopping with a patience of 10 checkpoints. One learner tracks accuracy with momentum "
        "0.9, another one with 0.999. Half of the validation images chooses what each keeps, the other half judges "
        "it, under exact statistics. What did the second one keep?",
        _which_weights,
        "On the images that judge, the weights that 0.999 kept have {own:.1f} % through its own average, and "
        "{exact:.1f} % under exact statistics. Those that 0.9 kept have {sensible:.1f} %. 0.999 minus 0.9: "
        "{difference:+.1f} points, give or take {error:.1f}; ahead on {ahead} of 32 seeds, behind on {behind}. "
        "The choice is another, and no worse; the judgement is far too low. (Two of these runs, done again just now: "
        "{now} points.)",
        choices=(_AS_GOOD, _WORSE, _BETTER),
    ),
    "restore-latest": Question(
        "Batch size 4, momentum 0.9, patience 10. Training stops, the best weights are put back, and the running "
        "statistics are forgotten: they stay what they were when training stopped, 100 steps later. How many "
        "percentage points does that cost, judged by images that had no part in the choice?",
        _latest_at_batch_size_4,
        "With the statistics of their own step these weights have {own:.1f} %, with the latest {latest:.1f} %; their "
        "difference is known to {error:.1f} points or so (32 seeds). Momentum 0.9 looks back 9 steps on average, so "
        "after 100 steps next to nothing in the average belongs to the weights it is used with. The log had said "
        "{seen:.1f} %: {luck:.1f} points of that were luck, which picking the best of many looks brings along. (Two of "
        "these runs, done again just now, changed by {now} points: single runs differ a lot.)",
        unit="percentage points",
    ),
    "restore-reversal": Question(
        "The same slip, at batch size 16 and momentum 0.999: best weights put back, the latest statistics left in "
        "place. What does it do?",
        _latest_with_much_memory,
        "With the statistics of their own step the weights have {own:.1f} %, with the later ones {latest:.1f} %: "
        "{gained:+.1f} points, give or take {error:.1f} (32 seeds). The average was still on its way from its initial "
        "value, and 100 steps later it had come nearer to the truth, under which these weights have {exact:.1f} %. "
        "(Two of these runs, done again just now: {now} points.)",
        choices=(_COSTS, _NOTHING, _GAINS),
    ),
}
