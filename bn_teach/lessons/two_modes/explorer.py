"""Exchange the neighbours of one image, and see in which mode its prediction notices."""

import math
from dataclasses import dataclass
from functools import lru_cache

from bn_teach.lessons.shared.choices import BATCH_SIZES
from bn_teach.lessons.shared.explorer import dropdown, number_box, number_slider, played_slider, row, seed_box
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.lessons.two_modes.experiment import predict_both_ways
from bn_teach.lessons.two_modes.picture import axes, picture
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
    state, figure, view, status
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

    State = TwoModesState

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._predict = lru_cache(maxsize=1)(self._predict)  # in all draws at once
        last = len(self.dataset.validation_x) - 1
        play, draw = played_slider("draw of neighbours", 1, 1, DRAWS, width="380px", interval=400)
        self.controls = {
            "batch_size": number_slider("batch size at prediction", (1, *BATCH_SIZES), 16, width="380px"),
            "company": dropdown("neighbours", COMPANY_LABELS, width="290px"),
            "play": play,
            "draw": draw,
            "image": number_box("image", min(372, last), last, "130px"),
            "seed": seed_box(),
        }
        self._assemble(
            axes(),
            [
                row(self.controls["batch_size"], self.controls["company"], self._progress),
                row(*(self.controls[name] for name in ("play", "draw", "image", "seed"))),
            ],
            plot_label="Three panels: the images of a mini-batch, the probability of each digit for the first image in "
            "inference mode and in training mode, and the probability of its true digit over draws of neighbours",
        )

    def _check_arguments(self):
        super()._check_arguments()
        if math.isqrt(self.dataset.num_features) ** 2 != self.dataset.num_features:
            raise ValueError(f"dataset must hold square images, got {self.dataset.num_features} features")
        if len(self.dataset.validation_x) < 2:
            raise ValueError("dataset must have at least 2 validation images, got 1: there is no neighbour to draw")

    def _draw(self):
        run = self._remembered(self.config)
        if run is None:
            return None
        state = self.state
        both = self._predict(run.recording, state.image, state.batch_size, state.company, state.seed)
        return picture(both, state.draw - 1)

    def _predict(self, recording, image, batch_size, company, seed):
        return predict_both_ways(recording, image, batch_size=batch_size, company=company, draws=DRAWS, seed=seed)
