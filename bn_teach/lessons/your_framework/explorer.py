"""Look at a recorded PyTorch run: how far each momentum would have been from exact statistics."""

from dataclasses import dataclass, fields

import ipywidgets as widgets

from bn_teach.lessons.shared.explorer import Explorer, row
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.lessons.your_framework.picture import recorder_figure, recorder_ranges, recorder_traces
from bn_teach.lessons.your_framework.sentence import recorder_sentence
from bn_teach.torch_recorder.comparison import MOMENTA, report

ESTIMATOR_LABELS = {"ema": "moving average", "debiased": "moving average, freed of its start"}


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
    state : RecorderState
    report : Report
        What is shown.
    figure, view, status
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

    def __init__(self, recorded, momenta=MOMENTA):
        super().__init__()
        self.recorded, self.momenta = recorded, momenta
        self.report = report(recorded, momenta=momenta)
        self.figure = LiveFigure(recorder_figure(self.report))
        plain = {"style": {"description_width": "initial"}}
        self.controls = {
            "estimator": widgets.Dropdown(
                options=[(label, name) for name, label in ESTIMATOR_LABELS.items()],
                description="estimator",
                layout=widgets.Layout(width="340px"),
                **plain,
            ),
            "unbiased": widgets.Checkbox(True, description="variances times n/(n-1)", indent=False),
        }
        self._assemble(
            [row(*self.controls.values())],
            plot_label="One line for each batch norm layer: how far normalised values would be off, over momentum, "
            "with the momentum that the layer has and the nearest one marked",
        )
        self._update()

    @property
    def state(self):
        """What the controls say now."""
        return RecorderState(**{field.name: self.controls[field.name].value for field in fields(RecorderState)})

    def _draw(self):
        state = self.state
        told = report(self.recorded, momenta=self.momenta, estimator=state.estimator, unbiased=state.unbiased)
        self.report = told
        return recorder_traces(told), recorder_ranges(told), recorder_sentence(told)
