"""Look at a recorded PyTorch run: how far each momentum would have been from exact statistics."""

from dataclasses import dataclass
from functools import lru_cache

from bn_teach.lessons.shared.choices import ESTIMATOR_LABELS
from bn_teach.lessons.shared.explorer import Explorer, checkbox, dropdown, row
from bn_teach.lessons.your_framework.picture import axes, picture
from bn_teach.replay import MOVED_BY_MOMENTUM
from bn_teach.torch_recorder.comparison import MOMENTA, report


@dataclass(frozen=True)
class RecorderState:
    """What the controls of `RecorderExplorer` say."""

    estimator: str
    unbiased: bool


class RecorderExplorer(Explorer):
    """Show, layer by layer, how far each momentum would have been from exact statistics.

    Parameters
    ----------
    recorded : TorchRecording
        With exact statistics in `recorded.exact`.
    momenta : array_like, shape (M,)
        The layers' own are added.

    Attributes
    ----------
    controls : dict
        ``estimator`` ("ema", "debiased"), ``unbiased``.
    report : Report
        What is shown.
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For what `bn_teach.torch_recorder.report` refuses.

    Examples
    --------
    >>> from bn_teach.torch_recorder import load_example
    >>> explorer = RecorderExplorer(load_example().recorded)
    >>> "norm3" in explorer.status
    True
    """

    State = RecorderState

    def __init__(self, recorded, momenta=MOMENTA):
        super().__init__()
        self.recorded, self.momenta = recorded, momenta
        self._report = lru_cache(maxsize=1)(self._report)
        estimators = {name: ESTIMATOR_LABELS[name] for name in MOVED_BY_MOMENTUM}
        self.controls = {
            "estimator": dropdown("estimator", estimators, width="340px"),
            "unbiased": checkbox("variances times n/(n-1)", True, width=None),
        }
        self._assemble(
            axes(self._report(self.state)),
            [row(*self.controls.values())],
            plot_label="One line for each batch norm layer: how far normalised values would be off, over momentum, "
            "with the momentum that the layer has and the nearest one marked",
        )

    def _draw(self):
        self.report = self._report(self.state)
        return picture(self.report)

    def _report(self, state):
        return report(self.recorded, momenta=self.momenta, estimator=state.estimator, unbiased=state.unbiased)
