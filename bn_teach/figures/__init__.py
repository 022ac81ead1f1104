"""Pictures, as pure functions: results in, a plotly Figure out. No widgets, no training, no state.

Each picture comes as a pair. `*_traces` turns results into lines, a dict from a key to (x, y);
`*_figure` lays them out, each trace with its key in `meta`. An explorer draws the figure once and
then only exchanges x and y.

Colours are distinguishable with the common colour deficiencies and keep a contrast of 3 or more on
white and on dark grey; line style says the same as colour, so that neither is needed alone.
"""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "batch_statistics": ("batch_statistics_figure", "batch_statistics_ranges", "batch_statistics_traces"),
        "clinic": ("clinic_figure", "clinic_nothing", "clinic_ranges", "clinic_traces"),
        "lesson": ("lesson_figure", "lesson_traces"),
        "momentum": ("momentum_figure", "momentum_ranges", "momentum_traces"),
        "panels": ("fill", "stacked"),
        "paper": ("paper_figure", "paper_ranges", "paper_traces"),
        "race": ("race_figure", "race_ranges", "race_traces"),
        "recorder": ("recorder_figure", "recorder_ranges", "recorder_traces"),
        "running_statistics": ("running_statistics_figure", "running_statistics_ranges", "running_statistics_traces"),
        "two_modes": ("two_modes_figure", "two_modes_ranges", "two_modes_traces"),
        "valley": ("valley_figure", "valley_ranges", "valley_traces"),
    },
)
