"""Record the run that notebook 07 looks at: a small convolutional network in PyTorch, on the digits.

Its owner took ``momentum=0.99`` over from Keras, number for number. In PyTorch that is our 0.01.

The file holds what `TorchRecording.save` writes, and the validation accuracy under the running
statistics of several momenta, each written back into the model (`bn_teach.torch_recorder.load_example`
reads both). Run again, the script gives the same numbers up to the rounding of another CPU.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bn_teach import _files
from bn_teach.data import load_digits, minibatches
from bn_teach.torch_recorder import MOMENTA, exact_statistics, record_torch, write_back
from bn_teach.torch_recorder.example import PATH

STEPS, BATCH_SIZE, LEARNING_RATE, MOMENTUM, SEED = 400, 8, 0.05, 0.99, 0


def model():
    """Two convolutions and a fully connected layer, batch norm after each."""
    layers = {
        "conv1": nn.Conv2d(1, 6, 3, padding=1, bias=False),
        "norm1": nn.BatchNorm2d(6, momentum=MOMENTUM),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(6, 12, 3, stride=2, padding=1, bias=False),
        "norm2": nn.BatchNorm2d(12, momentum=MOMENTUM),
        "relu2": nn.ReLU(),
        "flat": nn.Flatten(),
        "dense": nn.Linear(12 * 16, 16, bias=False),
        "norm3": nn.BatchNorm1d(16, momentum=MOMENTUM),
        "relu3": nn.ReLU(),
        "scores": nn.Linear(16, 10),
    }
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network


def images(x):
    return torch.tensor(x, dtype=torch.float32).reshape(-1, 1, 8, 8)


def accuracy(network, digits):
    """Share of the validation set classified rightly, in inference mode."""
    network.eval()
    with torch.no_grad():
        predicted = network(images(digits.validation_x)).argmax(dim=1).numpy()
    network.train()
    return float(np.mean(predicted == digits.validation_y))


def trained(digits, seed=SEED):
    """Train, recorded, and return the model with its recording."""
    torch.manual_seed(seed)
    network, x, y = model(), images(digits.train_x), torch.tensor(digits.train_y)
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    with record_torch(network) as recorded:
        for rows in minibatches(len(x), BATCH_SIZE, steps=STEPS, seed=seed):
            loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    # Shuffled as in training: batches of like images would have less variance within.
    order = np.random.default_rng(seed).permutation(len(x))
    recorded.exact = exact_statistics(network, torch.split(x[order], BATCH_SIZE))
    return network, recorded


def accuracies(network, recorded, digits, momenta):
    """Accuracy as it is, under each momentum, and under exact statistics."""
    found = [accuracy(network, digits)]
    for statistics in [*(recorded.statistics(p) for p in momenta), recorded.exact]:
        write_back(network, statistics)
        found.append(accuracy(network, digits))
    return np.array(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", type=Path, default=PATH)
    path = parser.parse_args().path
    torch.set_num_threads(1)
    digits = load_digits()
    network, recorded = trained(digits)
    recorded.save(path)
    with np.load(path) as saved:
        arrays = dict(saved)
    found = accuracies(network, recorded, digits, MOMENTA)
    _files.write_arrays(path, {**arrays, "example_momenta": np.array(MOMENTA), "example_accuracies": found})
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
