"""What explorers of a trained network share: training in the background, and the controls that decide it."""

from collections import OrderedDict
from dataclasses import replace

from bn_teach.data import load_digits
from bn_teach.lessons.shared.background import LatestJob
from bn_teach.lessons.shared.bar import Cancelled, TrainingBar
from bn_teach.lessons.shared.choices import BATCH_SIZES
from bn_teach.lessons.shared.explorer import (
    Explorer,
    dropdown,
    momentum_slider,
    number_slider,
    pytorch_toggle,
    seed_box,
)
from bn_teach.training import TrainingDiverged, check_tracked, train

LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
REMEMBERED = 16  # recordings of the default network take about 8 MB each


class TrainingExplorer(Explorer):
    """Base of explorers that look at a recorded training run.

    A subclass puts `_training_controls` among its controls, asks `_remembered` for the run that they
    describe (None: it is being trained, and `_update` will be called again), and says in `_prepare`
    what else to compute once for every run.

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

    remembered = REMEMBERED
    """How many recordings are kept, the latest ones."""

    def __init__(self, dataset, config):
        super().__init__()
        self.dataset = load_digits() if dataset is None else dataset
        self.config = config
        self._check_arguments()
        self._job = LatestJob()
        self._under_way = None  # the config that is being trained
        self._recordings = OrderedDict()
        self._progress = TrainingBar()

    def wait(self, timeout=60):
        """Return when any training under way is shown; TimeoutError after `timeout` seconds."""
        super().wait(timeout)
        self._job.wait(timeout)

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

    def _prepare(self, recording):
        """Compute what is remembered beside a recording, as a tuple; for subclasses, on the training thread."""
        return ()

    def _run(self, config):
        """Train what a config describes, and return what is remembered; for subclasses, on the training thread."""
        return train(self.dataset, config)

    def _config_of(self, state):
        return replace(self.config, batch_size=state.batch_size, learning_rate=state.learning_rate, seed=state.seed)

    def _remembered(self, config):
        """The recording of a config and what `_prepare` made of it; None while it is being trained."""
        if config not in self._recordings:
            if config != self._under_way:  # a move of another slider must not begin it anew
                self._train(config)
            return None
        self._stop_training()
        self._recordings.move_to_end(config)
        return self._recordings[config]

    def _train(self, config):
        self._under_way = config
        self._progress.value = 0
        self._progress.layout.visibility = "visible"
        shown = " The picture still shows the run before." if self._recordings else ""
        self._say(f"Training with batch size {config.batch_size} ...{shown}")
        self._job.start(lambda cancelled: self._train_and_show(config, cancelled))

    def _train_and_show(self, config, cancelled):
        """Run on the training thread."""
        with self._shown_errors():
            try:
                self._record(config, cancelled)
            finally:
                with self._lock:
                    if not cancelled():
                        self._stop_training()

    def _record(self, config, cancelled):
        try:
            with self._progress.watching(cancelled):
                recording = self._run(config)
        except Cancelled:
            return
        except TrainingDiverged as error:
            with self._lock:
                if not cancelled():
                    self._say(f"{error} The picture is the last good one.")
            return
        remembered = recording, *self._prepare(recording)
        with self._lock:
            self._recordings[config] = remembered
            while len(self._recordings) > self.remembered:
                self._recordings.popitem(last=False)
            if not cancelled():
                self._update()

    def _stop_training(self):
        self._job.cancel()
        self._under_way = None
        self._progress.layout.visibility = "hidden"
