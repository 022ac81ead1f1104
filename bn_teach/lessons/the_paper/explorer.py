"""Figure 1 of the paper, trained in the background once it is built: an explorer without controls."""

from bn_teach.lessons.shared.background import LatestJob
from bn_teach.lessons.shared.bar import TrainingBar
from bn_teach.lessons.shared.explorer import Explorer
from bn_teach.lessons.the_paper.experiment import figure_configs, run_side
from bn_teach.lessons.the_paper.picture import axes, picture


class PaperFigure(Explorer):
    """Train a network without and one with batch norm, and show what Figure 1 of the paper shows.

    Parameters
    ----------
    weight_scale : float
        Standard deviation of all initial weights; one of `bn_teach.lessons.the_paper.experiment.WEIGHT_SCALES`.
    seed : int
    steps : int

    Attributes
    ----------
    without, with_norm : bn_teach.lessons.the_paper.experiment.Side
        Whoever asks waits for the training.
    figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a weight scale without tuned learning rates, or what `TrainingConfig` refuses.
    """

    def __init__(self, weight_scale=0.1, *, seed=0, steps=1000):
        super().__init__()
        configs = figure_configs(weight_scale, seed=seed, steps=steps)
        self._sides = None
        self._job = LatestJob()
        self._progress = TrainingBar()
        self._assemble(
            axes(),
            [self._progress],
            plot_label="Validation accuracy without and with batch norm over steps, and for each of the two "
            "the 15th, 50th and 85th percentile of the input of one sigmoid",
        )
        self._say("Training without batch norm, then with it ...")
        self._job.start(lambda cancelled: self._run_and_show(configs))

    @property
    def without(self):
        """The side without batch norm."""
        return self._trained()[0]

    @property
    def with_norm(self):
        """The side with batch norm."""
        return self._trained()[1]

    def wait(self, timeout=60):
        """Return when the training under way is shown; TimeoutError after `timeout` seconds."""
        super().wait(timeout)
        self._job.wait(timeout)

    def _trained(self):
        self.wait(600)
        if self._sides is None:
            raise RuntimeError(self.status)
        return self._sides

    def _run_and_show(self, configs):
        """Run on a thread of its own."""
        with self._shown_errors(), self._progress.watching():
            self._sides = tuple(run_side(config) for config in configs)
        self._update()

    def _draw(self):
        return None if self._sides is None else picture(*self._sides)
