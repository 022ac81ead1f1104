"""What the factor m/(m-1) does in each layer of a real network, measured over many seeds.

`measure` compares the variances and the accuracies of one run; factor.json holds that for `SEEDS`
seeds, and ``python tools/factor.py`` writes it.
"""

import json
from pathlib import Path

import numpy as np

from bn_teach.lessons.shared.runs import run
from bn_teach.replay import at_the_end, replay

FILE = Path(__file__).with_name("factor.json")
SIZES = (2, 4, 8, 16)
SEEDS = 16
MOMENTUM = 0.9
WHERE = {"everywhere": True, "layer 1 alone": (True, False), "nowhere": False}
"""Which layers' running variances take in m/(m-1) times the variance of a mini-batch."""


def measure(batch_size, seed):
    """Compare what the factor does in one run on the digits, at its end.

    Parameters
    ----------
    batch_size, seed : int

    Returns
    -------
    dict of str to float
        ``layer 1`` and ``layer 2``: the variance by Algorithm 2, m/(m-1) included, as a multiple of that
        in one pass (of the middle unit). ``everywhere``, ``layer 1 alone``, ``nowhere``: the validation
        accuracy in per cent under running averages of that kind. ``one pass``: under the statistics of one pass.
    """
    recording = run(batch_size, seed)
    pairs = zip(recording.algorithm2_var, recording.population_var)
    ratios = {f"layer {i}": float(np.median(two[-1] / one[-1])) for i, (two, one) in enumerate(pairs, start=1)}
    judged = {where: replay(recording, MOMENTUM, unbiased=unbiased) for where, unbiased in WHERE.items()}
    judged["one pass"] = replay(recording, estimator="population")
    return ratios | {name: 100 * float(at_the_end(one.validation_accuracy)) for name, one in judged.items()}


def shipped():
    """Read what was measured.

    Returns
    -------
    dict of int to dict of str to numpy.ndarray, shape (SEEDS,)
        By batch size, then as in `measure`: one value for each seed.

    Examples
    --------
    >>> print(shipped()[2]["layer 2"].mean().round(1))
    2.1
    """
    read = json.loads(FILE.read_text(encoding="utf-8"))
    return {int(m): {name: np.array(values) for name, values in by_name.items()} for m, by_name in read.items()}
