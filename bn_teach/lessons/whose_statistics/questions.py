"""The questions of notebook 08_whose_statistics. Their answers are means over the 16 shipped networks."""

from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.whose_statistics.experiment import CORRUPTIONS
from bn_teach.lessons.whose_statistics.measured import ALL, MIXTURES, load_measured


def _right(N, n, **setting):
    """Per cent read rightly on the bench, mean over the networks."""
    return float(load_measured().bench(N, n, **setting).mean())


def _after(change, amount, statistics):
    """Per cent read rightly with other weights, mean over the networks."""
    return float(load_measured().changes[change, amount, statistics].mean())


def _one_and_one():
    return {"answer": _right(1, 1), "alone": _right(0, 1), "inference": _right(ALL, 1)}


def _one_class():
    right = {str(classes): _right(0, 20, classes=classes) for classes in (1, 2, 5)}
    return {"answer": right.pop("1"), "two": right["2"], "five": right["5"], "all": _right(0, 20)}


def _misty_camera():
    return {"answer": _right(0, 16, corruption="mist"), "before": _right(ALL, 16, corruption="mist")}


def _sorted():
    right = {N: _right(N, 16, corruption="mist", classes=1) for N in MIXTURES}
    return {"answer": max(right.values()), "own": right[0], "inference": right[ALL]}


def _best_mixture():
    best = {camera: max(MIXTURES, key=lambda N: _right(N, 16, corruption=camera)) for camera in CORRUPTIONS}
    only = set(best.values())
    behind = max(_right(N, 16, corruption=camera) - _right(4, 16, corruption=camera) for camera, N in best.items())
    return {
        "answer": _MIXTURE_CHOICES[only.pop()] if len(only) == 1 else _NONE,
        "behind": behind,
        "told": ", ".join(
            f"{'as in training' if camera == 'none' else camera} {_name(N)}" for camera, N in best.items()
        ),
    }


def _name(N):
    return "all" if N == ALL else f"{N}"


def _pruned():
    held = {name: _after("pruned", 80, name) for name in ("old", "few", "recomputed")}
    return {"answer": held["few"], **held}


def _pruned_further():
    held = {name: _after("pruned", 95, name) for name in ("old", "recomputed")}
    return {"answer": held["recomputed"], **held, "trained": _after("pruned", 0, "recomputed")}


def _averaged():
    held = {name: _after("ema", 80, name) for name in ("old", "averaged", "recomputed", "first", "never")}
    points = held["recomputed"] - held["old"]
    return {"answer": _AS_GOOD if points < 1 else _WORSE, "points": points, **held}


_NONE = "no"
_MIXTURE_CHOICES = {N: f"yes: N = {_name(N)}" for N in MIXTURES}
_AS_GOOD = "hardly anything: they were trained together"
_WORSE = "several percentage points"

QUESTIONS = {
    "one-and-one": Question(
        "Every held-out image stands alone in its test batch (n = 1), and the training images count as much as this "
        "one image (N = 1): half of each mean and of each variance is theirs. How many per cent are read rightly?",
        _one_and_one,
        "By its own statistics alone (N = 0) an image is its own mean, nothing is left of it, and {alone:.0f} % are "
        "right by chance. With the other half from the training images, the difference from the mean is halved and "
        "no longer 0. The variance is halved too, since that of a single value is 0. So a normalised value is 0.5 / "
        "√0.5 = 0.71 times what it would be in inference mode, where {inference:.1f} % are right: all shrink alike.",
        unit="%",
    ),
    "one-class": Question(
        "Test batches of 20 clear images, by their own statistics (N = 0). Shuffled, 97 % are read rightly. Now "
        "every test batch holds 20 images of one class. How many per cent?",
        _one_class,
        "What 20 images have in common is in their mean, and the mean is subtracted: here that is the class. Two "
        "classes in a test batch give {two:.0f} %, five {five:.0f} %, all ten {all:.0f} %. Chance is 10 %.",
        unit="%",
    ),
    "misty-camera": Question(
        "A new camera is misty. In inference mode (N = all) the network, which never saw mist, reads 29 % rightly. "
        "Then each test batch of 16 images, shuffled, is normalised by its own statistics (N = 0). How many per "
        "cent?",
        _misty_camera,
        "From {before:.0f} %, without a label and without a step of training. Mist makes 0.3 x + 0.5 of every pixel "
        "x. So every unit of the first layer, a weighted sum of pixels, is multiplied by 0.3 and shifted by a "
        "constant; the test batch's own mean and deviation are multiplied and shifted likewise, and nothing of the "
        "mist is left.",
        unit="%",
    ),
    "mist-sorted": Question(
        "The same misty camera, but now the images come sorted by class, 16 at a time. You may choose N (0, 4, 16, "
        "64, 256 or all). How many per cent are read rightly with the best N?",
        _sorted,
        "By themselves (N = 0) it is {own:.0f} %, in inference mode {inference:.0f} %, and between the two nothing "
        "is much better: one end takes the class out together with the mist, the other leaves the mist in.",
        unit="%",
    ),
    "best-mixture": Question(
        "Six cameras (as in training, mist, little contrast, noise, blur, brighter), shuffled, 16 images in a test "
        "batch, N of 0, 4, 16, 64, 256 or all. Is one N the best for every camera?",
        _best_mixture,
        "The best N by camera: {told}. Some lead by less than a point, and N = 4 is never more than {behind:.1f} "
        "points behind, as long as the images are shuffled.",
        choices=(*_MIXTURE_CHOICES.values(), _NONE),
    ),
    "pruned": Question(
        "After training, the smallest 80 % of the weights below each batch norm are set to 0. With the old running "
        "statistics the network reads 46 % rightly. Then 64 training images, without their labels, go through it, "
        "and their statistics replace the old ones. How many per cent?",
        _pruned,
        "With all 1,348 training images it is {recomputed:.0f} %. The weights are the same pruned ones throughout: "
        "of what pruning seemed to cost, most was that the old statistics described other weights.",
        unit="%",
    ),
    "pruned-further": Question(
        "Now 95 % of the weights are set to 0, and the statistics are recomputed from all training images. How many "
        "per cent are read rightly?",
        _pruned_further,
        "From {old:.0f} % with the old statistics: better, and no cure. The statistics fit now; what is missing are "
        "the weights, which had {trained:.0f} %.",
        unit="%",
    ),
    "averaged-weights": Question(
        "A network is trained, and beside it a moving average of its weights (EMA) is kept, with a long memory: the "
        "average of 80 checkpoints. Its batch norms get a copy of the running statistics of the network itself. What "
        "does that cost, against statistics recomputed for the averaged weights?",
        _averaged,
        "{old:.1f} against {recomputed:.1f} %, {points:.1f} percentage points. The running statistics fit the "
        "network that trains, not the one that is predicted with. Statistics averaged like the weights do as well as "
        "recomputed ones here ({averaged:.1f} %); those of the first checkpoint do not ({first:.1f} %), nor does "
        "mean 0 and variance 1 ({never:.1f} %).",
        choices=(_AS_GOOD, _WORSE, "everything: it falls to chance"),
    ),
}
