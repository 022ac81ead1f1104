"""The picture of `RunningStatisticsExplorer`: a running mean chasing a known target, and what its error is made of."""

from functools import lru_cache

import numpy as np

from bn_teach.lessons.running_averages.experiment import (
    MEAN,
    RUNS,
    STD,
    STEPS,
    WINDOW,
    expected_error,
    typical_error,
)
from bn_teach.lessons.shared.panels import (
    BATCH,
    BEST,
    EXACT,
    NOTHING,
    RUNNING,
    START,
    Picture,
    dots,
    line,
    panels,
    steady_range,
)
from bn_teach.theory import best_momentum, effective_batches, start_up_weight

_RUNNING = "running mean, its error"
_BAND = {"mode": "none", "fill": "toself", "fillcolor": "rgba(0, 114, 178, 0.2)", "hoverinfo": "skip"}
_CIRCLES = {**dots(RUNNING, 7, 1), "marker_symbol": "circle-open"}
_LINES = {
    "batch means": (1, "mini-batches", dots(BATCH)),
    "band": (1, "closed form ± 2 sd", {**_BAND, "hovertemplate": None}),
    "population mean": (1, "population mean", line(EXACT, "dash", 2)),
    "running mean": (1, _RUNNING, line(RUNNING)),
}
for _panel, _over in ((2, "over steps"), (3, "over momentum")):
    _LINES |= {
        f"independent noise {_over}": (_panel, "noise, if independent", line(BATCH, width=1)),
        f"noise {_over}": (_panel, "noise", line(BATCH, "dash", 2)),
        f"lag {_over}": (_panel, "lag", line(EXACT, "dashdot", 2)),
        f"start-up {_over}": (_panel, "start-up", line(START, "dot", 2)),
        f"error {_over}": (_panel, _RUNNING, line(RUNNING)),
        f"simulated error {_over}": (_panel, "simulated error", _CIRCLES),
    }
_MARK = {"mode": "markers", "marker": {"size": 14, "color": RUNNING, "opacity": 1}}
_LINES |= {
    "this momentum": (3, "this momentum", _MARK),
    "best momentum": (3, "best momentum", {**_MARK, "marker": {"size": 15, "color": BEST, "symbol": "star"}}),
}

_EVERY = 20  # steps between two simulated points
_MEMORIES = np.geomspace(1, effective_batches(0.9995), 70)  # in effective batches: 1 is momentum 0
_TICKS = (0.0, 0.5, 0.8, 0.9, 0.99, 0.999)


def axes():
    """Draw one run, its typical error step by step, and the typical error over momentum, without lines."""
    titles = ("one run", "typical error, step by step", "typical error, last 100 steps")
    figure = panels(titles, _LINES, x_titles=("step", "step", "momentum"))
    figure.update_yaxes(type="log", dtick=1, col=2)
    figure.update_yaxes(type="log", dtick=1, col=3)
    memories = [effective_batches(p) for p in _TICKS]
    figure.update_xaxes(type="log", tickvals=memories, ticktext=[f"{p:g}" for p in _TICKS], tickangle=0, col=3)
    return figure


def picture(simulation, momentum):
    """Show one run and what its error is made of.

    Parameters
    ----------
    simulation : Simulation
    momentum : float
        One of the simulation's momenta.

    Returns
    -------
    Picture
    """
    return Picture(_traces(simulation, momentum), _ranges(simulation), _sentence(simulation, momentum))


def _traces(simulation, momentum):
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


def _ranges(simulation):
    """Momentum does not move them; powers of ten where an axis is logarithmic."""
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
    traces["this momentum"] = traces["best momentum"] = NOTHING
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


# In words

_NAMES = {
    "ema": "Momentum {:g}",
    "debiased": "Momentum {:g}, freed of its start",
    "cumulative": "Cumulative average",
}


def _sentence(simulation, momentum):
    """Say how far off, because of what, and what would be best."""
    run = simulation.run
    numbers = _numbers(simulation, momentum)
    return " ".join(
        [
            f"{_NAMES[run.estimator].format(momentum)}, batch size {run.batch_size}: in the last {WINDOW} of {STEPS} "
            f"steps the estimate is typically off by {_size(numbers['total'])} standard deviations of the population "
            f"({RUNS} simulated runs: {_size(numbers['simulated'])}).",
            _parts(run, numbers),
            _advice(run, numbers),
        ]
    )


def _numbers(simulation, momentum):
    """Errors at the end in standard deviations of the population, the weight ``left`` on the start, the best."""
    run = simulation.run
    numbers = typical_error(run, momentum)
    numbers["simulated"] = float(simulation.typical_errors[list(simulation.momenta).index(momentum)])
    numbers["independent_noise"] = typical_error(run.as_if_independent(), momentum)["noise"]
    numbers["left"] = start_up_weight(momentum, STEPS) if run.estimator == "ema" else 0.0
    numbers["best"] = numbers["best_total"] = None
    if run.estimator != "cumulative":
        numbers["best"] = best_momentum(STD, run.batch_size, run.drift)
        numbers["best_total"] = typical_error(run, numbers["best"])["total"] if run.drift else None
    return numbers


def _parts(run, numbers):
    """The parts with the signs that make them add up, although the lines show their sizes."""
    start_up = f"Start-up {_signed(np.copysign(numbers['start_up'], run.initial - MEAN))}"
    if numbers["left"] >= 0.005:
        start_up += f" ({100 * numbers['left']:.0f} % of the weight is still on the initial value {run.initial:g})"
    lag = _signed(np.copysign(numbers["lag"], run.drift))
    noise = f"noise {_size(numbers['noise'])}"
    if run.sampling == "epochs":
        noise += f" ({_size(numbers['independent_noise'])} if mini-batches were independent)"
    text = f"{start_up} minus lag {lag} is {_signed(numbers['bias'])}; {noise}."
    if run.estimator == "ema" and run.initial == MEAN:
        text += " The initial value is right, so there is no start-up error."
    return text


def _advice(run, numbers):
    if run.estimator == "cumulative":
        if run.drift:
            return "Weighing all mini-batches alike, it looks back half of the run, and falls behind ever further."
        return (
            "Nothing moves, and no average of these mini-batches alone has less noise than one that weighs them alike."
        )
    if not run.drift:
        return "Nothing moves, so once the start is forgotten, more memory means less noise."
    best = "Best for this noise and drift, once the start is forgotten"
    if run.sampling == "epochs":
        best += ", by the formula for independent mini-batches"
    return f"{best}: momentum {numbers['best']:.3f}, off by {_size(numbers['best_total'])}."


def _size(error):
    return f"{error:.3f}" if error < 1 else f"{error:.2f}"


def _signed(error):
    """With a minus where the estimate is too low; what rounds to nothing has no sign."""
    return "-" * bool(error <= -0.0005) + _size(abs(error))
