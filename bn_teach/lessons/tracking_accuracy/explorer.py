"""Same weights, six estimators, one validation set: whose number you watch decides which weights you keep."""

from dataclasses import dataclass, fields, replace

import ipywidgets as widgets

from bn_teach.lessons.shared.background import LatestJob
from bn_teach.lessons.shared.choices import ESTIMATOR_LABELS, MOMENTA
from bn_teach.lessons.shared.explorer import folded, row
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.lessons.tracking_accuracy.picture import race_figure, race_ranges, race_traces
from bn_teach.lessons.tracking_accuracy.sentence import race_sentence
from bn_teach.replay import ESTIMATORS, MOVED_BY_MOMENTUM, keep_best, replay
from bn_teach.sweep import Sweep, SweepFailed, sweep
from bn_teach.training import TrainingConfig

PAIR = ("ema", "algorithm2")  # what the landscape compares


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
    state : EstimatorRaceState
    figure, view, status
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

    remembered = 5  # each with the replays of four estimators; the landscape keeps its rows without them

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._replayed = None
        self._lost = {}  # config to a row of the landscape
        self._filling = ()
        self._landscape_job = LatestJob()
        self._progress.layout.width = "140px"
        self._sizes = self._batch_sizes()
        self.figure = LiveFigure(race_figure(None, None, None, momenta=MOMENTA, batch_sizes=self._sizes))
        self._build_controls()
        frequent = "patience", "restore", "landscape"
        rare = "estimator", "metric", "learning_rate", "seed", "pytorch_momentum"
        self._assemble(
            [
                row(self.controls["momentum"], self.controls["batch_size"], self._progress),
                row(*(self.controls[name] for name in frequent)),
                folded(
                    "more: highlighted estimator, what is watched, learning rate, seed",
                    *(self.controls[name] for name in rare),
                ),
            ],
            plot_label="Three panels: what early stopping watches over training steps, under six estimators of the "
            "statistics; the accuracy of the weights that each keeps; and a table of the accuracy lost by the moving "
            "average for every momentum and batch size",
        )
        self._update()

    @property
    def state(self):
        """What the controls say now."""
        return EstimatorRaceState(
            **{field.name: self.controls[field.name].value for field in fields(EstimatorRaceState)}
        )

    def wait(self, timeout=60):
        """Return when any training under way is shown; TimeoutError after `timeout` seconds."""
        super().wait(timeout)
        self._landscape_job.wait(timeout)

    def _build_controls(self):
        checkpoints = -(-self.config.steps // self.config.checkpoint_every)
        plain = {"style": {"description_width": "initial"}}
        self.controls = {
            **self._training_controls(),
            "patience": widgets.IntSlider(
                min(10, checkpoints),
                1,
                checkpoints,
                description="patience (checkpoints)",
                layout=widgets.Layout(width="320px"),
                **plain,
            ),
            "restore": widgets.Dropdown(
                options=[("with the statistics of their step", "with"), ("with the latest statistics", "without")],
                description="best weights restored",
                layout=widgets.Layout(width="380px"),
                **plain,
            ),
            "landscape": widgets.ToggleButton(
                False, description="landscape: all batch sizes", layout=widgets.Layout(width="190px")
            ),
            "estimator": widgets.Dropdown(
                options=[(ESTIMATOR_LABELS[name], name) for name in ESTIMATORS],
                description="highlighted",
                layout=widgets.Layout(width="360px"),
                **plain,
            ),
            "metric": widgets.Dropdown(
                options=[("validation accuracy", "validation_accuracy"), ("validation loss", "validation_loss")],
                description="early stopping watches",
                layout=widgets.Layout(width="310px"),
                **plain,
            ),
        }

    def _prepare(self, recording):
        fixed = {name: replay(recording, estimator=name) for name in ESTIMATORS if name not in MOVED_BY_MOMENTUM}
        # The cumulative average of every step is not drawn, and takes more memory than all the rest.
        return ({name: replace(one, running_mean=None, running_var=None) for name, one in fixed.items()},)

    def _draw(self):
        state = self.state
        config = self._config_of(state)
        remembered = self._remembered(config)
        if remembered is None:
            return None
        recording, fixed = remembered
        moving = self._moving(recording, state.momentum)
        replays = {name: (moving if name in MOVED_BY_MOMENTUM else fixed)[name] for name in ESTIMATORS}
        kept = {name: keep_best(one, state.patience, metric=state.metric) for name, one in replays.items()}
        sizes = self._sizes if state.landscape else (state.batch_size,)
        lost = self._landscape(config, sizes)
        common = {
            "batch_size": state.batch_size,
            "momenta": MOMENTA,
            "chosen": state.estimator,
            "restore": state.restore,
            "metric": state.metric,
        }
        return (
            race_traces(replays, kept, lost, momentum=state.momentum, batch_sizes=self._sizes, **common),
            race_ranges(replays, metric=state.metric, momenta=MOMENTA, pytorch=state.pytorch_momentum),
            race_sentence(replays, kept, lost, patience=state.patience, batch_sizes=sizes, **common),
        )

    def _moving(self, recording, momentum):
        """Replay what momentum changes, unless momentum is the same as the last time."""
        wanted = (recording, momentum)
        if self._replayed is None or self._replayed[0] != wanted:
            self._replayed = (wanted, {name: replay(recording, momentum, estimator=name) for name in MOVED_BY_MOMENTUM})
        return self._replayed[1]

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
        with self._shown_errors():
            for config in configs:
                if cancelled():
                    return
                lost = self._row(config)
                with self._lock:
                    self._lost[config] = lost
                    if not cancelled():
                        self._update()

    def _row(self, config):
        """Percentage points lost under each momentum, at the end of the run; None if it diverges."""
        with self._lock:
            recording, *_ = self._recordings.get(config, (None,))
        try:
            if recording is None:
                swept = sweep(self.dataset, [config], MOMENTA, estimators=PAIR)
            else:
                swept = Sweep.of(recording, MOMENTA, estimators=PAIR)
        except SweepFailed:
            return None
        return 100 * swept.accuracy_lost()[0]
