"""What all figures share: colours, panels side by side, and how an explorer fills them."""

import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

BATCH, RUNNING, EXACT, OWN = "#808080", "#0072B2", "#D55E00", "#009E73"
DEBIASED, CUMULATIVE, POPULATION = "#8A63D2", "#C4568B", "#A6761D"
START, BEST = "#A24BB8", "#AD7F00"  # what the initial value still weighs; the momentum that would be best
FIXED = MIXED = "#C20A8B"  # a run after its fix (05); a mixture of two statistics (08), which never stand side by side
WITHOUT = "#B3325C"  # a network without batch norm
REPLAYED = "#DD4477"  # what a recording says of a training that it is not of
ESTIMATOR_STYLES = {  # colour and dash, in the order of `bn_teach.replay.ESTIMATORS`
    "ema": (RUNNING, "solid"),
    "debiased": (DEBIASED, "10px,3px"),
    "cumulative": (CUMULATIVE, "dashdot"),
    "algorithm2": (EXACT, "dash"),
    "population": (POPULATION, "8px,2px,2px,2px"),
    "batch": (OWN, "dot"),
}
# Text is readable on white and on dark grey; in JupyterLab the explorers' style sheet sharpens it.
TEXT, GRID = "#767676", "rgba(128, 128, 128, 0.25)"
PANEL, GAP = 225, 78  # heights in pixels: of a panel, and of what lies between two of them: ticks and titles
NOTHING = np.empty(0), np.empty(0)  # x and y of a line that is not there
MARGIN = {"l": 45, "r": 20, "t": 30, "b": 45}


@dataclass(frozen=True)
class Picture:
    """What a figure shows in one state, and the same in words.

    Attributes
    ----------
    traces : dict of str to (x, y) or, for a heat map, (x, y, z)
        By key, which a trace has in its `meta`; numpy.ndarray, float64.
    ranges : dict of str to list of float
        Layout axis to range; or any part of the layout to a dict of what changes in it.
    sentence : str
    """

    traces: dict
    ranges: dict
    sentence: str


def dots(color, size=4, opacity=0.5):
    """Style of single observations."""
    return {"mode": "markers", "marker": {"color": color, "size": size, "opacity": opacity}}


def line(color, dash="solid", width=2.5):
    """Style of a line; the dash says the same as the colour."""
    return {"mode": "lines", "line": {"color": color, "dash": dash, "width": width}}


def bars(color):
    """Style of a histogram: x are the centres of its bars."""
    outline = {"color": see_through(color, 0.7), "width": 1, "shape": "hvh"}
    return {"mode": "lines", "line": outline, "fill": "tozeroy", "fillcolor": see_through(color, 0.3)}


def see_through(color, opacity):
    """Write a colour so that what lies below it is seen."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def round_up(value):
    """Round a positive number up to the next one of few, so that small changes leave an axis alone."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value)


def steady_range(parts, floor=None):
    """A range that shows nearly every value, not the rare outlier that would squeeze the rest."""
    values = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])
    steady = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts[1:]])
    low, high = np.quantile(values, (0.005, 0.995))
    low, high = min(low, steady.min()), max(high, steady.max())
    margin = 0.05 * (high - low) or 1.0
    return [float(low - margin if floor is None else floor), float(high + margin)]


def panels(titles, lines, *, x_titles, widths=None):
    """Build a figure of panels side by side, with empty lines to be filled.

    Parameters
    ----------
    titles, x_titles : sequence of str
        One for each panel.
    lines : dict of str to (panel, name, style)
        Key of the trace (kept in its `meta`), panel from 1, name in the `legend`, keywords of
        `plotly.graph_objects.Scatter`. Lines of the same name share one entry of the legend.
    widths : sequence of float, optional
        Of the panels, relative to each other. Default: all alike.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(
        rows=1, cols=len(titles), subplot_titles=titles, horizontal_spacing=0.06, column_widths=widths
    )
    in_legend = set()
    for key, (panel, name, style) in lines.items():
        hover = f"%{{x:.4g}}: %{{y:.4g}}<extra>{key}</extra>"
        common = {"meta": key, "name": name, "legendgroup": name, "showlegend": name not in in_legend}
        trace = go.Scatter({"x": np.empty(0), "y": np.empty(0), "hovertemplate": hover, **common, **style})
        figure.add_trace(trace, row=1, col=panel)
        in_legend.add(name)
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": GRID, "fixedrange": True}
    for panel, title in enumerate(x_titles, start=1):
        figure.update_xaxes(title_text=title, title_standoff=4, col=panel, **axis)
    figure.update_yaxes(**axis)
    figure.update_annotations(font={"size": 14, "color": TEXT})
    figure.update_layout(
        template="none",
        autosize=True,
        height=PANEL + MARGIN["t"] + MARGIN["b"],
        margin=MARGIN,
        font={"size": 12, "color": TEXT},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        showlegend=False,  # `legend` says it as text, which wraps
        hoverlabel={"namelength": -1},
    )
    return figure


def stacked(figure, panel=PANEL, gap=GAP):
    """Say what changes in the layout when panels lie one below the other, for a narrow place.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        From `panels`: side by side, with one annotation for the title of each.
    panel, gap : float
        Height of a panel, and from one to the next, in pixels.

    Returns
    -------
    dict of str to value
        For `figure.plotly_relayout`.
    """
    count = len(figure.layout.annotations)
    whole = count * panel + (count - 1) * gap
    changes = {"height": whole + figure.layout.margin.t + figure.layout.margin.b}
    for row in range(count):
        at = row + 1 if row else ""
        top = whole - row * (panel + gap)
        changes[f"xaxis{at}.domain"] = [0.0, 1.0]
        changes[f"yaxis{at}.domain"] = [(top - panel) / whole, top / whole]
        changes |= {f"annotations[{row}].x": 0.5, f"annotations[{row}].y": top / whole}
    return changes
