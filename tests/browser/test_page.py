"""The page, opened from disk with every request aborted: what it shows is what Python computes."""

import itertools
import json
import re
import sys
from functools import cache

import accessibility
import numpy as np
import pytest
from lab import REPOSITORY
from window import SET, SHOWN, Window

from bn_teach.data import load_digits
from bn_teach.lessons.questions import QUESTIONS
from bn_teach.lessons.shared.choices import BATCH_SIZES, ESTIMATOR_LABELS, MOMENTA, momentum_labels
from bn_teach.lessons.start_here.drawing import CAPTIONS, bars, fields, inside, shelf_of
from bn_teach.lessons.start_here.picture import picture
from bn_teach.page import write_page
from bn_teach.page.packing import rounded
from bn_teach.replay import ESTIMATORS, replay
from bn_teach.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=200)
UNITS = ((0, 7), (1, 3))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "lesson.html"
    write_page(path, config=CONFIG, seeds=(0, 1), units=UNITS)
    return path


@pytest.fixture(scope="module")
def recordings():
    return [train(load_digits(), TrainingConfig(**{**CONFIG.__dict__, "batch_size": m})) for m in BATCH_SIZES]


@pytest.fixture(scope="module")
def shared(chromium, path):
    window = Window(chromium, path)
    yield window.open()
    window.close()


@pytest.fixture
def window(shared):
    """The page with its first setting (opening it anew for every test would take a minute in all)."""
    shared.follow("")
    return shared


@pytest.fixture
def another(chromium, path):
    """Opens windows with options of their own."""
    opened = []
    yield lambda **options: opened.append(Window(chromium, path, **options)) or opened[-1]
    for window in opened:
        window.close()


@cache
def replayed(recording, estimator, momentum=0.9):
    return replay(recording, momentum, estimator=estimator)


def assert_picture(shown, recording, momentum, *, estimator="ema", unit=0, step=None):
    layer, number = UNITS[unit]
    chosen = replayed(recording, estimator, momentum)
    exact, own = replayed(recording, "algorithm2"), replayed(recording, "batch")
    where = {"layer": layer, "unit": number}
    wanted = picture(chosen, exact, own, step=step or recording.steps, **where)
    for key, (x, y) in wanted.traces.items():
        shown_x, shown_y = (np.array(values, dtype=np.float64) for values in shown["curves"][key])
        assert np.array_equal(shown_x, x), key
        assert np.array_equal(shown_y, rounded(y)), key
        np.testing.assert_allclose(shown_y, y, rtol=2e-6, err_msg=key)
    assert {key: shown["ranges"][key] for key in shown["ranges"]} == wanted.ranges
    assert shown["sentence"] == wanted.sentence


@pytest.mark.slow
def test_every_momentum_at_every_batch_size_shows_what_python_computes(window, recordings):
    for at, recording in enumerate(recordings):
        for number, momentum in enumerate(MOMENTA):
            assert_picture(window.set(batch_size=at, momentum=number), recording, momentum)
            assert window.text("momentum-value") == momentum_labels(MOMENTA, False)[number]
            assert window.text("batch_size-value") == str(BATCH_SIZES[at])


@pytest.mark.slow
def test_every_estimator_unit_and_some_steps_say_what_the_explorer_says(window, recordings):
    states = itertools.product(ESTIMATORS, (0, 6, 8), (1, 3), (0, 1), (10, 100, 200))
    for estimator, number, at, unit, step in states:
        momentum, (layer, neuron) = MOMENTA[number], UNITS[unit]
        shown = window.follow(
            f"#momentum={momentum:g}&batch_size={BATCH_SIZES[at]}&step={step}&estimator={estimator}"
            f"&unit={layer + 1}.{neuron}"
        )
        assert_picture(shown, recordings[at], momentum, estimator=estimator, unit=unit, step=step)


def test_opens_with_the_picture_of_the_explorer(window, recordings):
    assert tuple(ESTIMATOR_LABELS) == ESTIMATORS
    assert_picture(window.open().shown(), recordings[3], 0.9)
    assert window.hash == ""
    assert not window.page.locator("#still").is_visible()
    names = [item.inner_text().strip() for item in window.page.locator(".legend li").all()]
    assert names[1:3] == ["running statistics", "exact statistics (Algorithm 2)"]


def test_the_spread_over_seeds_encloses_the_accuracy(window):
    curves = window.set(momentum=8)["curves"]
    low, high = (np.array(curves[f"accuracy of other seeds, {end}"][1]) for end in ("lowest", "highest"))
    accuracy = np.array(curves["accuracy under running statistics"][1])
    assert (low <= accuracy + 1e-5).all()
    assert (accuracy <= high + 1e-5).all()
    assert "Over 2 seeds, such statistics cost" in window.text("seeds")


def test_a_slider_says_its_value_and_not_the_number_of_its_option(window):
    slider = window.page.get_by_role("slider", name="momentum")
    slider.focus()
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == window.text("momentum-value") == "0.95 (PyTorch: 0.05)"
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0 (PyTorch: 1)"
    slider.press("End")
    assert slider.get_attribute("aria-valuetext") == "0.999 (PyTorch: 0.001)"
    step = window.page.get_by_role("slider", name="step")
    assert step.get_attribute("aria-valuetext") == "200 (2.4 epochs)"
    batch_size = window.page.get_by_role("slider", name="batch size")
    batch_size.press("ArrowLeft")
    window.shown(batch_size=2)
    assert step.get_attribute("aria-valuetext") == "200 (1.2 epochs)"


def test_momentum_is_written_either_way(window):
    before = window.shown()
    window.page.get_by_label("momentum is written").select_option(label="PyTorch: weight of the new value")
    assert window.text("momentum-value") == "0.1 (kept: 0.9)"
    assert window.shown() == before
    assert "written=pytorch" in window.hash


def test_a_link_leads_to_a_setting_and_back_to_the_one_before(window, recordings):
    window.set(momentum=6)
    assert window.hash == "#momentum=0.99&batch_size=16"
    window.set(batch_size=1)
    window.set(step=4)
    window.set(estimator=1)
    window.set(unit=1)
    state = "#momentum=0.99&batch_size=4&step=50&estimator=debiased&unit=2.3"
    assert window.hash == state
    assert_picture(window.shown(), recordings[1], 0.99, estimator="debiased", unit=1, step=50)

    window.open(state)
    assert window.hash == state
    assert_picture(window.shown(), recordings[1], 0.99, estimator="debiased", unit=1, step=50)

    window.set(momentum=2)
    window.set(momentum=3)
    window.page.go_back()
    assert_picture(window.shown(momentum=2), recordings[1], 0.5, estimator="debiased", unit=1, step=50)
    window.page.go_back()
    assert_picture(window.shown(momentum=6), recordings[1], 0.99, estimator="debiased", unit=1, step=50)
    window.page.go_forward()
    assert_picture(window.shown(momentum=2), recordings[1], 0.5, estimator="debiased", unit=1, step=50)


def test_a_drag_is_one_step_back(window):
    window.set(momentum=5)
    for value in (6, 7, 8):
        window.page.evaluate(
            """(value) => {
                const slider = document.getElementById('momentum');
                slider.value = value;
                slider.dispatchEvent(new Event('input', { bubbles: true }));
            }""",
            value,
        )
    assert "momentum 0.999" in window.shown(momentum=8)["sentence"]
    assert window.page.locator("#sentence").get_attribute("aria-live") == "off"
    window.set(momentum=8)
    assert window.page.locator("#sentence").get_attribute("aria-live") == "polite"
    window.page.go_back()
    window.shown(momentum=5)
    assert window.value("momentum") == 5


@pytest.mark.parametrize(
    ("hash", "said"),
    [
        ("#momentum=nonsense&batch_size=7", "momentum=nonsense, batch_size=7"),
        ("#momentum=NaN", "momentum=NaN"),
        ("#momentum=__proto__&constructor=1", "momentum=__proto__, constructor=1"),
        ("#<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("#%E0%A4%A", "%E0%A4%A"),
        ("#step=80000", "step=80000"),
    ],
)
def test_a_link_with_nonsense_falls_back_to_the_defaults_and_says_so(window, recordings, hash, said):
    window.follow("#momentum=0.5&batch_size=4")
    window.follow(hash)
    notice = window.text("notice")
    assert f"The link asks for {said}, which this page does not have." in notice
    assert "momentum=0.9, batch_size=16" in notice
    assert_picture(window.shown(), recordings[3], 0.9)
    window.set(momentum=5)
    assert not window.page.locator("#notice").is_visible()


def test_a_link_that_is_partly_nonsense_keeps_the_rest(window, recordings):
    window.open("#momentum=0.99&batch_size=seven")
    assert_picture(window.shown(momentum=6), recordings[3], 0.99)
    assert "It shows batch_size=16, momentum=0.99 instead." in window.text("notice")


def test_a_link_to_a_heading_is_no_setting(window):
    window.set(momentum=6)
    window.follow("#answer")
    assert window.value("momentum") == 6
    assert not window.page.locator("#notice").is_visible()


DRAWN = """() => {
    const svg = document.querySelector('.bn-drawing');
    const of = (kind, read) => Object.fromEntries([...svg.querySelectorAll(`[data-${kind}]`)].map(read));
    return {
        ...svg.dataset,
        texts: of('field', (one) => [one.dataset.field, one.textContent]),
        curves: of('curve', (one) => [one.dataset.curve, one.getAttribute('d')]),
        seen: [...svg.querySelectorAll('text')]
            .filter((one) => one.getClientRects().length).map((one) => one.textContent),
    };
}"""


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("momentum", "step"), [(0.9, 200), (0.999, 50)])
def test_the_drawing_is_that_of_the_notebook(window, recordings, estimator, momentum, step):
    for mode in ("training", "prediction"):
        window.follow(f"#momentum={momentum}&batch_size=16&step={step}&estimator={estimator}&mode={mode}")
        shown = window.page.evaluate(DRAWN)
        chosen = replayed(recordings[3], estimator, momentum)
        texts = fields(chosen, layer=0, unit=7, step=step)
        shelf = shelf_of(estimator)
        assert (shown["mode"], shown["shelf"]) == (mode, shelf)
        caption = CAPTIONS[mode, shelf].format(**texts)
        assert shown["texts"].pop("title").endswith(mode)
        assert shown["texts"].pop("caption") == caption == window.text("caption")
        assert shown["texts"] == {name: texts[name] for name in shown["texts"]}
        assert shown["curves"] == bars(*inside(estimator, momentum, step))
        assert ("training loss" in shown["seen"]) is (mode == "training")
        assert ("accuracy" in shown["seen"]) is (mode == "prediction")


def test_the_mode_is_switched_by_keyboard(window):
    window.page.get_by_role("radio", name="training").press("ArrowRight")
    assert window.page.evaluate(DRAWN)["mode"] == "prediction"
    assert window.hash.endswith("&mode=prediction")
    assert "nothing is written there" in window.text("caption")


def test_presets(window, recordings):
    window.set(estimator=5)
    window.page.get_by_role("button", name="tiny batches, no memory").click()
    assert_picture(window.shown(momentum=0, batch_size=1), recordings[1], 0.0)
    assert window.hash == "#momentum=0&batch_size=4"
    window.page.get_by_role("button", name="Keras's default").click()
    assert_picture(window.shown(momentum=6), recordings[1], 0.99)


def test_play_shows_the_run_from_its_first_checkpoint_to_its_last(window, recordings):
    window.page.get_by_role("button", name="Play").click()
    window.page.get_by_role("button", name="Pause").click()
    early = window.value("step")
    assert early < 19
    assert_picture(window.shown(), recordings[3], 0.9, step=10 * (early + 1))
    window.page.get_by_role("button", name="Play").click()
    window.page.get_by_role("button", name="Play").wait_for(timeout=20_000)
    assert_picture(window.shown(step=19), recordings[3], 0.9)


def test_a_number_of_the_map_opens_its_picture(window, recordings):
    link = window.page.locator('#map a[href="#momentum=0.999&batch_size=64"]')
    link.click()
    assert_picture(window.shown(momentum=8, batch_size=5), recordings[5], 0.999)
    assert link.get_attribute("aria-current") == "true"
    assert window.page.locator("#map [aria-current]").count() == 1
    assert window.page.locator("#plot").evaluate("(plot) => plot.getBoundingClientRect().top < innerHeight")


@pytest.mark.parametrize("name", ["training-loss", "too-much-memory", "no-memory"])
def test_predict_then_reveal(window, name):
    question = QUESTIONS[name]
    form = window.page.locator(f'[data-question="{name}"]')
    commit, reply = form.get_by_role("button", name="Commit and reveal"), form.get_by_role("status")
    assert question.why[:30] not in window.page.locator("main").inner_text()
    commit.click()
    assert reply.inner_text() == "There is no answer yet. A guess is enough: being wrong is the interesting part."
    if question.choices:
        answer = "it gets worse"
        form.get_by_label(answer).check()
    else:
        form.get_by_role("spinbutton").fill("250")
        commit.click()
        assert reply.inner_text() == "250 is outside 0 to 100 percentage points. What would you say?"
        form.get_by_role("spinbutton").fill("12.5")
        answer = 12.5
    form.get_by_role("button").press("Enter")
    assert reply.inner_text() == question.reveal(answer)[1]
    assert commit.is_disabled()
    if not question.choices:
        form.get_by_role("link", name="See it in the picture").click()
        assert window.hash == {"too-much-memory": "#momentum=0.999&batch_size=16"}.get(name, "#momentum=0&batch_size=4")


def test_every_control_is_reached_by_keyboard(window):
    window.open()
    reached = []
    for _ in range(14):
        window.page.keyboard.press("Tab")
        reached.append(window.page.evaluate("() => document.activeElement.id || document.activeElement.textContent"))
    expected = ["momentum", "batch_size", "play", "step", "estimator", "unit", "written"]
    assert [name for name in reached if name in expected] == expected


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 360)])
@pytest.mark.usefixtures("axe")
def test_axe_finds_nothing(another, scheme, width):
    window = another(color_scheme=scheme, viewport={"width": width, "height": 900})
    window.open("#momentum=nonsense")  # the notice is judged too
    form = window.page.locator('[data-question="too-much-memory"]')
    form.get_by_role("spinbutton").fill("3")
    form.get_by_role("button").click()
    assert accessibility.violations(window.page, "html") == []


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(another, width):
    window = another(viewport={"width": width, "height": 740}).open()
    assert window.page.evaluate("() => document.documentElement.scrollWidth") == width
    domains = window.page.evaluate(
        "() => ['', 2, 3].map((n) => document.getElementById('plot').layout[`xaxis${n}`].domain)"
    )
    assert (domains[0] == domains[2]) is (width == 360)  # one below the other
    window.page.set_viewport_size({"width": 1640 - width, "height": 740})
    window.page.wait_for_function(
        "(stacked) => { const { layout } = document.getElementById('plot');"
        " return (layout.xaxis.domain[1] === 1) === stacked; }",
        arg=width != 360,
    )


def test_in_one_sight_on_a_laptop(another):
    window = another(viewport={"width": 1366, "height": 768}).open()
    bottom = window.page.locator("#sentence").bounding_box()
    assert bottom["y"] + bottom["height"] <= 768 + 8


# Platforms that put the page into a frame


FRAMES = {
    "of a file": "frame.src = source",
    "of its text": "frame.srcdoc = text",  # without an address, as in some previews
}


@pytest.mark.parametrize("kind", FRAMES)
def test_in_a_sandboxed_frame_answers_are_committed_and_sliders_move(another, path, recordings, tmp_path, kind):
    """Scripts are allowed there, and nothing else: forms are not submitted, and the frame has no origin."""
    window = another()
    platform = tmp_path / "platform.html"
    platform.write_text("<!DOCTYPE html><title>a course</title><iframe sandbox='allow-scripts'></iframe>")
    window.page.route(platform.as_uri(), lambda route: route.continue_())
    window.page.goto(platform.as_uri())
    window.page.evaluate(
        f"""([source, text]) => {{
            const frame = document.querySelector('iframe');
            Object.assign(frame, {{ width: 1200, height: 800 }});
            {FRAMES[kind]};
        }}""",
        [path.as_uri(), path.read_text(encoding="utf-8")],
    )
    window.page.wait_for_function("() => frames.length")
    frame = window.page.frames[1]
    frame.wait_for_function("() => document.querySelector('#plot .scatterlayer .trace')")

    choice, number = (frame.locator(f'[data-question="{name}"]') for name in ("training-loss", "too-much-memory"))
    choice.get_by_label("it gets worse").check()
    choice.get_by_role("button").click()
    assert choice.get_by_role("status").inner_text() == QUESTIONS["training-loss"].reveal("it gets worse")[1]
    number.get_by_role("spinbutton").fill("12.5")
    number.get_by_role("spinbutton").press("Enter")
    assert number.get_by_role("status").inner_text() == QUESTIONS["too-much-memory"].reveal(12.5)[1]

    frame.evaluate(SET, ["momentum", "6"])
    assert_picture(frame.evaluate(SHOWN, {"momentum": 6}), recordings[3], 0.99)
    number.get_by_role("link", name="See it in the picture").click()
    assert_picture(frame.evaluate(SHOWN, {"momentum": 8}), recordings[3], 0.999)


# Phones


PHONES = [(360, 640), (390, 844), (640, 360), (844, 390), (568, 320)]
IN_SIGHT = """(elements) => elements.every((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return 0 <= top && bottom <= innerHeight;
})"""


@pytest.fixture
def phone(another):
    """Opens the page on a phone."""
    touch = {"is_mobile": True, "has_touch": True}
    return lambda width, height: another(viewport={"width": width, "height": height}, **touch).open()


@pytest.mark.parametrize(("width", "height"), PHONES)
def test_on_a_phone_the_whole_picture_and_the_sliders_are_in_sight_together(phone, recordings, width, height):
    window = phone(width, height)
    page = window.page
    page.evaluate("() => document.querySelector('figure').scrollIntoView()")
    sliders, panels = page.locator("#controls").get_by_role("slider"), page.locator("#plot .nsewdrag")
    assert (sliders.count(), panels.count()) == (3, 3)
    for slider in sliders.all():
        slider.press("ArrowLeft")  # and the focus scrolls nothing away
        assert sliders.evaluate_all(IN_SIGHT)
        assert panels.evaluate_all(IN_SIGHT)
    assert_picture(window.shown(momentum=3, batch_size=2, step=18), recordings[2], 0.8, step=190)
    bar = page.locator("#controls").bounding_box()
    assert panels.first.bounding_box()["y"] >= bar["y"] + bar["height"]


def test_a_finger_on_the_picture_scrolls_the_page(phone):
    page = phone(390, 844).page
    page.evaluate("() => document.querySelector('figure').scrollIntoView()")
    before = page.evaluate("() => scrollY")
    panel = page.locator("#plot .nsewdrag").last.bounding_box()
    finger = {"x": panel["x"] + panel["width"] / 2, "y": panel["y"] + panel["height"] / 2}
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [finger]})
    for up in range(20, 320, 20):
        moved = {**finger, "y": finger["y"] - up}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [moved]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("(before) => scrollY > before + 100", arg=before)


@pytest.mark.parametrize(("width", "height"), [*PHONES, (320, 256)])
def test_nothing_covers_what_has_the_focus(phone, width, height):
    """A laptop at 200 % is 640 pixels wide, at 400 % 320: whoever needs that may go back by keyboard."""
    page = phone(width, height).page
    page.locator("#folded summary").click()
    page.locator("#whose.live").wait_for()  # until then the page still grows
    page.locator('[data-question="misty-camera"]').get_by_role("spinbutton").focus()
    reached = []
    while "momentum" not in reached:
        page.keyboard.press("Shift+Tab")
        name, visible = page.evaluate(
            """() => {
                const focused = document.activeElement, { left, top, width, height } = focused.getBoundingClientRect();
                const there = document.elementFromPoint(left + width / 2, top + height / 2);
                return [focused.id || focused.textContent, focused.contains(there)];
            }"""
        )
        reached.append(name)
        assert visible, reached
    assert {"unit", "estimator", "too much memory", "step"} <= set(reached)


@pytest.mark.parametrize(("width", "height", "room"), [(1440, 900, True), (1366, 768, False), (700, 900, False)])
def test_more_is_closed_where_it_would_push_the_picture_away(another, width, height, room):
    page = another(viewport={"width": width, "height": height}).open().page
    assert page.locator("#folded").evaluate("(folded) => folded.open") is room


# Paper


SHEETS = {  # and how wide they are, in millimetres
    "A4": ({"format": "A4"}, 210),
    "A4 on its side": ({"format": "A4", "landscape": True}, 297),
    "Letter": ({"format": "Letter"}, 215.9),
}


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_on_paper_the_picture_is_whole_and_light_and_says_its_setting(another, tmp_path, sheet, width, scheme):
    window = another(color_scheme=scheme, viewport={"width": width, "height": 844})
    window.open("#momentum=0.99&batch_size=4&step=190&estimator=debiased&unit=2.3")
    before = window.page.locator("#plot").bounding_box()
    question = window.page.locator('[data-question="too-much-memory"]')
    question.get_by_role("spinbutton").fill("12.5")
    question.get_by_role("button").click()
    options, millimetres = SHEETS[sheet]
    paper = window.printed(tmp_path / "page.pdf", **options)

    first, last = paper["sheet"]
    # Nothing is so wide that the browser has to shrink the page. (It rounds a sheet to points, 4/3 of a pixel.)
    assert last - first == pytest.approx((millimetres - 30) / 25.4 * 96, abs=3)
    assert len(paper["drawing"]) > 3 * 10  # three panels, and their numbers
    assert all(first <= left <= right <= last for left, right in paper["drawing"])
    too_light = {text: color for text, color in paper["colors"].items() if contrast_with_white(color) < 4.5}
    assert too_light == {}
    for said in (
        "Momentum 0.99 (PyTorch: 0.01), batch size 4, step 190 (0.6 epochs).",
        f"Statistics at inference: {ESTIMATOR_LABELS['debiased']}.",
        "Unit: layer 2, unit 3: chosen.",
        "written as in Keras, Flax",
        "#momentum=0.99&batch_size=4&step=190&estimator=debiased&unit=2.3.",
        QUESTIONS["training-loss"].prompt,
        QUESTIONS["too-much-memory"].reveal(12.5)[1],
    ):
        assert said in paper["text"]
    assert "presets" not in paper["text"]
    assert "Commit and reveal" not in paper["text"]

    window.page.wait_for_function(
        "([width, height]) => { const { _fullLayout: now } = document.getElementById('plot');"
        " return now.width === width && now.height === height; }",
        arg=[round(before["width"]), round(before["height"])],
    )
    assert window.page.locator("#plot [viewBox]").count() == 0


def contrast_with_white(color):
    """As in WCAG, from what the browser writes: ``rgb(r, g, b)``."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (np.dot([0.2126, 0.7152, 0.0722], linear) + 0.05)


def test_paper_has_the_setting_and_the_still_without_javascript_too(another):
    window = another(java_script_enabled=False, color_scheme="dark", viewport={"width": 680, "height": 900})
    page = window.page
    page.goto(window.path.as_uri())
    assert not page.locator("#setting").is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("#setting").inner_text().startswith("Momentum 0.9 (PyTorch: 0.1), batch size 16, step 200 (")
    boxes = [panel.bounding_box() for panel in page.locator("#still svg[role=img]").all()]
    assert [box["x"] + box["width"] <= 680 for box in boxes] == [True] * 3
    assert len({box["y"] for box in boxes}) == 1
    assert not page.get_by_text("The sliders need JavaScript").is_visible()
    assert contrast_with_white(page.locator("#sentence").evaluate("(p) => getComputedStyle(p).color")) > 4.5


# Without a script


@pytest.mark.parametrize("width", [360, 1280])
def test_without_javascript_the_text_and_a_picture_remain(another, recordings, width):
    window = another(java_script_enabled=False, viewport={"width": width, "height": 740})
    page = window.page
    page.goto(window.path.as_uri())
    assert page.locator("#still svg[role=img]").count() == 3
    assert page.locator("#still svg").first.bounding_box()["width"] > 200
    assert "The sliders need JavaScript" in page.locator("#explorer").inner_text()
    assert not page.locator("#momentum").is_visible()
    replays = (replay(recordings[3], 0.9, estimator=name) for name in ("ema", "algorithm2", "batch"))
    assert page.locator("#sentence").inner_text() == picture(*replays, layer=0, unit=7, step=200).sentence
    measured = page.get_by_text("The measured answer")
    measured.first.click()
    assert "it stays exactly the same" in page.locator("details.measured").first.inner_text()
    assert "Training data only" in page.locator("main").inner_text()


def test_a_browser_without_what_it_needs_is_told(another):
    window = another()
    window.page.add_init_script("delete window.DecompressionStream")
    window.page.goto(window.path.as_uri())
    assert "too old for the sliders" in window.text("notice")
    assert window.page.locator("#still").is_visible()


@pytest.mark.slow
def test_the_picture_and_the_moves_are_not_far_from_a_bare_plot(chromium, path, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    monkeypatch.delitem(sys.modules, "page", raising=False)
    import page

    monkeypatch.setattr(page, "REPETITIONS", 2)
    monkeypatch.setattr(page, "MOVES", 6)
    for ratio in page.measure_page(chromium, path, tmp_path):
        assert not ratio.missed_by_far, ratio.row()


def test_the_data_in_the_page_are_json(path):
    text = path.read_text(encoding="utf-8")
    start = text.index('id="lesson">') + len('id="lesson">')
    assert set(json.loads(text[start : text.index("</script>", start)])) >= {"controls", "traces", "templates"}
