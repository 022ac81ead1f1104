"""Ten digits by different hands, as strokes: points on the pad's grid of 64 x 64, y downwards."""

import math

from bn_teach.lessons.whose_statistics.ink import GRID


def arc(x, y, rx, ry, start, end, points=14):
    """Part of an ellipse; angles in degrees, clockwise on the screen from three o'clock."""
    turns = [math.radians(start + (end - start) * k / (points - 1)) for k in range(points)]
    return [(x + rx * math.cos(turn), y + ry * math.sin(turn)) for turn in turns]


def written(strokes):
    """The line of text that the pad makes of these strokes."""
    letters = lambda point: "".join(GRID[min(max(round(value), 0), 63)] for value in point)  # noqa: E731
    return ".".join("".join(map(letters, stroke)) for stroke in strokes)


DRAWINGS = {
    # An upright oval, closed.
    0: [arc(32, 32, 14, 24, -90, 270, 24)],
    # A bar with a hook, somewhat slanted.
    1: [[(24, 20), (36, 8), (33, 30), (31, 56)]],
    # Round head, straight foot.
    2: [[*arc(30, 20, 14, 12, 190, 390), (36, 36), (18, 54), (20, 54), (48, 54)]],
    # Two bows, written small in a corner of the pad.
    3: [[*arc(14, 12, 7, 6, 200, 440), *arc(14, 25, 8, 7, -80, 150)]],
    # Open at the top, in two strokes.
    4: [[(22, 10), (18, 34), (46, 34)], [(40, 14), (38, 58)]],
    # The roof as a stroke of its own.
    5: [[(22, 10), (20, 28), *arc(29, 40, 14, 14, -120, 140)], [(22, 10), (46, 9)]],
    # A long neck, in one go.
    6: [[(40, 6), (28, 20), (21, 38), *arc(32, 45, 11, 11, 180, 540, 20)]],
    # With a bar, as much of Europe writes it.
    7: [[(16, 10), (46, 10), (34, 32), (28, 58)], [(22, 33), (44, 31)]],
    # A figure of eight in one stroke, leaning.
    8: [[*arc(35, 18, 11, 11, 70, -250, 18), *arc(30, 43, 13, 13, -70, 270, 20)]],
    # A round head with a straight leg.
    9: [[*arc(31, 20, 12, 12, 0, -350, 20), (43, 14), (42, 36), (38, 58)]],
}
