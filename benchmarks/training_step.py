"""A training step of the default network against PyTorch eager doing the same, both on one thread.

Both gather the mini-batch, run forward and backward, take a step of SGD, record mean and variance of
every batch norm's input, and look whether the loss is finite.
"""

import math

from side_by_side import ratio

from bn_teach.data import load_digits, minibatches
from bn_teach.training import TrainingConfig, train

STEPS = 150
TARGETS = {2: 2.5, 8: 2.5, 16: 2.5, 32: 2.5, 64: 1.7, 128: 1.7, 256: 1.7}


def pytorch_run(dataset, batch_size, steps=STEPS, validate_every=None):
    """Return a function that trains for `steps` steps in PyTorch and records as we do."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    x, y = torch.tensor(dataset.train_x), torch.tensor(dataset.train_y)
    validation_x, validation_y = torch.tensor(dataset.validation_x), torch.tensor(dataset.validation_y)

    loss_of = nn.CrossEntropyLoss()

    def run():
        model = nn.Sequential(
            nn.Linear(64, 100, bias=False),
            nn.BatchNorm1d(100),
            nn.ReLU(),
            nn.Linear(100, 100, bias=False),
            nn.BatchNorm1d(100),
            nn.ReLU(),
            nn.Linear(100, 10),
        )
        recorded = []

        def record(module, inputs):
            recorded.append(torch.batch_norm_update_stats(inputs[0].detach(), None, None, 0.0))

        for layer in model:
            if isinstance(layer, nn.BatchNorm1d):
                layer.register_forward_pre_hook(record)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step, rows in enumerate(minibatches(len(x), batch_size, steps=steps, seed=0), start=1):
            chosen = torch.from_numpy(rows)
            optimizer.zero_grad()
            loss = loss_of(model(x[chosen]), y[chosen])
            if not math.isfinite(loss.item()):
                raise ArithmeticError
            loss.backward()
            optimizer.step()
            if validate_every and step % validate_every == 0:
                validate(model)

    def validate(model):
        model.eval()
        with torch.inference_mode():
            scores = model(validation_x)
            loss_of(scores, validation_y).item()
            (scores.argmax(dim=1) == validation_y).float().mean().item()
        model.train()

    return run


def our_run(dataset, batch_size):
    """Return a function that trains and records for `STEPS` steps, without checkpoints on the way."""
    config = TrainingConfig(batch_size=batch_size, steps=STEPS, checkpoint_every=STEPS)
    return lambda: train(dataset, config)


def measure():
    """Return one ratio per batch size: how many times faster ours is."""
    digits = load_digits()
    return [
        ratio(
            f"training step, batch size {m}: PyTorch / ours",
            pytorch_run(digits, m),
            our_run(digits, m),
            target,
            at_least=True,
        )
        for m, target in TARGETS.items()
    ]


if __name__ == "__main__":
    for result in measure():
        print(result.row())
