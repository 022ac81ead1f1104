"""From a drawing to an input: cropped and counted as the shipped digits are, and read as meant."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from handwriting import DRAWINGS, written

from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.shared.runs import run
from bn_teach.lessons.whose_statistics import ink
from bn_teach.lessons.whose_statistics.ink import GRID, bitmap, checked, count, drawable, remark
from bn_teach.lessons.whose_statistics.pad import DrawingPad
from bn_teach.replay import replay

OURS = np.round(16 * load_digits().validation_x).astype(int)
SCRIPT = Path(ink.__file__).with_name("ink.js")


def hatched(step):
    """Parallel strokes over the whole pad."""
    return written([[(0, y), (63, y)] for y in range(0, 64, step)])


def test_our_digits_fill_the_bitmap_from_top_to_bottom_with_the_ink_that_a_drawing_gets():
    """What INK and TALL rest on."""
    ours = OURS.reshape(-1, 8, 8)
    assert (ours[:, [0, 7]].sum(axis=2) > 0).all()
    assert ours.sum(axis=(1, 2)).mean() == pytest.approx(
        ink.INK, abs=3 * ours.sum(axis=(1, 2)).std() / len(ours) ** 0.5
    )


def test_our_digits_stand_upright_as_a_drawing_is_set():
    """Slanted handwriting leans by 0.2 to 0.4; what is shipped does not, whoever wrote it."""
    y, x = np.mgrid[:8, :8]
    ours = OURS.reshape(-1, 8, 8) / OURS.sum(axis=1)[:, None, None]
    u, v = (one - (ours * one).sum(axis=(1, 2))[:, None, None] for one in (x, y))
    lean = (ours * u * v).sum(axis=(1, 2)) / (ours * v * v).sum(axis=(1, 2))
    assert abs(np.mean(lean)) < 0.08


@pytest.mark.parametrize("number", range(0, 449, 7))
def test_an_image_of_ours_is_counted_as_it_is(number):
    assert np.array_equal(count(bitmap(f"~{number}", OURS)).ravel(), OURS[number])


def test_ten_drawings_are_read_as_meant_under_running_statistics():
    recording = run()
    network, running = recording.network_at(len(recording.checkpoint_steps) - 1), replay(recording, 0.9)
    drawn = np.stack([count(bitmap(written(strokes), OURS)).ravel() for strokes in DRAWINGS.values()])
    first = network.layers[0](drawn.astype(np.float32) / 16)
    scores = network.inference(first, [(mean[-1], var[-1]) for mean, var in zip(running.mean, running.var)])
    assert scores.argmax(axis=1).tolist() == list(DRAWINGS)


@pytest.mark.parametrize("digit", DRAWINGS)
def test_size_place_and_slant_of_the_hand_do_not_matter(digit):
    drawn = bitmap(written(DRAWINGS[digit]), OURS)
    points = np.concatenate([np.array(stroke) for stroke in DRAWINGS[digit]])
    low, span = points.min(axis=0), np.ptp(points, axis=0).max()
    # Half of the pad, in its lower right corner, leaning to the right: the grid rounds, so some pixels differ.
    moved = [[tuple(30 + 30 * (np.array(point) - low) / span) for point in stroke] for stroke in DRAWINGS[digit]]
    slanted = [[(x - 0.1 * (y - 30), y) for x, y in stroke] for stroke in moved]
    assert (bitmap(written(slanted), OURS) != drawn).mean() < 0.08


def test_moving_and_eroding():
    whole = bitmap("~3", OURS)
    right = bitmap("~3*2*0*0", OURS)
    assert np.array_equal(right[:, 2:], whole[:, :-2])
    assert not right[:, :2].any()
    assert np.array_equal(bitmap("~3*0*-5*0", OURS)[:-5], whole[5:])
    thin, thick = bitmap("~3*0*0*1", OURS), bitmap("~3*0*0*-1", OURS)
    assert not (thin & ~whole).any()
    assert not (whole & ~thick).any()
    assert 0 < thin.sum() < whole.sum() < thick.sum()
    assert not bitmap("~3*32*0*0", OURS).any()


@pytest.mark.parametrize(
    ("drawing", "said"),
    [
        ("", "empty"),
        ("~3*32*0*0", "empty"),
        ("~3*0*0*9", "empty"),
        ("gg", "dot"),
        ("gghhgh", "dot"),
        (hatched(1), "black"),
        ("~3*0*0*-3", "black"),
        ("AAgg", "edge"),
        ("gg" + GRID[63] + "h", "edge"),
        ("~3*9*0*0", "lost"),
        ("~3", ""),
        (written(DRAWINGS[3]), ""),
    ],
)
def test_what_is_wrong_is_said(drawing, said):
    assert remark(checked(drawing, OURS), OURS) == said


@pytest.mark.parametrize(
    ("drawing", "error", "said"),
    [
        (3, TypeError, "drawing must be a str, got 3"),
        ("A", ValueError, "drawing must be strokes of letter pairs or ~ and a number, .* got 'A'"),
        ("AA..BB", ValueError, "strokes of letter pairs"),
        ("A!", ValueError, "strokes of letter pairs"),
        ("ÄÄ", ValueError, "strokes of letter pairs"),
        ("~449", ValueError, "the number after ~ must be a whole number from 0 to 448, got 449"),
        ("AA*40*0*0", ValueError, r"each edit after \* from -32 to 32, got 'AA\*40"),
        ("AA*1*1*1*1", ValueError, "strokes of letter pairs"),
    ],
)
def test_what_is_no_drawing_is_refused_by_name(drawing, error, said):
    with pytest.raises(error, match=said):
        checked(drawing, OURS)


def drawings():
    """Hands, images of ours, and scribbles at random, moved and eroded."""
    rng = np.random.default_rng(0)
    scribbles = [
        ".".join("".join(rng.choice([*GRID], 2 * rng.integers(1, 12))) for _ in range(rng.integers(1, 4)))
        for _ in range(40)
    ]
    edits = ["", "*3*-2*1", "*0*0*-2", "*-9*4*2"]
    return [
        *(written(strokes) for strokes in DRAWINGS.values()),
        *(f"~{number}" for number in range(0, 449, 20)),
        *(scribble + edit for scribble in [*scribbles, "~8"] for edit in edits),
        "",
        "gg",
        hatched(1),
        hatched(3),
    ]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed (a browser test compares too)")
def test_the_script_counts_the_same():
    asked = drawings()
    code = f"""{SCRIPT.read_text(encoding="utf-8")}
        const images = Uint8Array.from({json.dumps(OURS.ravel().tolist())});
        const read = (drawing) => [Array.from(countInk(bitmap(drawing, images))), remarkOn(drawing, images)];
        console.log(JSON.stringify({json.dumps(asked)}.map(read)));"""
    ran = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=True, timeout=60)
    wanted = [[count(bitmap(drawing, OURS)).ravel().tolist(), remark(drawing, OURS)] for drawing in asked]
    assert json.loads(ran.stdout) == wanted


# The widget


def test_the_pad_gives_an_input_of_the_network():
    pad = DrawingPad(drawing="~5")
    assert np.array_equal(pad.image, load_digits().validation_x[5:6])
    assert pad.image.dtype == np.float32
    pad.drawing = "gg"
    assert pad.remark == ink.REMARKS["dot"]
    with pytest.raises(ValueError, match="strokes of letter pairs"):
        pad.drawing = "g"
    assert pad.drawing == "gg"


def test_other_data_have_no_pad(clouds):
    assert drawable(load_digits())
    assert not drawable(clouds)
    x = np.zeros((8, 64)) + 0.3
    assert not drawable(Dataset.from_arrays(x, [0, 1] * 4))
    with pytest.raises(ValueError, match="dataset must hold images of 8 x 8 counts, divided by 16, got 'clouds'"):
        DrawingPad(clouds)
    with pytest.raises(TypeError, match="dataset must be a Dataset, got 3"):
        DrawingPad(3)
