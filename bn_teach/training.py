"""Training, recorded: everything that is needed to find out afterwards what any momentum would have done."""

import math
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from bn_teach import _checks
from bn_teach._threads import one_blas_thread
from bn_teach.data import Dataset, minibatches
from bn_teach.network import ACTIVATIONS, build_network, cross_entropy, keep_running_averages


@dataclass(frozen=True)
class TrainingConfig:
    """How to train: all that decides a run, apart from the data.

    There is no momentum in it. In training mode batch norm normalises with the statistics of the
    mini-batch, so momentum changes nothing about training; it enters in `replay`.

    Attributes
    ----------
    batch_size : int
        At least 2 with batch norm: a batch of one has no variance.
    steps : int
        Mini-batches to train on, 0 or more.
    hidden : tuple of int
        Units of each hidden layer.
    activation : str
        "relu" or "sigmoid".
    learning_rate : float
        Of plain stochastic gradient descent.
    batch_norm : bool
    eps : float
    checkpoint_every : int
        Steps between two checkpoints (weights and exact statistics).
    drop_last : bool
        Leave out the examples of an epoch that do not fill a batch.
    weight_scale : float or None
        Standard deviation of every initial weight; None is He initialisation.
    dtype : str
        "float32" or "float64".
    seed : int
        Decides the initial weights and the order of the examples.

    Examples
    --------
    >>> TrainingConfig(batch_size=32).batch_size
    32
    """

    batch_size: int = 16
    steps: int = 800
    hidden: tuple = (100, 100)
    activation: str = "relu"
    learning_rate: float = 0.1
    batch_norm: bool = True
    eps: float = 1e-5
    checkpoint_every: int = 10
    drop_last: bool = True
    weight_scale: float | None = None
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self):
        batch_norm = _checks.boolean("batch_norm", self.batch_norm)
        checked = {
            "batch_size": _checks.integer("batch_size", self.batch_size, 2 if batch_norm else 1),
            "steps": _checks.integer("steps", self.steps, 0),
            "hidden": _hidden(self.hidden),
            "activation": _checks.choice("activation", self.activation, tuple(ACTIVATIONS)),
            "learning_rate": _checks.number("learning_rate", self.learning_rate, above=0.0),
            "batch_norm": batch_norm,
            "eps": _checks.number("eps", self.eps, 0.0),
            "checkpoint_every": _checks.integer("checkpoint_every", self.checkpoint_every, 1),
            "drop_last": _checks.boolean("drop_last", self.drop_last),
            "weight_scale": None
            if self.weight_scale is None
            else _checks.number("weight_scale", self.weight_scale, above=0.0),
            "dtype": _checks.choice("dtype", self.dtype, ("float32", "float64")),
            "seed": _checks.integer("seed", self.seed, 0),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False)
class Recording:
    """One training run: T steps, K checkpoints, one tuple entry per batch norm layer from below.

    Without batch norm the per-layer statistics, `gamma` and `beta` are empty tuples.

    Attributes
    ----------
    config : TrainingConfig
    dataset : Dataset
    batch_mean, batch_var : tuple of numpy.ndarray, shape (T, H)
        Statistics of the mini-batch of every step; the variance is biased.
    batch_sizes : numpy.ndarray of int, shape (T,)
    loss : numpy.ndarray, float64, shape (T,)
        Cross-entropy of every mini-batch, before its update.
    checkpoint_steps : numpy.ndarray of int, shape (K,)
        Updates done: 10 means after row 9. The last step is always one.
    population_mean, population_var : tuple of numpy.ndarray, float64, shape (K, H)
        One pass of the whole training set, lower layers normalised by *their* exact statistics.
    algorithm2_mean, algorithm2_var : tuple of numpy.ndarray, float64, shape (K, H)
        The paper's Algorithm 2: the training set in mini-batches of m, lower layers normalised by
        their own mini-batch, unbiased. This is what moving averages approach.
    weight, bias : tuple of numpy.ndarray, shapes (K, inputs, outputs) and (K, outputs)
        One entry per linear layer; `bias` is None for a layer below a batch norm.
    gamma, beta : tuple of numpy.ndarray, shape (K, H)
    """

    config: TrainingConfig
    dataset: Dataset
    batch_mean: tuple
    batch_var: tuple
    batch_sizes: np.ndarray
    loss: np.ndarray
    checkpoint_steps: np.ndarray
    population_mean: tuple
    population_var: tuple
    algorithm2_mean: tuple
    algorithm2_var: tuple
    weight: tuple
    bias: tuple
    gamma: tuple
    beta: tuple

    @property
    def steps(self):
        """T, the number of steps recorded."""
        return len(self.loss)

    @property
    def epochs(self):
        """Passes over the training set at each checkpoint, shape (K,)."""
        seen = np.concatenate([[0], np.cumsum(self.batch_sizes)])
        return seen[self.checkpoint_steps] / len(self.dataset.train_x)

    def network_at(self, checkpoint):
        """Build the network with the weights of checkpoint number `checkpoint`, from 0 to K-1."""
        k = _checks.integer("checkpoint", checkpoint, 0, len(self.checkpoint_steps) - 1)
        # Copies: who trains the network further does not change the recording.
        return self._load(untrained(self.dataset, self.config), k, np.copy)

    def networks(self):
        """Yield one network, loaded with the weights of each checkpoint in turn: to look at, they are read-only."""
        network = untrained(self.dataset, self.config)
        for k in range(len(self.checkpoint_steps)):
            yield self._load(network, k, _read_only)

    def _load(self, network, k, take):
        for layers, name in _learnt_arrays(network):
            for layer, stored in zip(layers, getattr(self, name), strict=True):
                setattr(layer, name, None if stored is None else take(stored[k]))
        return network


class TrainingDiverged(ArithmeticError):
    """The loss, the weights or the statistics stopped being finite.

    Attributes
    ----------
    step : int
        The step, counted from 1, that could not be done.
    recording : Recording
        The steps before it, ``step - 1`` of them (none if the initial weights are too large already).
        Its last checkpoint is the last one at which everything was finite.
    """

    def __init__(self, step, recording):
        x, learning_rate = recording.dataset.train_x, recording.config.learning_rate
        largest = max(x.max(), -x.min())
        if largest > 1e4:
            cure = f"Scale the data (to [0, 1], say): values in train_x are as large as {largest:.3g}."
        else:
            cure = f"Try a smaller learning_rate (it was {learning_rate:g}) or a smaller weight_scale."
        super().__init__(
            f"training diverged at step {step}: the loss, the weights or the statistics are no longer finite. {cure}"
        )
        self.step = step
        self.recording = recording

    def __reduce__(self):  # exceptions are pickled with their message alone
        return type(self), (self.step, self.recording)


@one_blas_thread
def train(dataset, config, *, on_step=None, should_stop=None):
    """Train a network and record all that its running statistics could have been made of.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig
    on_step : callable, optional
        Called as ``on_step(step, loss)`` after every update; `step` counts from 1.
    should_stop : callable, optional
        Asked before every step; once it returns True, training stops.

    Returns
    -------
    Recording
        All steps, or those done when `should_stop` ended the training.

    Raises
    ------
    TrainingDiverged
        When the loss, the statistics or (seen at a checkpoint) the weights are no longer finite;
        `.recording` holds what came before.
    ValueError
        For a batch size larger than the training set, or (with batch norm and ``drop_last=False``)
        a last batch of a single example.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> recording = train(load_digits(), TrainingConfig(steps=20))
    >>> recording.batch_mean[0].shape, recording.checkpoint_steps
    ((20, 100), array([10, 20]))
    """
    check_run(dataset, config)
    network = untrained(dataset, config)
    tape = _Tape(dataset, config, network)
    x, y = dataset.train_x.astype(config.dtype, copy=False), dataset.train_y
    with np.errstate(all="ignore"):  # what overflows ends in a loss that is not finite, and is told below
        for step, rows in enumerate(_batches(dataset, config), start=1):
            if should_stop is not None and should_stop():
                break
            loss, dscores = cross_entropy(network(x[rows]), y[rows])
            if not (math.isfinite(loss) and _finite_statistics(network)):
                raise TrainingDiverged(step, tape.recording())
            network.backward(dscores)
            network.descend(config.learning_rate)
            tape.note(len(rows), loss)
            if step % config.checkpoint_every == 0 and not tape.checkpoint():
                raise TrainingDiverged(step, tape.recording(step - 1))
            if on_step is not None:
                on_step(step, loss)
        if not tape.checkpoint():
            raise TrainingDiverged(tape.steps, tape.recording(max(tape.steps - 1, 0)))
    return tape.recording()


def live_losses(dataset, config, *, momentum):
    """Train with running averages that are really kept, and return the loss of every mini-batch.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig
    momentum : float or None
        Weight kept on the old running estimate; None is the cumulative average.

    Returns
    -------
    list of float

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> config = TrainingConfig(steps=5)
    >>> live_losses(load_digits(), config, momentum=0.9) == train(load_digits(), config).loss.tolist()
    True
    """
    return [loss for loss, _ in train_live(dataset, config, momentum=momentum)]


def train_live(dataset, config, **options):
    """Train step by step with batch norm layers that keep running averages, as frameworks do it.

    Nothing is recorded: this is the slow, ordinary way, to be compared with. Same initial weights and same
    mini-batches as `train`, which needs no momentum.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig
    **options
        For `bn_teach.network.keep_running_averages`: momentum, unbiased, like, ...

    Yields
    ------
    loss : float
    network : Network
        After the update of this step: always the same object, in training mode.

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> for loss, network in train_live(load_digits(), TrainingConfig(steps=5), momentum=0.99):
    ...     tracked = network.layers[1].num_batches_tracked
    >>> tracked
    5
    """
    check_run(dataset, config)
    yield from learn(keep_running_averages(untrained(dataset, config), **options), dataset, config)


def learn(network, dataset, config, batches=None):
    """Train any network step by step, on the mini-batches of `train` or on others.

    Parameters
    ----------
    network : Network
        In training mode. A layer whose `parameters` are empty learns nothing.
    dataset : Dataset
    config : TrainingConfig
        Its `learning_rate` and `dtype` are used, and what decides the mini-batches.
    batches : iterable of numpy.ndarray of int, optional
        Rows of the training set, one array for each step.

    Yields
    ------
    loss : float
    network : Network
        After the update of this step: always the same object.
    """
    x, y = dataset.train_x.astype(config.dtype, copy=False), dataset.train_y
    for rows in _batches(dataset, config) if batches is None else _reported(batches, config.steps):
        with one_blas_thread:
            loss, dscores = cross_entropy(network(x[rows]), y[rows])
            network.backward(dscores)
            network.descend(config.learning_rate)
        yield loss, network


class _Tape:
    """Collects rows and checkpoints while a network trains."""

    def __init__(self, dataset, config, network):
        self.dataset, self.config, self.network = dataset, config, network
        self.steps = 0
        widths = [len(norm.gamma) for norm in network.norms]
        self.mean = [np.empty((config.steps, width), config.dtype) for width in widths]
        self.var = [np.empty((config.steps, width), config.dtype) for width in widths]
        self.batch_sizes = np.empty(config.steps, dtype=np.int64)
        self.loss = np.empty(config.steps)
        self.checkpoint_steps = []
        self.checkpoints = dict.fromkeys(_STATISTICS + _LEARNT, ())
        # Algorithm 2 wants random mini-batches, so the examples are shuffled once, whatever their order.
        self.train_x = dataset.train_x.astype(config.dtype, copy=False)
        self.train_x = self.train_x[_stream(config, "algorithm2").permutation(len(self.train_x))]

    def note(self, batch_size, loss):
        """Add the row of the step just done."""
        t = self.steps
        for norm, mean, var in zip(self.network.norms, self.mean, self.var, strict=True):
            mean[t], var[t] = norm.cache.mean, norm.cache.var
        self.batch_sizes[t], self.loss[t] = batch_size, loss
        self.steps += 1

    def checkpoint(self):
        """Add a checkpoint, unless there is one for this step; return False if it is not finite."""
        if self.checkpoint_steps and self.checkpoint_steps[-1] == self.steps:
            return True
        taken = {name: [getattr(layer, name) for layer in layers] for layers, name in _learnt_arrays(self.network)}
        z = self.network.layers[0](self.train_x)
        population = self.network.population_statistics(z)
        if not all(np.isfinite(a).all() for group in (*taken.values(), *population) for a in group if a is not None):
            return False
        try:
            algorithm2 = self.network.algorithm2_statistics(z, self.config.batch_size)
        except ValueError:  # one of its mini-batches has statistics that are not finite
            return False
        taken["population_mean"], taken["population_var"] = _columns(population)
        taken["algorithm2_mean"], taken["algorithm2_var"] = _columns(algorithm2)
        if not self.checkpoint_steps:
            self.checkpoints = {name: self._room_for(layers) for name, layers in taken.items()}
        for name, layers in taken.items():
            for array, stored in zip(layers, self.checkpoints[name], strict=True):
                if stored is not None:
                    stored[len(self.checkpoint_steps)] = array
        self.checkpoint_steps.append(self.steps)
        return True

    def _room_for(self, layers):
        # All at once: thousands of small arrays would leave the memory in pieces.
        most = self.config.steps // self.config.checkpoint_every + 1
        return tuple(None if array is None else np.empty((most, *array.shape), array.dtype) for array in layers)

    def recording(self, steps=None):
        """Everything up to now, or only the first `steps` rows."""
        rows = slice(self.steps if steps is None else steps)
        done = slice(len(self.checkpoint_steps))
        per_layer = {
            name: tuple(None if stored is None else stored[done] for stored in layers)
            for name, layers in self.checkpoints.items()
        }
        return Recording(
            config=self.config,
            dataset=self.dataset,
            batch_mean=tuple(mean[rows] for mean in self.mean),
            batch_var=tuple(var[rows] for var in self.var),
            batch_sizes=self.batch_sizes[rows],
            loss=self.loss[rows],
            checkpoint_steps=np.array(self.checkpoint_steps, dtype=np.int64),
            **per_layer,
        )


_STATISTICS = ("population_mean", "population_var", "algorithm2_mean", "algorithm2_var")
_LEARNT = ("weight", "bias", "gamma", "beta")


def _hidden(sizes):
    if isinstance(sizes, (str, bytes)) or not np.iterable(sizes):
        raise TypeError(f"hidden must be a sequence of layer sizes, got {_checks.describe(sizes)}")
    return tuple(_checks.integer("hidden", units, 1) for units in sizes)


def check_run(dataset, config):
    """Refuse a run that cannot be trained on this data set.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig

    Raises
    ------
    ValueError, TypeError
        As `train`.
    """
    _checks.instance("dataset", dataset, Dataset, " (Dataset.from_arrays(x, y) makes one)")
    _checks.instance("config", config, TrainingConfig)
    n, m = len(dataset.train_x), config.batch_size
    if m > n:
        raise ValueError(f"config.batch_size must not exceed the {n} training examples, got {m}")
    if config.batch_norm and not config.drop_last and n % m == 1:
        raise ValueError(
            f"config.drop_last must be True here, got False: {n} training examples in batches of {m} leave a "
            "last batch of one, and batch norm cannot train on a single example"
        )


def check_tracked(dataset, config):
    """Refuse a run that leaves no running statistics to look at: they take batch norm, a hidden layer and a step.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig

    Raises
    ------
    ValueError, TypeError
        For such a run, and for a dataset or a config of the wrong kind.
    """
    _checks.instance("dataset", dataset, Dataset, " or None")
    _checks.instance("config", config, TrainingConfig)
    if not (config.batch_norm and config.hidden and config.steps):
        raise ValueError(
            "config must have batch_norm=True, a hidden layer and at least one step, got "
            f"batch_norm={config.batch_norm}, hidden={config.hidden}, steps={config.steps}"
        )


def untrained(dataset, config):
    """Build the network that `train` starts from.

    Parameters
    ----------
    dataset : Dataset
    config : TrainingConfig

    Returns
    -------
    Network
    """
    return build_network(
        dataset.num_features,
        dataset.num_classes,
        config.hidden,
        activation=config.activation,
        batch_norm=config.batch_norm,
        eps=config.eps,
        weight_scale=config.weight_scale,
        dtype=config.dtype,
        seed=_stream(config, "weights"),
    )


_watcher = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher):
    """Report the steps of every training inside the block, however deep in an experiment it is done.

    Parameters
    ----------
    watcher : callable
        Called as ``watcher(step, steps)`` after every step of `train`, `train_live` and `learn`, on this thread; what
        it raises ends the training.

    Returns
    -------
    context manager

    Examples
    --------
    >>> from bn_teach.data import load_digits
    >>> seen = []
    >>> with watched(lambda step, steps: seen.append(f"{step} of {steps}")):
    ...     losses = live_losses(load_digits(), TrainingConfig(steps=3), momentum=0.9)
    >>> seen
    ['1 of 3', '2 of 3', '3 of 3']
    """
    before = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(before)


def _batches(dataset, config):
    order = minibatches(
        len(dataset.train_x),
        config.batch_size,
        steps=config.steps,
        seed=_stream(config, "batches"),
        drop_last=config.drop_last,
    )
    return _reported(order, config.steps)


def _reported(batches, steps):
    """Yield mini-batches, and tell who watches after each."""
    watcher = _watcher.get()
    for step, rows in enumerate(batches, start=1):
        yield rows
        if watcher is not None:
            watcher(step, steps)


def _finite_statistics(network):
    """Whether the mini-batch just seen has finite variances; where a mean is not, its variance is not either."""
    return all(math.isfinite(norm.cache.var.max()) for norm in network.norms)


def _stream(config, purpose):
    """Independent random numbers for each purpose, so that one cannot shift the others."""
    purposes = ("weights", "batches", "algorithm2")
    return np.random.default_rng([config.seed, purposes.index(purpose)])


def _read_only(view):
    view.flags.writeable = False  # of this view, not of the array behind it
    return view


def _learnt_arrays(network):
    linear = [layer for layer in network.layers if "weight" in layer.parameters]
    return (linear, "weight"), (linear, "bias"), (network.norms, "gamma"), (network.norms, "beta")


def _columns(statistics):
    return [mean for mean, _ in statistics], [var for _, var in statistics]
