"""The picture of `RunningStatisticsExplorer`: a running mean chasing a known target, and what its error is made of."""

from functools import lru_cache

import numpy as np

from bn_teach.lessons.running_averages.experiment import STD, STEPS, expected_error, typical_error
from bn_teach.lessons.shared.panels import BATCH, EXACT, OWN, RUNNING, dots, fill, line, panels, steady_range
from bn_teach.theory import best_momentum, effective_batches

_RUNNING = "running mean, its error"
_SIMULATED = "simulated error"
_START_UP = "start-up"
_NOISE = "noise"
_LAG = "lag"
_INDEPENDENT = "noise, if independent"
_BAND = {"mode": "none", "fill": "toself", "fillcolor": "rgba(0, 114, 178, 0.2)", "hoverinfo": "skip"}
_LINES = {
    "batch means": (1, "mini-batches", dots(BATCH)),
    "band": (1, "closed form ± 2 sd", {**_BAND, "hovertemplate": None}),
    "population mean": (1, "population mean", line(EXACT, "dash", 2)),
    "running mean": (1, _RUNNING, line(RUNNING)),
}
for _panel, _over in ((2, "over steps"), (3, "over momentum")):
    _LINES |= {
        f"independent noise {_over}": (_panel, _INDEPENDENT, line(BATCH, width=1)),
        f"noise {_over}": (_panel, _NOISE, line(BATCH, "dash", 2)),
        f"lag {_over}": (_panel, _LAG, line(EXACT, "dashdot", 2)),
        f"start-up {_over}": (_panel, _START_UP, line(OWN, "dot", 2)),
        f"error {_over}": (_panel, _RUNNING, line(RUNNING)),
        f"simulated error {_over}": (_panel, _SIMULATED, {**dots(RUNNING, 7, 1), "marker_symbol": "circle-open"}),
    }
_MARK = {"mode": "markers", "marker": {"size": 14, "color": RUNNING, "opacity": 1}}
_LINES |= {
    "this momentum": (3, "this momentum", _MARK),
    "best momentum": (3, "best momentum", {**_MARK, "marker": {"size": 15, "color": OWN, "symbol": "star"}}),
}

_NOTHING = (np.empty(0), np.empty(0))
_EVERY = 20  # steps between two simulated points
_MEMORIES = np.geomspace(1, effective_batches(0.9995), 70)  # in effective batches: 1 is momentum 0
_TICKS = (0.0, 0.5, 0.8, 0.9, 0.99, 0.999)


def running_statistics_traces(simulation, momentum):
    """Compute the lines of `running_statistics_figure`.

    Parameters
    ----------
    simulation : Simulation
    momentum : float
        One of the simulation's momenta.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x and y, float64.
    """
    run, which = simulation.run, _index(simulation, momentum)
    steps = np.arange(1.0, STEPS + 1)
    error = expected_error(run, momentum)
    middle, two_sd = run.target + error.bias, 2 * error.noise
    traces = {
        "batch means": (steps, simulation.batch_means),
        "band": (
            np.concatenate([steps, steps[::-1]]),
            np.concatenate([middle - two_sd, (middle + two_sd)[::-1]]),
        ),
        "population mean": (steps, run.target),
        "running mean": (steps, simulation.estimates[which]),
    }
    parts = {"error": error.total, "start-up": error.start_up, "noise": error.noise, "lag": error.lag}
    parts["independent noise"] = expected_error(run.as_if_independent(), momentum).noise
    traces |= {f"{name} over steps": (steps, np.abs(part)) for name, part in parts.items()}
    thinned = slice(_EVERY - 1, None, _EVERY)
    traces["simulated error over steps"] = (steps[thinned], simulation.errors[which][thinned])
    return traces | _over_momentum(simulation, momentum)


def running_statistics_ranges(simulation):
    """Axis ranges of `running_statistics_figure`; momentum does not move them.

    Parameters
    ----------
    simulation : Simulation

    Returns
    -------
    dict of str to list of two float
        Layout axis to range, in powers of ten where the axis is logarithmic.
    """
    run = simulation.run
    # Room for the mini-batches as their closed form has them, so that another seed leaves the axis alone.
    spread = 2.6 * STD / np.sqrt(run.batch_size)
    reach = [run.target - spread, run.target + spread, [run.initial]]
    memories = [float(np.log10(_MEMORIES[0]) - 0.1), float(np.log10(_MEMORIES[-1]))]
    errors = [-2.7, 1.3]
    steps = [0.0, float(STEPS)]
    return {
        "xaxis": steps,
        "xaxis2": steps,
        "xaxis3": memories,
        "yaxis": steady_range([reach[0], *reach]),
        "yaxis2": errors,
        "yaxis3": errors,
    }


def running_statistics_figure(simulation, momentum):
    """Draw a running mean that follows a known population, and its error in parts.

    Parameters
    ----------
    simulation, momentum
        As in `running_statistics_traces`. `simulation` may be None: axes and empty lines, to be
        filled later.

    Returns
    -------
    plotly.graph_objects.Figure
        Three panels: one run; the error over steps, and over momentum, both in powers of ten.
    """
    titles = ("one run", "typical error, step by step", "typical error, last 100 steps")
    figure = panels(titles, _LINES, x_titles=("step", "step", "momentum"))
    figure.update_yaxes(type="log", dtick=1, col=2)
    figure.update_yaxes(type="log", dtick=1, col=3)
    memories = [effective_batches(p) for p in _TICKS]
    figure.update_xaxes(type="log", tickvals=memories, ticktext=[f"{p:g}" for p in _TICKS], tickangle=0, col=3)
    if simulation is not None:
        fill(figure, running_statistics_traces(simulation, momentum), running_statistics_ranges(simulation))
    return figure


def _index(simulation, momentum):
    found = np.flatnonzero(simulation.momenta == momentum)
    if not len(found):
        raise ValueError(f"momentum must be one of the simulation's {simulation.momenta.tolist()}, got {momentum}")
    return found[0]


def _over_momentum(simulation, momentum):
    run = simulation.run
    traces = {f"{name} over momentum": curve for name, curve in _curves(run).items()}
    tried = np.array([effective_batches(p) for p in simulation.momenta])
    traces["simulated error over momentum"] = (tried, simulation.typical_errors)
    traces["this momentum"] = traces["best momentum"] = _NOTHING
    if run.estimator != "cumulative":
        traces["this momentum"] = _on_the_curve(run, momentum)
        if run.drift:  # without drift it lies beyond every axis, at 1
            traces["best momentum"] = _on_the_curve(run, best_momentum(STD, run.batch_size, run.drift))
    return traces


def _on_the_curve(run, momentum):
    return np.array([effective_batches(momentum)]), np.array([typical_error(run, momentum)["total"]])


@lru_cache(maxsize=8)
def _curves(run):
    """The closed forms over momentum, which stay the same while momentum slides."""
    momenta = (_MEMORIES - 1) / (_MEMORIES + 1)
    errors = [typical_error(run, p) for p in momenta]
    independent = [typical_error(run.as_if_independent(), p)["noise"] for p in momenta]
    names = {"error": "total", "start-up": "start_up", "noise": "noise", "lag": "lag"}
    curves = {name: (_MEMORIES, np.array([error[key] for error in errors])) for name, key in names.items()}
    return {**curves, "independent noise": (_MEMORIES, np.array(independent))}
