"""Runs to look at: one that comes with the package, for those without PyTorch, and one made on the spot."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bn_teach import _files
from bn_teach.data import load_digits, minibatches
from bn_teach.torch_recorder.history import TorchRecording, from_arrays
from bn_teach.torch_recorder.live import exact_statistics, record_torch

PATH = Path(__file__).with_name("example.npz")


@dataclass(frozen=True, eq=False)
class Example:
    """A recorded run, and what its model was worth under other statistics: M momenta.

    Attributes
    ----------
    recorded : TorchRecording
        With exact statistics.
    accuracy_as_trained : float
        On the validation images, the model's running statistics as training left them.
    momenta : numpy.ndarray, shape (M,)
    accuracy : numpy.ndarray, shape (M,)
        The same weights, after the statistics of each momentum were written back.
    accuracy_exact : float
        After the exact statistics were.
    """

    recorded: TorchRecording
    accuracy_as_trained: float
    momenta: np.ndarray
    accuracy: np.ndarray
    accuracy_exact: float


def load_example():
    """Load a run of a small convolutional network in PyTorch on the digits; this needs no PyTorch.

    Two convolutions and a fully connected layer, batch norm after each (``norm1``, ``norm2``,
    ``norm3``), 400 steps of 8 images. `benchmarks/record_torch_example.py` made it.

    Returns
    -------
    Example

    Examples
    --------
    >>> example = load_example()
    >>> example.recorded.layers
    ('norm1', 'norm2', 'norm3')
    """
    names = ("example_momenta", "example_accuracies")
    recorded, momenta, accuracies = _files.read_arrays(
        PATH,
        lambda arrays: (from_arrays(arrays), *(arrays[name] for name in names)),
        "benchmarks/record_torch_example.py",
    )
    as_trained, *accuracy, exact = accuracies.tolist()
    return Example(recorded, as_trained, momenta, np.array(accuracy), exact)


def record_live(*, steps=200, batch_size=8, momentum=0.9, seed=0):
    """Train a small fully connected network in PyTorch on the digits, recorded; this needs PyTorch.

    Parameters
    ----------
    steps, batch_size, seed : int
    momentum : float
        Ours; PyTorch is given 1 minus it.

    Returns
    -------
    model : torch.nn.Module
    recorded : TorchRecording
        With exact statistics.
    """
    import torch
    from torch import nn

    x, y = _tensors("train")
    norm = partial(nn.BatchNorm1d, momentum=1 - momentum)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(64, 50), norm(50), nn.ReLU(), nn.Linear(50, 50), norm(50), nn.ReLU())
        model.append(nn.Linear(50, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with record_torch(model) as recorded:
        for rows in minibatches(len(x), batch_size, steps=steps, seed=seed):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    recorded.exact = exact_statistics(model, live_batches(batch_size, seed=seed))
    return model, recorded


def live_batches(batch_size=8, *, seed=0):
    """Deal the training digits to mini-batches at random: tensors of shape (batch_size, 64), the last one smaller."""
    x, _ = _tensors("train")
    return x[np.random.default_rng(seed).permutation(len(x))].split(batch_size)


def live_validate(model):
    """Whether the model is right, in inference mode, on each of the held-out digits: a tensor of shape (449,)."""
    x, y = _tensors("validation")
    return model.eval()(x).argmax(dim=1) == y


def _tensors(part):
    import torch

    digits = load_digits()
    return torch.tensor(getattr(digits, f"{part}_x"), dtype=torch.float32), torch.tensor(getattr(digits, f"{part}_y"))
