"""The questions of notebook 07_your_framework."""

import numpy as np

from bn_teach.frameworks import kept_fraction
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.seeds import SEEDS, load_seeds
from bn_teach.replay import LAST, running_statistics
from bn_teach.torch_recorder.comparison import report
from bn_teach.torch_recorder.example import load_example


def _point_one_in_keras():
    at_4, at_16 = (load_seeds().lost(m, kept_fraction("keras", 0.1)) for m in (4, 16))
    return {
        "answer": at_4.mean(),
        "least": at_4.min(),
        "most": at_4.max(),
        "at_16": at_16.mean(),
        "weight": 100 * (1 - kept_fraction("keras", 0.1)),
    }


def _one_of_1025(examples=1025, batch_size=128):
    # One channel that is 1 in the last example and 0 in all others: the average is the weight of that example.
    last = np.zeros((examples, 1))
    last[-1] = 1
    batches = np.split(last, range(batch_size, examples, batch_size))
    sizes = np.array([len(batch) for batch in batches])
    means = np.array([batch.mean(axis=0) for batch in batches])
    mean, _ = running_statistics(means, np.zeros_like(means), sizes, 0.0, estimator="cumulative", unbiased=False)
    weight = float(mean[-1, 0])
    return {"answer": weight * examples, "batches": len(batches), "percent": 100 * weight, "fair": 100 / examples}


def _which_layer():
    told = report(load_example().recorded)
    off = [float(told.distance[row, told.momenta == own][0]) for row, own in enumerate(told.own)]
    return {"answer": _LAYERS[int(np.argmax(off))], **dict(zip(("first", "second", "third"), off, strict=True))}


_LAYERS = (
    "norm1, after the first convolution",
    "norm2, after the second convolution",
    "norm3, after the fully connected layer",
)

QUESTIONS = {
    "point-one-in-keras": Question(
        "Somebody moves a network from PyTorch to Keras and types momentum=0.1, which is what PyTorch had. Batch size "
        "4, the digits. How many percentage points of validation accuracy will the running statistics lose against "
        f"those of Algorithm 2, averaged over the last {LAST} checkpoints (one every 10 steps) and {len(SEEDS)} seeds?",
        _point_one_in_keras,
        "In Keras 0.1 is the weight of the old, so the latest mini-batch has {weight:.0f} % of all the weight, and it "
        "is four images; from seed to seed it costs {least:.1f} to {most:.1f} points. At batch size 16 the same slip "
        "costs {at_16:.1f}: small enough to be overlooked, and lost for nothing.",
        unit="percentage points",
    ),
    "one-of-1025": Question(
        "1,025 training images in mini-batches of 128: eight are full, and one image is left over for the last. All "
        "mini-batches are weighed alike. How many times its fair share does that image get?",
        _one_of_1025,
        "It is alone in one of {batches} mini-batches, so it has {percent:.1f} % of the weight, where {fair:.2f} % "
        "would be fair.",
        unit="times",
        low=1.0,
        high=1025.0,
        computable=True,
    ),
    "which-layer": Question(
        "The model that was recorded trained on batches of 8 images, and PyTorch's momentum was 0.99, typed in as "
        "Keras has it: it keeps hardly anything of the old. It has three batch norm layers. Which is farthest off?",
        _which_layer,
        "The three are off by {first:.2f}, {second:.2f} and {third:.2f} standard deviations. A batch norm after a "
        "convolution averages over all positions in the image as well: 64 values per image for norm1, 16 for norm2, "
        "and for norm3 a single one. Eight values are a noisy sample; 512 are a better one, although neighbouring "
        "pixels are alike.",
        choices=_LAYERS,
    ),
}
