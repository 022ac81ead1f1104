"""Decide whose mean and variance normalise the held-out images, and whose those of changed weights."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bn_teach.lessons.shared.explorer import dropdown, folded, number_box, number_slider, row, seed_box
from bn_teach.lessons.shared.training import TrainingExplorer
from bn_teach.lessons.whose_statistics import weights
from bn_teach.lessons.whose_statistics.changed import AMOUNTS, CONFIGS, change_weights
from bn_teach.lessons.whose_statistics.experiment import bench, is_square
from bn_teach.lessons.whose_statistics.picture import CORRUPTION_LABELS, NS, axes, number, picture
from bn_teach.training import TrainingConfig, train

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class WhoseStatisticsState:
    """What the controls of `WhoseStatisticsExplorer` say; layers and units count from 0, N may be `math.inf`."""

    corruption: str
    N: float
    n: int
    classes: int
    layer: int
    unit: int
    seed: int


class WhoseStatisticsExplorer(TrainingExplorer):
    """Mix the statistics of the training images with those of a test batch, and see what is read rightly.

    The network is trained once for every seed; everything else is inference: held-out images through a worse
    camera, in test batches of n, by statistics in which the training images count as N images.

    Parameters
    ----------
    dataset : Dataset, optional
        Default: the handwritten digits. Blur is offered for square images.
    config : TrainingConfig
        How the network is trained. It needs batch norm, a hidden layer and at least one step.

    Attributes
    ----------
    controls : dict
        ``corruption``, ``N`` (0 to infinity, which is inference mode), ``n`` (1 to all held-out images),
        ``classes`` (how many are together in a test batch: 1 is sorted by class, all is shuffled), ``layer``,
        ``unit``, ``seed``.
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a dataset or a config of the wrong kind, without batch norm, without steps or hidden layers, or with a
        batch larger than the training set.

    Examples
    --------
    >>> explorer = WhoseStatisticsExplorer()
    >>> explorer.controls["corruption"].value = "mist"
    >>> explorer.controls["N"].value = 0
    >>> explorer.wait()
    >>> explorer.status.startswith("Mist, in 28 test batches of 16 to 17 images, shuffled.")
    True
    """

    State = WhoseStatisticsState

    def __init__(self, dataset=None, config=TrainingConfig()):
        super().__init__(dataset, config)
        self._accuracies = lru_cache(maxsize=1)(self._accuracies)  # N, layer or unit may move alone
        images, present = len(self.dataset.validation_x), len(np.unique(self.dataset.validation_y))
        cameras = {
            name: words
            for name, words in CORRUPTION_LABELS.items()
            if name != "blur" or is_square(self.dataset.num_features)
        }
        sizes = [n for n in _SIZES if n < images]
        # As many classes in every test batch.
        together = [count for count in range(1, present + 1) if present % count == 0]
        words = [str(count) for count in together]
        words[0], words[-1] = f"{words[0]} (sorted)", f"{words[-1]} (shuffled)"
        units = config.hidden[0]
        self.controls = {
            "corruption": dropdown("camera", cameras, width="290px"),
            "N": number_slider(
                "N: training images count as", NS, math.inf, labels=[number(N) for N in NS], width="380px"
            ),
            "n": number_slider(
                "n: images in a test batch",
                [*sizes, images],
                min(16, images),
                labels=[*map(str, sizes), f"all {images}"],
                width="380px",
            ),
            "classes": number_slider("classes in a test batch", together, present, labels=words, width="420px"),
            "layer": dropdown("layer", {i: str(i + 1) for i in range(len(config.hidden))}, width="120px"),
            "unit": number_box("unit", min(7, units - 1), units - 1),
            "seed": seed_box(config.seed),
        }
        self._assemble(
            axes(self.dataset.num_features),
            [
                row(self.controls["corruption"], self._progress),
                row(self.controls["N"], self.controls["n"]),
                row(self.controls["classes"]),
                folded("more: layer, unit, seed", *(self.controls[name] for name in ("layer", "unit", "seed"))),
            ],
            plot_label="Three panels: the images of the first test batch, the distribution of one unit's values over "
            "the training images and over the held-out images with the means and standard deviations that are mixed, "
            "and the share of held-out images read rightly over N",
        )

    def _config_of(self, state):
        return replace(self.config, seed=state.seed)

    def _run(self, config):
        tried = bench(train(self.dataset, config))
        return tried, tried.training_values(), tried.accuracy(math.inf, 1)

    def _react(self, control):
        super()._react(control)
        if control is self.controls["layer"]:
            with self._quietly():
                self.controls["unit"].max = self.config.hidden[control.value] - 1

    def _draw(self):
        state = self.state
        remembered = self._remembered(self._config_of(state))
        if remembered is None:
            return None
        tried, training, clean = remembered
        setting = state.n, state.corruption, state.classes, state.seed
        accuracy = self._accuracies(tried, *setting)
        return picture(state, tried, training, _seen(tried, state.N, *setting), accuracy, clean)

    def _accuracies(self, tried, *setting):
        return {N: float(tried.right(_seen(tried, N, *setting)).mean()) for N in NS}


def _seen(tried, N, n, corruption, classes, seed):
    return tried.mixed(N, n, corruption=corruption, classes=classes, seed=seed)


@dataclass(frozen=True)
class ChangedWeightsState:
    """What the controls of `ChangedWeightsExplorer` say; `amount` counts from 0, which changes nothing."""

    change: str
    amount: int
    seed: int


class ChangedWeightsExplorer(TrainingExplorer):
    """Prune, round or average the weights of a trained network, and see whose statistics still fit them.

    Parameters
    ----------
    dataset : Dataset, optional
        Default: the handwritten digits.

    Attributes
    ----------
    controls : dict
        ``change`` ("pruned", "rounded", "swa", "ema"), ``amount`` (how far: 0 to 7), ``seed``.
    state, figure, view, status
        As in every explorer.

    Raises
    ------
    ValueError, TypeError
        For a dataset of the wrong kind, or with fewer than 16 training images.

    Examples
    --------
    >>> explorer = ChangedWeightsExplorer()
    >>> explorer.controls["amount"].value = 4
    >>> explorer.wait()
    >>> explorer.status.startswith("The smallest 80 % of the weights")
    True
    """

    State = ChangedWeightsState

    def __init__(self, dataset=None):
        super().__init__(dataset, CONFIGS["pruned"])
        labels = weights.amount_labels("pruned")
        self.controls = {
            "change": dropdown("weights", weights.CHANGE_LABELS, width="360px"),
            "amount": number_slider("how far", range(len(labels)), 0, labels=labels, width="360px"),
            "seed": seed_box(),
        }
        self._assemble(
            weights.axes(),
            [
                row(self.controls["change"], self._progress),
                row(self.controls["amount"], self.controls["seed"]),
            ],
            plot_label="Three panels: the share of held-out images read rightly under several statistics, over how far "
            "the weights were changed, and for all units the stored means and standard deviations over the recomputed",
        )

    def _config_of(self, state):
        return replace(CONFIGS[state.change], seed=state.seed)

    def _run(self, config):
        recording, usual = train(self.dataset, config), replace(config, seed=0)
        return {change: change_weights(recording, change) for change in AMOUNTS if CONFIGS[change] == usual}

    def _react(self, control):
        super()._react(control)
        if control is self.controls["change"]:
            self._relabel(self.controls["amount"], weights.amount_labels(control.value))

    def _draw(self):
        state = self.state
        found = self._remembered(self._config_of(state))
        return found and weights.picture(state, found[state.change])
