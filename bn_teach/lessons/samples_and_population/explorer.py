"""Slide batch size, and see how the statistics of mini-batches scatter around those of their population."""

from dataclasses import dataclass
from functools import lru_cache

from bn_teach.data import EmpiricalPopulation, ExponentialPopulation, GaussianPopulation
from bn_teach.lessons.samples_and_population.experiment import sample_batches
from bn_teach.lessons.samples_and_population.picture import axes, picture
from bn_teach.lessons.shared.choices import BATCH_SIZES
from bn_teach.lessons.shared.explorer import checkbox, dropdown, folded, number_box, number_slider, row, seed_box
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
    state, figure, view, status
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

    State = BatchStatisticsState

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._sample = lru_cache(maxsize=1)(self._sample)  # a change of looks draws nothing anew
        self._values = lru_cache(maxsize=1)(self._values)
        last = self.config.hidden[0] - 1
        self.controls = {
            "batch_size": number_slider("batch size", BATCH_SIZES, 16, width="360px"),
            "data": dropdown("data", DATA_LABELS, width="270px"),
            "variances": dropdown("variances", VARIANCE_LABELS, width="220px"),
            "unit": number_box("unit", min(7, last), last),
            "batches": dropdown("number of mini-batches", {n: f"{n:,}" for n in BATCHES}, 5000, "260px"),
            "seed": seed_box(),
            "zoom": checkbox("zoom in on the histograms", width="250px"),
        }
        self._assemble(
            axes(),
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

    def _values(self, run):
        """What the first layer makes of every training example, one column for each unit."""
        network = run.recording.network_at(len(run.recording.checkpoint_steps) - 1)
        return network.layers[0](self.dataset.train_x.astype(self.config.dtype))

    def _draw(self):
        state = self.state
        if state.data != "unit":
            self._stop_training()
        elif self._remembered(self.config) is None:
            return None
        unit = state.unit if state.data == "unit" else None
        sample = self._sample(state.data, unit, state.batch_size, state.batches, state.seed)
        return picture(sample, state.variances, state.zoom)

    def _sample(self, data, unit, batch_size, batches, seed):
        """Draw mini-batches; `unit` is None where it does not matter, so that another one draws nothing anew."""
        if data == "unit":
            population = EmpiricalPopulation(self._values(self._remembered(self.config))[:, unit])
        else:
            population = GaussianPopulation() if data == "gaussian" else ExponentialPopulation()
        return sample_batches(population, batch_size, batches, seed)

    def _train(self, config):
        super()._train(config)
        self._say("Training the network ... The picture still shows the data before.")
