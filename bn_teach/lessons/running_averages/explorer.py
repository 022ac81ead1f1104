"""Slide momentum, and see what is inside an average; then, where the truth is known, what its error is made of."""

from dataclasses import dataclass
from functools import lru_cache

from bn_teach.lessons.running_averages import weights
from bn_teach.lessons.running_averages.experiment import MEAN, SAMPLINGS, KnownRun, simulate
from bn_teach.lessons.running_averages.picture import axes, picture
from bn_teach.lessons.shared.choices import BATCH_SIZES, ESTIMATOR_LABELS, MOMENTA
from bn_teach.lessons.shared.explorer import (
    Explorer,
    dropdown,
    folded,
    momentum_slider,
    number_slider,
    pytorch_toggle,
    row,
    seed_box,
)
from bn_teach.replay import AVERAGES

SIZES = tuple(m for m in BATCH_SIZES if m <= 128)  # epochs of larger ones take longer to draw than a slider may
DRIFTS = (0.0, 0.0003, 0.001, 0.003, 0.01, 0.03)
UPDATES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 400, 800)
INITIALS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)

SAMPLING_LABELS = dict(zip(SAMPLINGS, ("independent", "epochs, without replacement"), strict=True))


@dataclass(frozen=True)
class MemoryState:
    """What the controls of `MemoryExplorer` say."""

    momentum: float
    updates: int
    estimator: str
    pytorch_momentum: bool


class MemoryExplorer(Explorer):
    """Slide momentum and see what is inside an average: a bar for its start, one for every mini-batch.

    Beside the bars: how much of the average the newest mini-batches hold together.

    Attributes
    ----------
    controls : dict
        ``momentum``, ``updates``, ``estimator``, ``pytorch_momentum``.
    state, figure, view, status
        As in every explorer.

    Examples
    --------
    >>> explorer = MemoryExplorer()
    >>> explorer.controls["momentum"].value = 0.5
    >>> "the newest weighs 50.0 %" in explorer.status
    True
    """

    State = MemoryState

    def __init__(self):
        super().__init__()
        self.controls = {
            "momentum": momentum_slider(),
            "updates": number_slider("mini-batches so far", UPDATES, 20),
            "estimator": dropdown("estimator", {name: ESTIMATOR_LABELS[name] for name in AVERAGES}),
            "pytorch_momentum": pytorch_toggle(),
        }
        self._assemble(
            weights.axes(),
            [
                row(self.controls["momentum"], self.controls["updates"]),
                folded("more: estimator", self.controls["estimator"], self.controls["pytorch_momentum"]),
            ],
            plot_label="Two panels: bars for the weights of an average, one for its start and one for every "
            "mini-batch, and how much of the average the newest mini-batches hold together",
        )

    def _draw(self):
        state = self.state
        return weights.picture(state.estimator, state.momentum, state.updates)


@dataclass(frozen=True)
class RunningStatisticsState:
    """What the controls of `RunningStatisticsExplorer` say."""

    momentum: float
    batch_size: int
    drift: float
    initial: float
    estimator: str
    sampling: str
    seed: int
    pytorch_momentum: bool

    @property
    def run(self):
        """What is to be tracked."""
        return KnownRun(self.batch_size, self.drift, self.initial, self.estimator, self.sampling)


class RunningStatisticsExplorer(Explorer):
    """Slide momentum, batch size, drift and initial value of a running mean whose target is known.

    The picture shows one run with the closed form's band; the typical error over the steps, split into
    start-up, noise and lag; and the error at the end for every momentum, with the best one marked.
    Points are simulated, lines are closed forms.

    Parameters
    ----------
    momentum, batch_size, drift, initial, estimator, sampling
        Where the controls start: one of `MOMENTA`, `SIZES`, `DRIFTS`, `INITIALS`, ``"ema"``,
        ``"debiased"`` or ``"cumulative"``, ``"independent"`` or ``"epochs"``.
    seed : int

    Attributes
    ----------
    controls : dict
        ``momentum``, ``batch_size``, ``drift``, ``initial``, ``estimator``, ``sampling``, ``seed``,
        ``pytorch_momentum``.
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a value that its control does not offer.

    Examples
    --------
    >>> explorer = RunningStatisticsExplorer(drift=0.01)
    >>> explorer.controls["momentum"].value = 0.99
    >>> "momentum 0.835" in explorer.status
    True
    """

    State = RunningStatisticsState

    def __init__(
        self,
        *,
        momentum=0.9,
        batch_size=16,
        drift=0.003,
        initial=0.0,
        estimator="ema",
        sampling="independent",
        seed=0,
    ):
        super().__init__()
        self._simulate = lru_cache(maxsize=1)(self._simulate)  # for all momenta at once
        initials = [f"{value:g} (the truth)" if value == MEAN else f"{value:g}" for value in INITIALS]
        self.controls = {
            "momentum": momentum_slider(),
            "batch_size": number_slider("batch size", SIZES),
            "drift": number_slider("drift of the population per step", DRIFTS, width="430px"),
            "initial": number_slider("initial value", INITIALS, labels=initials),
            "estimator": dropdown("estimator", {name: ESTIMATOR_LABELS[name] for name in AVERAGES}),
            "sampling": dropdown("mini-batches", SAMPLING_LABELS, width="300px"),
            "seed": seed_box(),
            "pytorch_momentum": pytorch_toggle(),
        }
        self._set(
            momentum=momentum,
            batch_size=batch_size,
            drift=drift,
            initial=initial,
            estimator=estimator,
            sampling=sampling,
            seed=seed,
        )
        self._assemble(
            axes(),
            [
                row(self.controls["momentum"], self.controls["batch_size"]),
                row(self.controls["drift"], self.controls["initial"]),
                folded(
                    "more: estimator, epochs without replacement, seed",
                    *(self.controls[name] for name in ("estimator", "sampling", "seed", "pytorch_momentum")),
                ),
            ],
            plot_label="Three panels: a running mean that follows the known mean of a population, its typical error "
            "step by step, split into start-up, noise and lag, and the typical error at the end for every momentum",
        )

    def _draw(self):
        state = self.state
        return picture(self._simulate(state.run, state.seed), state.momentum)

    def _simulate(self, run, seed):
        return simulate(run, MOMENTA, seed=seed)
