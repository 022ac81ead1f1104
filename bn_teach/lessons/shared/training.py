"""What explorers of a trained network share: training in the background, and the controls that decide it."""

import threading
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.shared import idle
from bn_teach.lessons.shared.background import Ahead, LatestJob
from bn_teach.lessons.shared.bar import Cancelled, TrainingBar
from bn_teach.lessons.shared.choices import BATCH_SIZES, MOMENTA
from bn_teach.lessons.shared.explorer import (
    Explorer,
    dropdown,
    momentum_slider,
    number_slider,
    pytorch_toggle,
    seed_box,
)
from bn_teach.replay import MOVED_BY_MOMENTUM, replay
from bn_teach.training import TrainingDiverged, check_tracked, train, watched

LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
MOST, REMEMBERED = 30, 90e6  # runs; bytes (the default run takes 8 MB, and each of its replays a quarter of one)


class Run:
    """A recorded run, and what was made of it: every replay once.

    Attributes
    ----------
    recording : Recording
    """

    def __init__(self, recording):
        self.recording = recording
        self._replays = {}
        self._lock = threading.Lock()  # held while one is computed: who wants the same one waits for it

    def replay(self, momentum=0.9, *, estimator="ema", unbiased=True):
        """Replay the run, or remember the replay; without the averages of every step, which are most of its memory."""
        key = _key(momentum, estimator, unbiased)
        with self._lock:
            if key not in self._replays:
                self._replays[key] = replay(self.recording, momentum, estimator=estimator, unbiased=unbiased).slim()
            return self._replays[key]

    def remembers(self, momentum=0.9, *, estimator="ema", unbiased=True):
        """Return whether a replay was made already."""
        return _key(momentum, estimator, unbiased) in self._replays


def _key(momentum, estimator, unbiased):
    return estimator, unbiased, momentum if estimator in MOVED_BY_MOMENTUM else None


def _nbytes(*results):
    """What results hold in memory, but for the data set: every array once."""
    return sum({id(array): array.nbytes for array in _arrays(results)}.values())


def _arrays(result):
    """Every array that can be reached from a result: through its attributes, sequences and dictionaries."""
    if isinstance(result, np.ndarray):
        yield result
    elif not isinstance(result, Dataset):
        parts = result if isinstance(result, (tuple, list, dict)) else getattr(result, "__dict__", ())
        # A list of them, for another thread may be adding a replay.
        for part in list(parts.values() if isinstance(parts, dict) else parts):
            yield from _arrays(part)


class TrainingExplorer(Explorer):
    """Base of explorers that look at a recorded training run.

    A subclass puts `_training_controls` among its controls, asks `_remembered` for the run that they
    describe (None: it is being trained, and `_update` will be called again), says in `_prepare` which of its
    replays are wanted first, and in `_moved_by_momentum` which of them a slider of momentum looks up. Those, and the
    runs of other batch sizes, are made ahead while the kernel is at rest, and whatever is asked for comes first.

    Parameters
    ----------
    dataset : Dataset or None
        None: the handwritten digits.
    config : TrainingConfig
        What the controls do not decide is taken from here. It needs batch norm and at least one step.

    Raises
    ------
    ValueError, TypeError
        For a dataset or a config of the wrong kind, without batch norm, without steps or hidden
        layers, or with a batch larger than the training set.
    """

    def __init__(self, dataset, config):
        super().__init__()
        self.dataset = load_digits() if dataset is None else dataset
        self.config = config
        self._check_arguments()
        self._job = LatestJob()
        self._ahead = Ahead(self._next_piece)
        self._asked = None  # the config that the controls describe, while its run is not there
        self._settled = threading.Event()  # cleared while something is asked for
        self._settled.set()
        self._early = None  # the config that is being trained before anybody asks for it
        self._runs = OrderedDict()  # by config, the likeliest last
        self._hopeless = set()  # configs whose training diverges or fails: they wait until they are asked for
        self._progress = TrainingBar()

    def wait(self, timeout=60):
        """Return when any training that was asked for is shown; TimeoutError after `timeout` seconds."""
        super().wait(timeout)
        self._job.wait(timeout)
        if not self._settled.wait(timeout):
            raise TimeoutError(f"training was still under way after {timeout:g} seconds")
        with self._lock:  # until it is drawn
            pass

    def _check_arguments(self):
        check_tracked(self.dataset, self.config)
        if self.config.batch_size > len(self.dataset.train_x):
            raise ValueError(
                f"config.batch_size must not exceed the {len(self.dataset.train_x)} training examples, "
                f"got {self.config.batch_size}"
            )

    def _batch_sizes(self):
        """Every batch size on the slider: the usual ones that the data allow, and that of the config."""
        usual = [m for m in BATCH_SIZES if m <= len(self.dataset.train_x)]
        return tuple(sorted({*usual, self.config.batch_size}))

    def _training_controls(self):
        """Build momentum, batch_size, learning_rate, seed and pytorch_momentum."""
        rates = sorted({*LEARNING_RATES, self.config.learning_rate})
        return {
            "momentum": momentum_slider(),
            "batch_size": number_slider("batch size", self._batch_sizes(), self.config.batch_size),
            "learning_rate": dropdown(
                "learning rate", {rate: str(rate) for rate in rates}, self.config.learning_rate, "190px"
            ),
            "seed": seed_box(self.config.seed),
            "pytorch_momentum": pytorch_toggle(),
        }

    def _prepare(self, run):
        """Make what the first picture of a run needs, on the training thread; for subclasses."""

    def _run(self, config):
        """Train what a config describes, and return what is remembered; for subclasses, on the training thread."""
        return Run(train(self.dataset, config))

    def _config_of(self, state):
        return replace(self.config, batch_size=state.batch_size, learning_rate=state.learning_rate, seed=state.seed)

    def _on_change(self, change):
        idle.moved()
        super()._on_change(change)

    def _update(self):
        super()._update()
        self._ahead.wake()

    # What is asked for

    def _remembered(self, config):
        """The run of a config; None while it is being trained."""
        if config not in self._runs:
            if config != self._asked:  # a move of another slider must not begin it anew
                self._train(config)
            return None
        self._stop_training()
        self._runs.move_to_end(config)
        return self._runs[config]

    def _train(self, config):
        self._asked = config
        self._settled.clear()
        self._progress.value = 0
        self._progress.layout.visibility = "visible"
        shown = " The picture still shows the run before." if self._runs else ""
        self._say(f"Training with batch size {config.batch_size} ...{shown}")
        if config == self._early:
            self._job.cancel()  # it is on its way
        else:
            self._start(config)

    def _start(self, config):
        self._job.start(lambda cancelled: self._train_and_show(config, cancelled))

    def _train_and_show(self, config, cancelled):
        """Run on the training thread."""
        with self._shown_errors():
            try:
                with self._progress.watching(cancelled):
                    self._record(config)
            except Cancelled:
                pass
            finally:
                with self._lock:
                    if not cancelled():
                        self._stop_training()

    def _record(self, config):
        """Train, keep the run, show it if it is the one that was asked for, and return it; None if it diverges."""
        try:
            run = self._run(config)
        except TrainingDiverged as error:
            with self._lock:
                self._hopeless.add(config)
                if config == self._asked:
                    self._say(f"{error} The picture is the last good one.")
            return None
        self._prepare(run)
        with self._lock:
            self._runs[config] = run
            self._runs.move_to_end(config, last=config == self._asked)
            while len(self._runs) > 1 and not self._has_room(0):
                self._runs.popitem(last=False)
            if config == self._asked:
                self._update()
        return run

    def _stop_training(self):
        self._job.cancel()
        self._asked = None
        self._settled.set()
        self._progress.layout.visibility = "hidden"

    def _held(self):
        return _nbytes(*self._runs.values())

    # What may be asked for next

    def _moved_by_momentum(self, state):
        """The settings, but for momentum, of the replays that are drawn; for subclasses with that slider."""
        return ()

    def _busy(self):
        """Whether something is asked for and not there yet."""
        return self._asked is not None

    def _next_piece(self):
        with self._lock:
            return None if self._busy() else next(self._pieces(self.state), None)

    def _pieces(self, state):
        """Yield what both sliders would show and is not there yet: near by first, and each run with all its replays."""
        settings = self._moved_by_momentum(state)
        if not settings:
            return
        for batch_size in _nearest(self._batch_sizes(), state.batch_size):
            config = replace(self._config_of(state), batch_size=batch_size)
            run = self._runs.get(config)
            if run is None and config not in self._hopeless and self._has_room(1):
                yield partial(self._train_early, config)
            elif run is not None:
                for momentum, one in product(_nearest(MOMENTA, state.momentum), settings):
                    if not run.remembers(momentum, **one):
                        yield partial(run.replay, momentum, **one)

    def _has_room(self, more):
        """Whether there is room for what is remembered, and for so many more runs of its size."""
        held, runs = self._held(), len(self._runs)
        return runs + more <= MOST and held * (runs + more) <= REMEMBERED * runs

    def _train_early(self, config):
        with self._lock:
            if self._busy() or config in self._runs:
                return
            self._early = config
        given_up = False
        try:
            with watched(partial(self._follow, config)):
                self._record(config)
        except Cancelled:
            given_up = True
        except Exception:
            if config != self._asked:
                self._hopeless.add(config)
                raise
            with self._shown_errors():
                raise
        finally:
            with self._lock:
                self._early = None
                if config == self._asked:  # it may have been asked for just as it was given up
                    self._start(config) if given_up else self._stop_training()

    def _follow(self, config, step, steps):
        """Let everything else go first, unless somebody asks for this very run."""
        if config == self._asked:
            self._progress.show(step, steps)
        elif self._busy():
            raise Cancelled
        else:
            self._ahead.rest(unless=self._busy)


def _nearest(values, value):
    """Sort values on a slider by how far it has to move to them."""
    place = values.index(value)
    return sorted(values, key=lambda other: abs(values.index(other) - place))
