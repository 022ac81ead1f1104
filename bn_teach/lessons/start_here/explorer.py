"""The main explorer: slide momentum and batch size, watch running statistics and what they cost."""

from dataclasses import dataclass, fields

import ipywidgets as widgets

from bn_teach.lessons.shared.choices import ESTIMATOR_LABELS, PRESETS
from bn_teach.lessons.shared.explorer import folded, row
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.lessons.start_here.picture import momentum_figure, momentum_ranges, momentum_traces
from bn_teach.lessons.start_here.sentence import momentum_sentence
from bn_teach.replay import ESTIMATORS, replay
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
    unbiased: bool
    learning_rate: float
    seed: int
    pytorch_momentum: bool


class MomentumExplorer(TrainingExplorer):
    """Slide momentum and batch size on a real network.

    The picture shows one unit: the statistics of every mini-batch, the running average of them, and
    the exact statistics; and beside it the validation accuracy under each. Moving momentum replays
    the recorded run. Moving batch size, learning rate or seed trains again, in the background.

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
        ``unbiased``, ``learning_rate``, ``seed``, ``pytorch_momentum``, ``preset``.
    state : MomentumState
    figure, view, status
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

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._replayed = None
        self.figure = LiveFigure(momentum_figure(None, None, None, layer=0, unit=0, step=0))
        self._build_controls()
        self._assemble(
            [
                row(self.controls["momentum"], self.controls["batch_size"]),
                row(self.controls["play"], self.controls["step"], self._epochs, self._progress),
                folded("more: unit, estimator, learning rate, presets", *self._rare_controls()),
            ],
            plot_label="Three panels over training steps: the running mean and the running variance of one unit "
            "with the statistics of every mini-batch and the exact statistics, and the validation accuracy "
            "under each of them",
        )
        self._update()

    @property
    def state(self):
        """What the controls say now."""
        return MomentumState(**{field.name: self.controls[field.name].value for field in fields(MomentumState)})

    def _build_controls(self):
        config = self.config
        first = min(config.checkpoint_every, config.steps)
        plain = {"style": {"description_width": "initial"}}
        narrow = {**plain, "layout": widgets.Layout(width="120px")}
        self.controls = {
            **self._training_controls(),
            "step": widgets.IntSlider(
                config.steps,
                first,
                config.steps,
                config.checkpoint_every,
                description="step",
                layout=widgets.Layout(width="360px"),
                **plain,
            ),
            "play": widgets.Play(config.steps, min=first, max=config.steps, step=config.checkpoint_every, interval=150),
            "layer": widgets.Dropdown(
                options=[(str(i + 1), i) for i in range(len(config.hidden))], description="layer", **narrow
            ),
            "unit": widgets.BoundedIntText(
                min(7, config.hidden[0] - 1), min=0, max=config.hidden[0] - 1, description="unit", **narrow
            ),
            "estimator": widgets.Dropdown(
                options=[(ESTIMATOR_LABELS[name], name) for name in ESTIMATORS],
                description="statistics at inference",
                layout=widgets.Layout(width="430px"),
                **plain,
            ),
            "unbiased": widgets.Checkbox(
                True,
                description="unbiased: m/(m-1) before averaging",
                indent=False,
                layout=widgets.Layout(width="270px"),
            ),
            "preset": widgets.Dropdown(
                options=["choose one", *PRESETS],
                description="preset",
                layout=widgets.Layout(width="330px"),
                **plain,
            ),
        }
        self._epochs = widgets.Label()
        widgets.link((self.controls["play"], "value"), (self.controls["step"], "value"))

    def _rare_controls(self):
        rare = (
            "preset", "estimator", "unbiased", "layer", "unit", "learning_rate", "seed", "pytorch_momentum",
        )  # fmt: skip
        return [self.controls[name] for name in rare]

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
        remembered = self._remembered(self._config_of(state))
        if remembered is None:
            return None
        recording, exact, own = remembered
        chosen = self._replay(recording, state)
        where = {"layer": state.layer, "unit": state.unit}
        epochs = state.step * state.batch_size / len(self.dataset.train_x)
        self._epochs.value = f"{epochs:.1f} epochs"
        return (
            momentum_traces(chosen, exact, own, step=state.step, **where),
            momentum_ranges(exact, **where),
            momentum_sentence(chosen, exact, step=state.step, **where),
        )

    def _replay(self, recording, state):
        """Replay, unless it would be the same as the last one (only the step or the unit moved)."""
        wanted = (recording, state.momentum, state.estimator, state.unbiased)
        if self._replayed is None or self._replayed[0] != wanted:
            made = replay(recording, state.momentum, estimator=state.estimator, unbiased=state.unbiased)
            self._replayed = (wanted, made)
        return self._replayed[1]

    def _prepare(self, recording):
        return tuple(replay(recording, estimator=name) for name in ("algorithm2", "batch"))
