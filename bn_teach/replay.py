"""Replay: what the running statistics, and the accuracy under them, would have been with another momentum.

In training mode batch norm normalises with the statistics of the mini-batch. The running averages
are only *read*, at inference; nothing in training depends on them. So the batch statistics of one
recorded run, and its weights at checkpoints, tell exactly what any momentum would have given.

What is not allowed raises a ValueError or a TypeError that names the argument.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bn_teach import _checks
from bn_teach._threads import one_blas_thread
from bn_teach.running import cumulative_average, fading_average, unbiased_variance
from bn_teach.theory import memory_weights
from bn_teach.training import Recording

ESTIMATORS = ("ema", "debiased", "cumulative", "algorithm2", "population", "batch")
"""Where inference can take its statistics from.

``ema``: the running average with `momentum`, started at mean 0 and variance 1.
``debiased``: the same without what is left of its start.
``cumulative``: the average of all batches so far, all alike.
``algorithm2``: exact, by the paper's Algorithm 2 (frozen weights, mini-batches of the training set).
``population``: exact, by one pass of the whole training set.
``batch``: each validation mini-batch by its own statistics, as after a forgotten ``eval()``.
"""

AVERAGES = ("ema", "debiased", "cumulative")
MOVED_BY_MOMENTUM = ("ema", "debiased")
INITIAL_MEAN, INITIAL_VAR = 0.0, 1.0

LAST = 10
"""Checkpoints that "the end of the run" is averaged over."""


def at_the_end(curves):
    """Average what checkpoints say over the end of the run: the last `LAST` of them, or all if there are fewer.

    Parameters
    ----------
    curves : numpy.ndarray, shape (..., K)
        `Replay.validation_accuracy`, say.

    Returns
    -------
    numpy.ndarray, shape (...), or a number for a single curve

    Examples
    --------
    >>> print(at_the_end(np.arange(100)))
    94.5
    """
    return curves[..., -LAST:].mean(axis=-1)


@dataclass(frozen=True, eq=False)
class Replay:
    """What one estimator gives for one recording: T steps, K checkpoints, N validation examples.

    With a 1-D momentum everything that momentum changes has a leading axis of length M.

    Attributes
    ----------
    recording : Recording
    estimator : str
    momentum : float or numpy.ndarray, shape (M,)
    unbiased : tuple of bool
        One for each batch norm layer.
    steps : numpy.ndarray of int, shape (K,)
        Updates done at each checkpoint.
    mean, var : tuple of numpy.ndarray, shape ([M,] K, H)
        The statistics that inference used at each checkpoint; None for ``batch``.
    running_mean, running_var : tuple of numpy.ndarray, shape ([M,] T, H)
        The running statistics after every step, far larger than all the rest; None for ``algorithm2``,
        ``population``, ``batch``, and in what `slim` returns.
    validation_accuracy : numpy.ndarray, shape ([M,] K)
        Share of the validation set classified rightly.
    validation_loss : numpy.ndarray, shape ([M,] K)
        Mean cross-entropy, in nats.
    """

    recording: Recording
    estimator: str
    momentum: float | np.ndarray
    unbiased: tuple
    steps: np.ndarray
    mean: tuple | None
    var: tuple | None
    running_mean: tuple | None
    running_var: tuple | None
    validation_accuracy: np.ndarray
    validation_loss: np.ndarray

    def slim(self):
        """Return the same without its running statistics of every step."""
        return replace(self, running_mean=None, running_var=None)

    def history(self, layer, unit):
        """Compute running mean and variance of one unit after every step, shape ([M,] T) each; of an average only."""
        if self.running_mean is not None:
            return tuple(one[layer][..., unit] for one in (self.running_mean, self.running_var))
        return _history(self, layer, unit)


@one_blas_thread
def replay(recording, momentum=0.9, *, estimator="ema", unbiased=True):
    """Compute the running statistics and the validation accuracy that a recorded run would have had.

    Before the first update every average is its initial value, mean 0 and variance 1. Without batch
    norm every estimator gives the plain network, and the statistics are empty tuples.

    Parameters
    ----------
    recording : Recording
        With at least one checkpoint.
    momentum : float or array_like, shape (M,)
        Weight kept on the old estimate, in [0, 1]. Used by ``ema`` and ``debiased`` (there below 1).
    estimator : str
        One of `ESTIMATORS`.
    unbiased : bool or sequence of bool, one for each batch norm layer
        Whether the running variance takes in m/(m-1) times the batch variance. Ignored by
        ``algorithm2`` (always unbiased), ``population`` and ``batch``.

    Returns
    -------
    Replay

    Raises
    ------
    ValueError, TypeError
        For an argument that is not allowed, or class scores that are not finite.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> from bn_teach.training import TrainingConfig, train
    >>> recording = train(load_digits(), TrainingConfig(steps=100))
    >>> slow, fast = replay(recording, [0.999, 0.9]).validation_accuracy[:, -1]
    >>> bool(slow < fast)
    True
    """
    _checks.instance("recording", recording, Recording)
    if len(recording.checkpoint_steps) == 0:
        raise ValueError("recording must have at least one checkpoint, got one that diverged before its first")
    _checks.choice("estimator", estimator, ESTIMATORS)
    momentum = _checks.momenta(momentum)
    unbiased = _per_layer(unbiased, len(recording.batch_mean))
    running = _running_statistics(recording, momentum, estimator, unbiased)
    statistics = _inference_statistics(recording, estimator, running)
    accuracy, loss = _validate(recording, statistics)
    mean, var = statistics or (None, None)
    # Row 0 of the averages is their initial value, before any update.
    running_mean, running_var = (None, None) if running is None else (_updated(layers) for layers in running)
    return Replay(
        recording=recording,
        estimator=estimator,
        momentum=momentum,
        unbiased=unbiased,
        steps=recording.checkpoint_steps,
        mean=mean,
        var=var,
        running_mean=running_mean,
        running_var=running_var,
        validation_accuracy=accuracy,
        validation_loss=loss,
    )


def early_stop(replay, patience, *, metric="validation_accuracy"):
    """Find where early stopping would have stopped, and which checkpoint it would have kept.

    Training never reads the averages, but who acts on the validation number reads them: momentum decides which
    weights are kept.

    Parameters
    ----------
    replay : Replay
        Of one momentum.
    patience : int
        How many checkpoints in a row without improvement end the training, at least 1.
    metric : str
        "validation_accuracy" (higher is better) or "validation_loss" (lower is better).

    Returns
    -------
    best_step, stop_step : int
        Updates done at the checkpoint kept (the first best one), and where training stopped: the
        last checkpoint if patience never ran out.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> from bn_teach.training import TrainingConfig, train
    >>> recording = train(load_digits(), TrainingConfig(steps=30))
    >>> best_step, stop_step = early_stop(replay(recording, 0.9), patience=5)
    >>> best_step <= stop_step
    True
    """
    best, stop = _stop(replay, patience, metric)
    return int(replay.steps[best]), int(replay.steps[stop])


@dataclass(frozen=True)
class Kept:
    """What early stopping keeps, and what it is worth.

    Attributes
    ----------
    best_step, stop_step : int
        As `early_stop` returns them.
    seen : float
        Validation accuracy that early stopping saw at `best_step`: these weights with the statistics
        of that very step.
    latest : float
        The same weights with the statistics of `stop_step`.
    """

    best_step: int
    stop_step: int
    seen: float
    latest: float


def keep_best(replay, patience, *, metric="validation_accuracy"):
    """Stop early, restore the best weights, and judge them with the statistics of their own step and with the latest.

    Parameters
    ----------
    replay, patience, metric
        As in `early_stop`.

    Returns
    -------
    Kept

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> from bn_teach.training import TrainingConfig, train
    >>> recording = train(load_digits(), TrainingConfig(steps=100))
    >>> kept = keep_best(replay(recording, estimator="batch"), patience=5)
    >>> kept.seen == kept.latest  # each mini-batch brings its own statistics: none are kept
    True
    """
    best, stop = _stop(replay, patience, metric)
    (seen, _), (latest, _) = _judged(replay, best, best), _judged(replay, best, stop)
    return Kept(int(replay.steps[best]), int(replay.steps[stop]), seen, latest)


def restore(replay, weights_step, statistics_step):
    """Judge the weights of one checkpoint with the statistics of another.

    Parameters
    ----------
    replay : Replay
        Of one momentum.
    weights_step, statistics_step : int
        Two of `replay.steps`.

    Returns
    -------
    accuracy, loss : float
        On the validation set. With the estimator ``batch`` nothing is stored, and `statistics_step`
        changes nothing.

    Raises
    ------
    ValueError, TypeError
        For a step without a checkpoint, or class scores that are not finite.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> from bn_teach.training import TrainingConfig, train
    >>> replayed = replay(train(load_digits(), TrainingConfig(steps=100)), 0.9)
    >>> restore(replayed, 50, 50)[0] == float(replayed.validation_accuracy[4])
    True
    """
    _check_one_momentum(replay)
    k, row = _checkpoint(replay, "weights_step", weights_step), _checkpoint(replay, "statistics_step", statistics_step)
    return _judged(replay, k, row)


@one_blas_thread
def _judged(replay, k, row):
    """Accuracy and loss of the weights of checkpoint `k` with the statistics of checkpoint `row`."""
    if k == row or replay.mean is None:
        return float(replay.validation_accuracy[k]), float(replay.validation_loss[k])
    recording = replay.recording
    statistics = [(mean[row], var[row]) for mean, var in zip(replay.mean, replay.var, strict=True)]
    with np.errstate(all="ignore"):
        scores = recording.network_at(k).inference(_first_layer(recording)[k], statistics)
        accuracy, loss = _score(scores, recording.dataset.validation_y)
    if not np.isfinite(loss):
        raise ValueError(
            f"statistics_step must give finite class scores with the weights of step {replay.steps[k]}, "
            f"got an overflow or a division by a zero variance with those of step {replay.steps[row]}"
        )
    return float(accuracy), loss


def _stop(replay, patience, metric):
    """The checkpoint that early stopping keeps, and the one at which it stops."""
    _check_one_momentum(replay)
    _checks.integer("patience", patience, 1)
    _checks.choice("metric", metric, ("validation_accuracy", "validation_loss"))
    scores = getattr(replay, metric)
    better = np.greater if metric == "validation_accuracy" else np.less
    best = 0
    for k, score in enumerate(scores):
        if better(score, scores[best]):
            best = k
        if k - best >= patience:
            break
    return best, k


def _check_one_momentum(replay):
    _checks.instance("replay", replay, Replay)
    if replay.validation_accuracy.ndim != 1:
        raise ValueError(f"replay must be of one momentum, got {len(replay.momentum)} momenta: replay one of them")


def _checkpoint(replay, name, step):
    """Number of the checkpoint after `step` updates."""
    step = _checks.integer(name, step, 0)
    k = int(np.searchsorted(replay.steps, step))
    if k == len(replay.steps) or replay.steps[k] != step:
        raise ValueError(f"{name} must be a step with a checkpoint, got {step}: see the attribute steps of the replay")
    return k


def running_statistics(
    means,
    variances,
    sizes,
    momentum,
    *,
    estimator="ema",
    unbiased=True,
    initial_mean=INITIAL_MEAN,
    initial_var=INITIAL_VAR,
):
    """Average recorded batch statistics as a batch norm layer would have done while training.

    Parameters
    ----------
    means, variances : numpy.ndarray, shape (T, H)
        Of every mini-batch; the variances are biased.
    sizes : numpy.ndarray of int, shape (T,)
        Values per channel in every mini-batch.
    momentum : float or numpy.ndarray, shape (M,)
        Not used by ``cumulative``.
    estimator : str
        One of `AVERAGES`.
    unbiased : bool or numpy.ndarray of bool, shape (H,)
    initial_mean, initial_var : float or array_like, shape (H,)

    Returns
    -------
    running_mean, running_var : numpy.ndarray, float64, shape ([M,] T + 1, H)
        Row 0 is the initial value, before any update.

    Examples
    --------
    >>> means, variances = np.array([[1.0]]), np.array([[2.0]])
    >>> mean, var = running_statistics(means, variances, np.array([2]), 0.5)
    >>> print(mean.ravel(), var.ravel())
    [0.  0.5] [1.  2.5]
    """
    if np.any(unbiased) and len(sizes):
        variances = np.where(unbiased, unbiased_variance(variances, sizes[:, None]), variances)
    width = means.shape[1]
    variants = () if estimator == "cumulative" else np.shape(momentum)
    averages = np.empty((*variants, len(means) + 1, 2 * width))
    # Means and variances side by side, so that one pass over the steps averages both; and the history
    # where its averages will be, because memory that is new to the process costs more than the pass.
    initial, history = np.split(averages[0] if variants else averages, [1])
    initial[:, :width], initial[:, width:] = initial_mean, initial_var
    history[:, :width], history[:, width:] = means, variances
    averages[..., :1, :] = initial
    if estimator == "debiased":
        _checks.debiasable(momentum)
    if len(history) and estimator == "cumulative":
        history[...] = cumulative_average(history)
    elif len(history) and estimator in MOVED_BY_MOMENTUM:
        fading_average(history, momentum, initial[0], debias=estimator == "debiased", out=averages[..., 1:, :])
    elif len(history):
        raise NotImplementedError(f"how {estimator} averages")
    return np.split(averages, 2, axis=-1)


def inside(estimator, momentum, updates):
    """Weigh what an average of mini-batches is made of.

    Parameters
    ----------
    estimator : str
        One of `ESTIMATORS`; what is not one of `AVERAGES` has nothing inside.
    momentum : float
        In [0, 1], below 1 for ``debiased``. Used by ``ema`` and ``debiased``.
    updates : int
        T, at least 1.

    Returns
    -------
    start : float
        Weight that is left on the initial value.
    batches : numpy.ndarray, float64, shape (T,), or (0,)
        Weight of every mini-batch so far, the newest first. With `start` they sum to 1.

    Raises
    ------
    ValueError, TypeError

    Examples
    --------
    >>> inside("ema", 0.5, 2)
    (0.25, array([0.5 , 0.25]))
    >>> inside("cumulative", 0.5, 2)
    (0.0, array([0.5, 0.5]))
    """
    _checks.choice("estimator", estimator, ESTIMATORS)
    updates = _checks.integer("updates", updates, 1)
    if estimator == "cumulative":
        return 0.0, np.full(updates, 1 / updates)
    if estimator not in MOVED_BY_MOMENTUM:
        return 0.0, np.empty(0)
    start, batches = memory_weights(momentum, updates)
    if estimator == "ema":
        return start, batches
    _checks.debiasable(momentum)
    return 0.0, batches / (1 - start)


def _running_statistics(recording, momentum, estimator, unbiased):
    """Means and variances per layer, shape ([M,] T + 1, H); row 0 is the initial value."""
    if estimator not in AVERAGES:
        return None
    if not recording.batch_mean:
        return (), ()
    # All layers side by side, so that one pass over the steps averages everything.
    means, variances = (np.concatenate(layers, axis=1) for layers in (recording.batch_mean, recording.batch_var))
    widths = [layer.shape[1] for layer in recording.batch_mean]
    running = running_statistics(
        means,
        variances,
        recording.batch_sizes,
        momentum,
        estimator=estimator,
        unbiased=np.repeat(unbiased, widths),
    )
    return tuple(tuple(np.split(averages, np.cumsum(widths)[:-1], axis=-1)) for averages in running)


def _per_layer(unbiased, layers):
    """One bool for each layer."""
    if not isinstance(unbiased, (list, tuple)):
        return (_checks.boolean("unbiased", unbiased),) * layers
    if len(unbiased) != layers:
        raise ValueError(f"unbiased must be one bool, or one for each of the {layers} layers, got {len(unbiased)}")
    return tuple(_checks.boolean("unbiased", one) for one in unbiased)


def _updated(layers):
    return tuple(layer[..., 1:, :] for layer in layers)


def _inference_statistics(recording, estimator, running):
    if running is not None:
        return [tuple(layer[..., recording.checkpoint_steps, :] for layer in layers) for layers in running]
    if estimator == "algorithm2":
        return recording.algorithm2_mean, recording.algorithm2_var
    if estimator == "population":
        return recording.population_mean, recording.population_var
    if estimator == "batch":
        return None
    raise NotImplementedError(f"which statistics {estimator} reads")


def _validate(recording, statistics):
    """Accuracy and loss of every checkpoint under `statistics`; None: each mini-batch's own."""
    config, labels = recording.config, recording.dataset.validation_y
    order = np.random.default_rng(0).permutation(len(labels))
    variants = () if not statistics or not statistics[0] else statistics[0][0].shape[:-2]
    shape = (*variants, len(recording.checkpoint_steps), len(labels), recording.dataset.num_classes)
    scores = np.empty(shape, config.dtype)
    with np.errstate(all="ignore"):  # what overflows is told below
        for k, (network, z) in enumerate(zip(recording.networks(), _first_layer(recording), strict=True)):
            if statistics is None:
                scores[k, order] = network.scores_by_batch(z[order], config.batch_size)
                continue
            for variant in np.ndindex(variants):
                at = (*variant, k)
                pairs = [(mean[at], var[at]) for mean, var in zip(*statistics, strict=True)]
                scores[at] = network.inference(z, pairs)
        accuracy, loss = _score(scores, labels)
    for *_, k in np.argwhere(~np.isfinite(loss)):
        raise ValueError(
            "recording must give finite class scores under these statistics, got an overflow or a division by a zero "
            f"variance at step {recording.checkpoint_steps[k]} (weights too large for {config.dtype}, or eps=0)"
        )
    return accuracy, loss


def _score(scores, labels):
    """Share classified rightly and mean cross-entropy of scores (..., N, classes)."""
    # One class after the other: NumPy is quick along long axes, and there are few classes.
    by_class = np.ascontiguousarray(np.moveaxis(scores, -1, 0))
    highest = by_class.max(axis=0)
    log_sums = highest + np.log(sum(np.exp(one - highest) for one in by_class))
    chosen = scores[..., np.arange(len(labels)), labels]
    return (scores.argmax(axis=-1) == labels).mean(axis=-1), (log_sums - chosen).mean(axis=-1, dtype=np.float64)


@lru_cache(maxsize=1)  # a picture and the drawing beside it ask for the same
def _history(replay, layer, unit):
    """`Replay.history` of a replay that has none of its running statistics."""
    run, column = replay.recording, slice(unit, unit + 1)
    averages = running_statistics(
        run.batch_mean[layer][:, column],
        run.batch_var[layer][:, column],
        run.batch_sizes,
        replay.momentum,
        estimator=replay.estimator,
        unbiased=replay.unbiased[layer],
    )
    for one in averages:
        one.flags.writeable = False  # whoever asks next gets the same
    return tuple(one[..., 1:, 0] for one in averages)


@lru_cache(maxsize=1)  # 14 MB each
def _first_layer(recording):
    """What the first linear layer makes of the validation set at each checkpoint, shape (K, N, H).

    No statistics enter before it, so it is the same for every momentum and estimator.
    """
    x = recording.dataset.validation_x.astype(recording.config.dtype)
    return np.stack([network.layers[0](x) for network in recording.networks()])
