"""The picture of `RecorderExplorer`: how far each momentum would have been from exact statistics, layer by layer."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, EXACT, RUNNING, fill, line, panels

OWN_KEY, NEAREST_KEY = "the momentum it has", "the nearest"
_FLOOR = 1e-3  # a thousandth of a standard deviation: nobody needs to see less
_NAMED = 8  # with more layers than these, the legend names the first and the last only
_DASHES = ("solid", "dash", "dot", "dashdot")


def _marks(symbol, size):
    marker = {"symbol": symbol, "size": size, "color": BATCH, "line": {"color": BATCH, "width": 2.5}}
    return {"mode": "markers", "marker": marker}


def recorder_traces(report):
    """Compute the lines of `recorder_figure`.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x (which of the momenta, from 0) and y (distance, drawn no lower than 0.001).
    """
    distance = np.maximum(report.distance, _FLOOR)
    x = np.arange(float(len(report.momenta)))
    own = [(row, _place(report, p)) for row, p in enumerate(report.own) if p is not None]
    nearest = [(row, _place(report, p)) for row, p in enumerate(report.nearest)]
    traces = {_key(report, row): (x, distance[row]) for row in range(len(distance))}
    for key, places in ((OWN_KEY, own), (NEAREST_KEY, nearest)):
        rows, columns = np.array(places, dtype=np.int64).reshape(-1, 2).T
        traces[key] = columns.astype(np.float64), distance[rows, columns]
    return traces


def recorder_ranges(report):
    """Axis ranges of `recorder_figure`.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict of str to list of two float
        The vertical axis is logarithmic.
    """
    exponents = np.log10(np.maximum(report.distance, _FLOOR))
    # In steps of half a decade, so that another estimator seldom moves the axis.
    low, high = np.floor(2 * exponents.min() - 0.2) / 2, np.ceil(2 * exponents.max() + 0.2) / 2
    return {"xaxis": [-0.4, len(report.momenta) - 0.6], "yaxis": [float(low), float(high)]}


def recorder_figure(report):
    """Draw a report: one line per layer, over momenta, with the layer's own and the nearest marked.

    Parameters
    ----------
    report : Report

    Returns
    -------
    plotly.graph_objects.Figure
        One panel. Layers go from blue (the first) to orange (the last).
    """
    lines = {}
    count = len(report.layers)
    for row, layer in enumerate(report.layers):
        style = line(_between(row / max(count - 1, 1)), _DASHES[row % len(_DASHES)], 2.5 if count <= _NAMED else 1.5)
        hover = f"off by %{{y:.3g}}<extra>{_key(report, row)}</extra>"
        lines[_key(report, row)] = (1, layer or "(the model)", {**style, "hovertemplate": hover})
    lines[OWN_KEY] = (1, OWN_KEY, _marks("circle-open", 13))
    lines[NEAREST_KEY] = (1, NEAREST_KEY, _marks("star", 11))
    title = "off by, in standard deviations"
    figure = panels((title,), lines, x_titles=("momentum (weight kept on the old estimate)",))
    labels = [f"{p:g}".removeprefix("0") or "0" for p in report.momenta]
    figure.update_xaxes(tickvals=list(range(len(labels))), ticktext=labels, tickangle=0, zeroline=False)
    figure.update_yaxes(type="log", tickvals=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000])
    for key in (OWN_KEY, NEAREST_KEY):
        figure.update_traces(hovertemplate=f"off by %{{y:.3g}}<extra>{key}</extra>", selector={"meta": key})
    if count > _NAMED:
        for row in range(1, count - 1):
            figure.update_traces(showlegend=False, selector={"meta": _key(report, row)})
    fill(figure, recorder_traces(report))
    for axis, limits in recorder_ranges(report).items():
        figure.layout[axis].range = limits
    return figure


def _key(report, row):
    return f"layer {report.layers[row] or '(the model)'}"


def _place(report, momentum):
    return int(np.argmin(np.abs(report.momenta - momentum)))


def _between(share):
    """A colour between that of the first layer and that of the last."""
    first, last = (np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) for color in (RUNNING, EXACT))
    red, green, blue = np.rint(first + share * (last - first)).astype(int)
    return f"#{red:02X}{green:02X}{blue:02X}"
