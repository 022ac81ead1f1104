"""What `checkup` has found out about a model before anybody draws a conclusion. Nothing here needs PyTorch."""

from dataclasses import dataclass, field

import numpy as np

from bn_teach.running import pooled_statistics
from bn_teach.torch_recorder.comparison import differences
from bn_teach.torch_recorder.history import TorchRecording

FAR = 0.1  # standard deviations of a normalised value: worth a word, whatever it costs
SURE = 3  # a difference of so many standard errors is taken for one


@dataclass(frozen=True)
class LayerState:
    """One batch norm layer as the model came.

    Attributes
    ----------
    mean, var : numpy.ndarray, shape (C,), or None
        Its buffers; None if it keeps none.
    momentum : float or None
        What it keeps of the old estimate; None is the cumulative average.
    eps : float
    counted : int or None
    training : bool
    frozen : bool
        Whether it has weights, none of them learns, and others of the model do.
    rounding : float
        Of its buffers: 0.001 in half precision.
    """

    mean: np.ndarray | None
    var: np.ndarray | None
    momentum: float | None
    eps: float
    counted: int | None
    training: bool
    frozen: bool
    rounding: float

    @property
    def at_start(self):
        """Whether the buffers are those of a new layer, to the last digit."""
        return self.mean is not None and not self.mean.any() and bool((self.var == 1).all())

    @property
    def sound(self):
        """Whether the buffers can be read: finite, and no variance negative."""
        return self.mean is not None and bool(np.isfinite([self.mean, self.var]).all() and (self.var >= 0).all())

    @property
    def left(self):
        """What its counter says that is left of the start: momentum to the power of the updates."""
        if self.mean is None or self.momentum is None or self.counted is None:
            return 0.0
        return float(np.clip(self.momentum, 0, 1) ** self.counted)


@dataclass(frozen=True)
class Model:
    """What the rest of the model says about itself.

    Attributes
    ----------
    name : str
        Of its class.
    training : bool
    averaged : bool
        Whether it says that its weights are an average.
    zeros : float
        Share of its weights that are exactly 0.
    levels : int or None
        The fewest values that a large matrix of weights has, if they are few.
    dropout : bool
    others : dict of str to str
        Kinds of normalisation that are not examined, and why.
    """

    name: str
    training: bool
    averaged: bool
    zeros: float
    levels: int | None
    dropout: bool
    others: dict


@dataclass(frozen=True, eq=False)
class Heard:
    """What went into one layer: B batches, C channels.

    Attributes
    ----------
    means, variances : numpy.ndarray, shape (B, C)
        The variances divide by n.
    sizes, examples : numpy.ndarray, shape (B,)
        Values per channel, and examples.
    between : numpy.ndarray, shape (B, C)
        Variance of the means of the single examples within a batch.
    training : bool
        Whether the layer was ever in training mode.
    alike : float
        Share of the positions of the first batch that hold one and the same vector; 0 for images.
    """

    means: np.ndarray
    variances: np.ndarray
    sizes: np.ndarray
    examples: np.ndarray
    between: np.ndarray
    training: bool
    alike: float

    @property
    def pooled(self):
        """Mean and variance of all that went in."""
        return pooled_statistics(self.means, self.variances, self.sizes)

    @property
    def sortedness(self):
        """How many times farther apart the batches' means are than those of random batches, and what is sure."""
        several = self.examples > 1
        batches, m = several.sum(), self.examples[several][:, None]
        if batches < 3:
            return 1.0, np.inf
        means = self.means[several].astype(np.float64)
        among = (m * (means - np.average(means, axis=0, weights=m[:, 0])) ** 2).sum(axis=0) / (batches - 1)
        within = (m * self.between[several]).sum(axis=0) / (m - 1).sum()
        varied = within > 0
        ratio = float((among[varied] / within[varied]).mean()) if varied.any() else 1.0
        # Of normal values the ratio is 1 +- sqrt(2 / (batches - 1)), and channels go together.
        return ratio, max(2.0, 1 + 4 * np.sqrt(2 / (batches - 1)))


@dataclass(frozen=True, eq=False)
class Score:
    """What the user's metric says.

    Attributes
    ----------
    value : float
    each : numpy.ndarray or None
        Of every example, if the metric tells.
    examples : int or None
    """

    value: float
    each: np.ndarray | None = None
    examples: int | None = None

    def above(self, other):
        """By how much it is better than another, and the standard error of that (None if nothing tells)."""
        if not np.isfinite(other.value):
            return (np.inf if np.isfinite(self.value) else 0.0), 0.0
        gain = self.value - other.value
        if self.each is not None and other.each is not None and len(self.each) == len(other.each) > 1:
            return gain, float(np.std(self.each - other.each, ddof=1) / np.sqrt(len(self.each)))
        if self.examples and all(0 <= one.value <= 1 for one in (self, other)):
            # As if the metric were a share of the examples; one right and one wrong more keep 0 and 1 from being sure.
            shares = [(one.value * self.examples + 1) / (self.examples + 2) for one in (self, other)]
            return gain, float(np.sqrt(sum(p * (1 - p) for p in shares) / self.examples))
        return gain, None


def is_sure(gain, chance, of):
    """Whether a gain is more than chance; where nothing tells how large that is, more than a hundredth of the score."""
    return gain > (SURE * chance if chance is not None else 0.01 * abs(of))


@dataclass(eq=False)
class Evidence:
    """All that examinations look at.

    Attributes
    ----------
    layers : dict of str to LayerState
    model : Model or None
    recorded : TorchRecording or None
    judge : callable or None
        From statistics, name to (mean, var), to the `Score` of the model with them.
    training, validation : dict of str to Heard
        What went in when training batches went through in training mode, and in validation, every batch normalised by
        itself. In the order in which layers are called.
    calls : int
        Training batches.
    alone : int
        Training batches of one example that PyTorch refused.
    exact : dict of str to (mean, var)
        Of the training batches, under the weights as they are.
    as_given : dict of str to (mean, var), or None
        The same of batches in the order given, where that is not a random one.
    still : dict of str to (mean, var), or None
        The same with dropout off.
    validating : dict of str to Heard
        What went in as the user validates.
    scores : dict of str to Score
        The same weights under other statistics: ``"own"``, ``"exact"``, ``"still"``, ``"as given"``, ``"batch"`` (each
        validation batch's), ``"validation"`` (those of all validation inputs); ``"as validated"`` in training mode.
    """

    layers: dict = field(default_factory=dict)
    model: Model | None = None
    recorded: TorchRecording | None = None
    judge: object = None
    training: dict = field(default_factory=dict)
    calls: int = 0
    alone: int = 0
    exact: dict = field(default_factory=dict)
    as_given: dict | None = None
    still: dict | None = None
    validating: dict = field(default_factory=dict)
    validation: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)

    def gain(self, statistics):
        """Judge other statistics: what they bring over its own, as arguments of a `Finding`."""
        if self.judge is None or "own" not in self.scores or not statistics:
            return {}
        return self.told(self.judge(statistics), self.scores["own"])

    def between(self, better, worse):
        """What one of `scores` is above another, as arguments of a `Finding`."""
        if better not in self.scores or worse not in self.scores:
            return {}
        return self.told(self.scores[better], self.scores[worse])

    def told(self, better, worse):
        """What one score is above another, as arguments of a `Finding`."""
        cost, chance = better.above(worse)
        return {"cost": cost, "chance": chance, "sure": is_sure(cost, chance, self.scores["own"].value)}

    @property
    def first(self):
        """The first batch norm layer that is called."""
        return next(iter(self.training or self.validation or self.layers), None)

    @property
    def sample(self):
        """What the first layer heard that is called once for every training batch; None if there is no such layer."""
        once = self.calls, self.calls - self.alone
        return next((heard for heard in self.training.values() if len(heard.sizes) in once), None)

    def distances(self):
        """Layer to how far normalised values are off because its buffers are not exact, in standard deviations."""
        return {
            name: differences(layer.mean, layer.var, *self.exact[name], layer.eps)[-1]
            for name, layer in self.layers.items()
            if name in self.exact and layer.sound
        }
