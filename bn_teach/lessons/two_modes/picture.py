"""The picture of `TwoModesExplorer`: a mini-batch of images, and what the network makes of the first in either mode."""

import math

import numpy as np

from bn_teach.lessons.shared.choices import percent
from bn_teach.lessons.shared.panels import BATCH, OWN, RUNNING, Picture, bars, dots, line, panels

_INFERENCE = "inference mode"
_THESE = "training mode, these neighbours"
_OTHERS = "training mode, other neighbours"
_SHOWN = 4  # images side by side, and below each other
_SHADES = 4
_SILENT = {"hoverinfo": "skip", "hovertemplate": None, "showlegend": False}


def _ink(shade):
    marker = {"symbol": "square", "color": BATCH, "size": 6, "opacity": shade / _SHADES}
    return {"mode": "markers", "marker": marker, **_SILENT}


_LINES = {
    **{f"ink {shade}": (1, "ink", _ink(shade)) for shade in range(1, _SHADES + 1)},
    "frame": (1, "frame", {**line(OWN), **_SILENT}),
    "in inference mode": (2, _INFERENCE, bars(RUNNING)),
    "among other neighbours": (2, _OTHERS, dots(BATCH)),
    "among these neighbours": (2, _THESE, {**line(OWN, "dot", 2), "mode": "lines+markers", "marker": {"size": 8}}),
    "true digit among other neighbours": (3, _OTHERS, {**dots(BATCH, size=6), "mode": "lines+markers"}),
    "true digit among these neighbours": (3, _THESE, dots(OWN, size=12, opacity=1)),
    "true digit in inference mode": (3, _INFERENCE, line(RUNNING)),
}


def axes():
    """Draw the mini-batch, the probability of each digit, and that of the true digit over draws, without lines."""
    titles = ("the framed image and its neighbours", "probability of each digit", "probability of the true digit")
    figure = panels(titles, _LINES, x_titles=("", "digit", "draw of neighbours"))
    figure.update_xaxes(visible=False, constrain="domain", col=1)
    figure.update_yaxes(visible=False, constrain="domain", scaleanchor="x", col=1)
    figure.update_xaxes(dtick=1, col=2)
    return figure


def picture(both, draw):
    """Show a mini-batch, and the probabilities that its first image gets in either mode.

    Parameters
    ----------
    both : BothModes
    draw : int
        Which of the mini-batches, from 0.

    Returns
    -------
    Picture
        Its ranges are those of the data set, whatever is drawn from it.
    """
    return Picture(_traces(both, draw), _ranges(both), _sentence(both, draw))


def _traces(both, draw):
    draws, classes = both.training.shape
    digits = np.arange(classes, dtype=np.float64)
    number = np.arange(1.0, draws + 1)
    others = np.arange(draws) != draw
    # Dots of one digit stand a little apart, so that they do not hide each other.
    beside = digits + np.linspace(-0.25, 0.25, draws)[others][:, None]
    side = _side(both)
    return {
        **_images(both, draw),
        "frame": (side * np.array([0.0, 1, 1, 0, 0]) - 0.5, side * np.array([0.0, 0, 1, 1, 0]) - 0.5),
        "in inference mode": (np.arange(-1.0, classes + 1), np.concatenate([[0], both.inference, [0]])),
        "among other neighbours": (beside.ravel(), both.training[others].ravel()),
        "among these neighbours": (digits, both.training[draw]),
        "true digit among other neighbours": (number, both.training[:, both.label]),
        "true digit among these neighbours": (number[[draw]], both.training[[draw], both.label]),
        "true digit in inference mode": (number[[0, -1]], both.inference[[both.label] * 2]),
    }


def _ranges(both):
    edge = _SHOWN * (_side(both) + 1)
    draws, classes = both.training.shape
    return {
        "xaxis": [-1.5, edge - 0.5],
        "yaxis": [edge - 0.5, -1.5],
        "xaxis2": [-0.7, classes - 0.3],
        "yaxis2": [0.0, 1.02],
        "xaxis3": [0.0, draws + 1.0],
        "yaxis3": [0.0, 1.02],
    }


def _side(both):
    """Of an image, in pixels."""
    return math.isqrt(both.dataset.num_features)


def _images(both, draw):
    """The pixels of the first images of a mini-batch, one trace for each shade of grey."""
    side = _side(both)
    pixels = both.dataset.validation_x
    low, high = float(pixels.min()), float(pixels.max())
    shown = both.rows[draw][: _SHOWN**2]
    shades = np.ceil(_SHADES * (pixels[shown].astype(np.float64) - low) / (high - low))
    place = np.arange(len(shown))[:, None]
    across, down = np.arange(side**2) % side, np.arange(side**2) // side
    x = (side + 1.0) * (place % _SHOWN) + across
    y = (side + 1.0) * (place // _SHOWN) + down
    return {f"ink {shade}": (x[shades == shade], y[shades == shade]) for shade in range(1, _SHADES + 1)}


# In words


def _sentence(both, draw):
    """Say what stands still and what wobbles."""
    label, of_label = both.label, both.training[:, both.label]
    still = (
        f"Image {both.image} is a {label}. Inference mode gives that {percent(both.inference[label])}, whatever stands "
        "beside it."
    )
    now = percent(of_label[draw])
    if both.batch_size == 1:
        return (
            f"{still} Training mode, in a batch of one: the image is its own mean, the difference from it is zero, and "
            f"every image gets the same probabilities. Those of this digit: {now}. (PyTorch refuses such a batch.)"
        )
    taken_for = both.training.argmax(axis=1)
    company = "this neighbour" if both.batch_size == 2 else f"these {both.batch_size - 1} neighbours"
    reading = "" if taken_for[draw] == label else f", and it is taken for a {taken_for[draw]}"
    return (
        f"{still} Training mode, with {company}, gives it {now}{reading}. Over {len(of_label)} draws of neighbours "
        f"that goes from {percent(of_label.min())} to {percent(of_label.max())}; in {(taken_for != label).sum()} of "
        "them the image is taken for another digit."
    )
