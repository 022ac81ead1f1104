"""What shows before plotly.js is read, and where no script runs: the first state, drawn in the page's own colours."""

import math

import numpy as np

from bn_teach.lessons.shared.legend import stroke

WIDTH, HEIGHT = 360, 255
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 26, 39


def still_panels(figure, lines, ranges):
    """Draw every panel of a figure.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        From `Lesson.axes`: its titles and styles.
    lines : dict of str to (x, y)
        What each trace shows.
    ranges : dict of str to list of float
        Layout axis to range.

    Returns
    -------
    str
        One ``<svg>`` for each panel.
    """
    drawn = []
    for number, title in enumerate(figure.layout.annotations, start=1):
        at = "" if number == 1 else str(number)
        traces = [trace for trace in figure.data if (trace.xaxis or "x") == f"x{at}"]
        drawn.append(_panel(title.text, traces, lines, ranges, at))
    return "\n".join(drawn)


def _panel(title, traces, lines, ranges, at):
    """One ``<svg>``: frame, ticks, lines, and a title that a screen reader reads out."""
    place = _Axes(ranges[f"xaxis{at}"], ranges[f"yaxis{at}"])
    shown, last = [], None
    for trace in traces:
        own = _Axes(place.x_range, ranges[(trace.yaxis or "y").replace("y", "yaxis")])  # of two scales in one panel
        points = own.inside(*lines[trace.meta])
        if len(points) == 0:
            continue
        if trace.fillcolor:
            shown.append(f'<path d="M{_path([*last, *points[::-1]])}Z" fill="{trace.fillcolor}"/>')
        elif trace.mode == "markers":
            dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
            style = f'stroke="{trace.marker.color}" stroke-opacity="{trace.marker.opacity:g}"'
            shown.append(f'<path d="{dots}" {style} stroke-width="3" stroke-linecap="round"/>')
        elif trace.line.width:
            shown.append(f'<path d="M{_path(points)}"{stroke(trace)}/>')
        last = points
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title} over training steps">'
        f"{place.grid()}{''.join(shown)}"
        f'<text class="title" x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="16" text-anchor="middle">{title}</text>'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 5}" text-anchor="middle">training step</text></svg>'
    )


def _path(points):
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


class _Axes:
    """From values to places in the drawing."""

    def __init__(self, x_range, y_range):
        self.x_range, self.y_range = x_range, y_range

    def x(self, value):
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = self.y_range
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def inside(self, x, y):
        """Places of the points that the axes show (a rare dot lies outside)."""
        seen = (y >= self.y_range[0]) & (y <= self.y_range[1])
        return np.column_stack([self.x(x[seen]), self.y(y[seen])])

    def grid(self):
        """Lines and numbers at round values."""
        parts = []
        for value in _ticks(self.x_range):
            x = f"{self.x(value):.1f}"
            parts.append(f'<path class="grid" d="M{x} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{_number(value)}</text>')
        for value in _ticks(self.y_range):
            y = self.y(value)
            parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
        return "".join(parts)


def _ticks(limits):
    low, high = limits
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= (high - low) / 6)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 10) + 0.0 for n in range(first, last + 1)]


def _number(value):
    return f"{value:g}".replace("-", "−")
