"""The picture of `RecorderExplorer`: how far each momentum would have been from exact statistics, layer by layer."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, RUNNING, Picture, line, panels

_OWN, _NEAREST = "the momentum it has", "the nearest"
_LAST = "#3E9BD6"  # of the last layer: running statistics are blue, whichever layer they are of
_HARDLY = 1.5  # off by less than this many times the least, a layer could hardly do better


def _marks(symbol, size):
    marker = {"symbol": symbol, "size": size, "color": BATCH, "line": {"color": BATCH, "width": 2.5}}
    return {"mode": "markers", "marker": marker}


def axes(report):
    """Draw momenta across, a line for each layer from dark blue (first) to light blue (last), and marks; all empty.

    Parameters
    ----------
    report : Report
        Of any estimator: the axes are those of its layers and momenta.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    count = len(report.layers)
    many = count > 8  # then the legend names the first and the last layer only
    lines = {}
    for row, name in enumerate(_names(report)):
        dash = ("solid", "dash", "dot", "dashdot")[row % 4]
        style = line(_between(row / max(count - 1, 1)), dash, 1.5 if many else 2.5)
        lines[f"layer {name}"] = (1, name, {**style, "showlegend": not many or row in (0, count - 1)})
    lines[_OWN] = (1, _OWN, _marks("circle-open", 13))
    lines[_NEAREST] = (1, _NEAREST, _marks("star", 11))
    title = "off by, in standard deviations"
    figure = panels((title,), lines, x_titles=("momentum (weight kept on the old estimate)",))
    figure.for_each_trace(lambda trace: trace.update(hovertemplate=f"off by %{{y:.3g}}<extra>{trace.meta}</extra>"))
    labels = [f"{p:g}".removeprefix("0") or "0" for p in report.momenta]
    figure.update_xaxes(tickvals=list(range(len(labels))), ticktext=labels, tickangle=0, zeroline=False)
    figure.update_yaxes(type="log", tickvals=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000])
    return figure


def picture(report):
    """Show how far off each layer is, over momenta, with its own and the nearest marked.

    Parameters
    ----------
    report : Report

    Returns
    -------
    Picture
        Its x is which of the momenta, from 0; its y the distance, drawn no lower than 0.001.
    """
    distance = np.maximum(report.distance, 0.001)  # of a standard deviation: nobody needs to see less
    return Picture(_traces(report, distance), _ranges(distance), _sentence(report))


def _traces(report, distance):
    x = np.arange(float(len(report.momenta)))
    traces = {f"layer {name}": (x, y) for name, y in zip(_names(report), distance)}
    for key, momenta in ((_OWN, report.own), (_NEAREST, report.nearest)):
        rows, columns = _places(report, momenta)
        traces[key] = columns.astype(np.float64), distance[rows, columns]
    return traces


def _ranges(distance):
    exponents = np.log10(distance)
    # In steps of half a decade, so that another estimator seldom moves the axis.
    low, high = np.floor(2 * exponents.min() - 0.2) / 2, np.ceil(2 * exponents.max() + 0.2) / 2
    return {"xaxis": [-0.4, distance.shape[1] - 0.6], "yaxis": [float(low), float(high)]}


def _names(report):
    return [layer or "(the model)" for layer in report.layers]


def _places(report, momenta):
    """Row and column of one momentum for each layer, without the layers that have none."""
    found = [(row, np.abs(report.momenta - p).argmin()) for row, p in enumerate(momenta) if p is not None]
    return np.array(found, dtype=np.int64).reshape(-1, 2).T


def _between(share):
    """A colour between that of the first layer and that of the last."""
    first, last = (np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) for color in (RUNNING, _LAST))
    red, green, blue = np.rint(first + share * (last - first)).astype(int)
    return f"#{red:02X}{green:02X}{blue:02X}"


# In words


def _sentence(report):
    """Say which layer is farthest off, and what would have been nearest."""
    rows, columns = _places(report, report.own)
    if not len(rows):
        return "No layer here has a momentum: each averages all its batches alike."
    off, least = report.distance[rows, columns], report.distance[rows].min(axis=1)
    worst = off.argmax()
    own, nearest = report.own[rows[worst]], report.nearest[rows[worst]]
    text = (
        f"{f'Of {len(rows)} layers, the one' if len(rows) > 1 else 'The layer'} farthest off with the momentum it has "
        f"is {report.layers[rows[worst]] or 'the model itself'}: {off[worst]:.3f} standard deviations at momentum "
        f"{own:g}. "
    )
    if nearest == own:
        text += "No other momentum tried would have been nearer."
    else:
        text += f"The nearest of those tried, {nearest:g}, would have left {least[worst]:.3f}."
    if len(rows) > 1:
        fine = np.count_nonzero(off <= _HARDLY * least)
        text += f" Less than {_HARDLY:g} times as far off as with their nearest: {fine} of {len(rows)}."
    return text
