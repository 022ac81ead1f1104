"""How far training is: a bar that is there only while something trains."""

from contextlib import contextmanager

import ipywidgets as widgets

from bn_teach.training import watched

REPORTS = 20  # how often it moves during a training


class Cancelled(Exception):
    """Somebody no longer wants the result of a training under way."""


class TrainingBar(widgets.IntProgress):
    """A progress bar that follows whatever is trained inside a block, one training after the other."""

    def __init__(self):
        super().__init__(
            description="training",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="220px", visibility="hidden"),
        )

    def show(self, step, steps):
        """Show how far a training is, now and then; it may have begun unwatched."""
        if step == 1 or self.max != steps:
            self.value, self.max = 0, steps
        if step == 1:
            self.layout.visibility = "visible"
        if step % max(steps // REPORTS, 1) == 0:
            self.value = step

    @contextmanager
    def watching(self, cancelled=lambda: False):
        """Follow the training inside the block, done on this thread, and end it once it is cancelled.

        Parameters
        ----------
        cancelled : callable
            As a job of `LatestJob` is given it. Once it says True, the bar is somebody else's.

        Raises
        ------
        Cancelled
            Out of the training under way.
        """

        def follow(step, steps):
            if cancelled():
                raise Cancelled
            self.show(step, steps)

        try:
            with watched(follow):
                yield
        finally:
            if not cancelled():
                self.layout.visibility = "hidden"
