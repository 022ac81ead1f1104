"""Figure 1 of the paper, trained when it is built: a picture without controls, framed as explorers are."""

from bn_teach.explorers.picture import Picture
from bn_teach.figures import paper_figure
from bn_teach.paper import run_figure
from bn_teach.sentences import paper_sentence


class PaperFigure(Picture):
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
    figure, view, status
        As in `Picture`.

    Raises
    ------
    ValueError, TypeError
        For a weight scale without tuned learning rates, or what `TrainingConfig` refuses.
    """

    def __init__(self, weight_scale=0.1, *, seed=0, steps=1000):
        self.without, self.with_norm = run_figure(weight_scale, seed=seed, steps=steps)
        super().__init__(
            paper_figure(self.without, self.with_norm),
            paper_sentence(self.without, self.with_norm),
            label="Figure 1 of the paper",
            plot_label="Validation accuracy without and with batch norm over steps, and for each of the two "
            "the 15th, 50th and 85th percentile of the input of one sigmoid",
        )
