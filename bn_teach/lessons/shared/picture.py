"""A picture without controls, framed as explorers are: with a sentence below it, and words for who cannot see it."""

import html

import ipywidgets as widgets

from bn_teach.lessons.shared.explorer import framed
from bn_teach.lessons.shared.live_figure import LiveFigure


class Picture:
    """Base of pictures without controls.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    status : str
        The sentence below it.
    label, plot_label : str
        What a screen reader calls the whole, and what it says of the figure.

    Attributes
    ----------
    figure : plotly.graph_objects.FigureWidget
    view : ipywidgets.VBox
        What is displayed.
    status : str
    """

    def __init__(self, figure, status, *, label, plot_label):
        self.figure, self.status = LiveFigure(figure), status
        words = widgets.HTML(html.escape(status, quote=False))
        words.add_class("bn-teach-status")
        self.view = framed([], self.figure, [words], label=label, plot_label=plot_label)

    def _repr_mimebundle_(self, **kwargs):
        return self.view._repr_mimebundle_(**kwargs)
