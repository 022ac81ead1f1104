"""Exchange the neighbours of one image, and see in which mode its prediction notices."""

import math
from dataclasses import dataclass, fields

import ipywidgets as widgets

from bn_teach.lessons.shared.choices import BATCH_SIZES
from bn_teach.lessons.shared.explorer import number_slider, row
from bn_teach.lessons.shared.live_figure import LiveFigure
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.lessons.two_modes.experiment import predict_both_ways
from bn_teach.lessons.two_modes.picture import two_modes_figure, two_modes_ranges, two_modes_traces
from bn_teach.lessons.two_modes.sentence import two_modes_sentence
from bn_teach.training import TrainingConfig

DRAWS = 40

COMPANY_LABELS = {"any": "any images", "same": "only images of the same digit"}


@dataclass(frozen=True)
class TwoModesState:
    """What the controls of `TwoModesExplorer` say; `draw` counts from 1."""

    batch_size: int
    company: str
    draw: int
    image: int
    seed: int


class TwoModesExplorer(TrainingExplorer):
    """Predict one validation image together with different neighbours.

    The picture shows the mini-batch, the probabilities of all digits in training and in inference
    mode, and the probability of the true digit over 40 draws of neighbours. The network is trained
    once, at the start; the batch size slides at prediction alone.

    Parameters
    ----------
    dataset : Dataset, optional
        Of square images. Default: the handwritten digits.
    config : TrainingConfig
        How the network is trained. It needs batch norm, a hidden layer and at least one step.

    Attributes
    ----------
    controls : dict
        ``batch_size``, ``company`` ("any", "same"), ``play``, ``draw``, ``image``, ``seed``.
    state : TwoModesState
    figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a dataset or a config of the wrong kind, images that are not square, fewer than two
        validation images, or a config without batch norm, without steps or hidden layers, or with a
        batch larger than the training set.

    Examples
    --------
    >>> explorer = TwoModesExplorer()
    >>> explorer.wait()
    >>> "whatever stands beside it" in explorer.status
    True
    """

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._predicted = None
        self.figure = LiveFigure(two_modes_figure(None, draw=0))
        self._build_controls()
        self._assemble(
            [
                row(self.controls["batch_size"], self.controls["company"], self._progress),
                row(*(self.controls[name] for name in ("play", "draw", "image", "seed"))),
            ],
            plot_label="Three panels: the images of a mini-batch, the probability of each digit for the first image in "
            "inference mode and in training mode, and the probability of its true digit over draws of neighbours",
        )
        self._update()

    @property
    def state(self):
        """What the controls say now."""
        return TwoModesState(**{field.name: self.controls[field.name].value for field in fields(TwoModesState)})

    def _check_arguments(self):
        super()._check_arguments()
        if math.isqrt(self.dataset.num_features) ** 2 != self.dataset.num_features:
            raise ValueError(f"dataset must hold square images, got {self.dataset.num_features} features")
        if len(self.dataset.validation_x) < 2:
            raise ValueError("dataset must have at least 2 validation images, got 1: there is no neighbour to draw")

    def _build_controls(self):
        plain = {"style": {"description_width": "initial"}}
        last_image = len(self.dataset.validation_x) - 1
        self.controls = {
            "batch_size": number_slider("batch size at prediction", (1, *BATCH_SIZES), 16, width="380px"),
            "company": widgets.Dropdown(
                options=[(label, name) for name, label in COMPANY_LABELS.items()],
                description="neighbours",
                layout=widgets.Layout(width="290px"),
                **plain,
            ),
            "play": widgets.Play(1, min=1, max=DRAWS, interval=400),
            "draw": widgets.IntSlider(
                1, 1, DRAWS, description="draw of neighbours", layout=widgets.Layout(width="380px"), **plain
            ),
            "image": widgets.BoundedIntText(
                min(372, last_image),
                min=0,
                max=last_image,
                description="image",
                layout=widgets.Layout(width="130px"),
                **plain,
            ),
            "seed": widgets.BoundedIntText(
                0, min=0, max=10**6, description="seed", layout=widgets.Layout(width="120px"), **plain
            ),
        }
        widgets.link((self.controls["play"], "value"), (self.controls["draw"], "value"))

    def _draw(self):
        remembered = self._remembered(self.config)
        if remembered is None:
            return None
        state = self.state
        both = self._predict(remembered[0], state)
        return (
            two_modes_traces(both, draw=state.draw - 1),
            two_modes_ranges(both),
            two_modes_sentence(both, draw=state.draw - 1),
        )

    def _predict(self, recording, state):
        """Predict, unless it would be the same as the last time (only the draw moved)."""
        wanted = {"image": state.image, "batch_size": state.batch_size, "company": state.company, "seed": state.seed}
        if self._predicted is None or self._predicted[0] != wanted:
            self._predicted = (wanted, predict_both_ways(recording, **wanted, draws=DRAWS))
        return self._predicted[1]
