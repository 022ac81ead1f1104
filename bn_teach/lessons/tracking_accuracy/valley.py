"""The picture of `ValleyFigure`: accuracy lost over momentum, a line for every batch size, a band over seeds.

Runs of one's own can lie on it as points, to be seen among the others.
"""

import numpy as np

from bn_teach.lessons.shared.panels import EXACT, Picture, line, panels, see_through

_STYLES = (  # one for each batch size, in colours that mean nothing else in any lesson
    ("#1199AA", "solid"),
    ("#779900", "10px,3px"),
    ("#7788FF", "dot"),
    ("#FF5555", "dashdot"),
    ("#886644", "8px,2px,2px,2px"),
    ("#FF11BB", "3px,3px"),
)


def axes(swept, live=None):
    """Draw percentage points over momentum, without lines.

    Parameters
    ----------
    swept : Sweep
        Under the estimators "ema" and "algorithm2", its configurations alike but for batch size and seed.
    live : Sweep, optional
        Runs to lay on it as points: of batch sizes and momenta that `swept` has.

    Raises
    ------
    ValueError
        For other configurations, more than 6 batch sizes, or a sweep without the two estimators.
    """
    momenta, bands = _bands(swept)
    points = {} if live is None else _points(momenta, bands, live)
    if len(bands) > len(_STYLES):
        raise ValueError(f"swept must have at most {len(_STYLES)} batch sizes, got {len(bands)}")
    lines, edge = {}, {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    for m, (color, dash) in zip(bands, _STYLES):
        name = f"batch size {m}"
        lines[f"{name}: the median"] = (1, name, line(color, dash))
        lines[f"{name}: the least"] = (1, name, edge)
        filled = {"fill": "tonexty", "fillcolor": see_through(color, 0.2)}  # down to the line before
        lines[f"{name}: the most"] = (1, name, edge | filled)
        if m in points:
            marker = {"symbol": "x-thin", "size": 8, "line": {"color": color, "width": 2}}
            lines[f"{name}: runs of now"] = (1, f"{name}, runs of now", {"mode": "markers", "marker": marker})
    lines["nothing lost"] = (1, "exact statistics", line(EXACT, "dash", 2))
    figure = panels(
        ("percentage points of accuracy lost by the moving average",),
        lines,
        x_titles=("momentum (line: median of the seeds; band: from the least to the most)",),
    )
    places = [float(place) for place in range(len(momenta))]
    return figure.update_xaxes(tickvals=places, ticktext=[f"{p:g}" for p in momenta])


def picture(swept, live=None):
    """Show what the moving average loses against exact statistics at the end of the run, over momentum.

    Parameters
    ----------
    swept, live : Sweep
        As in `axes`.

    Returns
    -------
    Picture
        x is which of the momenta, from the lowest, 0; y percentage points.
    """
    momenta, bands = _bands(swept)
    x = np.arange(float(len(momenta)))
    traces = {"nothing lost": (x[[0, -1]] + [-0.4, 0.4], np.zeros(2))}
    for m, band in bands.items():
        traces |= {f"batch size {m}: the {which}": (x, y) for which, y in zip(("least", "median", "most"), band)}
    points = {} if live is None else _points(momenta, bands, live)
    traces |= {f"batch size {m}: runs of now": (places.ravel(), lost.ravel()) for m, (places, lost) in points.items()}
    values = np.concatenate(
        [*(band.ravel() for band in bands.values()), *(lost.ravel() for _, lost in points.values())]
    )
    margin = max(0.05 * float(np.ptp(values)), 0.5)
    ranges = {
        "xaxis": [-0.4, len(momenta) - 0.6],
        "yaxis": [min(float(values.min()), 0.0) - margin, float(values.max()) + margin],
    }
    return Picture(traces, ranges, " ".join([_sentence(momenta, bands), *_among(bands, points)]))


def _bands(swept):
    """Momenta from the lowest on, shape (M,), and batch size to percentage points, shape (3, M)."""
    order = np.argsort(swept.momenta)
    bands = swept.bands()
    by_size = {config.batch_size: 100 * band[:, order] for config, band in bands.items()}
    if len(by_size) < len(bands):
        raise ValueError("swept must have configurations that are alike but for batch size and seed, got others")
    return swept.momenta[order], dict(sorted(by_size.items()))


def _points(momenta, bands, live):
    """Batch size to places on the axis and percentage points of runs to lay on the bands, each of shape (runs, M')."""
    places = np.searchsorted(momenta, live.momenta)
    known = np.isin(live.momenta, momenta).all() and {config.batch_size for config in live.configs} <= set(bands)
    if not known:
        raise ValueError("live must have batch sizes and momenta of swept, got others")
    sizes = np.array([config.batch_size for config in live.configs])
    lost = 100 * live.accuracy_lost()
    return {
        m: (np.tile(places.astype(np.float64), (int((sizes == m).sum()), 1)), lost[sizes == m])
        for m in bands
        if m in sizes
    }


def _among(bands, points):
    """Say of the runs laid on the bands how many of their points lie within."""
    for m, (places, lost) in points.items():
        least, _, most = bands[m][:, places.astype(int)]
        within = int(((least <= lost) & (lost <= most)).sum())
        yield f"Of {lost.size} points of {len(lost)} runs of now at batch size {m}, {within} lie in the band."


def _sentence(momenta, bands):
    """Say for every batch size where least is lost, and how much at both ends."""
    told = []
    for m, band in bands.items():
        # The z writes no minus zero.
        points = [f"{middle:z.1f} ({least:z.1f} to {most:z.1f})" for least, middle, most in band.T]
        best = int(band[1].argmin())
        told.append(
            f"Batch size {m}: least is lost at momentum {momenta[best]:g}, {points[best]}; {points[0]} at "
            f"{momenta[0]:g} and {points[-1]} at {momenta[-1]:g}."
        )
    return f"Percentage points, median of the seeds (least to most). {' '.join(told)}"
