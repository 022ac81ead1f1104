"""Pictures, as pure functions: results in, a plotly Figure out. No widgets, no training, no state.

Each picture comes as a pair. `*_traces` turns results into lines, a dict from a key to (x, y);
`*_figure` lays them out, each trace with its key in `meta`. An explorer draws the figure once and
then only exchanges x and y.

Colours are distinguishable with the common colour deficiencies and keep a contrast of 3 or more on
white and on dark grey; line style says the same as colour, so that neither is needed alone.
"""

from bn_teach.figures.batch_statistics import (
    batch_statistics_figure,
    batch_statistics_ranges,
    batch_statistics_traces,
)
from bn_teach.figures.clinic import clinic_figure, clinic_nothing, clinic_ranges, clinic_traces
from bn_teach.figures.legend import legend
from bn_teach.figures.lesson import lesson_figure, lesson_traces
from bn_teach.figures.momentum import momentum_figure, momentum_ranges, momentum_traces
from bn_teach.figures.panels import fill, stacked
from bn_teach.figures.paper import paper_figure, paper_ranges, paper_traces
from bn_teach.figures.race import race_figure, race_ranges, race_traces
from bn_teach.figures.recorder import recorder_figure, recorder_ranges, recorder_traces
from bn_teach.figures.running_statistics import (
    running_statistics_figure,
    running_statistics_ranges,
    running_statistics_traces,
)
from bn_teach.figures.two_modes import two_modes_figure, two_modes_ranges, two_modes_traces
from bn_teach.figures.valley import valley_figure, valley_ranges, valley_traces

__all__ = [
    "batch_statistics_figure",
    "batch_statistics_ranges",
    "batch_statistics_traces",
    "clinic_figure",
    "clinic_nothing",
    "clinic_ranges",
    "clinic_traces",
    "fill",
    "legend",
    "lesson_figure",
    "lesson_traces",
    "momentum_figure",
    "momentum_ranges",
    "momentum_traces",
    "paper_figure",
    "paper_ranges",
    "paper_traces",
    "race_figure",
    "race_ranges",
    "race_traces",
    "recorder_figure",
    "recorder_ranges",
    "recorder_traces",
    "running_statistics_figure",
    "running_statistics_ranges",
    "running_statistics_traces",
    "stacked",
    "two_modes_figure",
    "two_modes_ranges",
    "two_modes_traces",
    "valley_figure",
    "valley_ranges",
    "valley_traces",
]
