"""What notebook 00 measures: what depends on the held-out images, and what momentum comes to over many runs."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from bn_teach.lessons.shared.runs import digits
from bn_teach.replay import at_the_end, early_stop, replay
from bn_teach.training import TrainingConfig, train

MOMENTA = 0.9, 0.999
SEEDS = range(32)
MEASURED = Path(__file__).with_name("seeds.json")
FREED = "0.999, freed of its start"


def held_out_noise(recording):
    """Exchange the held-out images of a recorded run for noise, evenly spread from 0 to 1.

    Everything that training saw and left behind stays as it is.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    Recording
        To be replayed: its accuracy is that on the noise.
    """
    noise = np.random.default_rng(0).random(recording.dataset.validation_x.shape)
    return _held_out(recording, noise, recording.dataset.validation_y)


@dataclass(frozen=True)
class AcrossSeeds:
    """What momenta 0.9 and 0.999 come to, a value for each seed; accuracies in per cent.

    Attributes
    ----------
    lost : dict of str to numpy.ndarray, shape (S,)
        Percentage points lost against Algorithm 2 at the end of the run, by the name of the average.
    step, seen, judged : dict of str to numpy.ndarray, shape (S,)
        By momentum, what early stopping keeps: after how many steps; the accuracy that it saw; and that of the same
        weights under exact statistics, on images that had no say. (Either half of the held-out images chooses once,
        and the other half judges; the values are averages of the two.)
    """

    lost: dict
    step: dict
    seen: dict
    judged: dict


def measured():
    """Return what `across_seeds()` gave when ``python tools/seeds.py`` wrote it down.

    Returns
    -------
    AcrossSeeds
    """
    stored = json.loads(MEASURED.read_text(encoding="utf-8"))
    return AcrossSeeds(
        **{part: {name: np.array(values) for name, values in names.items()} for part, names in stored.items()}
    )


def write_measured():
    """Measure, and write it down for `measured`."""
    lists = {
        part: {name: np.round(values, 3).tolist() for name, values in names.items()}
        for part, names in asdict(across_seeds()).items()
    }
    MEASURED.write_text(json.dumps(lists, indent=1) + "\n", encoding="utf-8")


def across_seeds(seeds=SEEDS, patience=10, config=TrainingConfig()):
    """Train one network for every seed, and look at each through momentum 0.9 and 0.999.

    Parameters
    ----------
    seeds : sequence of int
    patience : int
        Of early stopping, in checkpoints.
    config : TrainingConfig

    Returns
    -------
    AcrossSeeds
    """
    rows = [_one(train(digits(), replace(config, seed=seed)), patience) for seed in seeds]
    lost, kept = zip(*rows, strict=True)
    columns = {f"{p:g}": np.array([one[p] for one in kept]).T for p in MOMENTA}
    return AcrossSeeds(
        {name: np.array([one[name] for one in lost]) for name in lost[0]},
        *({name: column[n] for name, column in columns.items()} for n in range(3)),
    )


def _one(recording, patience):
    """Of one run: what is lost, by name of the average; and by momentum what is kept: step, seen, judged."""
    exact = at_the_end(replay(recording, estimator="algorithm2").validation_accuracy)
    averages = {f"{p:g}": replay(recording, p) for p in MOMENTA}
    averages[FREED] = replay(recording, MOMENTA[1], estimator="debiased")
    lost = {name: 100 * (exact - at_the_end(one.validation_accuracy)) for name, one in averages.items()}
    halves = [_half(recording, first) for first in (0, 1)]
    return lost, {p: np.mean([_kept(*pair, p, patience) for pair in (halves, halves[::-1])], axis=0) for p in MOMENTA}


def _kept(chooser, judge, momentum, patience):
    through = replay(chooser, momentum)
    step, _ = early_stop(through, patience)
    k = list(through.steps).index(step)
    judged = replay(judge, estimator="algorithm2").validation_accuracy[k]
    return step, 100 * through.validation_accuracy[k], 100 * judged


def _half(recording, first):
    """Every second held-out image."""
    data = recording.dataset
    return _held_out(recording, data.validation_x[first::2], data.validation_y[first::2])


def _held_out(recording, x, y):
    return replace(recording, dataset=replace(recording.dataset, validation_x=x, validation_y=y))
