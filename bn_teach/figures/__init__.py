"""Pictures, as pure functions: results in, a plotly Figure out. No widgets, no training, no state.

Each picture comes as a pair. `*_traces` turns results into lines, a dict from a key to (x, y);
`*_figure` lays them out, each trace with its key in `meta`. An explorer draws the figure once and
then only exchanges x and y.

Colours are distinguishable with the common colour deficiencies and keep a contrast of 3 or more on
white and on dark grey; line style says the same as colour, so that neither is needed alone.
"""

from bn_teach.figures.momentum import momentum_figure, momentum_ranges, momentum_traces
from bn_teach.figures.panels import figure_widget, fill

__all__ = ["figure_widget", "fill", "momentum_figure", "momentum_ranges", "momentum_traces"]
