"""Who writes the running statistics, and who reads them: one drawing for notebook and page, and its words.

`drawing.svg` stands still; it has texts with ``data-field``, bars with ``data-curve``, and parts that show in one mode
alone. `fields` computes what goes into the texts, and `drawing` puts it there. The script of the page does the same.
"""

import html
import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from bn_teach.lessons.shared.choices import percent
from bn_teach.replay import AVERAGES, inside

MODES = {"training": "training", "prediction": "prediction"}
CURVES = {
    "batch_mean": "batch means",
    "loss": "training loss",
    "shelf_mean": "running mean",
    "shelf_var": "running variance",
}
"""Fields that are the last value of a line of the picture, as `two` writes it: a page need not hold them twice."""
SVG = Path(__file__).with_name("drawing.svg").read_text(encoding="utf-8")
LEFT, WIDTH, TOP, HEIGHT = 14, 412, 199, 34  # where the bars of the shelf are
NARROWEST = 3  # in the units of the drawing; bars that would be narrower run into one

TITLE = "Who writes the running statistics, and who reads them: {mode}"
_ENTER = "Training: the {batch_examples} of mini-batch {step} go in"
_USED = (
    "In this mini-batch, unit {unit} of layer {layer} has mean {batch_mean} and variance {batch_var}, and batch norm "
    "uses just these"
)
_LOSS = "What comes out is a loss: {loss}."
_READ = "Prediction: the held-out images, which come in only here, go through the weights of step {checkpoint}"
_ACCURACY = "What comes out is an accuracy: {accuracy}."
CAPTIONS = {
    ("training", "average"): f"{_ENTER}. {_USED}. A copy goes to the shelf, where it makes {{new}} % of the average. "
    f"Nobody reads the shelf in training. {_LOSS}",
    ("training", "exact"): f"{_ENTER}. {_USED}. No copy is kept. {_LOSS}",
    ("training", "own"): f"{_ENTER}. {_USED}. Nobody reads the shelf. {_LOSS}",
    (
        "prediction",
        "average",
    ): f"{_READ}. Batch norm reads mean {{shelf_mean}} and variance {{shelf_var}} from the shelf, "
    f"and nothing is written there. {_ACCURACY}",
    ("prediction", "exact"): f"{_READ}. Batch norm reads the exact mean {{shelf_mean}} and variance {{shelf_var}}. "
    f"{_ACCURACY}",
    (
        "prediction",
        "own",
    ): f"{_READ}. Each batch of them is normalised by itself, and the shelf is not read: a forgotten "
    f"eval(). {_ACCURACY}",
}
"""What the drawing shows, in words, by mode and by what lies on the shelf. A field is a name in braces and no more."""


def shelf_of(estimator):
    """Say what lies on the shelf: an ``average``, something ``exact``, or nothing that is read (``own``)."""
    return "average" if estimator in AVERAGES else "own" if estimator == "batch" else "exact"


def fields(replay, *, layer, unit, step):
    """Compute every text of the drawing, for both modes.

    Parameters
    ----------
    replay : Replay
        Of one momentum.
    layer, unit : int
        Which batch norm layer and which of its units, both counted from 0.
    step : int
        Updates done, at least 1. Prediction uses the last checkpoint up to there.

    Returns
    -------
    dict of str to str
    """
    recording, t = replay.recording, min(step, replay.recording.steps) - 1
    k = max(int(np.searchsorted(replay.steps, step, side="right")) - 1, 0)
    start, weights = inside(replay.estimator, replay.momentum, t + 1)
    shelf_mean, shelf_var = _on_the_shelf(replay, layer, unit, t, k)
    return {
        "step": f"{t + 1:,}",
        "checkpoint": f"{int(replay.steps[k]):,}",
        "layer": str(layer + 1),
        "unit": str(unit),
        "batch_examples": f"{recording.batch_sizes[t]} images",
        "held_out_examples": f"{len(recording.dataset.validation_y)} images",
        "batch_mean": two(recording.batch_mean[layer][t, unit]),
        "batch_var": two(recording.batch_var[layer][t, unit]),
        "gamma": two(recording.gamma[layer][k, unit]),
        "beta": two(recording.beta[layer][k, unit]),
        "loss": two(recording.loss[t]),
        "accuracy": percent(replay.validation_accuracy[k]),
        "shelf_mean": shelf_mean,
        "shelf_var": shelf_var,
        "new": f"{100 * weights[0]:.3g}" if len(weights) else "",
        "start": f"{100 * start:.0f}",
    }


def bars(start, weights):
    """Draw the weights of an average as bars side by side, each as wide as its weight, the newest at the left.

    Parameters
    ----------
    start, weights
        From `inside`.

    Returns
    -------
    dict of str to str
        ``bars`` and ``start``: the paths that have these names in the drawing.
    """
    edges = LEFT + WIDTH * np.concatenate([[0.0], np.cumsum(weights)])
    end, drawn = (edges[-1] if len(weights) else LEFT), []
    for left, right in pairwise(edges):
        if right - left < NARROWEST:
            drawn.append(_bar(left, end))
            break
        drawn.append(_bar(left, right - 1))
    return {"bars": "".join(drawn), "start": _bar(end, LEFT + WIDTH) if start > 0.0005 else ""}


def drawing(mode, shelf, texts, curves):
    """Fill the drawing in.

    Parameters
    ----------
    mode : str
        Key of `MODES`.
    shelf : str
        From `shelf_of`.
    texts : dict of str to str
        From `fields`.
    curves : dict of str to str
        From `bars`.

    Returns
    -------
    str
        An ``<svg>`` that says what it shows.
    """
    texts = {**texts, "title": TITLE.format(mode=mode), "caption": CAPTIONS[mode, shelf].format(**texts)}
    filled = _FIELD.sub(lambda found: f"{found[1]}{html.escape(texts[found[2]], quote=False)}", SVG)
    filled = _CURVE.sub(lambda found: f'{found[1]}{curves[found[2]]}"', filled)
    return filled.replace('data-mode="training" data-shelf="average"', f'data-mode="{mode}" data-shelf="{shelf}"', 1)


def draw(replay, mode, *, layer, unit, step):
    """Draw a replay in one mode, and say the same in a sentence below; the other arguments are those of `fields`."""
    texts, shelf = fields(replay, layer=layer, unit=unit, step=step), shelf_of(replay.estimator)
    curves = bars(*inside(replay.estimator, replay.momentum, min(step, replay.recording.steps)))
    caption = html.escape(CAPTIONS[mode, shelf].format(**texts), quote=False)
    # The description of the drawing is the same sentence: a screen reader need not read it twice.
    return FRAME.format(svg=drawing(mode, shelf, texts, curves), caption=caption)


def two(value):
    """Write a number with two decimals and a true minus sign, which no zero has."""
    return f"{round(float(value), 2) + 0.0:.2f}".replace("-", "−")


FRAME = """<div style="display: flex; flex-wrap: wrap; align-items: center; gap: 0 24px">
<div style="flex: 1 1 300px; max-width: 540px">{svg}</div>
<p style="flex: 1 1 220px; max-width: 26em; margin: 4px 0" aria-hidden="true">{caption}</p></div>"""
_FIELD = re.compile(r'(<\w+[^<>]*data-field="(\w+)"[^<>]*>)')
_CURVE = re.compile(r'(<path[^<>]*data-curve="(\w+)" d=")"')


def _bar(left, right):
    return f"M{left:.1f} {TOP}H{right:.1f}V{TOP + HEIGHT}H{left:.1f}Z"


def _on_the_shelf(replay, layer, unit, t, k):
    """Mean and variance, of which those of an average change at every step."""
    if replay.mean is None:
        return "", ""
    if replay.estimator in AVERAGES:
        mean, var = replay.history(layer, unit)
        return two(mean[t]), two(var[t])
    return two(replay.mean[layer][k, unit]), two(replay.var[layer][k, unit])
