"""The questions of notebook 02_samples_and_population."""

import math

import numpy as np

from bn_teach.data import ExponentialPopulation, GaussianPopulation
from bn_teach.lessons.samples_and_population.experiment import sample_batches
from bn_teach.lessons.samples_and_population.factor import SEEDS, shipped
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.runs import run
from bn_teach.running import pooled_statistics, population_statistics
from bn_teach.theory import expected_std

_MANY = 20_000


def _halve_the_noise():
    at_16, *spreads = (sample_batches(GaussianPopulation(), m, 5000, seed=0).mean.std() for m in (16, *_SIZES))
    spreads = dict(zip(_SIZES, spreads))
    nearest = min(_SIZES, key=lambda m: abs(spreads[m] - at_16 / 2))
    return {"answer": str(nearest), "at_16": at_16, **{f"at_{m}": spread for m, spread in spreads.items()}}


def _skewed():
    gaussian, skewed = (
        sample_batches(population, 16, _MANY, seed=0) for population in (GaussianPopulation(), ExponentialPopulation())
    )
    ratio = skewed.mean.std() / gaussian.mean.std()
    answer = _AS_MUCH if abs(ratio - 1) < 0.1 else _MORE if ratio > 1 else _LESS
    return {
        "answer": answer,
        "means": skewed.mean.std(),
        "gaussian_means": gaussian.mean.std(),
        "variances": skewed.unbiased.std(),
        "gaussian_variances": gaussian.unbiased.std(),
    }


def _why_too_small():
    values = GaussianPopulation().sample(4, 10 * _MANY, seed=1)
    from_own = 100 * float(values.var(axis=1).mean())
    from_true = 100 * float((values**2).mean())  # the true mean is 0
    rare_values_missed = from_true < 95
    return {"answer": _RARE if rare_values_missed else _OWN_MEAN, "from_own": from_own, "from_true": from_true}


def _more_batches():
    averages = {b: 100 * float(GaussianPopulation().sample(4, b, seed=1).var(axis=1).mean()) for b in (10, 1000, 10**5)}
    few, some, many = averages.values()
    answer = _STAYS if abs(many - 75) < 2 else _NEARER
    return {"answer": answer, "few": few, "some": some, "many": many}


def _cost_of_bias():
    gains = {m: one["everywhere"] - one["nowhere"] for m, one in shipped().items()}
    told = {f"{what}_{m}": value for m, gain in gains.items() for what, value in _with_spread(gain).items()}
    return {"answer": abs(told["mean_16"]), "seeds": SEEDS, "percent": 100 * (math.sqrt(16 / 15) - 1), **told}


def _with_spread(values):
    return {"mean": float(values.mean()), "spread": float(values.std(ddof=1))}


def _second_layer():
    found = shipped()[4]
    ratio = float(found["layer 2"].mean())
    return {
        "answer": _LARGER if ratio > 1.02 else _ALIKE if ratio > 0.98 else _SMALLER,
        "ratio": ratio,
        "spread": found["layer 2"].std(ddof=1),
        "first": found["layer 1"].mean(),
        "seeds": SEEDS,
    }


def _average_deviations():
    averages = {
        f"at_{m}": float(np.sqrt(sample_batches(GaussianPopulation(), m, 2 * _MANY, seed=0).unbiased).mean())
        for m in (2, 4, 32)
    }
    off = averages["at_4"] - 1
    answer = _RIGHT if abs(off) < 0.01 else _LOW if off < 0 else _HIGH
    return {"answer": answer, **averages, "formula": expected_std(1.0, 4)}


def _sorted_batches(batch_size=16):
    recording = run()
    dataset = recording.dataset
    order = np.argsort(dataset.train_y, kind="stable")
    inputs = recording.network_at(len(recording.checkpoint_steps) - 1).layers[0](dataset.train_x[order])
    full = inputs[: len(inputs) // batch_size * batch_size].astype(np.float64)
    batches = full.reshape(-1, batch_size, full.shape[1])
    means, variances = batches.mean(axis=1), batches.var(axis=1)
    _, averaged = population_statistics(means, variances, batch_size)
    _, pooled = pooled_statistics(means, variances, batch_size)
    truth = full.var(axis=0)
    return {"answer": 100 * float((averaged / truth).mean()), "pooled": 100 * float((pooled / truth).mean())}


_SIZES = (32, 64, 128, 256)
_MORE, _AS_MUCH, _LESS = "they scatter more", "they scatter as much", "they scatter less"
_OWN_MEAN = "each batch measures distances from its own mean"
_RARE = "values far out are rare, and a small batch tends to miss them"
_STAYS, _NEARER = "it settles at 75 % of the truth", "it comes as near to the truth as one likes"
_SMALLER, _ALIKE, _LARGER = "below it", "at it", "above it"
_RIGHT, _LOW, _HIGH = "right on average", "too low", "too high"

QUESTIONS = {
    "halve-the-noise": Question(
        "With batches of 16 the means scatter by a quarter of σ, the standard deviation of the population. Which "
        "batch size brings that down to half as much, an eighth?",
        _halve_the_noise,
        "Measured: {at_16:.3f} σ at 16, {at_32:.3f} σ at 32, {at_64:.3f} σ at 64. Four times the batch for half the "
        "noise: the scatter falls with the square root of the batch size.",
        choices=tuple(str(m) for m in _SIZES),
    ),
    "skewed": Question(
        "The population turns from a symmetric bell into a lopsided one with the same mean and the same variance. "
        "What do the means of batches of 16 do?",
        _skewed,
        "Measured: {means:.2f} σ, as for Gaussian data ({gaussian_means:.2f} σ). σ/√m asks for nothing but "
        "independent values. Not so the variances of the batches: they scatter by {variances:.2f} σ² instead of "
        "{gaussian_variances:.2f} σ², because a rare large value moves a variance much more than it moves a mean.",
        choices=(_MORE, _AS_MUCH, _LESS),
    ),
    "why-too-small": Question(
        "Variances that divide by m are too small on average, and the smaller the batch, the more so. Why?",
        _why_too_small,
        "The test: batches of 4, with distances from the true mean instead of the batch's own. If rare values were "
        "missed, that would still come out too small. It gives {from_true:.0f} % of the truth. From the batch's own "
        "mean it is {from_own:.0f} %.",
        choices=(_RARE, _OWN_MEAN, "bad luck, which more batches would even out"),
    ),
    "more-batches": Question(
        "Take the average of very many variances of batches of 4, each dividing by m = 4. What happens to it as more "
        "and more batches go in?",
        _more_batches,
        "Measured: {few:.0f} % of the truth with 10 batches, {some:.0f} % with 1,000, {many:.0f} % with 100,000. The "
        "noise goes away, the bias stays: it is in every single term.",
        choices=(_NEARER, _STAYS),
    ),
    "unbiased-cost": Question(
        "Real runs with batch size 16. The running variances are once fed with variances times m/(m-1), and once "
        "without that factor. By how many percentage points does the validation accuracy at the end differ, on average "
        "over 16 runs?",
        _cost_of_bias,
        "With the factor minus without it, mean and spread (one standard deviation) over {seeds} runs: {mean_16:+.2f} "
        "± {spread_16:.2f} at batch size 16, {mean_4:+.1f} ± {spread_4:.1f} at 4, {mean_2:+.1f} ± {spread_2:.1f} at 2. "
        "At 16 the factor changes what a unit puts out by {percent:.1f} %, in all units of a layer alike, and hardly "
        "any image lies near enough to the border between two digits to notice. (That it costs something at 2 is no "
        "mistake: section 7 finds out why.)",
        unit="percentage points",
    ),
    "average-deviations": Question(
        "Variances that divide by m-1 are right on average. Now take the root of each, and average these standard "
        "deviations, over very many batches of 4. What comes out?",
        _average_deviations,
        "Measured: {at_4:.2f} σ, as the closed form says ({formula:.2f}). With batches of 2 it is {at_2:.2f} σ, with "
        "32 {at_32:.2f} σ. The root is a bent curve: a variance that is too small pulls the root down by more than "
        "one that is too large lifts it. No factor like m/(m-1) repairs that for all data, for how much is missing "
        "depends on the shape of the population.",
        choices=(_RIGHT, _LOW, _HIGH),
    ),
    "sorted-batches": Question(
        "The training images are sorted by digit, so that nearly every batch of 16 holds one digit only. Take a "
        "trained network's first layer and average the variances of all these batches (times m/(m-1)). How many per "
        "cent of the variance over all images is that, averaged over the 100 units?",
        _sorted_batches,
        "Within one digit a unit varies less than over all digits, and how far the digits lie apart is in no batch's "
        "variance. It is in the scatter of the batch means: adding that back gives {pooled:.0f} %.",
        unit="%",
    ),
    "second-layer": Question(
        "Batch size 4, and now layer 2 of a trained network. Its mini-batch variances, times m/(m-1) and averaged as "
        "in Algorithm 2: where do they lie, compared with the variance of a unit when all training images go through "
        "the network in one pass?",
        _second_layer,
        "Over {seeds} runs the middle unit of layer 2 comes to {ratio:.2f} ± {spread:.2f} times what one pass says. In "
        "layer 1 the same recipe gives {first:.2f}.",
        choices=(_SMALLER, _ALIKE, _LARGER),
    ),
}
