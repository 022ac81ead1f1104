"""``Accessible`` around stock widgets and a figure, in a real JupyterLab."""

import pytest

CELL = """
import ipywidgets as w, numpy as np, plotly.graph_objects as go
from plotly.subplots import make_subplots
from bn_teach.lessons.shared.accessible import Accessible

figure = make_subplots(1, 3, subplot_titles=["mean", "variance", "accuracy"])
for column in (1, 2, 3):
    figure.add_scatter(x=np.arange(9.0), y=np.arange(9.0), name=f"line {column}", row=1, col=column)
figure.update_layout(height=300, autosize=True)
figure = go.FigureWidget(figure)
figure._config = {"responsive": True, "displaylogo": False, "showSendToCloud": False}

momentum = w.SelectionSlider(options=[("0", 0.0), ("0.5", 0.5), ("0.9", 0.9)], value=0.5, description="momentum")
step = w.IntSlider(description="step", max=80, value=40)
play = w.Play(max=80)
training = w.IntProgress(value=30, description="training")
estimator = w.Dropdown(options=["ema", "batch"], description="estimator")
unbiased = w.Checkbox(description="m/(m-1)", indent=False)
seed = w.BoundedIntText(description="seed", max=9)
pytorch = w.ToggleButton(description="momentum the PyTorch way")
more = w.Accordion([w.HBox([estimator, unbiased, seed, pytorch])], titles=["more"])
status = w.HTML("far off")
status.add_class("bn-teach-status")
accessible = Accessible(label="explorer", plot_label="three plots")
view = w.VBox([w.HBox([momentum, step, play, training]), more, figure, status, accessible])
view.add_class("bn-teach")
view
"""


@pytest.fixture(scope="module")
def notebook(shared_lab):
    notebook = shared_lab.run(CELL)
    notebook.wait_for(notebook.traces)
    notebook.show()
    return notebook


def role(notebook, role, name, **state):
    return notebook.page.get_by_role(role, name=name, exact=True, **state)


def test_everything_has_a_name_and_says_its_value(notebook):
    inside = role(notebook, "group", "explorer")
    for kind, name in [
        ("slider", "momentum"),
        ("slider", "step"),
        ("button", "Play"),
        ("button", "Stop and rewind"),
        ("button", "Repeat"),
        ("progressbar", "training"),
        ("button", "more"),
        ("img", "three plots"),
    ]:
        assert inside.get_by_role(kind, name=name, exact=True).count() == 1, (kind, name)
    assert inside.get_by_role("status").inner_text().strip() == "far off"
    assert notebook.page.locator(".bn-teach [title=null]").count() == 0

    # By the hand and from Python, the spoken value is the written one, not noUiSlider's index.
    assert notebook.spoken("momentum") == notebook.readout("momentum") == "0.5"
    assert notebook.press("momentum", "ArrowRight") == notebook.spoken("momentum") == "0.9"
    assert notebook.press("momentum", "Home") == notebook.spoken("momentum") == "0"
    notebook.kernel("momentum.value = 0.9; step.max = 200; step.value = 150; training.value = 70; pytorch.value = True")
    notebook.wait_for(lambda: notebook.spoken("momentum") == "0.9" and notebook.spoken("step") == "150")
    notebook.wait_for(lambda: role(notebook, "progressbar", "training").get_attribute("aria-valuenow") == "70")
    notebook.kernel("accessible.plot_label = 'other plots'")
    role(notebook, "img", "other plots").wait_for()

    # While Play runs, the status line is not read out ten times a second.
    live = notebook.page.locator(".bn-teach-status")
    notebook.control("Play").click()
    notebook.wait_for(lambda: live.get_attribute("aria-live") == "off")
    notebook.control("Pause").click()
    notebook.wait_for(lambda: live.get_attribute("aria-live") == "polite")


def test_everything_is_reached_and_moved_by_keyboard(notebook):
    notebook.kernel("more.selected_index = None")
    role(notebook, "button", "more", expanded=False).wait_for()
    notebook.slider("momentum").focus()
    reached = []
    while notebook.page.evaluate("() => document.activeElement.closest('.bn-teach') !== null") and len(reached) < 40:
        # The element itself says what it is: its name, or the label that belongs to it.
        reached.append(
            notebook.page.evaluate(
                """() => { const e = document.activeElement;
                    return e.ariaLabel ?? e.labels?.[0]?.textContent ?? e.textContent; }"""
            ).strip()
        )
        if reached[-1] == "more":
            notebook.page.keyboard.press("Enter")
            assert role(notebook, "button", "more", expanded=True).count() == 1
            notebook.page.keyboard.press("Space")
            assert role(notebook, "button", "more", expanded=False).count() == 1
            notebook.page.keyboard.press("Enter")
        notebook.page.keyboard.press("Tab")
    in_order = ["momentum", "step", "Play", "more", "estimator", "m/(m-1)", "seed", "momentum the PyTorch way"]
    assert [name for name in reached if name in in_order] == in_order

    notebook.kernel("step.max = 80")
    notebook.wait_for(lambda: notebook.press("step", "End") == "80")
    assert notebook.press("step", "ArrowLeft") == "79"
    assert notebook.press("step", "Home", "ArrowUp") == "1"
    notebook.wait_for(lambda: notebook.kernel("print(step.value)") == "1\n")


def test_axe_finds_nothing_in_light_and_dark(notebook, axe):
    for dark in (False, True):
        notebook.theme(dark)
        for unfolded in (False, True):
            notebook.kernel(f"more.selected_index = {0 if unfolded else None}")
            role(notebook, "button", "more", expanded=unfolded).wait_for()
            assert axe(notebook) == [], (dark, unfolded)


def test_the_figure_is_as_wide_as_the_cell(notebook):
    def widths():
        return notebook.page.evaluate(
            """() => [document.querySelector('.bn-teach').clientWidth,
                Number(document.querySelector('.bn-teach .main-svg').getAttribute('width'))]"""
        )

    for window in (1280, 1000, 1280):
        notebook.page.set_viewport_size({"width": window, "height": 900})
        notebook.wait_for(lambda: widths()[0] == widths()[1], what=f"{widths()} in a window of {window}")
    before = widths()[1]
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    notebook.wait_for(lambda: before < widths()[0] == widths()[1], what="wider without the side bar")


def test_the_ring_around_a_handle_stays_off_the_number_beside_it(notebook):
    """In the last place, where a handle comes nearest: the ring reaches 4 pixels beyond it (2 of distance, 2 wide)."""
    role(notebook, "slider", "momentum").press("End")
    gap = notebook.page.evaluate(
        """() => document.querySelector('.bn-teach .widget-readout').getBoundingClientRect().left
            - document.querySelector('.bn-teach .noUi-handle').getBoundingClientRect().right"""
    )
    assert gap > 4


def test_tracks_and_bars_are_seen_in_forced_colours(notebook):
    drawn = """() => ['.noUi-target', '.progress'].map((part) => {
        const { borderTopWidth, borderTopColor, backgroundColor } = getComputedStyle(
            document.querySelector(`.bn-teach ${part}`));
        return parseFloat(borderTopWidth) >= 1 && borderTopColor !== backgroundColor;
    })"""
    for scheme in ("light", "dark"):
        notebook.page.emulate_media(forced_colors="active", color_scheme=scheme)
        assert notebook.page.evaluate(drawn) == [True, True], scheme
    notebook.page.emulate_media(forced_colors="none", color_scheme="light")
