"""The main explorer: slide momentum and batch size, watch running statistics and what they cost."""

from collections import OrderedDict
from dataclasses import dataclass, fields, replace

import ipywidgets as widgets

from bn_teach import _checks
from bn_teach.data import Dataset, load_digits
from bn_teach.explorers.background import LatestJob
from bn_teach.explorers.base import Explorer, folded, number_slider, row
from bn_teach.figures import figure_widget, momentum_figure, momentum_ranges, momentum_traces
from bn_teach.replay import ESTIMATORS, replay
from bn_teach.sentences import momentum_sentence
from bn_teach.training import TrainingConfig, TrainingDiverged, train

MOMENTA = (0.0, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999)
BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
REMEMBERED = 16  # recordings of the default network take about 8 MB each

ESTIMATOR_LABELS = {
    "ema": "moving average",
    "debiased": "moving average, freed of its start",
    "cumulative": "cumulative average",
    "algorithm2": "exact: Algorithm 2",
    "population": "exact: one pass of all data",
    "batch": "each mini-batch's own (eval() forgotten)",
}

PRESETS = {
    "PyTorch's default": {"momentum": 0.9, "unbiased": True},
    "Keras's default": {"momentum": 0.99, "unbiased": False},
    "PyTorch's 0.1 typed into Keras": {"momentum": 0.1, "unbiased": False},
    "tiny batches, no memory": {"momentum": 0.0, "batch_size": 4},
    "too much memory": {"momentum": 0.999, "batch_size": 16},
}
"""What each preset sets; the estimator becomes the moving average. eps is never touched."""


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


class MomentumExplorer(Explorer):
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
    >>> "Momentum 0.99" in explorer.status
    True
    """

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__()
        self.dataset = load_digits() if dataset is None else dataset
        self.config = config
        self._check_arguments()
        self._job = LatestJob()
        self._recordings = OrderedDict()
        self._replayed = None
        self.figure = figure_widget(momentum_figure(None, None, None, layer=0, unit=0, step=0))
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

    def wait(self, timeout=60):
        """Return when any training under way is shown; TimeoutError after `timeout` seconds."""
        super().wait(timeout)
        self._job.wait(timeout)

    def _check_arguments(self):
        if not isinstance(self.dataset, Dataset):
            raise TypeError(f"dataset must be a Dataset or None, got {_checks.describe(self.dataset)}")
        if not isinstance(self.config, TrainingConfig):
            raise TypeError(f"config must be a TrainingConfig, got {_checks.describe(self.config)}")
        if not (self.config.batch_norm and self.config.hidden and self.config.steps):
            raise ValueError(
                "config must have batch_norm=True, a hidden layer and at least one step, got "
                f"batch_norm={self.config.batch_norm}, hidden={self.config.hidden}, steps={self.config.steps}"
            )
        if self.config.batch_size > len(self.dataset.train_x):
            raise ValueError(
                f"config.batch_size must not exceed the {len(self.dataset.train_x)} training examples, "
                f"got {self.config.batch_size}"
            )

    def _build_controls(self):
        config = self.config
        sizes = [m for m in BATCH_SIZES if m <= len(self.dataset.train_x)]
        first = min(config.checkpoint_every, config.steps)
        plain = {"style": {"description_width": "initial"}}
        narrow = {**plain, "layout": widgets.Layout(width="120px")}
        self.controls = {
            "momentum": number_slider("momentum", MOMENTA, 0.9, labels=momentum_labels(MOMENTA, False), width="430px"),
            "batch_size": number_slider("batch size", sorted({*sizes, config.batch_size}), config.batch_size),
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
            "learning_rate": widgets.Dropdown(
                options=sorted({*LEARNING_RATES, config.learning_rate}),
                value=config.learning_rate,
                description="learning rate",
                layout=widgets.Layout(width="190px"),
                **plain,
            ),
            "seed": widgets.BoundedIntText(config.seed, min=0, max=10**6, description="seed", **narrow),
            "pytorch_momentum": widgets.Checkbox(
                False,
                description="write momentum the PyTorch way",
                indent=False,
                layout=widgets.Layout(width="260px"),
            ),
            "preset": widgets.Dropdown(
                options=["choose one", *PRESETS],
                description="preset",
                layout=widgets.Layout(width="330px"),
                **plain,
            ),
        }
        self._epochs = widgets.Label()
        self._progress = widgets.IntProgress(max=config.steps, description="training", **plain)
        self._progress.layout = widgets.Layout(width="220px", visibility="hidden")
        widgets.link((self.controls["play"], "value"), (self.controls["step"], "value"))

    def _rare_controls(self):
        rare = (
            "preset", "estimator", "unbiased", "layer", "unit", "learning_rate", "seed", "pytorch_momentum",
        )  # fmt: skip
        return [self.controls[name] for name in rare]

    def _react(self, control):
        if control is self.controls["preset"]:
            self._apply_preset(control.value)
        elif control is self.controls["pytorch_momentum"]:
            self._relabel_momentum()
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

    def _relabel_momentum(self):
        slider = self.controls["momentum"]
        labels = momentum_labels(MOMENTA, self.controls["pytorch_momentum"].value)
        # New options put a slider back to its first one; the page is only told the final state.
        with self._quietly(), slider.hold_sync():
            kept = slider.value
            slider.options = list(zip(labels, MOMENTA, strict=True))
            slider.value = kept

    def _draw(self):
        state = self.state
        config = replace(self.config, batch_size=state.batch_size, learning_rate=state.learning_rate, seed=state.seed)
        if config not in self._recordings:
            self._train(config)
            return None
        self._stop_training()
        self._recordings.move_to_end(config)
        recording, exact, own = self._recordings[config]
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

    def _train(self, config):
        self._progress.value = 0
        self._progress.layout.visibility = "visible"
        shown = " The picture still shows the run before." if self._recordings else ""
        self._say(f"Training with batch size {config.batch_size} ...{shown}")
        self._job.start(lambda cancelled: self._train_and_show(config, cancelled))

    def _train_and_show(self, config, cancelled):
        """Run on the training thread."""
        with self._shown_errors():
            try:
                recording = train(self.dataset, config, on_step=self._show_progress(cancelled), should_stop=cancelled)
            except TrainingDiverged as error:
                with self._lock:
                    if not cancelled():
                        self._stop_training()
                        self._say(f"{error} The picture is the last good one.")
                return
            if cancelled():
                return
            remembered = recording, *(replay(recording, estimator=name) for name in ("algorithm2", "batch"))
            with self._lock:
                self._recordings[config] = remembered
                while len(self._recordings) > REMEMBERED:
                    self._recordings.popitem(last=False)
                if not cancelled():
                    self._update()

    def _show_progress(self, cancelled):
        every = max(self.config.steps // 20, 1)

        def show(step, loss):
            if step % every == 0 and not cancelled():
                self._progress.value = step

        return show

    def _stop_training(self):
        self._job.cancel()
        self._progress.layout.visibility = "hidden"


def momentum_labels(momenta, pytorch):
    """Write momenta our way with PyTorch's number in brackets, or the other way round."""
    if pytorch:
        return [f"{1 - p:.4g} (kept: {p:g})" for p in momenta]
    return [f"{p:g} (PyTorch: {1 - p:.4g})" for p in momenta]
