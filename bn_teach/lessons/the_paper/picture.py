"""Figure 1 of the paper: accuracy with and without batch norm, and what one sigmoid is given over the training."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, EXACT, WITHOUT, Picture, line, panels
from bn_teach.lessons.the_paper.experiment import PERCENTILES

_WITHOUT, _WITH = "without batch norm", "with batch norm"
_TARGETS = (0.90, 0.93)
_LINES = {f"accuracy {target:.2f}": (1, "0.90 and 0.93", line(BATCH, "dot", 1)) for target in _TARGETS}
for _panel, _side, _color, _dash in ((2, _WITHOUT, WITHOUT, "dash"), (3, _WITH, EXACT, "solid")):
    _LINES[f"accuracy {_side}"] = (1, _side, line(_color, _dash))
    for _percentile in PERCENTILES:
        _width = 2.5 if _percentile == 50 else 1.2
        _LINES[f"{_percentile}th percentile {_side}"] = (_panel, _side, line(_color, _dash, _width))


def axes():
    """Draw (a) accuracy and (b, c) the input of one sigmoid without and with batch norm over steps, without lines."""
    titles = ("(a) validation accuracy", "(b) a sigmoid's input, without", "(c) a sigmoid's input, with")
    return panels(titles, _LINES, x_titles=("training step",) * 3)


def picture(without, with_norm):
    """Show Figure 1: validation accuracy, and percentiles of the input of one sigmoid of the last layer.

    Parameters
    ----------
    without, with_norm : Side
        From `bn_teach.lessons.the_paper.experiment.run_figure`.

    Returns
    -------
    Picture
    """
    return Picture(_traces(without, with_norm), _ranges(without, with_norm), _sentence(without, with_norm))


def _traces(without, with_norm):
    ends = np.array([0.0, float(with_norm.recording.steps)])
    traces = {f"accuracy {target:.2f}": (ends, np.full(2, target)) for target in _TARGETS}
    for name, side in ((_WITHOUT, without), (_WITH, with_norm)):
        steps = side.recording.checkpoint_steps.astype(np.float64)
        traces[f"accuracy {name}"] = (steps, side.accuracy)
        for row, percentile in enumerate(PERCENTILES):
            traces[f"{percentile}th percentile {name}"] = (steps, side.inputs[:, row, side.unit])
    return traces


def _ranges(without, with_norm):
    """The two right panels share theirs, so that they can be compared by eye."""
    shown = np.concatenate([side.inputs[:, :, side.unit].ravel() for side in (without, with_norm)])
    margin = 0.05 * (shown.max() - shown.min())
    inputs = [float(shown.min() - margin), float(shown.max() + margin)]
    steps = [0.0, float(with_norm.recording.steps)]
    return {"xaxis": steps, "xaxis2": steps, "xaxis3": steps, "yaxis": [0.0, 1.0], "yaxis2": inputs, "yaxis3": inputs}


def _sentence(without, with_norm):
    """Say what the lines cannot: learning rates and units. No steps, for those are to be predicted."""
    config = with_norm.recording.config
    return (
        f"Initial weights of standard deviation {config.weight_scale:g}, seed {config.seed}, on both sides the same. "
        f"Without batch norm: learning rate {without.recording.config.learning_rate:g}, unit {without.unit}. "
        f"With batch norm: learning rate {config.learning_rate:g}, unit {with_norm.unit}."
    )
