"""The questions of notebook 06_the_paper."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.the_paper.experiment import LOOKS, SETUP, binary_digits, load_race, run_figure, widening
from bn_teach.replay import replay
from bn_teach.training import train


def _times_fewer():
    race = load_race()
    times, lasting = (race.times_fewer(0.90, 0.1, looks=looks) for looks in LOOKS)
    (slow, without), (fast, with_norm) = (race.tuned(0.90, 0.1, batch_norm=norm) for norm in (False, True))
    return {
        "answer": float(np.median(times)),
        "least": times.min(),
        "most": times.max(),
        "without": np.median(without),
        "slow": slow,
        "with_norm": np.median(with_norm),
        "fast": fast,
        "lasting": np.median(lasting),
    }


def _larger_weights():
    small, large = (float(np.median(load_race().times_fewer(0.90, scale))) for scale in (0.1, 0.3))
    answer = _GROWS if large > 1.2 * small else _SHRINKS if small > 1.2 * large else _STAYS
    return {"answer": answer, "small": small, "large": large}


@lru_cache(maxsize=1)
def _early_width():
    without, with_norm = run_figure(steps=1000)
    return {
        "answer": 100 * float(np.median(widening(without.inputs))),
        "with_norm": 100 * float(np.median(widening(with_norm.inputs))),
    }


@lru_cache(maxsize=1)
def seen_late():
    """First step at which 0.90 is seen, by Algorithm 2 and through a moving average of 0.99: over four seeds."""
    rate, _ = load_race().tuned(0.90, 0.1, batch_norm=True)
    seen = []
    for seed in range(4):
        recording = train(binary_digits(), replace(SETUP, steps=600, learning_rate=rate, seed=seed))
        judged = replay(recording, estimator="algorithm2"), replay(recording, 0.99)
        seen.append([judge.steps[np.argmax(judge.validation_accuracy >= 0.90)] for judge in judged])
    exact, average = np.mean(seen, axis=0).tolist()
    late = [int(average - exact) for exact, average in seen]
    return {"answer": average - exact, "exact": exact, "average": average, "least": min(late), "most": max(late)}


_GROWS = "batch norm's lead grows"
_STAYS = "it stays about the same (within a fifth)"
_SHRINKS = "batch norm's lead shrinks"

QUESTIONS = {
    "times-fewer": Question(
        "Eight runs on each side, each side at the learning rate that suits it best of seven. How many times fewer "
        "steps does batch norm take until a look first shows an accuracy of 0.90 (a look every 10 steps; initial "
        "weights of standard deviation 0.1)?",
        _times_fewer,
        "In the middle of eight runs it takes {with_norm:g} steps with batch norm (learning rate {fast:g}) and "
        "{without:g} without ({slow:g}). From run to run the ratio goes from {least:.1f} to {most:.1f}. Who asks for "
        "five looks in a row counts {lasting:.1f} times.",
        unit="times",
    ),
    "larger-weights": Question(
        "All initial weights are made three times as large: standard deviation 0.3 instead of 0.1. The learning rates "
        "are tuned again. What becomes of batch norm's lead to 0.90?",
        _larger_weights,
        "From {small:.1f} times to {large:.1f} times. How much batch norm helps depends on how badly the other side "
        "was started.",
        choices=(_GROWS, _STAYS, _SHRINKS),
    ),
    "early-width": Question(
        "The run above at step 10, without batch norm. Take all training images, and the inputs that they give to one "
        "sigmoid of the last hidden layer. How wide do they lie, in percent of what it will be after 1,000 steps?",
        _early_width,
        "That is the middle one of the layer's 100 units, in this one run; with batch norm it is {with_norm:.0f} %. "
        "Without it nearly every image gives that sigmoid the same input, so it can say nothing yet about which digit "
        "it sees.",
        unit="percent",
    ),
    "seen-late": Question(
        "The run with batch norm gets to 0.90 early. Now somebody draws its curve with a running average of momentum "
        "0.99 (PyTorch writes 0.01) instead of Algorithm 2. How many steps later does that curve get to 0.90?",
        seen_late,
        "Means of four runs: step {exact:.0f} under Algorithm 2, step {average:.0f} through the average ({least} to "
        "{most} steps later). Same weights, same images. The network was there; the statistics were not.",
        unit="steps",
        high=600.0,
    ),
}
