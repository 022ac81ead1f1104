"""From a data set and the settings that a page offers to the file: what is asked for is checked, computed, written."""

import os
from pathlib import Path

from bn_teach import _checks
from bn_teach._files import written_whole
from bn_teach.data import load_digits
from bn_teach.lessons.shared.choices import BATCH_SIZES, MOMENTA
from bn_teach.lessons.start_here import questions as start_here
from bn_teach.page import whose
from bn_teach.page.data import questions_of
from bn_teach.page.document import document
from bn_teach.page.lesson import Unit, make_lesson
from bn_teach.training import TrainingConfig, check_tracked

SEEDS = tuple(range(5))


def write_page(
    path,
    *,
    dataset=None,
    config=TrainingConfig(),
    batch_sizes=None,
    momenta=MOMENTA,
    seeds=SEEDS,
    units=None,
    notebooks=None,
    executor=None,
    progress=None,
):
    """Write the lesson as one self-contained HTML file.

    Parameters
    ----------
    path : str or os.PathLike
        Where to; an older file is replaced, once the new one is whole.
    dataset : Dataset, optional
        Default: the handwritten digits. (The questions are always about those; nothing can be drawn for others.)
    config : TrainingConfig
        What the sliders do not decide. It needs batch norm, a hidden layer and at least one step. The page opens
        with its batch size.
    batch_sizes : sequence of int, optional
        From 2 to the size of the training set, increasing. Default: 2 to 256, powers of two, as far as the data allow.
    momenta : sequence of float
        Weights kept on the old estimate, in [0, 1), increasing.
    seeds : sequence of int
        The first one is shown; all of them make the spread.
    units : sequence of (int, int), optional
        Layer and unit, both counted from 0. Default: the one that the notebooks show, the one of the first layer
        whose mean moves most, and one of the last layer.
    notebooks : str, optional
        Address of the folder of notebooks, for links to them. Default: they are named, not linked.
    executor : concurrent.futures.Executor, optional
        Who trains, as in `sweep`.
    progress : callable, optional
        Called as ``progress(done, total)`` after every training.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not allowed, by name.
    OSError
        When `path` cannot be written; nothing is left behind.
    SweepFailed, TrainingDiverged
        When a training fails.

    Notes
    -----
    The same arguments on the same machine, with the same versions of Python, NumPy and plotly, give the same bytes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     small = TrainingConfig(steps=20, hidden=(8,))
    ...     path = Path(folder) / "page.html"
    ...     write_page(path, config=small, batch_sizes=[16], momenta=[0.9], seeds=[0])
    ...     path.stat().st_size < 7e6
    True
    """
    path = _check_path(path)
    dataset = load_digits() if dataset is None else dataset
    check_tracked(dataset, config)
    if notebooks is not None and not isinstance(notebooks, str):
        raise TypeError(f"notebooks must be an address or None, got {_checks.describe(notebooks)}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be a function or None, got {_checks.describe(progress)}")
    largest = len(dataset.train_x)
    if batch_sizes is None:
        batch_sizes = sorted({*(m for m in BATCH_SIZES if m <= largest), config.batch_size})
    batch_sizes = _increasing("batch_sizes", batch_sizes, lambda m: _checks.integer("batch_sizes", m, 2, largest))
    momenta = _increasing("momenta", momenta, _momentum)
    seeds = _checks.distinct("seeds", seeds, lambda seed: _checks.integer("seeds", seed, 0))
    lesson = make_lesson(
        dataset,
        config,
        batch_sizes,
        momenta,
        seeds,
        None if units is None else _chosen(units, config.hidden),
        executor=executor,
        progress=progress,
    )
    text = document(lesson, questions_of({**start_here.QUESTIONS, **whose.QUESTIONS}), notebooks)
    with written_whole(path) as file:
        file.write(text.encode("utf-8"))


def _check_path(path):
    """Refuse at once what could only fail after a minute of training."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a path, got {_checks.describe(path)}")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"path must be that of a file, got the folder {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must lie in a folder that exists, got {path}")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"path must lie in a folder that can be written to, got {path}")
    return path


def _increasing(name, values, check):
    checked = _checks.distinct(name, values, check)
    if list(checked) != sorted(checked):
        raise ValueError(f"{name} must increase, as on a slider, got {_checks.describe(list(checked))}")
    return checked


def _momentum(value):
    value = _checks.momentum(value, "momenta")
    if value == 1:
        raise ValueError("momenta must stay below 1: such an average never learns anything, got 1.0")
    return value


def _chosen(units, hidden):
    pairs = _checks.distinct("units", units, lambda pair: _pair(pair, hidden))
    return tuple(Unit(layer, number, "chosen") for layer, number in pairs)


def _pair(value, hidden):
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"units must hold pairs (layer, unit), got {_checks.describe(value)}")
    layer = _checks.integer("units: layer", value[0], 0, len(hidden) - 1)
    return layer, _checks.integer("units: unit", value[1], 0, hidden[layer] - 1)
