"""From a drawing to an input of the network, as the shipped digits were made: upright, cropped, thick enough, counted.

A drawing is one line of text, so that an address, a widget and a test can hold it: ``"AAf_.gG"`` are two strokes, whose
points have two letters each, x and y on a grid of 64 x 64; ``"~17"`` is image 17 of ours; ``"~17*2*-1*1"`` is that
image, two pixels to the right, one up, and its edge eroded once (-1: grown once). `ink.js` does the same, bit by bit.
"""

import math
import re
from itertools import pairwise

import numpy as np

from bn_teach import _checks

GRID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SIDE = 32
"""Pixels of a bitmap, each way; a block of 4 x 4 of them is one of 8 x 8 inputs."""
TALL, WIDE = 28, 16
"""Pixels of a bitmap that the middle of the strokes spans: shipped digits are full height, and rarely full width."""
STRETCH = 1.5
"""How much more one direction may be stretched than the other: a 1 stays narrow."""
INK = 312
"""Black pixels of a shipped digit on average: a 1 is thick there and an 8 thin, whatever pen its writer had."""
THINNEST, THICKEST = 1.2, 5.5
"""Radius of the pen in pixels, whatever the ink."""
PATTERN = r"(?:~\d{1,6}|(?:[\w-]{2})+(?:\.(?:[\w-]{2})+)*)?(?:\*-?(?:[12]?\d|3[0-2])){0,3}"
REMARKS = {
    "empty": "Nothing is drawn: there is nothing to read.",
    "dot": "This is a dot. The network knows digits alone, so it answers with one all the same.",
    "black": "Too much is black for a digit. The network knows digits alone, so it answers with one all the same.",
    "edge": "The drawing touches the edge of the pad: what went beyond is not there.",
    "lost": "Part of it is beyond the edge of the picture: the network does not see that.",
}


def bitmap(drawing, images):
    """Turn a drawing into black and white.

    Parameters
    ----------
    drawing : str
    images : numpy.ndarray of int, shape (M, 64)
        Ours, as counts.

    Returns
    -------
    numpy.ndarray of bool, shape (32, 32)
    """
    ink, dx, dy, eroded = _parts(drawing)
    if ink.startswith("~"):
        black = of_counts(images[int(ink[1:])])
    else:
        black = of_strokes(strokes(ink))
    return shift(erode(black, eroded), dx, dy)


def count(black):
    """Count the black pixels of every block of 4 x 4, as the file of the digits does: 0 to 16, shape (8, 8)."""
    return black.reshape(8, 4, 8, 4).sum(axis=(1, 3))


def strokes(ink):
    """Points of every stroke on the grid, each of shape (P, 2)."""
    return [np.array([GRID.index(letter) for letter in part]).reshape(-1, 2) for part in ink.split(".") if part]


def of_strokes(strokes):
    """Set strokes upright, crop to them, and draw: the pen as thick as it takes for the ink of a shipped digit."""
    if not strokes:
        return np.zeros((SIDE, SIDE), bool)
    lean = _lean(strokes)
    upright = [np.column_stack([stroke[:, 0] - lean * stroke[:, 1], stroke[:, 1]]) for stroke in strokes]
    points = np.concatenate(upright)
    low, high = points.min(axis=0), points.max(axis=0)
    width, height = np.maximum(high - low, 1e-9)
    scale = np.array([min(WIDE / width, STRETCH * TALL / height), min(TALL / height, STRETCH * WIDE / width)])
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    nearest = np.full((SIDE, SIDE), np.inf)
    for stroke in upright:
        placed = (stroke - (low + high) / 2) * scale + SIDE / 2
        for (ax, ay), (bx, by) in zip(placed, [*placed[1:], placed[-1]]):
            ux, uy = bx - ax, by - ay
            along = np.clip(((x - ax) * ux + (y - ay) * uy) / max(ux * ux + uy * uy, 1e-9), 0, 1)
            nearest = np.minimum(nearest, (x - ax - along * ux) ** 2 + (y - ay - along * uy) ** 2)
    pen = np.sort(nearest, axis=None)[INK - 1]
    return nearest <= min(max(pen, THINNEST * THINNEST), THICKEST * THICKEST)


def _lean(strokes):
    """How far strokes move to the right for every step down, by least squares over their length."""
    pieces = [(a, b, math.dist(a, b)) for stroke in strokes for a, b in pairwise(stroke.tolist())]
    length = sum(piece for *_, piece in pieces)
    if length == 0:
        return 0.0
    # Plain sums, one after the other: the script rounds as they do.
    x = sum(piece * (a[0] + b[0]) for a, b, piece in pieces) / (2 * length)
    y = sum(piece * (a[1] + b[1]) for a, b, piece in pieces) / (2 * length)
    middles = [((a[0] + b[0]) / 2 - x, (a[1] + b[1]) / 2 - y, piece) for a, b, piece in pieces]
    high = sum(piece * v * v for _, v, piece in middles)
    return sum(piece * u * v for u, v, piece in middles) / high if high > length else 0.0


def of_counts(counts):
    """Make a bitmap that is counted like this: in every block, the pixels nearest to the ink around it are black."""
    grey = np.pad(np.asarray(counts, dtype=np.int64).reshape(8, 8), 1)
    # Between the middles of blocks, counts in proportion; whole numbers, so that the script finds the same.
    block, rest = np.divmod(np.arange(SIDE) + 2, 4)
    rest = 2 * rest + 1
    columns = grey[:, block] * (8 - rest) + grey[:, block + 1] * rest
    smooth = columns[block] * (8 - rest)[:, None] + columns[block + 1] * rest[:, None]
    blocks = smooth.reshape(8, 4, 8, 4).swapaxes(1, 2).reshape(64, 16)
    place = np.argsort(np.argsort(-blocks, axis=1, kind="stable"), axis=1, kind="stable")
    return (place < np.reshape(counts, (64, 1))).reshape(8, 8, 4, 4).swapaxes(1, 2).reshape(SIDE, SIDE)


def erode(black, times):
    """Take away every black pixel that has a white neighbour (beyond the edge: none), so many times; below 0: grow."""
    if times < 0:
        return ~erode(~black, -times)
    for _ in range(times):
        around = np.pad(black, 1, mode="edge")
        black = black & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return black


def shift(black, dx, dy):
    """Move to the right and down; what leaves the bitmap is lost."""
    room = np.pad(black, SIDE)
    return room[SIDE - dy : 2 * SIDE - dy, SIDE - dx : 2 * SIDE - dx]


def remark(drawing, images):
    """Say what is wrong with a drawing, as a key of `REMARKS`; empty if nothing is."""
    ink, *_, eroded = _parts(drawing)
    black = bitmap(drawing, images)
    if not black.any():
        return "empty"
    if black.sum() > 1.3 * INK:
        return "black"
    if not ink.startswith("~"):
        points = np.concatenate(strokes(ink))
        if (np.ptp(points, axis=0) <= 2).all():
            return "dot"
        if points.min() == 0 or points.max() == len(GRID) - 1:
            return "edge"
    whole = bitmap("*".join([ink, "0", "0", str(eroded)]), images)
    return "lost" if whole.sum() > black.sum() else ""


def checked(drawing, images):
    """Return the drawing, or raise a ValueError or TypeError that says what is wrong with it."""
    _checks.instance("drawing", drawing, str)
    if not re.fullmatch(PATTERN, drawing, re.ASCII):
        allowed = "strokes of letter pairs or ~ and a number, each edit after * from -32 to 32"
        raise ValueError(f"drawing must be {allowed}, got {_checks.describe(drawing)}")
    if drawing.startswith("~"):
        _checks.integer("drawing: the number after ~", int(drawing[1:].split("*")[0]), 0, len(images) - 1)
    return drawing


def _parts(drawing):
    ink, *edits = drawing.split("*")
    return ink, *(int(edit) for edit in [*edits, 0, 0, 0][:3])


def drawable(dataset):
    """Whether inputs are what a drawing becomes: 64 counts from 0 to 16, divided by 16."""
    counts = 16 * dataset.validation_x
    return counts.shape[1] == 64 and bool(
        (counts == np.round(counts)).all() and counts.min() >= 0 and counts.max() <= 16
    )
