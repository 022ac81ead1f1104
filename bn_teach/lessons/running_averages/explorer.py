"""Slide momentum where the truth is known, and see the error of the running mean fall into its parts."""

from dataclasses import dataclass, fields

import ipywidgets as widgets

from bn_teach import _checks
from bn_teach.lessons.running_averages.experiment import MEAN, SAMPLINGS, KnownRun, simulate
from bn_teach.lessons.running_averages.picture import (
    running_statistics_figure,
    running_statistics_ranges,
    running_statistics_traces,
)
from bn_teach.lessons.running_averages.sentence import running_statistics_sentence
from bn_teach.lessons.shared.choices import BATCH_SIZES, ESTIMATOR_LABELS, MOMENTA, momentum_labels
from bn_teach.lessons.shared.explorer import Explorer, folded, number_slider, row
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.replay import AVERAGES

SIZES = tuple(m for m in BATCH_SIZES if m <= 128)  # epochs of larger ones take longer to draw than a slider may
DRIFTS = (0.0, 0.0003, 0.001, 0.003, 0.01, 0.03)
INITIALS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)

SAMPLING_LABELS = {
    "independent": "independent",
    "epochs": "epochs, without replacement",
}


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
    state : RunningStatisticsState
    figure, view, status
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
        self._simulated = None
        self._build_controls(
            momentum=_offered("momentum", momentum, MOMENTA),
            batch_size=_offered("batch_size", batch_size, SIZES),
            drift=_offered("drift", drift, DRIFTS),
            initial=_offered("initial", initial, INITIALS),
            estimator=_checks.choice("estimator", estimator, AVERAGES),
            sampling=_checks.choice("sampling", sampling, SAMPLINGS),
            seed=_checks.integer("seed", seed, 0, 10**6),
        )
        self.figure = LiveFigure(running_statistics_figure(None, None))
        self._assemble(
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
        self._update()

    @property
    def state(self):
        """What the controls say now."""
        names = [field.name for field in fields(RunningStatisticsState)]
        return RunningStatisticsState(**{name: self.controls[name].value for name in names})

    def _build_controls(self, *, momentum, batch_size, drift, initial, estimator, sampling, seed):
        plain = {"style": {"description_width": "initial"}}
        initials = [f"{value:g} (the truth)" if value == MEAN else f"{value:g}" for value in INITIALS]
        self.controls = {
            "momentum": number_slider(
                "momentum", MOMENTA, momentum, labels=momentum_labels(MOMENTA, False), width="430px"
            ),
            "batch_size": number_slider("batch size", SIZES, batch_size),
            "drift": number_slider("drift of the population per step", DRIFTS, drift, width="430px"),
            "initial": number_slider("initial value", INITIALS, initial, labels=initials),
            "estimator": widgets.Dropdown(
                options=[(ESTIMATOR_LABELS[name], name) for name in AVERAGES],
                value=estimator,
                description="estimator",
                layout=widgets.Layout(width="330px"),
                **plain,
            ),
            "sampling": widgets.Dropdown(
                options=[(label, name) for name, label in SAMPLING_LABELS.items()],
                value=sampling,
                description="mini-batches",
                layout=widgets.Layout(width="300px"),
                **plain,
            ),
            "seed": widgets.BoundedIntText(
                seed, min=0, max=10**6, description="seed", layout=widgets.Layout(width="120px"), **plain
            ),
            "pytorch_momentum": widgets.Checkbox(
                False,
                description="write momentum the PyTorch way",
                indent=False,
                layout=widgets.Layout(width="260px"),
            ),
        }

    def _react(self, control):
        if control is self.controls["pytorch_momentum"]:
            self._relabel(self.controls["momentum"], momentum_labels(MOMENTA, control.value))

    def _draw(self):
        state = self.state
        simulation = self._simulate(state)
        return (
            running_statistics_traces(simulation, state.momentum),
            running_statistics_ranges(simulation),
            running_statistics_sentence(simulation, state.momentum),
        )

    def _simulate(self, state):
        """Simulate all momenta at once, unless that is what was shown last (only momentum moved)."""
        wanted = (state.run, state.seed)
        if self._simulated is None or self._simulated[0] != wanted:
            self._simulated = (wanted, simulate(state.run, MOMENTA, seed=state.seed))
        return self._simulated[1]


def _offered(name, value, options):
    value = _checks.number(name, value)
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(f'{option:g}' for option in options)}, got {value:g}")
    return options[options.index(value)]
