"""What recording costs: a training step in PyTorch with `record_torch` against the same step without, on one thread."""

import contextlib

from side_by_side import ratio

from bn_teach.data import load_digits
from bn_teach.torch_recorder import record_torch

STEPS = 100
TARGET = 1.2


def networks(nn):
    """Name to (model, shape of one example): without and with convolutions, small and not so small."""
    return {
        "fully connected, batch 64": (
            nn.Sequential(
                nn.Linear(64, 100, bias=False),
                nn.BatchNorm1d(100),
                nn.ReLU(),
                nn.Linear(100, 100, bias=False),
                nn.BatchNorm1d(100),
                nn.ReLU(),
                nn.Linear(100, 10),
            ),
            (64,),
        ),
        "convolutions, 8 and 16 channels, batch 64": (convolutional(nn, 8), (1, 8, 8)),
        "convolutions, 32 and 64 channels, batch 64": (convolutional(nn, 32), (1, 8, 8)),
    }


def convolutional(nn, channels):
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(2 * channels),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * channels * 64, 10),
    )


def training(model, shape, recorded):
    """Return a function that trains for `STEPS` steps, recorded or not."""
    import torch

    torch.set_num_threads(1)
    digits = load_digits()
    x, y = torch.tensor(digits.train_x).reshape(-1, *shape), torch.tensor(digits.train_y)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def run():
        with record_torch(model) if recorded else contextlib.nullcontext():
            for step in range(STEPS):
                rows = slice(step % 20 * 64, step % 20 * 64 + 64)
                loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return run


def measure():
    """Return one ratio per network: how many times longer a step takes when it is recorded."""
    from torch import nn

    return [
        ratio(
            f"{name}: recorded / not",
            training(model, shape, recorded=True),
            training(model, shape, recorded=False),
            TARGET,
            at_least=False,
        )
        for name, (model, shape) in networks(nn).items()
    ]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
