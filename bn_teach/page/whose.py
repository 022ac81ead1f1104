"""Whose statistics: the network, the images and the words with which the page computes for itself.

The script does what `lessons.whose_statistics` does, in the same numbers: see `mixed.js`.
"""

import json
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import plotly.graph_objects as go

from bn_teach.lessons.shared.panels import BATCH, OWN, RUNNING, bars, dots, line, panels, stacked
from bn_teach.lessons.shared.question import Question
from bn_teach.lessons.shared.runs import run
from bn_teach.lessons.whose_statistics import experiment, ink, questions
from bn_teach.network import Linear
from bn_teach.page.packing import Pack
from bn_teach.replay import replay

AMOUNTS = (0, 1, 4, 16, 64, 256, math.inf)
"""As how many images the training images count, N."""
SIZES = (1, 2, 4, 8, 16, 32, 64)
NEIGHBOURS = (0, 1, 3, 7, 15, 31)
CAMERAS = {
    "none": "as they are",
    "mist": "in mist",
    "contrast": "with little contrast",
    "noise": "with noise",
    "blur": "blurred",
    "brighter": "too bright",
}
ORDERS = {"shuffled": "shuffled", "sorted": "sorted by class"}
ROOM = 2**17
"""Numbers that held-out inputs of the page may have; of larger data sets it holds the first rows."""
BINS = 40
DEPTHS = 3, 10, 30, 60
"""Per cent misread from which on the table is shaded deeper."""

WORDS = {
    "weight": "{N}: {share} % running, {rest} % batch",
    "accuracy": "{accuracy} % of the {count} {examples}, {images}, are read rightly in test batches of {n}, {order}.",
    "running": "Only running statistics count, so it does not matter who is in a batch.",
    "own": "Only the batch's own statistics count, as after a forgotten eval().",
    "mixture": "Every mean and variance is {share} % that of the running statistics, {rest} % that of the test batch.",
    "alone": "An image alone in its batch is its own mean: all come out alike.",
    "nothing": "There is nothing to read.",
    "answers": "Running statistics say {running} ({running_share} %), this mixture {mixture} ({mixture_share} %), the "
    "batch's own statistics {own} ({own_share} %).",
    "flips": "With less and less weight on the running statistics the answer flips {flips}.",
    "flip": "from {before} to {after} between N = {more} and N = {less}",
    "steady": "No mixture of the two changes the answer.",
    "company": "Beside it: {count} neighbours ({company}, {over}).",
}
"""Sentences with named fields, which Python fills in where no script runs, and the script from then on."""
SETTINGS = {
    "draw": "In the test batch: the drawing and {neighbours} neighbours ({company}, {over}). N = {weight}.",
    "bench": "Images {images}; test batches of {n}, {order}. N = {N}.",
}
"""On paper, where there are no controls."""


@dataclass(frozen=True)
class Whose:
    """A trained network with its running statistics, and held-out examples to try it on.

    Attributes
    ----------
    bench : experiment.Bench
        Its source are the *running* statistics of the end, in single precision, as the page holds them.
    activation : str
    unit : Unit
        Of the first layer: the one whose values are drawn.
    """

    bench: object
    activation: str
    unit: int

    @property
    def network(self):
        """The trained network."""
        return self.bench.network

    @property
    def rows(self):
        """How many held-out examples the page holds."""
        y = self.bench.dataset.validation_y
        return min(len(y), max(ROOM // self.bench.dataset.num_features, 1))

    @property
    def labels(self):
        """Classes of the held-out examples that the page holds."""
        return self.bench.dataset.validation_y[: self.rows]

    @property
    def drawable(self):
        """Whether a drawing can become an input."""
        return ink.drawable(self.bench.dataset)

    @property
    def examples(self):
        """What they are called."""
        return "images" if self.drawable else "examples"

    @property
    def cameras(self):
        """Corruptions that these examples can have, and their names."""
        square = experiment.is_square(self.bench.dataset.num_features)
        return {name: words for name, words in CAMERAS.items() if square or name != "blur"}

    @property
    def sizes(self):
        """How many examples a test batch may have; the last is all of them."""
        return (*(n for n in SIZES if n < self.rows), self.rows)

    def images(self, camera):
        """Held-out examples as the page holds them: single precision."""
        return self.bench.images(camera)[: self.rows].astype(np.float32)

    @cached_property
    def shuffled(self):
        """The one permutation from which all test batches are taken."""
        return experiment.group(self.labels, self.rows).order

    def scores(self, camera, N, n, order):
        """Class scores of all held-out examples: what the script computes. In double precision, as it does."""
        batches = experiment.group(self.labels, n, classes=1 if order == "sorted" else None)
        return experiment.mixed(
            self.network, self.images(camera).astype(np.float64), batches, self.bench.source, N
        ).scores

    def accuracy(self, camera, N, n, order):
        """Share of the held-out examples that are read rightly."""
        return float((self.scores(camera, N, n, order).argmax(axis=1) == self.labels).mean())

    def neighbours(self, count, company):
        """Rows of the first `count` held-out examples in random order, of one class or (None) of any."""
        rows = self.shuffled if company is None else self.shuffled[self.labels[self.shuffled] == company]
        return rows[:count]

    def probabilities(self, image, N, count, company, over):
        """How likely each class is for an image, shape (64,), that sits in a test batch with its neighbours."""
        together = np.concatenate([[image], self.images(over)[self.neighbours(count, company)]]).astype(np.float64)
        batch = experiment.Batches(np.arange(len(together)), np.array([0]))
        scores = experiment.mixed(self.network, together, batch, self.bench.source, N).scores[0]
        shares = np.exp(scores - scores.max())
        return shares / shares.sum()


def whose_of(recording, unit, momentum=0.9):
    """Set up what the page computes with: the end of a recorded run, under its running statistics.

    Parameters
    ----------
    recording : Recording
    unit : int
        Of the first layer.
    momentum : float

    Returns
    -------
    Whose
    """
    running = replay(recording, momentum)
    bench = experiment.bench(recording)
    source = tuple(
        tuple(statistic[-1].astype(np.float32).astype(np.float64) for statistic in pair)
        for pair in zip(running.mean, running.var, strict=True)
    )
    return Whose(
        experiment.Bench(bench.dataset, bench.network, source), activation=recording.config.activation, unit=unit
    )


def _beside_fifteen():
    whose = whose_of(run(), 7)
    wrong = np.array([_misread(whose, 15, company) for company in range(10)])
    of_own_class = np.equal.outer(np.arange(10), whose.labels)
    own, other = 100 * wrong[of_own_class].mean(), 100 * wrong[~of_own_class].mean()
    return {"answer": _SAME if own > other + 5 else _OTHER if other > own + 5 else _ALIKE, "own": own, "other": other}


def _misread(whose, count, company):
    """Whether each held-out image is misread beside the same neighbours, normalised with them alone, shape (M,)."""
    images = whose.images("none").astype(np.float64)
    near = images[whose.neighbours(count, company)]
    together = np.concatenate([np.concatenate([[image], near]) for image in images])
    batches = experiment.Batches(np.arange(len(together)), np.arange(0, len(together), count + 1))
    scores = experiment.mixed(whose.network, together, batches, whose.bench.source, 0).scores
    return scores[:: count + 1].argmax(axis=1) != whose.labels


_SAME, _OTHER, _ALIKE = "15 images of the same digit", "15 images of one other digit", "both about alike"

QUESTIONS = {
    "beside-fifteen": Question(
        "A clear image of a digit is read in a test batch with 15 neighbours, normalised by that batch's own mean and "
        "variance. Which neighbours do it more harm?",
        _beside_fifteen,
        "Beside 15 of the same digit {own:.0f} % of the held-out images are misread, beside 15 of one other digit "
        "{other:.0f} %. What all images of a batch have in common is their mean, and normalising takes the mean away: "
        "among its own kind nothing is left of a digit, among strangers it stands out.",
        choices=(_OTHER, _SAME, _ALIKE),
    ),
    "misty-camera": questions.QUESTIONS["misty-camera"],
}


# What the controls offer, and where they begin.


def controls_of(whose):
    """The controls of the drawing and of the test set, as `data.controls_of` has the others, and whose they are.

    A control with a ``pattern`` holds text. A mixture has no ``labels``: they depend on n, and the script writes them.
    """
    amounts = [_amount(N) for N in AMOUNTS]
    cameras = {"values": list(whose.cameras), "labels": list(whose.cameras.values()), "start": 0}
    last = len(amounts) - 1
    sizes = [str(n) for n in whose.sizes]
    bench = {
        "images": cameras,
        "N": {"values": amounts, "labels": None, "start": last},
        "n": {"values": sizes, "labels": sizes, "start": min(4, len(sizes) - 1)},
        "order": {"values": list(ORDERS), "labels": list(ORDERS.values()), "start": 0},
    }
    draw = {}
    if whose.drawable:
        classes = [str(label) for label in range(whose.bench.dataset.num_classes)]
        counts = [str(count) for count in NEIGHBOURS]
        draw = {
            "drawing": {
                "pattern": ink.PATTERN,
                "last": whose.rows - 1,
                "start": f"~{int(np.argmax(whose.labels == 3))}",
            },
            "neighbours": {"values": counts, "labels": counts, "start": 4},
            "company": {
                "values": ["any", *classes],
                "labels": ["any digits", *(f"only {label}s" for label in classes)],
                "start": 0,
            },
            "over": cameras,
            "weight": {"values": amounts, "labels": None, "start": 3},
        }
    return {name: {**its, "of": "draw"} for name, its in draw.items()} | {
        name: {**its, "of": "bench"} for name, its in bench.items()
    }


def _amount(N):
    return "all" if math.isinf(N) else str(N)


# The picture: what comes into one unit, and what batch norm hands on.

LINES = {
    "training images come in": (1, "training images", bars(BATCH)),
    "these images come in": (1, "these images", bars(OWN)),
    "mean that a test batch is normalised by": (1, "mean that each test batch is normalised by", dots(OWN, 5, 0.8)),
    "running mean": (1, "running mean", line(RUNNING)),
    "training images are handed on": (2, "training images", bars(BATCH)),
    "these images are handed on": (2, "these images", bars(OWN)),
}


def axes(whose):
    """Draw two panels without lines."""
    figure = panels(
        ("what comes into one unit", "what batch norm makes of it"),
        LINES,
        x_titles=(f"value of unit {whose.unit}, layer 1", "(value − mean) / standard deviation"),
    )
    edges, training = histograms(whose)
    figure.update_xaxes(range=[edges[0][0], edges[0][-1]], col=1).update_xaxes(range=[edges[1][0], edges[1][-1]], col=2)
    highest = [float(share.max()) for share in training]
    for panel, high in enumerate(highest, start=1):
        figure.update_yaxes(range=[-0.15 * high, 3.5 * high], showticklabels=False, col=panel)
    return figure.update_layout(height=250, margin={"l": 20, "r": 12, "t": 24, "b": 40})


def histograms(whose):
    """Edges of the bars of both panels, and the share of the training images in each bar."""
    first = whose.network.layers[0]
    (mean, var), *_ = whose.bench.source
    mean, deviation = mean[whose.unit], math.sqrt(var[whose.unit] + whose.network.norms[0].eps)
    training = first(whose.bench.dataset.train_x)[:, whose.unit].astype(np.float64)
    these = [first(whose.images(camera))[:, whose.unit].astype(np.float64) for camera in whose.cameras]
    low, high = np.quantile(np.concatenate([training, *these]), [0.005, 0.995])
    edges = np.linspace(low, high, BINS + 1)
    both = edges, (edges - mean) / deviation
    share = np.histogram(training, edges)[0] / len(training)
    return both, (share, share)  # the same images in the same bars, on another scale


# For the script.


def whose_data(whose):
    """All that the script needs to compute and to draw, as a dict that JSON can hold."""
    pack, network = Pack(), whose.network
    linears = [layer for layer in network.layers if isinstance(layer, Linear)]
    held = lambda values: pack.add(np.asarray(values, dtype=np.float64), exact=True)  # noqa: E731
    layers = [
        {
            "weight": held(layer.weight),
            "bias": None if layer.bias is None else held(layer.bias),
            "inputs": layer.weight.shape[0],
            "outputs": layer.weight.shape[1],
        }
        for layer in linears
    ]
    norms = [
        {
            "units": len(norm.gamma),
            "eps": norm.eps,
            **{name: held(values) for name, values in (("gamma", norm.gamma), ("beta", norm.beta))},
            **{name: held(values) for name, values in (("mean", mean), ("variance", var))},
        }
        for norm, (mean, var) in zip(network.norms, whose.bench.source, strict=True)
    ]
    edges, training = histograms(whose)
    figure = axes(whose)
    row, narrow = go.Figure(figure), go.Figure(figure)
    narrow.plotly_relayout(stacked(figure, panel=150, gap=70))
    for each in (row, narrow):
        each.update_layout(height=None, dragmode=False)
    return {
        "network": {"layers": layers, "norms": norms, "activation": whose.activation},
        "images": {camera: held(whose.images(camera)) for camera in whose.cameras},
        "labels": pack.add(whose.labels),
        "shuffled": pack.add(whose.shuffled),
        "classes": whose.bench.dataset.num_classes,
        "drawable": whose.drawable,
        "examples": whose.examples,
        "depths": DEPTHS,
        "amounts": [_amount(N) for N in AMOUNTS],
        "unit": whose.unit,
        "edges": [[float(edge) for edge in side] for side in edges],
        "training": [float(share) for share in training[0]],
        "traces": [
            {name: value for name, value in trace.items() if name not in ("x", "y")}
            for trace in json.loads(figure.to_json())["data"]
        ],
        "layouts": {"row": json.loads(row.to_json())["layout"], "stacked": json.loads(narrow.to_json())["layout"]},
        "words": WORDS,
        "settings": SETTINGS,
        "remarks": ink.REMARKS,
        "pack": pack.written(),
    }


# Before the script runs, and to compare it with.


def percent(share):
    """Per cent with one decimal, halves upwards, as a script writes them."""
    return f"{math.floor(1000 * share + 0.5) / 10:.1f}"


def bench_words(whose, camera, N, n, order):
    """What is said of a setting of the test set."""
    share = float(experiment.source_weight(N, n))
    fields = {
        "accuracy": percent(whose.accuracy(camera, N, n, order)),
        "count": whose.rows,
        "examples": whose.examples,
        "images": whose.cameras[camera],
        "n": n,
        "order": ORDERS[order],
        "share": percent(share),
        "rest": percent(1 - share),
    }
    name = {0.0: "alone" if n == 1 else "own", 1.0: "running"}.get(share, "mixture")
    return " ".join(WORDS[part].format(**fields) for part in ("accuracy", name))


def drawing_words(whose, drawing, N, count, company, over):
    """What is said of a drawing: three answers, and where the answer flips."""
    ours = np.round(16 * whose.bench.dataset.validation_x).astype(int)
    counts = ink.count(ink.bitmap(drawing, ours))
    if not counts.any():
        return WORDS["nothing"]
    found = [whose.probabilities(counts.ravel() / 16, each, count, company, over) for each in reversed(AMOUNTS)]
    answers = [int(shares.argmax()) for shares in found]
    amounts = [_amount(each) for each in reversed(AMOUNTS)]
    named = {"running": found[0], "mixture": found[amounts.index(_amount(N))], "own": found[-1]}
    fields = {name: int(shares.argmax()) for name, shares in named.items()}
    fields |= {f"{name}_share": percent(float(shares.max())) for name, shares in named.items()}
    flips = [
        WORDS["flip"].format(before=answers[k], after=answers[k + 1], more=amounts[k], less=amounts[k + 1])
        for k in range(len(answers) - 1)
        if answers[k] != answers[k + 1]
    ]
    last = WORDS["flips"].format(flips=", then ".join(flips)) if flips else WORDS["steady"]
    alone = [WORDS["alone"]] if count == 0 else []
    return " ".join([WORDS["answers"].format(**fields), last, *alone])


def start_of(whose):
    """What the page shows of all this before its script runs.

    Returns
    -------
    dict
        ``table``: for every n, and every N, what is written and how deep it is shaded; ``sentence``; of a drawing
        ``counts``, ``ten`` (for every class three probabilities) and ``answers``.
    """
    n, size = whose.sizes[min(4, len(whose.sizes) - 1)], math.inf
    start = {
        "table": {m: [_shaded(whose.accuracy("none", N, m, "shuffled"), N) for N in AMOUNTS] for m in whose.sizes},
        "sentence": bench_words(whose, "none", size, n, "shuffled"),
    }
    if whose.drawable:
        drawing, N, count = controls_of(whose)["drawing"]["start"], AMOUNTS[3], NEIGHBOURS[4]
        image = whose.images("none")[int(drawing[1:])]
        ten = [whose.probabilities(image, each, count, None, "none") for each in (math.inf, N, 0)]
        start |= {
            "counts": np.round(16 * image).astype(int).tolist(),
            "ten": [
                [(percent(share), float(share), bool(share == max(shares))) for share, shares in zip(row, ten)]
                for row in zip(*ten)
            ],
            "answers": drawing_words(whose, drawing, N, count, None, "none"),
        }
    return start


def _shaded(accuracy, N):
    return {
        "written": percent(accuracy),
        "depth": sum(100 - 100 * accuracy >= depth for depth in DEPTHS),
        "N": _amount(N),
    }
