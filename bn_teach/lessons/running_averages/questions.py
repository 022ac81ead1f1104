"""The questions of notebook 03_running_averages."""

import numpy as np

from bn_teach.data import load_digits
from bn_teach.lessons.running_averages.experiment import (
    MEAN,
    KnownRun,
    epochs_noise_ratio,
    expected_error,
    frozen_statistics,
    simulate,
)
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.runs import run
from bn_teach.running import cumulative_average, exponential_moving_average, unbiased_variance
from bn_teach.theory import best_momentum, effective_batches, running_mean_std


def _missing_after_100():
    running = exponential_moving_average(np.ones(1000), 0.99)
    return {"answer": 100 * (1 - running[99]), "until": int(np.argmax(running > 0.99)) + 1}


def _price_of_debiasing():
    plain = KnownRun(batch_size=16)
    debiased = KnownRun(batch_size=16, estimator="debiased")
    before, after = (expected_error(kind, 0.99, [10]) for kind in (plain, debiased))
    return {
        "answer": _NOISIER if after.noise[0] > before.noise[0] else _FREE,
        "before": before.noise[0],
        "after": after.noise[0],
        "bias": abs(before.start_up[0]),
    }


def _noise_shrinks():
    errors = simulate(KnownRun(batch_size=16, initial=MEAN), [0.9, 0.99], runs=1000).typical_errors
    memory = effective_batches(0.99) / effective_batches(0.9)
    return {"answer": errors[0] / errors[1], "memory": memory}


def _best_of_five():
    chased = KnownRun(batch_size=16, drift=0.01)
    errors = simulate(chased, [float(p) for p in _MOMENTA]).typical_errors
    parts = {p: expected_error(chased, p, [800]) for p in (0.8, 0.99)}
    return {
        "answer": _MOMENTA[int(errors.argmin())],
        "noise": parts[0.8].noise[0],
        "lag": parts[0.8].lag[0],
        "late": parts[0.99].lag[0],
        "best": best_momentum(1.0, 16, 0.01),
    }


def _one_epoch():
    recording = run(batch_size=4)
    digits = load_digits()
    means, _ = frozen_statistics(recording, steps=len(digits.train_x) // 4)
    off = np.abs(cumulative_average(means)[-1] - recording.population_mean[0][-1])
    spread = np.sqrt(recording.population_var[0][-1])
    exact = np.allclose(off / spread, 0, atol=1e-4)  # the network computes in float32
    return {"answer": _EXACT if exact else _NEAR, "batches": len(means), "examples": len(digits.train_x)}


def _still_matters():
    values = np.random.default_rng(0).standard_normal((2000, 400, 4))
    biased = values.var(axis=-1)

    def settled(variances, debias):
        return exponential_moving_average(variances, 0.99, debias=debias)[-1].mean()

    neither, debiased = settled(biased, False), settled(biased, True)
    corrected = settled(unbiased_variance(biased, 4), False)
    small, start = abs(corrected - neither) > 0.01, abs(debiased - neither) > 0.01
    answers = {(True, True): _BOTH, (True, False): _SMALL, (False, True): _START, (False, False): _NEITHER}
    return {"answer": answers[small, start], "neither": neither, "corrected": corrected}


def _scatter_in_epochs():
    recording = run(batch_size=16)
    means, _ = frozen_statistics(recording, steps=4000)
    mean, std = recording.population_mean[0][-1], np.sqrt(recording.population_var[0][-1])
    off = (exponential_moving_average(means, 0.99, initial=mean)[1000:] - mean) / std
    return {
        "answer": 100 * np.sqrt(np.mean(off**2)) / running_mean_std(1.0, 0.99, 16),
        "formula": 100 * epochs_noise_ratio(0.99, 16, len(recording.dataset.train_x)),
    }


_FREE = "nothing: it is better in every respect"
_NOISIER = "more noise, as long as it has seen few mini-batches"
_LATER = "more lag, as long as it has seen few mini-batches"
_MOMENTA = ("0.5", "0.8", "0.9", "0.95", "0.99")
_NEAR = "a little off, as any sample is"
_EXACT = "not off at all"
_SMALL = "only m/(m-1)"
_START = "only dividing by 1 - pᵗ"
_BOTH = "both"
_NEITHER = "neither"

QUESTIONS = {
    "missing-after-100": Question(
        "A running average starts at 0 and has momentum 0.99. Every mini-batch says exactly 1. After 100 "
        "mini-batches, how many percent of the way from 0 to 1 is it still away from 1?",
        _missing_after_100,
        "Each update keeps 0.99 of the distance, and a hundred factors of 0.99 make 0.366. It takes {until} updates "
        "until less than 1 % of the way is left.",
        unit="percent",
        computable=True,
    ),
    "price-of-debiasing": Question(
        "Nothing moves. Freed of its start, the average is right on average from the first mini-batch on. What is the "
        "price?",
        _price_of_debiasing,
        "Without its initial value it leans on the few mini-batches there are. After 10 of them, at momentum 0.99 and "
        "batch size 16, it scatters by {after:.2f} standard deviations of the population, the plain average by "
        "{before:.2f}. But the plain one is {bias:.1f} off, on its way from 0 to 2: a "
        "good bargain here. Had it started at the truth, there would have been nothing to gain.",
        choices=(_FREE, _NOISIER, _LATER),
    ),
    "noise-shrinks": Question(
        "Nothing moves any more, and the start is forgotten. You slide momentum from 0.9 to 0.99: instead of 9 steps "
        "the average looks back 99. How many times smaller does the scatter of the running mean get?",
        _noise_shrinks,
        "Momentum 0.9 is as steady as 19 mini-batches weighed alike, 0.99 as steady as 199. That is {memory:.1f} times "
        "as many, and the scatter falls with the root of that, as it does when a single mini-batch grows.",
        unit="times smaller",
        low=1.0,
        computable=True,
    ),
    "best-of-five": Question(
        "Batch size 16, and now the population mean moves by 0.01 of its standard deviation at every step. Which of "
        "these momenta follows it best, long after the start?",
        _best_of_five,
        "At 0.8 the noise is {noise:.3f} and the lag {lag:.3f}. At 0.99 the noise is smaller, but the average is "
        "{late:.2f} behind. The formula for the best one of all says {best:.3f}.",
        choices=_MOMENTA,
    ),
    "one-epoch": Question(
        "Weights frozen, batch size 4: one epoch goes through all training images, each in one mini-batch. You weigh "
        "all mini-batches alike. In layer 1, how far is the average of their means from the mean of the whole training "
        "set?",
        _one_epoch,
        "{batches} mini-batches of 4 are {examples:,} images, every one of them once: the average of the means is the "
        "sum of all images divided by their number, in another order. No image is missing, because 4 divides their "
        "number, so there is nothing to be off by. Where the batch size does not divide it, some images are left out, "
        "and the average is off by what those would have said.",
        choices=(_NEAR, _EXACT),
    ),
    "still-matters": Question(
        "Batch size 4, momentum 0.99, and 2,000 mini-batches of a population that does not move. Which of the two "
        "corrections still makes a difference of 1 % or more to the running variance?",
        _still_matters,
        "The start is long forgotten: 2,000 factors of 0.99 make next to nothing. But an average of variances that "
        "are each too small stays too small: it settles at {neither:.2f} of the truth, with m/(m-1) at "
        "{corrected:.2f}.",
        choices=(_SMALL, _START, _BOTH, _NEITHER),
    ),
    "scatter-in-epochs": Question(
        "The network from notebook 00, its weights frozen, batch size 16, momentum 0.99. Training goes on drawing "
        "epochs. The running means of layer 1 scatter around the exact ones. How large is that scatter, in percent of "
        "what the formula for independent mini-batches says?",
        _scatter_in_epochs,
        "In an epoch each image comes once. What one mini-batch had too much of, the others of that epoch must have "
        "too little of, and an average that remembers most of an epoch sees it cancel. For epochs there is a formula "
        "as well, and it says {formula:.0f} %.",
        unit="percent",
    ),
}
