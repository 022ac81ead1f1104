"""The picture of `TrainingReadsExplorer`: two trainings that differ in momentum, and one of them replayed."""

import math

import numpy as np

from bn_teach.lessons.shared.choices import percent
from bn_teach.lessons.shared.panels import BATCH, NOTHING, REPLAYED, RUNNING, Picture, line, panels, steady_range
from bn_teach.lessons.when_training_reads.experiment import LOST
from bn_teach.replay import at_the_end

UNIT = 7  # of layer 1; the last one, if there are fewer
TOGETHER = 10  # steps that a drawn loss is the mean of
END = 50  # steps that the loss at the end is averaged over
LEAST, MOST = 1e-4, 1e9  # where the loss is cut off, in nats

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

_FIRST, _SECOND, _REPLAYED = "first training", "second training, truly trained", "second training, replayed"
_MARK = {"mode": "lines", "line": {"color": BATCH, "dash": "dot", "width": 1.5}}
_LINES = {
    **{
        f"read from here on, {panel}": (panel, "from here on training reads the averages", _MARK) for panel in (1, 2, 3)
    },
    "loss, first": (1, _FIRST, line(BATCH, width=3.5)),
    "loss, second": (1, _SECOND, line(RUNNING, width=2)),
    "mean, second": (2, _SECOND, line(RUNNING)),
    "mean, replayed": (2, _REPLAYED, line(REPLAYED, "6px,4px")),
    "accuracy, first": (3, _FIRST, line(BATCH, width=3.5)),
    "accuracy, second": (3, _SECOND, line(RUNNING)),
    "accuracy, replayed": (3, _REPLAYED, line(REPLAYED, "6px,4px")),
}


def axes():
    """Draw loss, running mean and validation accuracy over the training steps, without lines."""
    titles = ("training loss, mean of ten steps", "running mean of one unit", "validation accuracy")
    figure = panels(titles, _LINES, x_titles=("training step",) * 3)
    powers = {10.0**n: f"{10.0**n:,g}" if n < 4 else f"10{str(n).translate(_RAISED)}" for n in range(-3, 10)}
    figure.update_yaxes(type="log", tickvals=list(powers), ticktext=list(powers.values()), col=1)
    return figure


def picture(comparison):
    """Show two trainings, and what the recording of the first says of the second.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    Picture
    """
    return Picture(_traces(comparison), _ranges(comparison), _sentence(comparison))


def _traces(comparison):
    first, second = comparison.first, comparison.second
    return {
        **_marks(comparison),
        "loss, first": _loss(first),
        "loss, second": _loss(second),
        "mean, second": _mean(second.kept),
        "mean, replayed": _mean(first.replayed),
        "accuracy, first": (first.looks.astype(np.float64), first.kept.accuracy),
        "accuracy, second": (second.looks.astype(np.float64), second.kept.accuracy),
        "accuracy, replayed": (first.looks.astype(np.float64), first.replayed.accuracy),
    }


def _marks(comparison):
    setting, ranges = comparison.setting, _ranges(comparison)
    heights = {1: [10.0**power for power in ranges["yaxis"]], 2: ranges["yaxis2"], 3: ranges["yaxis3"]}
    at = {"renorm": setting.start, "frozen": setting.start, "average": 1}.get(setting.reader)
    drawn = setting.reads and at is not None
    return {
        f"read from here on, {panel}": (np.array([at, at], dtype=np.float64), np.array(ends)) if drawn else NOTHING
        for panel, ends in heights.items()
    }


def _loss(lived):
    """Means of ten steps each, each drawn at its last; the rest of a run that breaks off is a shorter mean."""
    if len(lived.loss) == 0:
        return NOTHING
    ends = np.append(np.arange(TOGETHER, len(lived.loss), TOGETHER), len(lived.loss))
    loss = np.clip(np.nan_to_num(lived.loss, nan=MOST, posinf=MOST), LEAST, MOST)
    return ends.astype(np.float64), np.array([one.mean() for one in np.split(loss, ends[:-1])])


def _mean(averages):
    values = averages.mean[:, min(UNIT, averages.mean.shape[1] - 1)]
    return _steps(values), np.nan_to_num(values, posinf=np.nan, neginf=np.nan)


def _steps(values):
    return np.arange(1.0, len(values) + 1)


def _ranges(comparison):
    steps = comparison.setting.config.steps
    losses = np.concatenate([_loss(lived)[1] for lived in (comparison.first, comparison.second)])
    lines = [_mean(averages)[1] for averages in (comparison.first.replayed, comparison.second.kept)]
    lines = [values[np.isfinite(values)] for values in lines]
    highest = max(1.0, math.ceil(math.log10(losses.max(initial=1.0))))
    return {
        **{f"xaxis{panel}": [0.0, float(steps)] for panel in ("", 2, 3)},
        "yaxis": [-3.0, highest],
        "yaxis2": steady_range([*lines, np.zeros(1)]),
        "yaxis3": [_lowest(comparison), 1.01],
    }


def _lowest(comparison):
    """The tenth below every accuracy after the first quarter of the run, in which all of them climb."""
    curves = [
        curve[len(curve) // 4 :]
        for lived in (comparison.first, comparison.second)
        for curve in (lived.kept.accuracy, lived.replayed.accuracy)
    ]
    values = np.concatenate(curves)
    return math.floor(10 * values[np.isfinite(values)].min(initial=0.9)) / 10


# In words

_WHO = {
    "nobody": "Plain batch norm: training never reads the averages.",
    "renorm": "Batch Renormalization: {start} steps of plain batch norm, then training corrects itself towards the "
    "averages.",
    "average": "Training is normalised by the averages, from the first step on.",
    "frozen": "Frozen after step {start}: from then on training is normalised by the averages.",
}


def _sentence(comparison):
    setting, first, second = comparison.setting, comparison.first, comparison.second
    trained = ((setting.momentum, first), (setting.other, second))
    told = [
        _WHO[setting.reader].format(start=setting.start),
        _losses(comparison),
        *(_divergence(momentum, lived, comparison.guessing) for momentum, lived in trained if lived.lost_at),
        _replay(setting.other, first.replayed.accuracy, second.kept.accuracy),
    ]
    return " ".join(told)


def _losses(comparison):
    setting, equal = comparison.setting, comparison.equal
    losses = comparison.first.loss, comparison.second.loss
    who = f"losses of momentum {setting.momentum:g} and {setting.other:g} agree to the last digit"
    if not all(map(len, losses)):
        return "Not even the first step could be done."
    if equal == min(map(len, losses)):
        return f"All {equal} {who}."
    last = min(END, *map(len, losses))
    means = " and ".join(f"{one[-last:].mean():.3g}" for one in losses)
    steps = "1 step" if equal == 1 else f"{equal} steps"
    return f"The {who} for {steps}, and no longer. Over the last {last} steps they are {means} on average."


def _divergence(momentum, lived, guessing):
    beyond = f"at step {lived.lost_at} its loss is beyond {LOST:g}, where guessing costs {guessing:.1f}"
    return f"The training with {momentum:g} diverges: {beyond}."


def _replay(momentum, replayed, trained):
    claimed = f"Replayed from the first training, momentum {momentum:g} recognises {_at_end(replayed)} in the end"
    if np.array_equal(replayed, trained):
        return f"{claimed}; truly trained just as many, then and at every look before."
    return f"{claimed}; truly trained {_at_end(trained)}."


def _at_end(accuracy):
    known = accuracy[np.isfinite(accuracy)]
    return percent(at_the_end(known)) if len(known) else "nothing"
