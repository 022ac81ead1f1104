"""Slide batch size, and see how the statistics of mini-batches scatter around those of their population."""

from dataclasses import dataclass, fields

import ipywidgets as widgets

from bn_teach.data import EmpiricalPopulation, ExponentialPopulation, GaussianPopulation
from bn_teach.lessons.samples_and_population.experiment import sample_batches
from bn_teach.lessons.samples_and_population.picture import (
    batch_statistics_figure,
    batch_statistics_ranges,
    batch_statistics_traces,
)
from bn_teach.lessons.samples_and_population.sentence import batch_statistics_sentence
from bn_teach.lessons.shared.choices import BATCH_SIZES
from bn_teach.lessons.shared.explorer import folded, number_slider, row
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.training import TrainingConfig

BATCHES = (500, 1000, 2000, 5000, 10_000)

DATA_LABELS = {
    "gaussian": "Gaussian",
    "skewed": "skewed (exponential)",
    "unit": "one unit of a trained network",
}

VARIANCE_LABELS = {"both": "both", "biased": "divided by m", "unbiased": "divided by m-1"}


@dataclass(frozen=True)
class BatchStatisticsState:
    """What the controls of `BatchStatisticsExplorer` say; units count from 0."""

    batch_size: int
    data: str
    variances: str
    unit: int
    batches: int
    seed: int
    zoom: bool


class BatchStatisticsExplorer(TrainingExplorer):
    """Slide the batch size and watch means and variances of thousands of mini-batches.

    The picture shows the population with one mini-batch in it, and the histograms of the means and of
    the variances of all mini-batches, with the closed-form curves drawn over them. The mini-batches
    are independent draws, those of the network's unit with replacement.

    Parameters
    ----------
    dataset : Dataset, optional
        What the network is trained on, once its unit is chosen. Default: the handwritten digits.
    config : TrainingConfig
        How. It needs batch norm, a hidden layer and at least one step.

    Attributes
    ----------
    controls : dict
        ``batch_size``, ``data`` ("gaussian", "skewed", "unit"), ``variances`` ("both", "biased",
        "unbiased"), ``unit`` (of layer 1), ``batches``, ``seed``, ``zoom``.
    state : BatchStatisticsState
    figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a dataset or a config of the wrong kind, without batch norm, without steps or hidden
        layers, or with a batch larger than the training set.

    Examples
    --------
    >>> explorer = BatchStatisticsExplorer()
    >>> explorer.controls["batch_size"].value = 64
    >>> "σ/√m gives 0.125 σ" in explorer.status
    True
    """

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._drawn = None
        self.figure = LiveFigure(batch_statistics_figure(None))
        self._build_controls()
        self._assemble(
            [
                row(self.controls["batch_size"], self.controls["data"], self.controls["variances"]),
                folded(
                    "more: unit, number of mini-batches, seed, zoom",
                    *(self.controls[name] for name in ("unit", "batches", "seed", "zoom")),
                ),
            ],
            plot_label="Three panels: a population with the values of one mini-batch, and the histograms of the "
            "means and of the variances of many mini-batches, with closed-form curves over them",
        )
        self._update()

    @property
    def state(self):
        """What the controls say now."""
        names = [field.name for field in fields(BatchStatisticsState)]
        return BatchStatisticsState(**{name: self.controls[name].value for name in names})

    def _build_controls(self):
        plain = {"style": {"description_width": "initial"}}
        narrow = {**plain, "layout": widgets.Layout(width="120px")}
        last_unit = self.config.hidden[0] - 1
        self.controls = {
            "batch_size": number_slider("batch size", BATCH_SIZES, 16, width="360px"),
            "data": widgets.Dropdown(
                options=[(label, name) for name, label in DATA_LABELS.items()],
                description="data",
                layout=widgets.Layout(width="270px"),
                **plain,
            ),
            "variances": widgets.Dropdown(
                options=[(label, name) for name, label in VARIANCE_LABELS.items()],
                description="variances",
                layout=widgets.Layout(width="220px"),
                **plain,
            ),
            "unit": widgets.BoundedIntText(min(7, last_unit), min=0, max=last_unit, description="unit", **narrow),
            "batches": widgets.Dropdown(
                options=[(f"{count:,}", count) for count in BATCHES],
                value=5000,
                description="number of mini-batches",
                layout=widgets.Layout(width="260px"),
                **plain,
            ),
            "seed": widgets.BoundedIntText(0, min=0, max=10**6, description="seed", **narrow),
            "zoom": widgets.Checkbox(
                False,
                description="zoom in on the histograms",
                indent=False,
                layout=widgets.Layout(width="250px"),
            ),
        }

    def _draw(self):
        state = self.state
        population = self._population(state)
        if population is None:
            return None
        sample = self._sample(population, state)
        return (
            batch_statistics_traces(sample, variances=state.variances),
            batch_statistics_ranges(sample, zoom=state.zoom),
            batch_statistics_sentence(sample, variances=state.variances),
        )

    def _population(self, state):
        """What the mini-batches come from, or None while the network is still being trained."""
        if state.data != "unit":
            self._stop_training()
            return GaussianPopulation() if state.data == "gaussian" else ExponentialPopulation()
        remembered = self._remembered(self.config)
        return remembered and EmpiricalPopulation(remembered[1][:, state.unit])

    def _prepare(self, recording):
        """What the first layer makes of every training example, one column for each unit."""
        network = recording.network_at(len(recording.checkpoint_steps) - 1)
        return (network.layers[0](self.dataset.train_x.astype(self.config.dtype)),)

    def _sample(self, population, state):
        """Draw, unless it would be the same as the last time (only the look changed)."""
        wanted = (state.data, state.unit if state.data == "unit" else None, state.batch_size, state.batches, state.seed)
        if self._drawn is None or self._drawn[0] != wanted:
            self._drawn = (wanted, sample_batches(population, state.batch_size, state.batches, state.seed))
        return self._drawn[1]

    def _train(self, config):
        super()._train(config)
        self._say("Training the network ... The picture still shows the data before.")
