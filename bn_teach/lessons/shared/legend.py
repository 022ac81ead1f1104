"""Which line is which, as HTML: text that wraps where the page is narrow, and that a screen reader reads."""

DASHES = {"solid": "", "dash": "7 5", "dot": "2 4", "dashdot": "7 4 2 4"}
STAR = "M15 0L16.8 4.2L21 4.5L17.6 7.4L18.7 12L15 9.5L11.3 12L12.4 7.4L9 4.5L13.2 4.2Z"
SHAPES = {"star": STAR, "triangle-up": "M15 1L21 11H9Z"}


def legend(traces):
    """Say which colour, dash and mark is which.

    Parameters
    ----------
    traces : iterable of plotly.graph_objects.Scatter
        In the order in which they are to be named; those with ``showlegend`` are.

    Returns
    -------
    str
        One ``<li>`` for each.
    """
    return "\n".join(
        f'<li><svg viewBox="0 0 30 12" aria-hidden="true">{_sample(trace)}</svg> {trace.name}</li>'
        for trace in traces
        if trace.showlegend
    )


def stroke(trace):
    """Return the attributes of an SVG path that is drawn as a line is."""
    dashes = DASHES.get(trace.line.dash, (trace.line.dash or "").replace("px", "").replace(",", " "))
    dashes = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f' fill="none" stroke="{trace.line.color}" stroke-width="{trace.line.width:g}"{dashes}'


def _sample(trace):
    if trace.fillcolor:
        return f'<rect y="1" width="30" height="10" fill="{trace.fillcolor}"/>'
    line = f'<path d="M0 6H30"{stroke(trace)}/>' if "lines" in trace.mode else ""
    return line + (_mark(trace) if "markers" in trace.mode else "")


def _mark(trace):
    color = trace.marker.color or trace.line.color
    if trace.marker.symbol in SHAPES:
        return f'<path d="{SHAPES[trace.marker.symbol]}" fill="{color}"/>'
    if trace.marker.symbol == "x-thin":
        color, width = trace.marker.line.color, trace.marker.line.width
        return f'<path d="M11 2L19 10M19 2L11 10" fill="none" stroke="{color}" stroke-width="{width:g}"/>'
    if trace.marker.symbol == "circle-open":
        return f'<circle cx="15" cy="6" r="4.5" fill="none" stroke="{color}" stroke-width="2"/>'
    return f'<circle cx="15" cy="6" r="{3 if trace.marker.size < 10 else 5}" fill="{color}"/>'
