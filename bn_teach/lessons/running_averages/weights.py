"""The picture of `MemoryExplorer`: what is inside an average, as bars: one for its start, one for every mini-batch."""

import math

import numpy as np

from bn_teach.lessons.shared.choices import ESTIMATOR_WORDS, percent
from bn_teach.lessons.shared.panels import BATCH, NOTHING, RUNNING, START, Picture, bars, line, panels, round_up
from bn_teach.replay import inside
from bn_teach.theory import effective_batches

_START, _BATCHES = "the start (initial value)", "mini-batches"
_BALANCE = {"mode": "markers", "marker": {"size": 13, "color": RUNNING, "opacity": 1, "symbol": "triangle-up"}}
_LINES = {
    "weight of the start": (1, _START, bars(START)),
    "weight of each mini-batch": (1, _BATCHES, bars(BATCH)),
    "balance point": (1, "where the bars of the mini-batches balance", _BALANCE),
    "share of the start": (2, _START, {**bars(START), "fill": "toself"}),
    "share of the newest together": (2, _BATCHES, line(BATCH)),
}

_GAP = 0.1  # of a bar's place, left free on either side


def axes():
    """Draw the weights one by one, and added up from the newest mini-batch backwards, without lines."""
    titles = ("weight of each", "weight of the newest together")
    x_titles = ("start, and mini-batches, the newest at the right", "how many of the newest")
    return panels(titles, _LINES, x_titles=x_titles, widths=[0.6, 0.4])


def picture(estimator, momentum, updates):
    """Show what an average is made of.

    Parameters
    ----------
    estimator : str
        One of `bn_teach.replay.AVERAGES`.
    momentum : float
    updates : int
        Mini-batches so far, at least 1.

    Returns
    -------
    Picture
    """
    start, batches = inside(estimator, momentum, updates)
    sentence = _sentence(estimator, momentum, start, batches)
    return Picture(_traces(start, batches), _ranges(start, batches), sentence)


def steps_back(batches):
    """How far back the mini-batches of an average lie on average; the newest, which comes first, lies 0 steps back."""
    return float(np.average(np.arange(len(batches)), weights=batches)) if batches.any() else math.nan


def _traces(start, batches):
    count = len(batches)
    number = np.arange(1.0, count + 1)
    together = np.concatenate([[0.0], np.cumsum(batches)])
    left, right = _place_of_the_start(count)
    return {
        "weight of the start": _bars(np.array([left]), np.array([right]), np.array([start])),
        "weight of each mini-batch": _bars(number - 0.5 + _GAP, number + 0.5 - _GAP, batches[::-1]),
        "balance point": (np.array([count - steps_back(batches)]), np.array([0.0])) if batches.any() else NOTHING,
        "share of the start": _bars(np.array([0.0]), np.array([float(count)]), np.array([start]), top=1.0),
        "share of the newest together": (np.arange(0.0, count + 1), together),
    }


def _ranges(start, batches):
    count = len(batches)
    highest = round_up(1.02 * max(start, batches.max()))
    left, _ = _place_of_the_start(count)
    return {
        "xaxis": [left - 0.02 * count, count + 0.5 + 0.02 * count],
        "xaxis2": [0.0, float(count)],
        "yaxis": [-0.04 * highest, highest],
        "yaxis2": [0.0, 1.04],
    }


def _place_of_the_start(count):
    """As wide as a bar, or wider where they are so many that it would not be seen."""
    width = max(1 - 2 * _GAP, 0.04 * count)
    right = 0.5 - max(_GAP, 0.02 * count)
    return right - width, right


def _bars(left, right, height, top=None):
    """Bars with gaps between them, as one outline: up to each height, or (``top``) from there down by it."""
    x = np.repeat(np.stack([left, right], axis=1), 2, axis=1).ravel()
    nothing = np.zeros_like(height)
    y = np.stack([nothing, height, height, nothing], axis=1).ravel()
    return x, y if top is None else top - y


# In words


def _sentence(estimator, momentum, start, batches):
    """Say who weighs what, how far it looks back and how steady it is."""
    count = len(batches)
    subject = ESTIMATOR_WORDS[estimator].subject
    of = "" if estimator == "cumulative" else f", momentum {momentum:g}"
    so_far = f"{count} mini-batch{'es' * (count > 1)}"
    newest = f"{subject}{of}, after {so_far}: the newest weighs {_share(batches[0])}"
    if count > 1:
        newest += f", the oldest {_share(batches[-1])}"
    if estimator == "ema":
        newest += f", the start {_share(start)}"
    back = f"On average its mini-batches lie {steps_back(batches):.1f} steps back."
    return f"{newest}. {back} {_in_the_long_run(estimator, momentum)}"


def _in_the_long_run(estimator, momentum):
    if estimator == "cumulative":
        return "It goes on to look back half of all there were, and is as steady as their number."
    steady = effective_batches(momentum)
    return (
        f"In the long run it looks back {momentum / (1 - momentum):,.4g} steps, and is as steady as {steady:,.4g} "
        f"mini-batch{'es' * (steady > 1)} weighed alike."
    )


def _share(weight):
    return percent(weight) if weight >= 0.0005 or weight == 0 else "next to nothing"
