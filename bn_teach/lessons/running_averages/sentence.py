"""What the picture of `RunningStatisticsExplorer` shows, in words."""

from bn_teach.lessons.running_averages.experiment import MEAN, RUNS, STD, STEPS, WINDOW, typical_error
from bn_teach.theory import best_momentum, start_up_weight


def running_statistics_numbers(simulation, momentum):
    """Compute what `running_statistics_sentence` says, in population standard deviations.

    Parameters
    ----------
    simulation : Simulation
    momentum : float
        One of the simulation's momenta.

    Returns
    -------
    dict
        ``total``, ``start_up``, ``noise``, ``lag`` of the typical error at the end by the closed form;
        ``simulated``; ``independent_noise``; ``left``, the weight still on the initial value;
        ``best`` momentum (None for the cumulative average) and ``best_total``, the error it would have.
    """
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


def running_statistics_sentence(simulation, momentum):
    """Say what `figures.running_statistics_figure` shows: how far off, because of what, and what would be best.

    Parameters
    ----------
    simulation, momentum
        As in `running_statistics_numbers`.

    Returns
    -------
    str
    """
    run = simulation.run
    numbers = running_statistics_numbers(simulation, momentum)
    return " ".join(
        [
            f"{_NAMES[run.estimator].format(momentum)}, batch size {run.batch_size}: in the last {WINDOW} of {STEPS} "
            f"steps the estimate is typically off by {_size(numbers['total'])} population standard deviations "
            f"({RUNS} simulated runs: {_size(numbers['simulated'])}).",
            _parts(run, numbers),
            _advice(run, numbers),
        ]
    )


_NAMES = {
    "ema": "Momentum {:g}",
    "debiased": "Momentum {:g}, freed of its start",
    "cumulative": "Cumulative average",
}


def _parts(run, numbers):
    start_up = f"Start-up {_size(numbers['start_up'])}"
    if numbers["left"] >= 0.005:
        start_up += f" ({100 * numbers['left']:.0f} % of the weight is still on the initial value {run.initial:g})"
    noise = f"noise {_size(numbers['noise'])}"
    if run.sampling == "epochs":
        noise += f" ({_size(numbers['independent_noise'])} if mini-batches were independent)"
    text = f"{start_up}, {noise}, lag {_size(numbers['lag'])}."
    if run.estimator == "ema" and run.initial == MEAN:
        text += " The initial value is right, so there is no start-up error."
    return text


def _advice(run, numbers):
    if run.estimator == "cumulative":
        if run.drift:
            return "Weighing all mini-batches alike, it looks back half of the run, and falls behind ever further."
        return "Nothing moves, so weighing all mini-batches alike is the best there is."
    if not run.drift:
        return "Nothing moves, so once the start is forgotten, more memory is always better."
    best = "Best for this noise and drift, once the start is forgotten"
    if run.sampling == "epochs":
        best += ", by the formula for independent mini-batches"
    return f"{best}: momentum {numbers['best']:.3f}, off by {_size(numbers['best_total'])}."


def _size(error):
    return f"{error:.3f}" if error < 1 else f"{error:.2f}"
