"""The valley of momentum, from a sweep over seeds: a picture without controls."""

from bn_teach.lessons.shared.picture import Picture
from bn_teach.lessons.tracking_accuracy.valley import valley_figure
from bn_teach.lessons.tracking_accuracy.valley_sentence import valley_sentence


class ValleyFigure(Picture):
    """Show what the moving average loses against exact statistics, over momentum, with a band over seeds.

    Parameters
    ----------
    swept : Sweep
        Under the estimators "ema" and "algorithm2", its configurations alike but for batch size and seed.

    Attributes
    ----------
    swept : Sweep
    figure, view, status
        As in `Picture`.

    Raises
    ------
    ValueError
        For other configurations, more than 6 batch sizes, or a sweep without the two estimators.
    """

    def __init__(self, swept):
        self.swept = swept
        super().__init__(
            valley_figure(swept),
            valley_sentence(swept),
            label="The valley of momentum",
            plot_label="Percentage points of accuracy that the moving average loses against exact statistics, over "
            "momentum: for every batch size the median of the seeds, in a band from the least to the most",
        )
