"""Figure 1 of the paper, on our digits: how fast with and without batch norm, and what a sigmoid gets to see.

Ioffe & Szegedy (2015), section 4.1: 28 x 28 binary images of digits, three hidden layers of 100 sigmoid units,
mini-batches of 60, small random Gaussian weights, no learning rate stated. Ours: 8 x 8 binary images, the rest
the same, and the learning rate tuned for both sides.

All runs of the grid take a quarter of an hour, so their accuracy curves come with the package
(`load_race`); so do those of fresh seeds at the learning rates that were chosen (`load_fresh`).
``python tools/figure1.py`` measures and writes both again.
"""

import ast
import inspect
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bn_teach import _checks
from bn_teach._threads import one_blas_thread
from bn_teach.data import load_digits
from bn_teach.network import Network
from bn_teach.replay import at_the_end, replay
from bn_teach.training import Recording, TrainingConfig, train

SETUP = TrainingConfig(batch_size=60, steps=2000, hidden=(100, 100, 100), activation="sigmoid", weight_scale=0.1)
WEIGHT_SCALES = (0.1, 0.3)
LEARNING_RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SEEDS, FRESH_SEEDS = tuple(range(8)), tuple(range(8, 24))
LOOKS = (1, 5)  # ways of counting: the first look over the line, or the first of five in a row
PERCENTILES = (15, 50, 85)
SHIPPED, SHIPPED_FRESH = (Path(__file__).with_name(name) for name in ("figure1.npz", "figure1_fresh.npz"))


def binary_digits():
    """Load the digits in black and white: a pixel brighter than half becomes 1, any other 0.

    Returns
    -------
    Dataset

    Examples
    --------
    >>> np.unique(binary_digits().train_x)
    array([0., 1.], dtype=float32)
    """
    digits = load_digits()
    train_x, validation_x = (np.float32(x > 0.5) for x in (digits.train_x, digits.validation_x))
    return replace(digits, train_x=train_x, validation_x=validation_x, name="binary digits")


def grid():
    """List every run of the race: weight scales, both sides, learning rates, seeds.

    Returns
    -------
    list of TrainingConfig
    """
    return [
        replace(SETUP, weight_scale=scale, batch_norm=norm, learning_rate=rate, seed=seed)
        for scale in WEIGHT_SCALES
        for norm in (False, True)
        for rate in LEARNING_RATES
        for seed in SEEDS
    ]


def fresh_grid(race):
    """List the runs that judge what a race has chosen: its tuned learning rates to 0.90, on seeds that it has not seen.

    Parameters
    ----------
    race : Race

    Returns
    -------
    list of TrainingConfig
    """
    return [
        replace(SETUP, weight_scale=scale, batch_norm=norm, learning_rate=rate, seed=seed)
        for scale in WEIGHT_SCALES
        for norm in (False, True)
        for rate in sorted({race.tuned(0.90, scale, batch_norm=norm, looks=looks)[0] for looks in LOOKS})
        for seed in FRESH_SEEDS
    ]


@dataclass(frozen=True, eq=False)
class Race:
    """Accuracy curves of R runs at K checkpoints.

    Attributes
    ----------
    weight_scale, batch_norm, learning_rate, seed : numpy.ndarray, shape (R,)
        What each run was trained with; all else is `SETUP`.
    steps : numpy.ndarray of int, shape (K,)
        Updates done at each checkpoint.
    correct : numpy.ndarray of int, shape (R, K)
        Validation images that were recognised, with batch norm under the statistics of Algorithm 2.
    images : int
        How many validation images there are.
    """

    weight_scale: np.ndarray
    batch_norm: np.ndarray
    learning_rate: np.ndarray
    seed: np.ndarray
    steps: np.ndarray
    correct: np.ndarray
    images: int

    def steps_to(self, accuracy, *, looks=1):
        """Return the first checkpoint of each run at which it is that accurate, shape (R,); inf: never.

        With more `looks`, the first of so many in a row at which it is.
        """
        accuracy = _checks.number("accuracy", accuracy, 0.0, 1.0)
        looks = _checks.integer("looks", looks, 1, len(self.steps))
        there = sliding_window_view(self.correct >= accuracy * self.images, looks, axis=1).all(axis=2)
        return np.where(there.any(axis=1), self.steps[there.argmax(axis=1)].astype(np.float64), np.inf)

    def tuned(self, accuracy, weight_scale, *, batch_norm, looks=1):
        """Find the learning rate that gets to an accuracy in the fewest steps, in the median over the seeds.

        Parameters
        ----------
        accuracy, weight_scale : float
        batch_norm : bool
        looks : int
            How many checkpoints in a row count as there.

        Returns
        -------
        learning_rate : float
        steps : numpy.ndarray, shape (seeds,)
            Of each seed, in order, at that learning rate; inf: never.
        """
        side = self._side(weight_scale, batch_norm)
        steps = self.steps_to(accuracy, looks=looks)
        by_rate = {rate: steps[side & (self.learning_rate == rate)] for rate in np.unique(self.learning_rate[side])}
        # Where medians tie (never, and never), the mean of 1/steps decides.
        best = min(by_rate, key=lambda rate: (np.median(by_rate[rate]), -np.mean(1 / by_rate[rate])))
        return float(best), by_rate[best]

    def times_fewer(self, accuracy, weight_scale, *, looks=1, judged=None):
        """Return how many times fewer steps batch norm needs, for each seed, both sides tuned.

        The two runs of one seed start from the same weights and see the same mini-batches. With another race as
        `judged`, learning rates are chosen by this one, and steps counted in that one.
        """
        rates = [self.tuned(accuracy, weight_scale, batch_norm=norm, looks=looks)[0] for norm in (False, True)]
        race = self if judged is None else judged
        steps = race.steps_to(accuracy, looks=looks)
        without, with_norm = (steps[race._runs(weight_scale, *side)] for side in zip((False, True), rates))
        with np.errstate(invalid="ignore"):  # where neither gets there, there is no ratio
            return without / with_norm

    def at_the_end(self, weight_scale, *, batch_norm, learning_rate):
        """Return the accuracy at the end of the runs of one learning rate, in percent, shape (seeds,)."""
        runs = self._runs(weight_scale, batch_norm, learning_rate)
        return 100 * at_the_end(self.correct[runs] / self.images)

    def _side(self, weight_scale, batch_norm):
        side = (self.weight_scale == weight_scale) & (self.batch_norm == batch_norm)
        if not side.any():
            raise ValueError(
                f"weight_scale must be one of {', '.join(map(str, np.unique(self.weight_scale)))}, got {weight_scale}"
            )
        return side

    def _runs(self, weight_scale, batch_norm, learning_rate):
        return self._side(weight_scale, batch_norm) & (self.learning_rate == learning_rate)

    def arriving_rates(self, accuracy, weight_scale, *, batch_norm):
        """List the learning rates at which every seed gets to an accuracy before the race ends."""
        side = self._side(weight_scale, batch_norm)
        there = np.isfinite(self.steps_to(accuracy))
        rates = np.unique(self.learning_rate[side])
        return [float(rate) for rate in rates if there[side & (self.learning_rate == rate)].all()]


def load_race():
    """Read the measured race that comes with the package.

    Returns
    -------
    Race

    Examples
    --------
    >>> race = load_race()
    >>> bool(np.median(race.times_fewer(0.90, weight_scale=0.1)) > 2)
    True
    """
    return _read(SHIPPED)


def load_fresh():
    """Read the runs on fresh seeds that come with the package; see `fresh_grid`.

    Returns
    -------
    Race

    Examples
    --------
    >>> len(load_race().times_fewer(0.90, 0.1, judged=load_fresh()))
    16
    """
    return _read(SHIPPED_FRESH)


def _read(path):
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
        return Race(**{**stored, "images": int(stored["images"])})


@dataclass(frozen=True, eq=False)
class Side:
    """One side of Figure 1: a run, what it recognises, and what its last sigmoids are given.

    Attributes
    ----------
    recording : Recording
    accuracy : numpy.ndarray, shape (K,)
        Of validation, with batch norm under the statistics of Algorithm 2.
    inputs : numpy.ndarray, shape (K, 3, H)
        From `sigmoid_inputs`.
    """

    recording: Recording
    accuracy: np.ndarray
    inputs: np.ndarray

    @property
    def unit(self):
        """The typical one: its `travel` is the middle one of its layer."""
        travelled = travel(self.inputs)
        return int(np.argsort(travelled, kind="stable")[len(travelled) // 2])


def run_figure(weight_scale=0.1, *, seed=0, steps=1000, learning_rates=None):
    """Train both sides of Figure 1, now, by default each at the learning rate tuned for it (to accuracy 0.90).

    Parameters
    ----------
    weight_scale : float
        One of `WEIGHT_SCALES`, unless learning rates are given.
    seed : int
    steps : int
    learning_rates : pair of float, optional
        Without batch norm, and with it.

    Returns
    -------
    without, with_norm : Side
    """
    configs = figure_configs(weight_scale, seed=seed, steps=steps, learning_rates=learning_rates)
    return tuple(run_side(config) for config in configs)


def figure_configs(weight_scale=0.1, *, seed=0, steps=1000, learning_rates=None):
    """List what `run_figure` trains: without batch norm, and with it."""
    if learning_rates is None:
        learning_rates = [load_race().tuned(0.90, weight_scale, batch_norm=norm)[0] for norm in (False, True)]
    common = {"weight_scale": weight_scale, "seed": seed, "steps": steps}
    return [
        replace(SETUP, batch_norm=norm, learning_rate=rate, **common)
        for norm, rate in zip((False, True), learning_rates, strict=True)
    ]


def run_side(config):
    """Train one side of Figure 1, and look at it."""
    recording = train(binary_digits(), config)
    accuracy = replay(recording, estimator="algorithm2").validation_accuracy
    return Side(recording, accuracy, sigmoid_inputs(recording))


@one_blas_thread
def sigmoid_inputs(recording, *, own_batch=False):
    """What the sigmoids of the last hidden layer are given at each checkpoint: percentiles over the training images.

    Parameters
    ----------
    recording : Recording
        With batch norm, the images pass through it under the statistics of Algorithm 2.
    own_batch : bool
        Each image under those of a mini-batch that it is in instead, as in training and in the paper.

    Returns
    -------
    numpy.ndarray, float64, shape (K, 3, H)
        The 15th, 50th and 85th percentile for each of the H units.
    """
    _checks.instance("recording", recording, Recording)
    x = recording.dataset.train_x
    rows = []
    for k, network in enumerate(recording.networks()):
        below = Network(network.layers[:-2])  # without the last sigmoid, and the scores above it
        z = below.layers[0](x)
        if own_batch:
            inputs = below.scores_by_batch(z, recording.config.batch_size)
        else:
            means, variances = recording.algorithm2_mean, recording.algorithm2_var
            inputs = below.inference(z, [(mean[k], var[k]) for mean, var in zip(means, variances)])
        rows.append(np.percentile(inputs, PERCENTILES, axis=0))
    return np.array(rows, dtype=np.float64)


def travel(inputs):
    """How far the middle of what each sigmoid gets travels, in units of how wide it is at the end.

    Parameters
    ----------
    inputs : numpy.ndarray, shape (K, 3, H)
        From `sigmoid_inputs`.

    Returns
    -------
    numpy.ndarray, shape (H,)
        Highest minus lowest median, divided by the distance from the 15th to the 85th percentile at the end.
    """
    low, median, high = np.moveaxis(inputs, 1, 0)
    return (median.max(axis=0) - median.min(axis=0)) / (high[-1] - low[-1])


def widening(inputs):
    """How wide what each sigmoid gets is at the first checkpoint, as a share of how wide it is at the last.

    Parameters
    ----------
    inputs : numpy.ndarray, shape (K, 3, H)
        From `sigmoid_inputs`; wide is from the 15th to the 85th percentile.

    Returns
    -------
    numpy.ndarray, shape (H,)
    """
    wide = inputs[:, 2] - inputs[:, 0]
    return wide[0] / wide[-1]


@one_blas_thread
def readings_apart(network, x, m, *, shuffles=8):
    """Variances of Algorithm 2 by its first reading, over those by its second, for each batch norm layer.

    First reading: mini-batches go through the network in training mode. Second: lower layers have been replaced
    already, which makes it one pass of all examples.

    Parameters
    ----------
    network : Network
    x : numpy.ndarray, shape (N, D)
    m : int
    shuffles : int
        Orders of the examples that the first reading is averaged over.

    Returns
    -------
    numpy.ndarray, shape (L,)
        The middle one of each layer's units.
    """
    z, rng = network.layers[0](x), np.random.default_rng(0)
    second = [var for _, var in network.population_statistics(z)]
    found = (network.algorithm2_statistics(z[rng.permutation(len(z))], m) for _ in range(shuffles))
    first = [np.mean(layer, axis=0) for layer in zip(*([var for _, var in one] for one in found))]
    return np.array([np.median(one / other) for one, other in zip(first, second)])


def listing(function):
    """Return the source of a function without its docstring, for reading it beside the paper.

    Parameters
    ----------
    function : callable
        Written in Python.

    Returns
    -------
    str

    Examples
    --------
    >>> print(listing(binary_digits).splitlines()[0])
    def binary_digits():
    """
    source = textwrap.dedent(inspect.getsource(function))
    lines, first = source.splitlines(), ast.parse(source).body[0].body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)
