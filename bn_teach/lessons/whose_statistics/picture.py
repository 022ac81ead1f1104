"""The picture of `WhoseStatisticsExplorer`: a test batch, one unit's two distributions, and accuracy over N."""

import math

import numpy as np
import plotly.graph_objects as go

from bn_teach.lessons.shared.choices import percent
from bn_teach.lessons.shared.panels import (
    BATCH,
    EXACT,
    MIXED,
    OWN,
    RUNNING,
    TEXT,
    Picture,
    bars,
    line,
    panels,
    see_through,
)
from bn_teach.lessons.whose_statistics.experiment import is_square, source_weight

NS = (0, 1, 4, 16, 64, 256, math.inf)
"""As how many images the training images can count."""
CORRUPTION_LABELS = {
    "none": "none",
    "mist": "mist (0.3 x + 0.5)",
    "contrast": "little contrast (0.4 x)",
    "noise": "noise (0.35)",
    "blur": "blur (3 x 3)",
    "brighter": "brighter (x + 0.4, up to white)",
}
_SUBJECTS = {
    "none": "Images as in training",
    "mist": "Mist",
    "contrast": "Little contrast",
    "noise": "Noise",
    "blur": "Blur",
    "brighter": "Brighter images",
}

_SHOWN = 4  # images side by side, and below each other
_BINS = 40
_TRAINING, _TEST, _MIXTURE = "training images", "held-out images", "mixture"


def _span(color, symbol):
    """A mean, and one standard deviation to either side."""
    marker = {"symbol": ["line-ns", symbol, "line-ns"], "color": color, "size": 8, "line": {"color": color, "width": 2}}
    return {**line(color, "solid", 2), "mode": "lines+markers", "marker": marker}


_QUIET = {"showlegend": False}
_LINES = {
    "misread": (1, "read wrongly", line(EXACT, "solid", 2) | {"hoverinfo": "skip", "hovertemplate": None}),
    "training images": (2, _TRAINING, bars(RUNNING)),
    "held-out images": (2, _TEST, bars(OWN)),
    "mean ± sd, training images": (2, _TRAINING, _span(RUNNING, "circle") | _QUIET),
    "mean ± sd, first test batch": (2, _TEST, _span(OWN, "diamond") | _QUIET),
    "mean ± sd, mixture": (2, _MIXTURE, _span(MIXED, "square")),
    "accuracy": (3, "accuracy with these images", {**line(MIXED), "mode": "lines+markers", "marker": {"size": 6}}),
    "as in training": (3, "images as in training, inference mode", line(BATCH, "dot", 2)),
    "here": (
        3,
        "your N",
        {"mode": "markers", "marker": {"symbol": "circle-open", "color": TEXT, "size": 16, "line": {"width": 3}}},
    ),
}


def axes(features):
    """Draw the first test batch, a unit's distributions, and accuracy over N, without lines.

    Parameters
    ----------
    features : int
        Of an image; those of an image that is not square lie in a row.
    """
    titles = ("a test batch", "one unit's values", "read rightly")
    figure = panels(titles, _LINES, x_titles=("", "value (below: mean ± sd)", "N: training images count as"))
    figure.add_trace(_ink(), row=1, col=1)
    square = {"constrain": "domain", "scaleanchor": "x"} if is_square(features) else {}
    figure.update_xaxes(visible=False, constrain="domain", col=1)
    figure.update_yaxes(visible=False, col=1, **square)
    figure.update_yaxes(showticklabels=False, showgrid=False, col=2)
    figure.update_xaxes(tickvals=list(range(len(NS))), ticktext=[number(N) for N in NS], tickangle=0, col=3)
    return figure


def _ink():
    return go.Heatmap(
        meta="ink",
        x=np.empty(0),
        y=np.empty(0),
        z=np.empty(0),
        colorscale=[[0.0, see_through(TEXT, 0)], [1.0, see_through(TEXT, 1)]],
        zmin=0,
        zmax=1,
        showscale=False,
        hoverinfo="skip",
    )


def number(N):
    """Write an N."""
    return "all" if math.isinf(N) else f"{N:g}"


def picture(state, bench, training, seen, accuracy, clean):
    """Show one setting of the bench.

    Parameters
    ----------
    state : WhoseStatisticsState
    bench : Bench
    training : tuple of numpy.ndarray, shape (N, H)
        What the training images bring into each batch norm.
    seen : Mixed
        The held-out images in this setting.
    accuracy : dict of float to float
        Share read rightly in this setting, for each of `NS`.
    clean : float
        Share of images as in training that is read rightly in inference mode.

    Returns
    -------
    Picture
    """
    values = training[state.layer][:, state.unit], seen.values[state.layer][:, state.unit]
    drawn, edges, height = _distributions(values, *_marks(state, bench, seen))
    places = np.arange(float(len(NS)))
    images, width, down = _images(bench, state, seen)
    traces = {
        **images,
        **drawn,
        "accuracy": (places, np.array([accuracy[N] for N in NS])),
        "as in training": (places[[0, -1]], np.full(2, clean)),
        "here": (places[[NS.index(state.N)]], np.array([accuracy[state.N]])),
    }
    ranges = {
        "xaxis": [-1.5, width - 0.5],
        "yaxis": [down - 0.5, -1.5],
        "xaxis2": edges,
        "yaxis2": [-0.4 * height, 1.05 * height],
        "xaxis3": [-0.5, len(NS) - 0.5],
        "yaxis3": [0.0, 1.02],
    }
    return Picture(traces, ranges, _sentence(state, bench, values, seen, accuracy, clean))


def _marks(state, bench, seen):
    """Mean and standard deviation of a unit: over the training images, in the first test batch, and as used for it."""
    mean, var = bench.source[state.layer]
    yield mean[state.unit], var[state.unit]
    for means, variances in (seen.batch[state.layer], seen.used[state.layer]):
        yield means[0, state.unit], variances[0, state.unit]


def _distributions(values, *marks):
    """Histograms of the training and of the held-out images' values, and the marks below them."""
    low, high = (f(np.quantile(part, q) for part in values) for f, q in ((min, 0.002), (max, 0.998)))
    spans = [float(mean) + np.array([-1.0, 0.0, 1.0]) * math.sqrt(var) for mean, var in marks]
    low, high = min(low, *(span[0] for span in spans)), max(high, *(span[-1] for span in spans))
    margin = 0.03 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, _BINS + 1)
    densities = [np.histogram(part, edges)[0] / len(part) / (edges[1] - edges[0]) for part in values]
    height = float(max(density.max() for density in densities)) or 1.0
    centres = (edges[:-1] + edges[1:]) / 2
    traces = dict(zip(("training images", "held-out images"), ((centres, density) for density in densities)))
    for row, (who, span) in enumerate(zip(("training images", "first test batch", "mixture"), spans), start=1):
        traces[f"mean ± sd, {who}"] = span, np.full(3, -0.1 * row * height)
    return traces, [float(edges[0]), float(edges[-1])], height


def _images(bench, state, seen):
    """The first images of the first test batch, frames around those read wrongly, and how wide and high it is."""
    rows = seen.batches.order[: seen.batches.sizes[0]][: _SHOWN**2]
    features = bench.dataset.num_features
    high, wide, across = (*(math.isqrt(features),) * 2, _SHOWN) if is_square(features) else (1, features, 1)
    down = _SHOWN**2 // across
    black, white = bench.extremes
    ink = (bench.images(state.corruption)[rows].astype(np.float64) - black) / (white - black)
    wall = np.full((down * across, high + 1, wide + 1), np.nan)  # a gap behind and below every image
    wall[: len(rows), :high, :wide] = ink.reshape(-1, high, wide)
    wall = wall.reshape(down, across, high + 1, wide + 1).swapaxes(1, 2).reshape(down * (high + 1), -1)
    y, x = np.indices(wall.shape, dtype=np.float64)
    wrong = np.flatnonzero(~bench.right(seen)[rows])[:, None]
    left, top = wrong % across * (wide + 1.0) - 0.5, wrong // across * (high + 1.0) - 0.5
    frames = left + wide * np.array([0, 1, 1, 0, 0, np.nan]), top + high * np.array([0, 0, 1, 1, 0, np.nan])
    traces = {"ink": (x.ravel(), y.ravel(), wall.ravel()), "misread": tuple(part.ravel() for part in frames)}
    return traces, *wall.shape[::-1]


# In words


def _sentence(state, bench, values, seen, accuracy, clean):
    training, held_out = values
    least, most = seen.batches.sizes.min(), seen.batches.sizes.max()
    sizes = f"{least}" if least == most else f"{least} to {most}"
    batches = len(seen.batches.sizes)
    group = f"{batches} test {'batch' if batches == 1 else 'batches'} of {sizes} {'image' if most == 1 else 'images'}"
    company = _company(state, bench)
    alone = {0: "the test batch's alone", math.inf: "the training images' alone, as in inference mode"}
    weight = float(source_weight(state.N, seen.batches.sizes[0]))
    whose = alone.get(state.N, f"{percent(weight)} the training images', the rest the test batch's")
    best = max(NS, key=lambda N: accuracy[N])
    return (
        f"{_SUBJECTS[state.corruption]}, in {group}, {company}. The mean and the variance are {whose}: "
        f"{percent(accuracy[state.N])} are read rightly. By the test batch alone it is {percent(accuracy[0])}, by the "
        f"training images alone {percent(accuracy[math.inf])}, at best {percent(accuracy[best])} (N = {number(best)}); "
        f"images as in training, in inference mode: {percent(clean)}. Unit {state.unit} of layer {state.layer + 1}: "
        f"mean {training.mean():.2f} and standard deviation {training.std():.2f} over the training images, "
        f"{held_out.mean():.2f} and {held_out.std():.2f} over these."
    )


def _company(state, bench):
    """Say who is together in a test batch."""
    present = len(np.unique(bench.dataset.validation_y))
    if state.classes >= present:
        return "shuffled"
    return "sorted by class" if state.classes == 1 else f"{state.classes} classes in each"
