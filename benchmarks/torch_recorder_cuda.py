"""Recording on a GPU: the numbers that a CPU gives, the replay against the buffers, and what a step costs.

Needs a CUDA device, so `make bench` leaves it out. Ends with an error if a number is another one.
"""

import copy
import sys
import time

import numpy as np
import torch
from side_by_side import HEADER, ratio
from torch import nn

from bn_teach.data import load_digits, minibatches
from bn_teach.torch_recorder import exact_statistics, record_torch, report, write_back

STEPS, BATCH_SIZE = 600, 64  # more steps than rows stay on the device
TARGET = 1.2


def network(width=32, blocks=6):
    """Convolutions with batch norm of three kinds of momentum, for 8 x 8 digits."""
    layers = [nn.Conv2d(1, width, 3, padding=1)]
    for block in range(blocks):
        layers += [
            nn.BatchNorm2d(width, momentum=(0.1, 0.01, None)[block % 3]),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def images(device):
    """Digits to train on and to validate with, as tensors."""
    digits = load_digits()
    return [
        (torch.tensor(x).reshape(-1, 1, 8, 8).to(device), torch.tensor(y).to(device))
        for x, y in ((digits.train_x, digits.train_y), (digits.validation_x, digits.validation_y))
    ]


def train(model, data, steps=STEPS, *, learning_rate=0.05, autocast=False):
    """Somebody's own loop."""
    x, y = data
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    for rows in minibatches(len(x), BATCH_SIZE, steps=steps, seed=0):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=autocast):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def off(recorded, model):
    """How far the replay of every layer is from its buffers, in spreads of the layer; nothing may be named."""
    if named := recorded.check():
        sys.exit(f"named: {named}")
    worst = 0.0
    for name in recorded.layers:
        layer, (mean, var) = model.get_submodule(name), recorded.own(name)
        spread = np.sqrt(var + layer.eps)
        errors = (layer.running_mean.cpu().numpy() - mean) / spread, layer.running_var.cpu().numpy() / var - 1
        worst = max(worst, *(np.abs(error).max() for error in errors))
    return worst


def same(what, found, allowed):
    """Print a difference, and end if it is too large."""
    print(f"{what}: {found:.1e} (at most {allowed:g} is rounding)")
    if not found <= allowed:
        sys.exit(f"{what}: {found:.1e}")


def compare_devices():
    """Rows of the same weights and batches on both devices, and exact statistics."""
    torch.manual_seed(0)
    models = {"cpu": network()}
    models["cuda"] = copy.deepcopy(models["cpu"]).cuda()
    rows, exact = {}, {}
    for device, model in models.items():
        data, _ = images(device)
        with record_torch(model) as recorded:
            train(model, data, 30, learning_rate=1e-30)  # weights stay, so that small differences do not grow
        rows[device] = [(h.means / np.sqrt(h.variances), h.variances) for h in recorded.history.values()]
        exact[device] = exact_statistics(model, torch.split(data[0], BATCH_SIZE))
        same(f"replay and buffers, {device}", off(recorded, model), 1e-4)
    pairs = [(a, b) for ours, theirs in zip(rows["cpu"], rows["cuda"]) for a, b in zip(ours, theirs)]
    same("rows, CPU and GPU", max(np.abs(a - b).max() / np.abs(a).max() for a, b in pairs), 1e-2)  # TF32 convolutions
    pairs = [(a, b) for name in exact["cpu"] for a, b in zip(exact["cpu"][name], exact["cuda"][name])]
    same("exact statistics, CPU and GPU", max(np.abs(a - b).max() / np.abs(a).max() for a, b in pairs), 1e-2)


def train_on_the_gpu():
    """A real training, in float32 and with autocast, and the way from a report to better statistics."""
    data, validation = images("cuda")
    for autocast in (False, True):
        torch.manual_seed(0)
        model = network().cuda()
        with record_torch(model) as recorded:
            train(model, data, autocast=autocast)
        same(f"replay and buffers, trained{' with autocast' * autocast}", off(recorded, model), 1e-4)
    recorded.exact = exact_statistics(model, torch.split(data[0], BATCH_SIZE))
    print(report(recorded))
    own = {name: recorded.own(name) for name in recorded.layers}
    for told, statistics in (("exact", recorded.exact), ("as trained", own)):
        write_back(model, statistics)
        print(f"validation accuracy, statistics {told}: {accuracy(model, validation):.4f}")
    return model, recorded, data, validation


def accuracy(model, validation):
    """Share of images that are judged rightly."""
    x, y = validation
    with torch.no_grad():
        return (model.eval()(x).argmax(dim=1) == y).double().mean().item()


def measure(width, size):
    """How many times longer a step takes when it is recorded."""
    torch.manual_seed(0)
    model = network(width).cuda()
    data = torch.randn(1348, 1, size, size, device="cuda"), torch.randint(0, 10, (1348,), device="cuda")

    def timed(recorded):
        def run():
            if recorded:
                with record_torch(model):
                    train(model, data, 300)
            else:
                train(model, data, 300)
            torch.cuda.synchronize()

        return run

    name = f"{width} channels, {size} x {size}, batch {BATCH_SIZE}, GPU: recorded / not"
    return ratio(name, timed(True), timed(False), TARGET, at_least=False, clock=time.perf_counter)


def main():
    """Compare, train, measure; examine the model too, where there is a `checkup`."""
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here")
    print(torch.cuda.get_device_name(), torch.__version__)
    compare_devices()
    model, recorded, data, validation = train_on_the_gpu()
    print(HEADER)
    for width, size in ((32, 8), (64, 32), (128, 32)):
        print(measure(width, size).row(), flush=True)
    try:
        from bn_teach.torch_recorder import checkup
    except ImportError:
        return
    names = {}
    for device in ("cuda", "cpu"):
        batches = torch.split(data[0].to(device), BATCH_SIZE)[:16]
        x, y = (tensor.to(device) for tensor in validation)
        told = checkup(model.to(device), batches, lambda model, x=x, y=y: accuracy(model, (x, y)), recorded=recorded)
        names[device] = [finding.name for finding in told.findings]
        print(told)
    print("findings, GPU and CPU:", names)


if __name__ == "__main__":
    main()
