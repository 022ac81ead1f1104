"""The main explorer: slide momentum and batch size, watch running statistics and what they cost."""

from dataclasses import dataclass
from functools import lru_cache

import ipywidgets as widgets

from bn_teach.lessons.shared.choices import ESTIMATOR_LABELS, PRESETS
from bn_teach.lessons.shared.explorer import checkbox, dropdown, folded, number_box, played_slider, row
from bn_teach.lessons.shared.training import Run, TrainingExplorer
from bn_teach.lessons.start_here.drawing import MODES, draw
from bn_teach.lessons.start_here.experiment import held_out_noise
from bn_teach.lessons.start_here.picture import axes, picture
from bn_teach.training import TrainingConfig


@dataclass(frozen=True)
class MomentumState:
    """What the controls of `MomentumExplorer` say; layers and units count from 0."""

    momentum: float
    batch_size: int
    step: int
    layer: int
    unit: int
    estimator: str
    unbiased: bool | tuple
    learning_rate: float
    seed: int
    pytorch_momentum: bool
    mode: str
    noise: bool


class MomentumExplorer(TrainingExplorer):
    """Slide momentum and batch size on a real network.

    The picture shows one unit: the statistics of every mini-batch, the running average of them, and
    the exact statistics; and beside it the validation accuracy under each. The drawing above it shows who
    writes the statistics and who reads them, in training or in prediction. Moving momentum replays
    the recorded run. Moving batch size, learning rate or seed trains again, in the background; other batch sizes are
    trained ahead, while nothing moves.

    Parameters
    ----------
    dataset : Dataset, optional
        Default: the handwritten digits.
    config : TrainingConfig
        What the sliders do not decide is taken from here. It needs batch norm and at least one step.

    Attributes
    ----------
    controls : dict
        ``momentum``, ``batch_size``, ``step``, ``play``, ``layer``, ``unit``, ``estimator``,
        ``unbiased``, ``learning_rate``, ``seed``, ``pytorch_momentum``, ``preset``, ``mode`` (of the drawing),
        ``noise`` (in place of the held-out images).
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a dataset or a config of the wrong kind, without batch norm, without steps or hidden
        layers, or with a batch larger than the training set.

    Examples
    --------
    >>> explorer = MomentumExplorer(config=TrainingConfig(steps=50))
    >>> explorer.controls["momentum"].value = 0.99
    >>> explorer.wait()
    >>> "momentum 0.99" in explorer.status
    True
    """

    State = MomentumState

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._noisy = lru_cache(maxsize=1)(self._noisy)
        steps, every, units = config.steps, config.checkpoint_every, config.hidden[0]
        play, step = played_slider("step", steps, min(every, steps), steps, every, width="360px", interval=150)
        self.controls = {
            **self._training_controls(),
            "step": step,
            "play": play,
            "layer": dropdown("layer", {i: str(i + 1) for i in range(len(config.hidden))}, width="120px"),
            "unit": number_box("unit", min(7, units - 1), units - 1),
            "estimator": dropdown("statistics at inference", ESTIMATOR_LABELS, width="430px"),
            "unbiased": dropdown("unbiased, m/(m-1)", _unbiased_in(len(config.hidden)), width="270px"),
            "preset": widgets.Dropdown(
                options=["choose one", *PRESETS],
                description="preset",
                style={"description_width": "initial"},
                layout=widgets.Layout(width="330px"),
            ),
            "mode": widgets.ToggleButtons(
                options=[(label, name) for name, label in MODES.items()],
                description="show it in",
                style={"description_width": "75px", "button_width": "100px"},
                layout=widgets.Layout(width="320px", display="flex", align_items="center"),
            ),
            "noise": checkbox("replace the held-out images by noise", width="290px"),
        }
        self._drawing = widgets.HTML()
        self._epochs = widgets.Label()
        rare = "preset", "estimator", "unbiased", "layer", "unit", "learning_rate", "seed", "pytorch_momentum"
        self._assemble(
            axes(),
            [
                row(self.controls["momentum"], self.controls["batch_size"]),
                row(play, step, self._epochs, self._progress),
                row(self.controls["mode"], self.controls["noise"]),
                self._drawing,
                folded("more: unit, estimator, learning rate, presets", *(self.controls[name] for name in rare)),
            ],
            plot_label="Three panels over training steps: the running mean and the running variance of one unit "
            "with the statistics of every mini-batch and the exact statistics, and the validation accuracy "
            "under each of them beside the training loss",
        )

    def _react(self, control):
        super()._react(control)
        if control is self.controls["preset"]:
            self._apply_preset(control.value)
        elif control is self.controls["layer"]:
            with self._quietly():
                self.controls["unit"].max = self.config.hidden[control.value] - 1

    def _apply_preset(self, name):
        if name not in PRESETS:
            return
        with self._quietly():
            self.controls["estimator"].value = "ema"
            for control, value in PRESETS[name].items():
                self.controls[control].value = value

    def _draw(self):
        state = self.state
        run = self._remembered(self._config_of(state))
        if run is None:
            return None
        if state.noise:
            run = self._noisy(run)
        (settings,) = self._moved_by_momentum(state)
        chosen = run.replay(state.momentum, **settings)
        self._epochs.value = f"{state.step * state.batch_size / len(self.dataset.train_x):.1f} epochs"
        where = {"layer": state.layer, "unit": state.unit, "step": state.step}
        self._drawing.value = draw(chosen, state.mode, **where)
        return picture(chosen, *self._prepare(run), **where)

    def _noisy(self, run):
        return Run(held_out_noise(run.recording))

    def _prepare(self, run):
        return [run.replay(estimator=name) for name in ("algorithm2", "batch")]

    def _moved_by_momentum(self, state):
        return ({"estimator": state.estimator, "unbiased": state.unbiased},)


def _unbiased_in(layers):
    """Where the running variance takes in m/(m-1) times the batch variance, as `replay` wants it, and in words."""
    first = {(True,) + (False,) * (layers - 1): "in layer 1 alone"} if layers > 1 else {}
    return {True: "in every layer", **first, False: "in no layer"}
