"""Lines of one panel are told apart by everyone: by colour, with the common colour deficiencies too, or by their form.

Deficiencies are simulated with the matrices of Machado, Oliveira and Fernandes (2009), "A physiologically-based model
for simulation of color vision deficiency", IEEE TVCG 15(6), at full severity, applied to linear RGB. Differences are
CIEDE2000 (Sharma, Wu and Dalal 2005, whose published pairs check the formula here).

How far apart is enough? A difference of 1 is just noticeable for large patches in a laboratory. Small and thin marks on
ordinary screens need several times as much, the more the smaller they are: Stone, Szafir and Setlur (2014), "An
engineering model for color difference as a function of size", and Szafir (2018), "Modeling color difference for
visualization design", IEEE TVCG 24(1). Where a colour is the only difference we ask for 10, whoever looks. Contrast
with the page is 3, as WCAG 2.2, 1.4.11, asks of graphics; see-through bands and outlines of histograms are left out.
"""

import itertools
import re

import numpy as np
import pytest

from bn_teach.lessons.clinic import picture as clinic
from bn_teach.lessons.running_averages import picture as running_statistics
from bn_teach.lessons.running_averages import weights
from bn_teach.lessons.samples_and_population import picture as batch_statistics
from bn_teach.lessons.shared import panels
from bn_teach.lessons.start_here import picture as momentum
from bn_teach.lessons.the_paper import picture as paper
from bn_teach.lessons.tracking_accuracy import picture as race
from bn_teach.lessons.tracking_accuracy import valley
from bn_teach.lessons.two_modes import picture as two_modes
from bn_teach.lessons.when_training_reads import picture as training_reads

ENOUGH, CONTRAST = 10.0, 3.0
PAGES = {"light": "#ffffff", "dark": "#111111"}
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
MODULES = (batch_statistics, clinic, momentum, paper, race, running_statistics, training_reads, two_modes, weights)


def linear(colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def cielab(colour, deficiency="none"):
    seen = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear(colour), 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = np.array(to_xyz) @ seen / [0.95047, 1.0, 1.08883]
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(one, other):
    (l1, a1, b1), (l2, a2, b2) = one, other
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0
    turn = 0.0 if grey else (h2 - h1 + 180) % 360 - 180
    hue = h1 + h2 if grey else (h1 + turn / 2) % 360
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    cos = [np.cos(np.radians(angle)) for angle in (hue - 30, 2 * hue, 3 * hue + 6, 4 * hue - 63)]
    t = 1 - 0.17 * cos[0] + 0.24 * cos[1] + 0.32 * cos[2] - 0.20 * cos[3]
    squared = (lightness - 50) ** 2
    dl = (l2 - l1) / (1 + 0.015 * squared / np.sqrt(20 + squared))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    angle = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(np.radians(angle))
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh))


def contrast(colour, page):
    high, low = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (colour, page)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def look(style):
    """Colours and form of a trace: two traces of one form are told apart by their colours alone."""
    mode, drawn, marker = style["mode"], style.get("line", {}), style.get("marker", {})
    colours = set()
    form = [mode.replace("none", "band"), style.get("fill")]
    if "lines" in mode:
        colours.add(drawn.get("color", marker.get("color")))
        form.append(drawn.get("dash", "solid"))
    if "markers" in mode:
        own = marker.get("color", drawn.get("color"))  # plotly takes one for the other
        colours |= set(own) if isinstance(own, list) else {own}
        form += [marker.get("symbol", "circle"), marker.get("size")]
    return {colour for colour in colours if re.fullmatch("#[0-9A-Fa-f]{6}", colour or "")}, tuple(form)


def lines():
    """Lesson, panel and look of every trace of every picture."""
    return [
        (module.__name__.split(".")[-2], panel, key, *look(style))
        for module in MODULES
        for key, (panel, _, style) in module._LINES.items()
    ]


def difference(one, other, deficiency):
    return ciede2000(cielab(one, deficiency), cielab(other, deficiency))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # from the table of Sharma, Wu and Dalal
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.5, 0), (61, -5, 29), 22.8977),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ],
)
def test_the_formula_gives_the_published_differences(one, other, expected):
    assert ciede2000(one, other) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_traces_of_one_form_in_one_panel_differ_enough_in_colour(deficiency):
    close = []
    for one, other in itertools.combinations(lines(), 2):
        (picture, panel, key, colours, form), (*where, other_key, other_colours, other_form) = one, other
        if where != [picture, panel] or form != other_form:
            continue
        for pair in itertools.product(colours, other_colours):
            if pair[0] != pair[1] and difference(*pair, deficiency) < ENOUGH:
                close.append((picture, panel, key, other_key, pair, round(difference(*pair, deficiency), 1)))
    assert close == []


def test_a_run_after_its_fix_has_a_colour_of_its_own():
    for known in (panels.BATCH, panels.RUNNING, panels.EXACT, panels.OWN):
        assert all(difference(panels.FIXED, known, deficiency) >= ENOUGH for deficiency in DEFICIENCIES), known


def test_lines_over_momentum_have_dashes_of_their_own():
    dashes = [dash for _, dash in valley._STYLES]
    assert len(set(dashes)) == len(dashes)


def test_the_colours_of_batch_sizes_mean_nothing_else():
    known = {value for name, value in vars(panels).items() if name.isupper() and str(value).startswith("#")} - {
        panels.TEXT
    }
    close = [(one, other) for one, _ in valley._STYLES for other in known if difference(one, other, "none") < ENOUGH]
    assert close == []


def test_every_colour_stands_out_from_the_page_in_light_and_dark():
    colours = {colour for *_, found, _ in lines() for colour in found} | {colour for colour, _ in valley._STYLES}
    weak = {
        (colour, theme): round(contrast(colour, page), 2)
        for colour in colours
        for theme, page in PAGES.items()
        if contrast(colour, page) < CONTRAST
    }
    assert weak == {}
