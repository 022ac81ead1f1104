"""Figure 1 of the paper, trained when it is built: a picture without controls, framed as explorers are."""

import html

import ipywidgets as widgets

from bn_teach.explorers.accessible import Accessible
from bn_teach.figures import figure_widget, paper_figure
from bn_teach.paper import run_figure
from bn_teach.sentences import paper_sentence


class PaperFigure:
    """Train a network without and one with batch norm, and show what Figure 1 of the paper shows.

    Parameters
    ----------
    weight_scale : float
        Standard deviation of all initial weights; one of `bn_teach.paper.WEIGHT_SCALES`.
    seed : int
    steps : int

    Attributes
    ----------
    without, with_norm : bn_teach.paper.Side
    figure : plotly.graph_objects.FigureWidget
    view : ipywidgets.VBox
        What is displayed.
    status : str
        The sentence below the picture.

    Raises
    ------
    ValueError, TypeError
        For a weight scale without tuned learning rates, or what `TrainingConfig` refuses.
    """

    def __init__(self, weight_scale=0.1, *, seed=0, steps=1000):
        self.without, self.with_norm = run_figure(weight_scale, seed=seed, steps=steps)
        self.figure = figure_widget(paper_figure(self.without, self.with_norm))
        self.status = paper_sentence(self.without, self.with_norm)
        words = widgets.HTML(html.escape(self.status, quote=False))
        words.add_class("bn-teach-status")
        self.view = widgets.VBox(
            [
                self.figure,
                words,
                Accessible(
                    label="Figure 1 of the paper",
                    plot_label="Validation accuracy without and with batch norm over steps, and for each of the two "
                    "the 15th, 50th and 85th percentile of the input of one sigmoid",
                ),
            ]
        )
        self.view.add_class("bn-teach")

    def _repr_mimebundle_(self, **kwargs):
        return self.view._repr_mimebundle_(**kwargs)
