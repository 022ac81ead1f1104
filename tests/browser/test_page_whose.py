"""Whose statistics, on the page: what the script computes is what Python computes; drawings by hand."""

import base64
import itertools
import json
import math
import re

import accessibility
import numpy as np
import pytest
from handwriting import DRAWINGS, written
from window import Window

from bn_teach.data import load_digits
from bn_teach.lessons.whose_statistics import ink
from bn_teach.page import whose, write_page
from bn_teach.training import TrainingConfig, train

OURS = np.round(16 * load_digits().validation_x).astype(int)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("whose") / "lesson.html"
    write_page(path, batch_sizes=[16], momenta=[0.9], seeds=[0])
    return path


@pytest.fixture(scope="module")
def computed():
    """The network of the page, in Python."""
    return whose.whose_of(train(load_digits(), TrainingConfig()), 7)


class Bench(Window):
    """The page once it computes for itself."""

    def open(self, hash=""):
        super().open(hash)
        return self.ready()

    def ready(self):
        self.page.wait_for_selector("#whose.live")
        self.page.wait_for_function("() => !document.getElementById('bench-plot').hidden")
        return self

    def shown(self, **values):
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self

    def ten(self, name):
        """Probabilities of the ten digits in one column, as written."""
        return self.page.locator(f"[data-whose={name}]").all_inner_texts()

    def answer(self, name):
        """The digit that a column says."""
        return self.page.locator(f"[data-whose={name}]").evaluate_all(
            "(cells) => cells.findIndex((cell) => cell.classList.contains('best'))"
        )

    def draw(self, strokes):
        """By mouse, point after point."""
        box = self.page.locator(".bn-pad-sheet").bounding_box()
        at = lambda point: (box["x"] + point[0] / 64 * box["width"], box["y"] + point[1] / 64 * box["height"])  # noqa: E731
        for first, *others in strokes:
            self.page.mouse.move(*at(first))
            self.page.mouse.down()
            for point in others:
                self.page.mouse.move(*at(point), steps=3)
            self.page.mouse.up()
        return self.shown()

    @property
    def drawing(self):
        found = re.search(r"drawing=([^&]*)", self.hash)
        return found and found[1]


@pytest.fixture(scope="module")
def shared(chromium, path):
    window = Bench(chromium, path, viewport={"width": 1280, "height": 1000})
    yield window.open()
    window.close()


@pytest.fixture
def window(shared):
    shared.follow("")
    shared.page.locator("#draw-title").scroll_into_view_if_needed()
    return shared


@pytest.fixture
def another(chromium, path):
    """Opens windows with options of their own."""
    opened = []
    yield lambda **options: opened.append(Bench(chromium, path, **options)) or opened[-1]
    for window in opened:
        window.close()


# The same numbers

SCORES = """async ([camera, orders, sizes, amounts]) => {
    const data = await unpack(JSON.parse(document.getElementById('whose-data').textContent));
    const network = networkOf(data), held = (number) => data.numbers[number];
    const runs = ordersOf([...held(data.labels)], [...held(data.shuffled)]);
    const first = linear(Float64Array.from(held(data.images[camera])), network.layers[0]);
    const found = orders.flatMap((order) => sizes.flatMap((n) => amounts.map((amount) =>
        mixed(network, first, group(runs[order], n), amount === 'all' ? Infinity : amount))));
    const bytes = new Uint8Array(new Float64Array(found.flatMap((scores) => [...scores])).buffer);
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
}"""


@pytest.mark.parametrize("camera", whose.CAMERAS)
def test_scores_and_predictions_are_those_of_python_for_all_images_and_all_mixtures(window, computed, camera):
    amounts = ["all" if math.isinf(N) else N for N in whose.AMOUNTS]
    text = window.page.evaluate(SCORES, [camera, list(whose.ORDERS), computed.sizes, amounts])
    found = np.frombuffer(base64.b64decode(text)).reshape(-1, 449, 10)
    settings = list(itertools.product(whose.ORDERS, computed.sizes, whose.AMOUNTS))
    assert len(found) == len(settings) == 2 * 8 * 7
    for scores, (order, n, N) in zip(found, settings):
        wanted = computed.scores(camera, N, n, order)
        np.testing.assert_allclose(scores, wanted, atol=1e-9, err_msg=f"{order} {n} {N}")
        assert np.array_equal(scores.argmax(axis=1), wanted.argmax(axis=1))


def test_single_precision_as_the_notebook_computes_it_reads_the_same(computed):
    """They differ by rounding: by more, where a batch of few has next to no variance and eps = 1e-5 is divided by."""
    for order, n, N in itertools.product((None, 1), (4, 16, 64), (1, 16, math.inf)):
        notebook = computed.bench.mixed(N, n, classes=order).scores
        page = computed.scores("none", N, n, "sorted" if order else "shuffled")
        np.testing.assert_allclose(page, notebook, atol=1e-4)
        assert np.array_equal(page.argmax(axis=1), notebook.argmax(axis=1))


def test_what_is_said_of_the_test_set_is_what_python_says(window, computed):
    for camera, N, n, order in [
        ("none", math.inf, 16, "shuffled"),
        ("mist", 0, 16, "shuffled"),
        ("mist", 16, 16, "sorted"),
        ("blur", 4, 449, "shuffled"),
        ("noise", 0, 1, "shuffled"),
        ("contrast", 1, 8, "sorted"),
    ]:
        window.follow(f"#images={camera}&N={'all' if math.isinf(N) else N}&n={n}&order={order}")
        assert window.text("bench-sentence") == whose.bench_words(computed, camera, N, n, order)


@pytest.mark.parametrize("order", whose.ORDERS)
def test_the_table_holds_every_setting(window, computed, order):
    window.follow(f"#images=mist&order={order}")
    wanted = [whose.percent(computed.accuracy("mist", N, n, order)) for n in computed.sizes for N in whose.AMOUNTS]
    window.page.wait_for_function(
        "(wanted) => JSON.stringify([...document.querySelectorAll('#bench-map button')]"
        ".map((cell) => cell.textContent)) === JSON.stringify(wanted)",
        arg=wanted,
        timeout=20_000,
    )


def test_a_number_of_the_table_sets_n_and_N(window, computed):
    window.follow("#images=mist&drawing=~5")
    cell = window.page.locator("#bench-map button[data-n='8'][data-amount='4']")
    cell.click()
    assert window.shown().hash == "#momentum=0.9&batch_size=16&drawing=~5&images=mist&N=4&n=8"
    assert cell.get_attribute("aria-current") == "true"
    assert window.page.locator("#bench-map [aria-current]").count() == 1
    assert window.text("bench-sentence") == whose.bench_words(computed, "mist", 4, 8, "shuffled")
    share = 4 / 12
    assert window.text("N-value") == f"4: {whose.percent(share)} % running, {whose.percent(1 - share)} % batch"


def test_the_picture_shows_one_unit_before_and_after(window, computed):
    window.follow("#images=mist&N=4&n=8")
    curves = window.page.evaluate(
        "() => Object.fromEntries(document.getElementById('bench-plot').data"
        ".map(({ meta, x, y }) => [meta, [Array.from(x), Array.from(y)]]))"
    )
    mixed = whose.experiment.mixed(
        computed.network,
        computed.images("mist").astype(float),
        whose.experiment.group(computed.labels, 8),
        computed.bench.source,
        4,
    )
    mean, var = (statistic[:, 7] for statistic in mixed.used[0])
    np.testing.assert_allclose(curves["mean that a test batch is normalised by"][0], mean, atol=1e-9)
    batches = whose.experiment.group(computed.labels, 8)
    values = mixed.values[0][:, 7]
    on = (values - np.repeat(mean, batches.sizes)) / np.sqrt(np.repeat(var, batches.sizes) + 1e-5)
    (before, after), _ = whose.histograms(computed)
    for key, shown, edges in (("these images come in", values, before), ("these images are handed on", on, after)):
        share = np.histogram(shown, edges)[0] / 449
        # A value on an edge may fall on either side of it.
        assert np.abs(np.array(curves[key][1]) - share).sum() <= 4 / 449


# Drawings

SAID = """async (drawings) => {
    const data = await unpack(JSON.parse(document.getElementById('whose-data').textContent));
    const images = Uint8Array.from(data.numbers[data.images.none], (value) => Math.round(16 * value));
    return drawings.map((drawing) => [Array.from(countInk(bitmap(drawing, images))), remarkOn(drawing, images)]);
}"""


def test_a_drawing_is_counted_as_in_python(window):
    rng = np.random.default_rng(1)
    scribbles = [
        ".".join("".join(rng.choice([*ink.GRID], 2 * rng.integers(1, 20))) for _ in range(rng.integers(1, 5)))
        for _ in range(60)
    ]
    drawings = [edited + edit for edited in [*scribbles, "~3", "~77"] for edit in ("", "*3*-2*1", "*0*9*-2")]
    drawings += [*map(written, DRAWINGS.values()), *(f"~{number}" for number in range(0, 449, 9))]
    for drawing, (counts, said) in zip(drawings, window.page.evaluate(SAID, drawings), strict=True):
        assert counts == ink.count(ink.bitmap(drawing, OURS)).ravel().tolist(), drawing
        assert said == ink.remark(drawing, OURS), drawing


def test_ten_drawings_by_mouse_are_read_as_meant_under_running_statistics(window, table):
    read = {}
    for digit, strokes in DRAWINGS.items():
        window.page.get_by_role("button", name="Clear").click()
        window.draw(strokes)
        read[digit] = window.answer("running"), window.ten("running")[digit]
    for digit, (answer, share) in read.items():
        table.row(
            "drawing | read by running statistics as | probability of the digit, %", f"{digit} | {answer} | {share}"
        )
    assert {digit: answer for digit, (answer, _) in read.items()} == {digit: digit for digit in DRAWINGS}


@pytest.mark.parametrize(
    "setting",
    [
        {"N": 16, "count": 15, "company": None, "over": "none"},
        {"N": 0, "count": 15, "company": 3, "over": "none"},
        {"N": 4, "count": 31, "company": 8, "over": "mist"},
        {"N": 0, "count": 0, "company": None, "over": "none"},
    ],
)
@pytest.mark.parametrize("drawing", ["~11", written(DRAWINGS[3]), written(DRAWINGS[8])])
def test_what_is_said_of_a_drawing_is_what_python_says(window, computed, drawing, setting):
    N, count, company, over = setting.values()
    window.follow(
        f"#drawing={drawing}&neighbours={count}&company={'any' if company is None else company}&over={over}&weight={N}"
    )
    assert window.text("ten-sentence") == whose.drawing_words(computed, drawing, **setting)
    image = ink.count(ink.bitmap(drawing, OURS)).ravel() / 16
    for name, amount in (("running", math.inf), ("mixture", N), ("own", 0)):
        shares = computed.probabilities(image, amount, count, company, over)
        assert window.ten(name) == [whose.percent(float(share)) for share in shares]


def test_beside_its_own_kind_an_answer_flips_and_the_moment_is_said(window):
    """Of the 3s of ours, at least one: which one is the network's business."""
    threes = np.flatnonzero(load_digits().validation_y == 3)[:12]
    said = []
    for number in threes:
        window.follow(f"#drawing=~{number}&company=3&weight=0")
        said.append(window.text("ten-sentence"))
    assert any(re.search(r"the answer flips from 3 to \d between N = \w+ and N = \d+", sentence) for sentence in said)


def test_undo_clear_and_a_stroke_more(window):
    window.page.get_by_role("button", name="Clear").click()
    window.draw([[(20, 10), (20, 50)]])
    one = window.drawing
    window.draw([[(40, 10), (40, 50)]])
    assert window.drawing.startswith(one + ".")
    window.page.get_by_role("button", name="Undo").click()
    assert window.shown().drawing == one
    window.page.get_by_role("button", name="thinner").click()
    assert window.shown().drawing == one + "*0*0*1"
    window.draw([[(40, 10), (40, 50)]])  # drawing on means: as it was drawn
    assert window.drawing.startswith(one + ".")
    window.page.get_by_role("button", name="Clear").click()
    assert window.shown().drawing == ""
    window.page.go_back()
    assert window.shown().drawing.startswith(one + ".")


def test_by_keyboard_one_of_ours_is_taken_moved_and_eroded(window):
    seven = window.page.get_by_role("button", name="a 7 of ours")
    seven.focus()
    seven.press("Enter")
    first = window.shown().drawing
    sevens = np.flatnonzero(load_digits().validation_y == 7)
    assert first == f"~{sevens[0]}"
    seven.press("Enter")
    assert window.shown().drawing == f"~{sevens[1]}"
    for name in ("move left", "move up", "thinner"):
        window.page.get_by_role("button", name=name).press("Enter")
    assert window.shown().drawing == f"~{sevens[1]}*-2*-2*1"
    counts = ink.count(ink.bitmap(window.drawing, OURS)).ravel()
    label = window.page.locator(".bn-pad-input").get_attribute("aria-label")
    assert label.endswith(": " + " ".join(map(str, counts)))


@pytest.mark.parametrize(
    ("drawing", "said"),
    [
        ("", "empty"),
        ("gg", "dot"),
        (written([[(0, y), (63, y)] for y in range(64)]), "black"),
        ("AAgggA", "edge"),
        ("~3*9*0*0", "lost"),
    ],
)
def test_bad_drawings_are_answered_in_words(window, drawing, said):
    window.follow(f"#drawing={drawing}")
    assert window.page.locator(".bn-pad-remark").inner_text() == ink.REMARKS[said]
    assert (window.text("ten-sentence") == "There is nothing to read.") is (said == "empty")
    assert (set(window.ten("running")) == {""}) is (said == "empty")


@pytest.mark.parametrize("drawing", ["~449", "~x", "A", "AA*33", "AA*0*0*0*0", "<b>"])
def test_a_link_with_no_drawing_falls_back_and_says_so(window, drawing):
    window.follow(f"#drawing={drawing}")
    assert f"The link asks for drawing={drawing}, which this page does not have." in window.text("notice")
    assert window.answer("running") == 3


def test_a_mixture_of_nothing_cannot_be_set(window):
    window.follow("#N=0&n=0")
    assert "The link asks for n=0, which this page does not have." in window.text("notice")
    sizes = window.page.evaluate("() => JSON.parse(document.getElementById('lesson').textContent).controls.n.values")
    assert min(map(int, sizes)) == 1


FINGER = """([type, points]) => {
    const sheet = document.querySelector('.bn-pad-sheet'), { left, top, width, height } = sheet.getBoundingClientRect();
    const event = (name, [x, y]) => sheet.dispatchEvent(new PointerEvent(name, {
        pointerId: 1, pointerType: type, isPrimary: true, bubbles: true, cancelable: true,
        clientX: left + x / 64 * width, clientY: top + y / 64 * height,
    }));
    sheet.setPointerCapture = () => {};  // there is no such pointer
    event('pointerdown', points[0]);
    for (const point of points) event('pointermove', point);
    event('pointerup', points.at(-1));
}"""


def test_a_pen_draws(window):
    window.page.get_by_role("button", name="Clear").click()
    window.page.evaluate(FINGER, ["pen", DRAWINGS[2][0]])
    assert window.shown().answer("running") == 2


def test_a_finger_draws_and_does_not_scroll(another):
    window = another(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True).open()
    page = window.page
    page.get_by_role("button", name="Clear").tap()
    page.locator(".bn-pad-sheet").evaluate("(sheet) => sheet.scrollIntoView({ block: 'center' })")
    before = page.evaluate("() => scrollY")
    box = page.locator(".bn-pad-sheet").bounding_box()
    at = lambda point: {"x": box["x"] + point[0] / 64 * box["width"], "y": box["y"] + point[1] / 64 * box["height"]}  # noqa: E731
    session = page.context.new_cdp_session(page)
    first, *others = DRAWINGS[2][0]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at(first)]})
    for point in others:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at(point)]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert window.shown().answer("running") == 2
    assert page.evaluate("() => scrollY") == before


# The page around it


def test_a_link_to_a_drawing_opens_there(another):
    window = another().open(f"#drawing={written(DRAWINGS[2])}&company=2&weight=0")
    assert window.answer("running") == 2
    assert window.page.locator("#draw-title").evaluate(
        "(section) => Math.abs(section.getBoundingClientRect().top) < innerHeight / 2"
    )


def test_a_number_of_the_valley_leaves_the_drawing_alone(window):
    window.follow("#drawing=~5&images=mist")
    window.page.locator("#map a").first.click()
    assert window.shown().drawing == "~5"
    assert "images=mist" in window.hash


@pytest.mark.parametrize(("name", "given"), [("misty-camera", 50), ("beside-fifteen", "both about alike")])
def test_predict_then_reveal(another, name, given):
    window, question = another().open(), whose.QUESTIONS[name]
    form = window.page.locator(f'[data-question="{name}"]')
    if question.choices:
        form.get_by_label(given).check()
    else:
        form.get_by_role("spinbutton").fill(str(given))
    form.get_by_role("button").click()
    assert form.get_by_role("status").inner_text() == question.reveal(given)[1]
    form.get_by_role("link", name="See it").click()
    shows = {"misty-camera": "images=mist&N=0", "beside-fifteen": "company=3&weight=0"}[name]
    assert shows in window.shown().hash


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 360)])
@pytest.mark.usefixtures("axe")
def test_axe_finds_nothing_and_nothing_is_too_wide(another, scheme, width):
    window = another(color_scheme=scheme, viewport={"width": width, "height": 900}).open("#images=mist&N=4&over=mist")
    assert accessibility.violations(window.page, "html") == []
    assert window.page.evaluate("() => document.documentElement.scrollWidth") == width


def test_paper_says_the_setting_in_words(another, tmp_path):
    window = another().open("#company=3&neighbours=31&images=mist&N=4&n=8")
    said = window.printed(tmp_path / "page.pdf", format="A4")["text"]
    assert "the drawing and 31 neighbours (only 3s, as they are). N = 16: 33.3 % running, 66.7 % batch." in said
    assert "Images in mist; test batches of 8, shuffled. N = 4: 33.3 % running, 66.7 % batch." in said
    assert "thinner" not in said


def test_without_javascript_a_table_an_image_and_its_ten_probabilities_remain(another, computed):
    window = another(java_script_enabled=False)
    window.page.goto(window.path.as_uri())
    start = whose.start_of(computed)
    assert window.text("bench-sentence") == start["sentence"]
    assert window.text("ten-sentence") == start["answers"]
    assert window.page.locator("#drawn-still rect").count() == 64
    cells = window.page.locator("#bench-map td[data-n]").all_inner_texts()
    assert cells == [cell["written"] for row in start["table"].values() for cell in row]
    assert "Drawing needs JavaScript" in window.page.locator("#whose").inner_text()
    assert not window.page.locator("#weight").is_visible()


def test_other_data_have_the_bench_and_no_pad(chromium, clouds, tmp_path):
    path = tmp_path / "clouds.html"
    config = TrainingConfig(batch_size=8, steps=60, hidden=(9, 6), activation="sigmoid")
    write_page(path, dataset=clouds, config=config, batch_sizes=[8], momenta=[0.9], seeds=[0])
    window = Bench(chromium, path).open()
    computed = whose.whose_of(train(clouds, config), 7)
    assert window.page.locator("#pad").count() == 0
    assert "blur" not in json.loads(window.page.locator("#lesson").inner_text())["controls"]["images"]["values"]
    for camera, N, n in (("mist", 4, 8), ("noise", math.inf, 40), ("brighter", 0, 2)):
        window.follow(f"#images={camera}&N={'all' if math.isinf(N) else N}&n={n}")
        assert window.text("bench-sentence") == whose.bench_words(computed, camera, N, n, "shuffled")
    window.close()
