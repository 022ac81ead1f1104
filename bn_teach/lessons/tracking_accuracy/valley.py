"""The valley: accuracy lost over momentum, a line for every batch size, a band over seeds. Drawn from a sweep."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, EXACT, OWN, RUNNING, fill, line, panels

_STYLES = (  # one for each batch size
    (RUNNING, "solid"),
    ("#C4568B", "10px,3px"),
    (OWN, "dot"),
    ("#8A63D2", "dashdot"),
    ("#A6761D", "8px,2px,2px,2px"),
    (BATCH, "3px,3px"),
)
LINE, LEAST, MOST, NOTHING = "the median", "the least", "the most", "nothing lost"


def valley_traces(swept):
    """Compute the lines of `valley_figure`.

    Parameters
    ----------
    swept : Sweep
        Under the estimators "ema" and "algorithm2", its configurations alike but for batch size and seed.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x (which of the momenta, from the lowest, 0) and y (percentage points).
    """
    order = np.argsort(swept.momenta)
    x = np.arange(float(len(order)))
    traces = {NOTHING: (x[[0, -1]] + [-0.4, 0.4], np.zeros(2))}
    for m, (least, middle, most) in _bands(swept).items():
        for name, values in ((LINE, middle), (LEAST, least), (MOST, most)):
            traces[_key(m, name)] = x, values[order]
    return traces


def valley_ranges(swept):
    """Axis ranges and marks of `valley_figure`.

    Parameters
    ----------
    swept : Sweep

    Returns
    -------
    dict of str to list of float, or to a dict of what else changes there
    """
    momenta = np.sort(swept.momenta)
    values = np.concatenate([band.ravel() for band in _bands(swept).values()])
    margin = max(0.05 * float(np.ptp(values)), 0.5)
    return {
        "xaxis": {
            "range": [-0.4, len(momenta) - 0.6],
            "tickvals": [float(place) for place in range(len(momenta))],
            "ticktext": [f"{p:g}" for p in momenta],
        },
        "yaxis": [min(float(values.min()), 0.0) - margin, float(values.max()) + margin],
    }


def valley_figure(swept):
    """Draw what the moving average loses against exact statistics at the end of the run, over momentum.

    Parameters
    ----------
    swept : Sweep
        Under the estimators "ema" and "algorithm2", its configurations alike but for batch size and seed.

    Returns
    -------
    plotly.graph_objects.Figure
        A line for every batch size: the median of its seeds, in a band from the least to the most.

    Raises
    ------
    ValueError
        For other configurations, more than 6 batch sizes, or a sweep without the two estimators.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> from bn_teach.sweep import sweep
    >>> from bn_teach.training import TrainingConfig
    >>> configs = [TrainingConfig(batch_size=m, steps=20, seed=seed) for m in (4, 64) for seed in (0, 1)]
    >>> swept = sweep(load_digits(), configs, (0.5, 0.9), estimators=("ema", "algorithm2"))
    >>> [trace.name for trace in valley_figure(swept).data if trace.showlegend]
    ['batch size 4', 'batch size 64', 'exact statistics']
    """
    bands = _bands(swept)
    if len(bands) > len(_STYLES):
        raise ValueError(f"swept must have at most {len(_STYLES)} batch sizes, got {len(bands)}")
    lines = {}
    for m, (color, dash) in zip(bands, _STYLES):
        name = f"batch size {m}"
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        lines[_key(m, LINE)] = 1, name, line(color, dash)
        lines[_key(m, LEAST)] = 1, name, edge
        lines[_key(m, MOST)] = 1, name, {**edge, "fill": "tonexty", "fillcolor": _see_through(color)}
    lines[NOTHING] = 1, "exact statistics", line(EXACT, "dash", 2)
    figure = panels(
        ("percentage points of accuracy lost by the moving average",),
        lines,
        x_titles=("momentum (line: median of the seeds; band: from the least to the most)",),
    )
    fill(figure, valley_traces(swept), valley_ranges(swept))
    return figure


def _bands(swept):
    """Batch size to percentage points, shape (3, M)."""
    bands = swept.bands()
    by_size = {config.batch_size: 100 * band for config, band in bands.items()}
    if len(by_size) < len(bands):
        raise ValueError("swept must have configurations that are alike but for batch size and seed, got others")
    return dict(sorted(by_size.items()))


def _key(batch_size, name):
    return f"batch size {batch_size}: {name}"


def _see_through(color):
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"
