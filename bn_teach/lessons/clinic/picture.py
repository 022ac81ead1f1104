"""The picture of `ClinicExplorer`: a broken run and its fix, and how large the difference was over several seeds."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, EXACT, RUNNING, dots, fill, line, panels

_SEEN, _COMPARED, _FIXED = "broken run", "to compare with", "after the fix"


def _ring(color):
    marker = {"symbol": "circle-open", "color": color, "size": 14, "line": {"color": color, "width": 2.5}}
    return {"mode": "markers", "marker": marker}


_LINES = {
    "reference": (1, _COMPARED, line(BATCH, "dot", 2)),
    "seen": (1, _SEEN, line(RUNNING)),
    "fixed": (1, _FIXED, line(EXACT, "dash", 2.5)),
    "before": (2, _SEEN, dots(RUNNING, size=7)),
    "after": (2, _FIXED, dots(EXACT, size=7)),
    "this run before": (2, "this run", _ring(RUNNING)),
    "this run after": (2, "this run", _ring(EXACT)),
}
_NOTHING = np.empty(0), np.empty(0)


def clinic_traces(experiment, broken, fixed):
    """Compute the lines of `clinic_figure`.

    Parameters
    ----------
    experiment : Experiment
    broken, fixed : Run
        `fixed` may be None: nothing of the fix is drawn, neither of this run nor of those measured before.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
    """
    drawn = {key: (x.astype(np.float64), y.astype(np.float64)) for key, (x, y) in broken.lines.items()}
    drawn |= {"before": _beside(0, experiment.effect.before), "this run before": _at(0, broken.value)}
    if fixed is not None:
        drawn |= {"fixed": fixed.lines["fixed"], "after": _beside(1, experiment.effect.after)}
        drawn |= {"this run after": _at(1, fixed.value)}
    return {key: drawn.get(key, _NOTHING) for key in _LINES}


def clinic_ranges(experiment, broken):
    """Axis ranges and titles of `clinic_figure`: the same before and after the fix.

    Parameters
    ----------
    experiment : Experiment
    broken : Run

    Returns
    -------
    dict of str to list of two float, or to a dict of what else changes there
    """
    picture = experiment.picture
    first, last = (pick(float(x[end]) for x, _ in broken.lines.values()) for pick, end in ((min, 0), (max, -1)))
    number = f"{experiment.number}, {experiment.unit}".removesuffix(", ")
    return {
        "xaxis": [first if first > last / 2 else 0.0, 1.02 * last],
        "yaxis": list(picture.y_range),
        "yaxis2": list(picture.value_range),
        "xaxis.title": {"text": picture.x_title},
        "annotations[0]": {"text": picture.title},
        "annotations[1]": {"text": f"{number} ({len(experiment.effect.seeds)} seeds)"},
    }


def clinic_nothing():
    """Lines of `clinic_figure` for a case that could not be run: none.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
    """
    return dict.fromkeys(_LINES, _NOTHING)


def clinic_figure(experiment, broken, fixed=None):
    """Draw a broken run, its fix, and the effect over several seeds.

    Parameters
    ----------
    experiment, broken, fixed
        As in `clinic_traces`. `experiment` may be None: axes and empty lines, to be filled later.

    Returns
    -------
    plotly.graph_objects.Figure
        Two panels: the run, and the number that it is about, broken and fixed, one dot for each seed.
    """
    titles = ("the run", "over several seeds")
    figure = panels(titles, _LINES, x_titles=("training step", ""), widths=(0.68, 0.32))
    figure.update_xaxes(
        tickvals=[0, 1], ticktext=["broken", "fixed"], range=[-0.6, 1.6], showgrid=False, zeroline=False, col=2
    )
    if experiment is not None:
        fill(figure, clinic_traces(experiment, broken, fixed), clinic_ranges(experiment, broken))
    return figure


def _beside(place, values):
    """Dots of several seeds, a little apart so that they do not hide each other."""
    return place + np.linspace(-0.2, 0.2, len(values)), np.array(values, dtype=np.float64)


def _at(place, value):
    return np.array([float(place)]), np.array([float(value)])
