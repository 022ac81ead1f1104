"""Same weights, six estimators, one validation set: whose number you watch decides which weights you keep."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import ipywidgets as widgets
import numpy as np

from bn_teach.lessons.shared.background import LatestJob
from bn_teach.lessons.shared.bar import Cancelled
from bn_teach.lessons.shared.choices import ESTIMATOR_LABELS, MOMENTA
from bn_teach.lessons.shared.explorer import Explorer, dropdown, folded, row
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.lessons.tracking_accuracy import valley
from bn_teach.lessons.tracking_accuracy.picture import axes, picture
from bn_teach.replay import ESTIMATORS, MOVED_BY_MOMENTUM, at_the_end, keep_best
from bn_teach.training import TrainingConfig, watched


@dataclass(frozen=True)
class EstimatorRaceState:
    """What the controls of `EstimatorRaceExplorer` say."""

    momentum: float
    batch_size: int
    patience: int
    restore: str
    landscape: bool
    estimator: str
    metric: str
    learning_rate: float
    seed: int
    pytorch_momentum: bool


class EstimatorRaceExplorer(TrainingExplorer):
    """Let six estimators judge the same weights, and stop early by each of them.

    The picture shows the validation accuracy under every estimator and the checkpoint that early
    stopping keeps; what the weights kept are worth, restored with the statistics of their own step or
    with the latest ones; and the accuracy that the moving average loses against exact statistics over
    momentum and batch size, from real runs. The landscape has one row for every batch size: that of
    the current one, and all of them (each trained in the background, shown as it comes) once
    `landscape` is on.

    Parameters
    ----------
    dataset : Dataset, optional
        Default: the handwritten digits.
    config : TrainingConfig
        What the sliders do not decide is taken from here. It needs batch norm and at least one step.

    Attributes
    ----------
    controls : dict
        ``momentum``, ``batch_size``, ``patience`` (in checkpoints), ``restore`` ("with" the statistics
        of the step whose weights are kept, or "without"), ``landscape``, ``estimator`` (the
        highlighted one), ``metric``, ``learning_rate``, ``seed``, ``pytorch_momentum``.
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a dataset or a config of the wrong kind, without batch norm, without steps or hidden
        layers, or with a batch larger than the training set.

    Examples
    --------
    >>> explorer = EstimatorRaceExplorer(config=TrainingConfig(steps=50))
    >>> explorer.controls["restore"].value = "without"
    >>> explorer.wait()
    >>> "Restored with the latest statistics" in explorer.status
    True
    """

    State = EstimatorRaceState

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._lost = {}  # config to a row of the landscape
        self._filling = ()
        self._landscape_job = LatestJob()
        self._progress.layout.width = "140px"
        self._sizes = self._batch_sizes()
        self.controls = {
            **self._training_controls(),
            "patience": self._patience_slider(),
            "restore": dropdown(
                "best weights restored",
                {"with": "with the statistics of their step", "without": "with the latest statistics"},
                width="380px",
            ),
            "landscape": widgets.ToggleButton(
                False, description="landscape: all batch sizes", layout=widgets.Layout(width="190px")
            ),
            "estimator": dropdown("highlighted", ESTIMATOR_LABELS, width="360px"),
            "metric": dropdown(
                "early stopping watches",
                {name: name.replace("_", " ") for name in ("validation_accuracy", "validation_loss")},
                width="310px",
            ),
        }
        rare = "estimator", "metric", "learning_rate", "seed", "pytorch_momentum"
        self._assemble(
            axes(self._sizes),
            [
                row(self.controls["momentum"], self.controls["batch_size"], self._progress),
                row(*(self.controls[name] for name in ("patience", "restore", "landscape"))),
                folded(
                    "more: highlighted estimator, what is watched, learning rate, seed",
                    *(self.controls[name] for name in rare),
                ),
            ],
            plot_label="Three panels: what early stopping watches over training steps, under six estimators of the "
            "statistics; the accuracy of the weights that each keeps; and a table of the accuracy lost by the moving "
            "average for every momentum and batch size",
        )

    def wait(self, timeout=60):
        """Return when any training under way is shown; TimeoutError after `timeout` seconds."""
        super().wait(timeout)
        self._landscape_job.wait(timeout)

    def _patience_slider(self):
        checkpoints = -(-self.config.steps // self.config.checkpoint_every)
        return widgets.IntSlider(
            min(10, checkpoints),
            1,
            checkpoints,
            description="patience (checkpoints)",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="320px"),
        )

    def _prepare(self, run):
        for name in ESTIMATORS:
            run.replay(estimator=name)

    def _moved_by_momentum(self, state):
        return [{"estimator": name} for name in MOVED_BY_MOMENTUM]

    def _busy(self):
        return super()._busy() or bool(self._filling)

    def _draw(self):
        state = self.state
        config = self._config_of(state)
        run = self._remembered(config)
        if run is None:
            return None
        replays = {name: run.replay(state.momentum, estimator=name) for name in ESTIMATORS}
        kept = {name: keep_best(one, state.patience, metric=state.metric) for name, one in replays.items()}
        lost = self._landscape(config, self._sizes if state.landscape else (state.batch_size,))
        return picture(state, self._sizes, replays, kept, lost)

    def _landscape(self, config, sizes):
        """The rows known of these batch sizes; what is missing is begun."""
        configs = {m: replace(config, batch_size=m) for m in sizes}
        missing = [one for one in configs.values() if one not in self._lost]
        missing.sort(key=lambda one: one != config)  # the current one first
        if not missing:
            self._landscape_job.cancel()
            self._filling = ()
        elif not set(missing) <= set(self._filling):
            self._filling = tuple(missing)
            self._landscape_job.start(lambda cancelled: self._fill_landscape(missing, cancelled))
        return {m: self._lost[one] for m, one in configs.items() if one in self._lost}

    def _fill_landscape(self, configs, cancelled):
        """Run on a thread of its own."""
        with self._shown_errors(), watched(partial(_give_up, cancelled)), suppress(Cancelled):
            for config in configs:
                lost = self._row(config)
                with self._lock:
                    self._lost[config] = lost
                    if not cancelled():
                        self._update()

    def _row(self, config):
        """Percentage points lost under each momentum, at the end of the run; None if it diverges."""
        with self._lock:
            run = self._runs.get(config)
        if run is None and (config in self._hopeless or (run := self._record(config)) is None):
            return None
        exact, *averages = [run.replay(estimator="algorithm2"), *map(run.replay, MOMENTA)]
        return np.array([100 * at_the_end(exact.validation_accuracy - one.validation_accuracy) for one in averages])


def _give_up(cancelled, step, steps):
    if cancelled():
        raise Cancelled


class ValleyFigure(Explorer):
    """Show what the moving average loses against exact statistics, over momentum, with a band over seeds.

    Parameters
    ----------
    swept : Sweep
        Under the estimators "ema" and "algorithm2", its configurations alike but for batch size and seed.
    live : Sweep, optional
        Runs to lay on it as points: of batch sizes and momenta that `swept` has.

    Attributes
    ----------
    swept, live : Sweep
    figure, view, status
        As in every explorer; there are no controls.

    Raises
    ------
    ValueError
        For other configurations, more than 6 batch sizes, a sweep without the two estimators, or live runs that
        do not belong to it.
    """

    def __init__(self, swept, live=None):
        super().__init__()
        self.swept, self.live = swept, live
        self._assemble(
            valley.axes(swept, live),
            [],
            plot_label="Percentage points of accuracy that the moving average loses against exact statistics, over "
            "momentum: for every batch size the median of the seeds, in a band from the least to the most",
            label="The valley of momentum",
        )

    def _draw(self):
        return valley.picture(self.swept, self.live)
