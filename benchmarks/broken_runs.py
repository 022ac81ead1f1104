"""Break small PyTorch runs on the digits, one for each cause of the clinic, and see whether `checkup` names it.

``python benchmarks/broken_runs.py`` takes some minutes, and writes to docs/checkup.md how often it did, over eight
seeds, and what else it named. Words after it choose runs by name; then the rows are printed, and nothing is written.
"""

import copy
import sys
import warnings
from collections import Counter
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bn_teach.data import load_digits, minibatches
from bn_teach.torch_recorder import checkup, record_torch

SEEDS = range(8)


@cache
def digits():
    """Training and validation images and labels, as tensors."""
    data = load_digits()
    pairs = ((data.train_x, data.train_y), (data.validation_x, data.validation_y))
    return [(torch.tensor(x, dtype=torch.float32), torch.tensor(y)) for x, y in pairs]


def network(momentum=0.1, width=50, norm=nn.BatchNorm1d, before=()):
    """Two hidden layers, batch norm in both; `before` goes in front of the second."""
    first = nn.Linear(64, width, bias=False), norm(width, momentum=momentum), nn.ReLU()
    second = nn.Linear(width, width, bias=False), *before, norm(width, momentum=momentum), nn.ReLU()
    return nn.Sequential(*first, *second, nn.Linear(width, 10))


def convolutions(momentum=0.1):
    """Two convolutions and a fully connected layer."""
    layers = nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6, momentum=momentum), nn.ReLU()
    layers += nn.Conv2d(6, 12, 3, stride=2, padding=1), nn.BatchNorm2d(12, momentum=momentum), nn.ReLU(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(192, 10))


def fit(model, seed, *, steps=300, batch_size=16, rate=0.1, x=None, y=None, after=None, forward=None, drop_last=True):
    """Train in place; `after(step)` is called after every step."""
    (own_x, own_y), _ = digits()
    x, y = own_x if x is None else x, own_y if y is None else y
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=rate)
    model.train()
    for step, rows in enumerate(minibatches(len(x), batch_size, steps=steps, seed=seed, drop_last=drop_last)):
        scores = forward(model, x[rows], step) if forward else model(x[rows])
        loss = nn.functional.cross_entropy(scores, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after:
            after(step)
    return model


def right(model, x=None, y=None):
    """Whether each validation image is classified rightly, in inference mode."""
    _, (own_x, own_y) = digits()
    x, y = own_x if x is None else x, own_y if y is None else y
    model.eval()
    with torch.no_grad():
        return torch.cat([model(part).argmax(dim=1) for part in x.split(64)]) == y


def batches(seed, size=16, x=None, drop_last=True):
    """Training batches in random order."""
    x = digits()[0][0] if x is None else x
    order = np.random.default_rng(seed + 100).permutation(len(x))
    parts = x[order].split(size)
    return parts[:-1] if drop_last and len(parts[-1]) < size else parts


def trained(seed, *, momentum=0.1, record=True, model=None, **options):
    """A model and its recording."""
    torch.manual_seed(seed)
    model = network(momentum) if model is None else model
    with record_torch(model) if record else nullcontext() as recorded:
        fit(model, seed, **options)
    return model, recorded


# Broken runs. Each gives the arguments of `checkup`.


def first_epoch(seed):
    model, recorded = trained(seed, momentum=0.01, steps=80)
    return model, batches(seed), right, recorded


def first_epoch_unrecorded(seed):
    return (*first_epoch(seed)[:3], None)


def ported(seed):
    model, recorded = trained(seed, momentum=0.99, batch_size=4)
    return model, batches(seed, 4), right, recorded


def ported_unrecorded(seed):
    return (*ported(seed)[:3], None)


def jagged_curve(seed):
    """A long memory, past its start, while the weights move fast."""
    model, recorded = trained(seed, momentum=0.01, steps=320, rate=0.5)
    return model, batches(seed), right, recorded


def fair_average(seed):
    model, recorded = trained(seed, momentum=None, steps=400)
    return model, batches(seed), right, recorded


def new_camera(seed):
    model, _ = trained(seed, record=False)
    _, (x, y) = digits()
    return model, batches(seed), lambda model: right(model, 0.45 * x + 0.55 * x.max(), y), None


def by_folder(seed):
    model, _ = trained(seed, record=False)
    _, (x, y) = digits()
    order = y.argsort()

    def validate(model):
        model.train()
        with torch.no_grad():
            return torch.cat([model(part).argmax(dim=1) for part in x[order].split(15)]) == y[order]

    return model, batches(seed), validate, None


def one_class_test(seed):
    def untracked(width, momentum):
        return nn.BatchNorm1d(width, momentum=momentum, track_running_stats=False)

    torch.manual_seed(seed)
    model, _ = trained(seed, record=False, model=network(norm=untracked))
    _, (x, y) = digits()
    order = y.argsort()
    return model, batches(seed), lambda model: right(model, x[order][:448], y[order][:448]), None


def restored(seed):
    """The weights of step 60, with the buffers of the end."""
    torch.manual_seed(seed)
    model, kept = network(), {}

    def after(step):
        if step == 60:
            kept.update({name: p.detach().clone() for name, p in model.named_parameters()})

    with record_torch(model) as recorded:
        fit(model, seed, steps=600, rate=0.3, batch_size=4, after=after)
    model.load_state_dict(kept, strict=False)
    return model, batches(seed, 4), right, recorded


def averaged_weights(seed):
    torch.manual_seed(seed)
    model = network()
    averaged = torch.optim.swa_utils.AveragedModel(model)

    def after(step):
        if step >= 200 and step % 5 == 0:
            averaged.update_parameters(model)

    fit(model, seed, rate=1.0, steps=400, after=after)
    return averaged, batches(seed), right, None


def shrunk_weights(seed):
    model, _ = trained(seed, record=False)
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                layer.weight[layer.weight.abs() < layer.weight.abs().quantile(0.8)] = 0
    return model, batches(seed), right, None


def tidy_pass(seed):
    model, _ = trained(seed, record=False)
    (x, y), _ = digits()
    sorted_x = x[y.argsort()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.optim.swa_utils.update_bn(sorted_x[:1344].split(16), model)
    return model, sorted_x[:1344].split(16), right, None


def epoch_end(seed):
    """1,025 examples in batches of 128, through convolutions."""
    (x, y), _ = digits()
    torch.manual_seed(seed)
    model = convolutions(momentum=0.5)
    with record_torch(model) as recorded:
        fit(model, seed, x=x[:1025], y=y[:1025], batch_size=128, steps=45, drop_last=False)
    return model, batches(seed, 128, x[:1025], drop_last=False), right, recorded


def epoch_end_refused(seed):
    model, _ = trained(seed, record=False)
    return model, batches(seed, 128, digits()[0][0][:1025], drop_last=False), right, None


def frozen_backbone(seed):
    """All but the last layer frozen, trained on misty digits; judged on the old ones, with the old last layer."""
    model, _ = trained(seed, record=False)
    head = copy.deepcopy(model[-1])
    (x, y), _ = digits()
    model[:-1].requires_grad_(False)
    with record_torch(model) as recorded:
        fit(model, seed + 1, x=0.45 * x + 0.55 * x.max(), y=y)
    model[-1] = head
    return model, batches(seed), right, recorded


def two_crowds(seed):
    """Clean and misty batches in turn."""
    (x, _), _ = digits()
    torch.manual_seed(seed)
    model = network()
    with record_torch(model) as recorded:
        fit(model, seed, steps=400, forward=lambda m, part, t: m(0.45 * part + 0.55 * x.max() if t % 2 else part))
    mixed = [0.45 * part + 0.55 * x.max() if t % 2 else part for t, part in enumerate(batches(seed))]
    return model, mixed, right, recorded


def dropout_before(seed):
    torch.manual_seed(seed)
    model, recorded = trained(seed, model=network(before=(nn.Dropout(0.5),)), steps=400)
    return model, batches(seed), right, recorded


def padding(seed):
    """Sequences of 5 to 49, filled up with zeros: a regression that a few steps teach."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 50, size=512)
    x = 3 + 1.4 * rng.normal(size=(512, 4, 49))
    x[np.arange(49) >= lengths[:, None, None].repeat(4, 1)] = 0
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor((x.sum(axis=(1, 2)) > 260).astype(int))
    torch.manual_seed(seed)
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8), nn.ReLU(), nn.Flatten())
    model.append(nn.Linear(8 * 47, 2))
    fit(model, seed, x=x[:384], y=y[:384], steps=60, rate=0.01)
    return model, x[:384].split(16), lambda model: right(model, x[384:], y[384:]), None


def accumulation(seed):
    """Batches of 64, sent through in groups of 2."""
    torch.manual_seed(seed)
    model = network()
    with record_torch(model) as recorded:
        fit(model, seed, batch_size=64, steps=60, forward=lambda m, x, _: torch.cat([m(part) for part in x.split(2)]))
    return model, batches(seed, 64), right, recorded


def counted_twice(seed):
    """The first half under activation checkpointing."""
    from torch.utils.checkpoint import checkpoint

    torch.manual_seed(seed)
    model = network()

    def forward(model, x, _):
        return model[3:](checkpoint(model[:3], x.requires_grad_(), use_reentrant=False))

    with record_torch(model) as recorded:
        fit(model, seed, forward=forward)
    return model, batches(seed), right, recorded


def counted_twice_unrecorded(seed):
    return (*counted_twice(seed)[:3], None)


# More that is broken, and that no case of the clinic tells.


def not_finite(seed):
    model, _ = trained(seed, record=False)
    model[1].running_mean[3] = torch.nan
    return model, batches(seed), right, None


def copied_weights(seed):
    """A state of parameters alone."""
    model, _ = trained(seed, record=False)
    fresh = network()
    fresh.load_state_dict(dict(model.named_parameters()), strict=False)
    return fresh, batches(seed), right, None


def eps_lost(seed):
    """Trained with an eps of 0.001 on inputs of tiny variance, evaluated with 0.00001."""
    (x, y), (held_x, held_y) = digits()
    torch.manual_seed(seed)
    model = nn.Sequential(nn.BatchNorm1d(64, eps=1e-3), *network())
    fit(model, seed, x=x / 100, y=y, rate=0.3, steps=600)
    model[0].eps = 1e-5
    return model, batches(seed, x=x / 100), lambda model: right(model, held_x / 100, held_y), None


# Healthy runs.


def healthy(seed):
    model, recorded = trained(seed, steps=600)
    return model, batches(seed), right, recorded


def healthy_unrecorded(seed):
    return (*healthy(seed)[:3], None)


def healthy_convolutions(seed):
    torch.manual_seed(seed)
    model, recorded = trained(seed, model=convolutions(), batch_size=32)
    return model, batches(seed, 32, drop_last=False), right, recorded


def healthy_dropout(seed):
    """Dropout after the last batch norm, the metric a single number."""
    torch.manual_seed(seed)
    model = network()
    model.insert(6, nn.Dropout(0.5))
    model, recorded = trained(seed, model=model, batch_size=64)
    return model, batches(seed, 64), lambda model: right(model).float().mean().item(), recorded


def healthy_slow(seed):
    """0.99, long trained at a falling rate."""
    torch.manual_seed(seed)
    model = network(0.01)
    with record_torch(model) as recorded:
        fit(model, seed, steps=800)
        fit(model, seed + 50, steps=600, rate=0.01)
    return model, batches(seed), right, recorded


BROKEN = {  # name to the run and the case of the clinic (or the finding) that it must be named after
    "first-epoch": (first_epoch, "first-epoch"),
    "first-epoch, not recorded": (first_epoch_unrecorded, "first-epoch"),
    "ported": (ported, "ported"),
    "ported, not recorded": (ported_unrecorded, "ported"),
    "jagged-curve": (jagged_curve, "jagged-curve"),
    "fair-average": (fair_average, "fair-average"),
    "new-camera": (new_camera, "new-camera"),
    "by-folder": (by_folder, "by-folder"),
    "one-class-test": (one_class_test, "one-class-test"),
    "restored": (restored, "restored"),
    "averaged-weights": (averaged_weights, "averaged-weights"),
    "shrunk-weights": (shrunk_weights, "shrunk-weights"),
    "tidy-pass": (tidy_pass, "tidy-pass"),
    "epoch-end": (epoch_end, "epoch-end"),
    "epoch-end, refused": (epoch_end_refused, "epoch-end"),
    "frozen-backbone": (frozen_backbone, "frozen-backbone"),
    "two-crowds": (two_crowds, "two-crowds"),
    "dropout-before": (dropout_before, "dropout-before"),
    "padding": (padding, "padding"),
    "accumulation": (accumulation, "accumulation"),
    "counted-twice": (counted_twice, "counted-twice"),
    "counted-twice, not recorded": (counted_twice_unrecorded, "counted-twice"),
    "parameters alone": (copied_weights, "averaged-weights"),
    "not finite": (not_finite, "not finite"),
    "eps": (eps_lost, "eps"),
}
HEALTHY = {
    "healthy": healthy,
    "healthy, not recorded": healthy_unrecorded,
    "convolutions, last batch smaller": healthy_convolutions,
    "dropout at the end": healthy_dropout,
    "0.99, long trained": healthy_slow,
}


def examined(run, seed):
    """The diagnosis of a run."""
    model, training, validate, recorded = run(seed)
    return checkup(model, training, validate, recorded=recorded, progress=False)


def names(diagnosis):
    """What was found, in order: by case where there is one."""
    return [finding.case or finding.name for finding in diagnosis.findings]


def row(name):
    """What became of a run, over all seeds, as a row of the table."""
    run, case = BROKEN.get(name) or (HEALTHY[name], None)
    diagnoses = [examined(run, seed) for seed in SEEDS]
    found = [names(diagnosis) for diagnosis in diagnoses]
    ours = [finding for d in diagnoses for finding in d.findings if case in (finding.case or finding.name,)]
    costs = [finding.cost for finding in ours if finding.cost is not None]
    others = Counter(other for one in found for other in sorted(set(one) - {case}))
    cells = (
        name,
        sum(case in one for one in found) if case else "",
        sum(one[:1] == [case] for one in found) if case else "",
        f"{100 * np.mean(costs):.1f}" if costs else "",
        ", ".join(f"{other} {count}" for other, count in others.items()) or "none",
    )
    return f"| {' | '.join(map(str, cells))} |"


def main(words=()):
    """Make the rows, and the document if there are all of them."""
    torch.set_num_threads(1)
    rows = []
    for name in [*BROKEN, *HEALTHY]:
        if not words or any(word in name for word in words):
            rows.append(row(name))
            print(rows[-1], flush=True)
    if not words:
        DOCUMENT.write_text(f"{INTRODUCTION}\n" + "\n".join(rows) + "\n", encoding="utf-8")


DOCUMENT = Path(__file__).parents[1] / "docs" / "checkup.md"
INTRODUCTION = f"""# What `checkup` finds

Small PyTorch runs on the digits, broken on purpose, and healthy ones, {len(SEEDS)} seeds each. *Named*: in how many of
them the cause was found under the name of its case in the clinic (or of the finding, where no case tells it); *first*:
in how many it was the first finding. *Cost*: percentage points of validation accuracy that mending it would bring, mean
over the runs where that can be measured. *Else*: what else was found, and in how many runs; of a healthy run all of
that is a false alarm. "An average at work" says that exact statistics bring more than chance, and nothing is broken.

`python benchmarks/broken_runs.py` breaks them again and writes this page; `tests/torch_recorder/test_checkup.py` tries
one seed of each. Three cases of the clinic are not here: `restless-loss` and `two-modes` are no faults of inference,
and what is missing in `missing-variance` PyTorch has.

| run | named | first | cost | else |
|---|---|---|---|---|"""


if __name__ == "__main__":
    main(sys.argv[1:])
