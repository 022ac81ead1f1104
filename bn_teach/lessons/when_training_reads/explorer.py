"""Choose who reads the averages while training goes on, and see two momenta part, and a replay go wrong."""

from dataclasses import dataclass, replace

from bn_teach.lessons.shared.choices import MOMENTA, momentum_labels
from bn_teach.lessons.shared.explorer import dropdown, folded, momentum_slider, number_slider, row, seed_box
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.lessons.when_training_reads.experiment import Setting, compare
from bn_teach.lessons.when_training_reads.picture import axes, picture
from bn_teach.training import TrainingConfig

READER_LABELS = {
    "frozen": "frozen batch norm, after some steps",
    "renorm": "Batch Renormalization",
    "average": "training normalised by the averages",
    "nobody": "nobody: plain batch norm",
}


THIRD = 1 / 3
RAMPS = {0.0: "no time", THIRD: "a third of the rest", 2 * THIRD: "two thirds of it", 1.0: "all the rest"}


@dataclass(frozen=True)
class TrainingReadsState:
    """What the controls of `TrainingReadsExplorer` say; steps count from 1, `ramp` is a share of those left."""

    reader: str
    start: int
    momentum: float
    other: float
    batch_size: int
    ramp: float
    r_max: float
    d_max: float
    seed: int


class TrainingReadsExplorer(TrainingExplorer):
    """Train twice with the same start and the same mini-batches and two momenta, while somebody reads the averages.

    The picture shows both losses, and beside each other the second training and what the recording of the first says
    of it: a running mean, and the validation accuracy.

    Parameters
    ----------
    dataset : Dataset, optional
        Default: the handwritten digits.
    config : TrainingConfig
        What the controls do not decide is taken from here. It needs batch norm, a hidden layer and at least one step.

    Attributes
    ----------
    controls : dict
        ``reader`` ("nobody", "renorm", "average", "frozen"), ``start``, ``momentum``, ``other``, ``batch_size``,
        ``ramp``, ``r_max``, ``d_max``, ``seed``.
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a dataset or a config of the wrong kind, without batch norm, without steps or hidden layers, or with a
        batch larger than the training set.

    Examples
    --------
    >>> explorer = TrainingReadsExplorer()
    >>> explorer.wait()
    >>> "agree to the last digit for 100 steps" in explorer.status
    True
    """

    State = TrainingReadsState

    def __init__(self, dataset=None, config=TrainingConfig(steps=400)):
        super().__init__(dataset, config)
        eighths = [max(1, round(config.steps * part / 8)) for part in range(9)]
        self.controls = {
            "reader": dropdown("who reads", READER_LABELS, width="340px"),
            "start": number_slider("from step", sorted(set(eighths)), eighths[2], width="270px"),
            "momentum": momentum_slider(),
            "other": number_slider(
                "other momentum", MOMENTA, 0.99, labels=momentum_labels(MOMENTA, False), width="430px"
            ),
            "batch_size": number_slider("batch size", self._batch_sizes(), config.batch_size),
            "ramp": number_slider("limits open within", tuple(RAMPS), THIRD, labels=list(RAMPS.values())),
            "r_max": number_slider("r_max", (1.0, 1.5, 2.0, 3.0, 5.0, 10.0), 3.0, width="240px"),
            "d_max": number_slider("d_max", (0.0, 0.5, 1.0, 2.0, 5.0, 10.0), 5.0, width="240px"),
            "seed": seed_box(config.seed),
        }
        rare = [self.controls[name] for name in ("batch_size", "ramp", "r_max", "d_max", "seed")]
        self._assemble(
            axes(),
            [
                row(self.controls["reader"], self.controls["start"], self._progress),
                row(self.controls["momentum"], self.controls["other"]),
                folded("more: batch size, the limits of Batch Renormalization, seed", *rare),
            ],
            plot_label="Three panels over training steps: the losses of two trainings that differ in momentum; then a "
            "running mean and the validation accuracy of the second, truly trained and replayed from the first",
        )

    def _config_of(self, state):
        config = replace(self.config, batch_size=state.batch_size, seed=state.seed)
        ramp = round(state.ramp * (config.steps - state.start))
        chosen = ("reader", "momentum", "other", "start", "r_max", "d_max")
        return Setting(config, ramp=ramp, **{name: getattr(state, name) for name in chosen})

    def _run(self, setting):
        return compare(self.dataset, setting)

    def _draw(self):
        remembered = self._remembered(self._config_of(self.state))
        return remembered and picture(remembered[0])
