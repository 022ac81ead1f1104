"""The questions of notebook 02_samples_and_population."""

import math

import numpy as np

from bn_teach.data import ExponentialPopulation, GaussianPopulation
from bn_teach.questions.question import Question
from bn_teach.questions.runs import run
from bn_teach.replay import replay
from bn_teach.running import pooled_statistics, population_statistics
from bn_teach.samples import sample_batches
from bn_teach.sentences import LAST
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


def _batch_of_two():
    sample = sample_batches(GaussianPopulation(), 2, 10 * _MANY, seed=1)
    return {"answer": 100 * float(sample.biased.mean()), "corrected": 100 * float(sample.unbiased.mean())}


def _cost_of_bias():
    def end(batch_size, unbiased):
        return 100 * float(replay(run(batch_size), unbiased=unbiased).validation_accuracy[-LAST:].mean())

    cost = {m: end(m, True) - end(m, False) for m in (4, 16)}
    return {"answer": abs(cost[16]), "at_4": abs(cost[4]), "percent": 100 * (math.sqrt(16 / 15) - 1)}


def _average_deviations():
    deviations = np.sqrt(sample_batches(GaussianPopulation(), 4, 10 * _MANY, seed=0).unbiased)
    average = float(deviations.mean())
    answer = _RIGHT if abs(average - 1) < 0.01 else _LOW if average < 1 else _HIGH
    return {"answer": answer, "average": average, "formula": expected_std(1.0, 4), "large": expected_std(1.0, 32)}


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
    "batch-of-two": Question(
        "Batches of two values. For each take the variance as training mode does: the mean of the two squared "
        "distances from the batch's own mean. Averaged over very many batches, how many per cent of the true "
        "variance is that?",
        _batch_of_two,
        "A mean of two values lies in the middle between them, wherever the true mean is, so the distances from it "
        "come out too short. Dividing by m-1 = 1 instead of 2 repairs that on average: {corrected:.0f} %.",
        unit="%",
        close=3.0,
    ),
    "unbiased-cost": Question(
        "A real run with batch size 16. The running variance is once fed with variances times m/(m-1), and once "
        "without that factor. By how many percentage points does the validation accuracy at the end differ?",
        _cost_of_bias,
        "At batch size 4 the same experiment gives {at_4:.1f}. At 16 the factor stretches what a unit puts out by "
        "{percent:.1f} %, in all units of a layer alike, and hardly any image lies near enough to the border between "
        "two digits to notice.",
        unit="percentage points",
        close=0.5,
    ),
    "average-deviations": Question(
        "Variances that divide by m-1 are right on average. Now take the root of each, and average these standard "
        "deviations, over very many batches of 4. What comes out?",
        _average_deviations,
        "Measured: {average:.2f} σ; the closed form says {formula:.2f} σ, and {large:.2f} σ for batches of 32. The "
        "root is a bent curve: a variance that is too small pulls the root down by more than one that is too large "
        "lifts it.",
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
        close=10.0,
    ),
}
