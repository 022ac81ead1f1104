"""The questions of notebook 01_two_modes."""

import numpy as np

from bn_teach.batchnorm import BatchNorm
from bn_teach.data import GaussianPopulation
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.runs import run
from bn_teach.lessons.two_modes.experiment import model_from, own_slopes

_TIMES = 20


def _changed_by_neighbours(batch_size=16):
    recording = run()
    dataset = recording.dataset
    model, alone = model_from(recording).train(), model_from(recording).eval()
    n = len(dataset.validation_x) // batch_size * batch_size
    answers = np.full((_TIMES, len(dataset.validation_x)), -1)
    for seed, row in enumerate(answers):
        order = np.random.default_rng(seed).permutation(len(row))
        for rows in order[:n].reshape(-1, batch_size):
            row[rows] = model(dataset.validation_x[rows]).argmax(axis=1)
    # The few images that found no full batch this time (-1) count as unchanged.
    highest = answers.max(axis=0)
    changed = (np.where(answers < 0, highest, answers) != highest).any(axis=0)
    accuracy = alone.accuracy(dataset.validation_x, dataset.validation_y, batch_size)
    return {"answer": 100 * float(changed.mean()), "times": _TIMES, "accuracy": 100 * accuracy}


def _pair():
    near, far = (BatchNorm(1)([[1.0], [other]]).ravel().round(2) for other in (3.0, 1000.0))
    return {"answer": _SAME_PAIR if np.array_equal(near, far) else _FARTHER}


def _alone_in_training_mode():
    recording = run()
    dataset = recording.dataset
    network = recording.network_at(len(recording.checkpoint_steps) - 1)
    guesses = network.scores_by_batch(network.layers[0](dataset.validation_x), 1).argmax(axis=1)
    return {
        "answer": 100 * float(np.mean(guesses == dataset.validation_y)),
        "guess": int(guesses[0]),
        "different": len(np.unique(guesses)),
    }


def _sorted_by_class(batch_size=16):
    recording = run()
    dataset = recording.dataset
    x, y = dataset.validation_x, dataset.validation_y
    order = np.argsort(y, kind="stable")
    model = model_from(recording)
    return {
        "answer": 100 * model.train().accuracy(x[order], y[order], batch_size),
        "inference": 100 * model_from(recording).eval().accuracy(x[order], y[order], batch_size),
    }


def _own_slope(batch_size=4):
    slope = float(own_slopes(GaussianPopulation(mean=0, std=1).sample(batch_size, 100_000, seed=0)).training)
    return {"answer": _LESS if slope < 0.95 else _AS_MUCH if slope < 1.05 else _MORE, "slope": slope}


_LESS, _AS_MUCH, _MORE = "by less than 1", "by 1: neighbours cancel out", "by more than 1"
_SAME_PAIR = "-1 and +1 again"
_FARTHER = "-1 and about +999"

QUESTIONS = {
    "other-neighbours": Question(
        f"All 449 validation images are predicted {_TIMES} times in training mode, each time shuffled anew into "
        "batches of 16. The weights never change. What share of the images gets different answers in different "
        "rounds?",
        _changed_by_neighbours,
        "All of these images met other neighbours every time, and that alone changed the answer. In inference mode "
        "the same weights give one answer each, and {accuracy:.0f} % of those are right.",
        unit="% of the images",
    ),
    "pair": Question(
        "A batch of two values, 1 and 3, comes out of a batch norm layer in training mode as -1 and +1 (gamma 1, "
        "beta 0). Now the batch is 1 and 1000. What comes out?",
        _pair,
        "The mean of two values lies half-way between them, and their standard deviation is exactly half of their "
        "distance: one value always sits one standard deviation below the mean and the other one above. Of the whole "
        "batch nothing is left but which of the two was larger.",
        choices=(_SAME_PAIR, _FARTHER, "about 0 and +2"),
    ),
    "batch-of-one": Question(
        "Every validation image is predicted in training mode in a batch of its own: no neighbours at all. "
        "How many per cent of the images are recognised?",
        _alone_in_training_mode,
        "A single value is its own mean, so the difference from the mean is 0, and the layer puts out beta, whatever "
        "came in. Different answers over all images: {different}. Every image is taken for a {guess}, and right are "
        "those that happen to be one.",
        unit="%",
    ),
    "sorted-by-class": Question(
        "Somebody stores the validation images sorted by digit, and forgets eval(). Batches of 16 now hold 16 images "
        "of the same digit, nearly always. How many per cent are recognised?",
        _sorted_by_class,
        "The layer takes out whatever the images of a batch have in common, and here that is the digit itself. What "
        "is left is how one 3 differs from another 3. In inference mode the order does not matter: {inference:.0f} %.",
        unit="%",
    ),
    "own-slope": Question(
        "Values with mean 0 and standard deviation 1 are normalised in batches of 4, with any neighbours. In inference "
        "mode, with exactly this mean and this standard deviation, a value that is larger by 1 comes out larger by 1. "
        "And in training mode, on average over all neighbours?",
        _own_slope,
        "By {slope:.2f}. The neighbours do cancel out, but the value itself does not: it is one of the four. If it is "
        "large, it pulls the mean of its batch after it, and far out it widens the standard deviation that "
        "it is divided by.",
        choices=(_LESS, _AS_MUCH, _MORE),
    ),
}
