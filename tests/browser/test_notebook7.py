"""Notebook 7 takes plain keys for shortcuts: arrows go to another cell, letters delete one. Not from a control."""

from hands import explorers_of

WHERE = """() => {
    const { content } = [...window.jupyterapp.shell.widgets('main')].find((widget) => widget.context);
    return [content.activeCellIndex, content.widgets.length, document.activeElement.closest('.bn-teach') !== null];
}"""


def test_keys_belong_to_the_control_that_has_the_focus(notebook7):
    notebook = notebook7.open("00_start_here.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    hands = explorers_of(notebook)
    momentum = next(one for one in hands if one.name == "MomentumExplorer")
    prediction = next(one for one in hands if one.controls[0][1] == "RadioButtons")
    notebook.show(momentum.number)
    momentum.look("Run All")
    momentum.unfold()

    def stays(move):
        before = notebook.page.evaluate(WHERE)
        move()
        assert notebook.page.evaluate(WHERE) == [before[0], before[1], True]

    slider = momentum.slider("momentum")
    for key in ("ArrowRight", "ArrowUp", "ArrowDown", "ArrowLeft", "Home", "End", "PageDown"):
        slider.focus()
        held = momentum.snapshot()["controls"]["momentum"]
        stays(lambda key=key: slider.press(key))
        notebook.wait_for(lambda held=held: momentum.snapshot()["controls"]["momentum"] != held, what=f"{key} moves it")
    momentum.look("keys on momentum")

    drop_down = momentum.root.get_by_label("statistics at inference", exact=True)
    for key, chosen in (("ArrowDown", "freed"), ("b", None), ("d", None), ("d", None), ("ArrowUp", None)):
        drop_down.focus()
        stays(lambda key=key: drop_down.press(key))
        if chosen:
            assert chosen in momentum.snapshot()["controls"]["statistics at inference"]
    momentum.look("keys on a drop-down")

    notebook.show(prediction.number)
    radio = prediction.root.get_by_role("radio").first
    radio.press("Space")
    stays(lambda: radio.press("ArrowDown"))
    assert prediction.root.get_by_role("radio").nth(1).is_checked()

    # What is not the control's own stays with the notebook.
    slider.focus()
    slider.press("Control+s")
    notebook.wait_for(
        lambda: notebook._in_panel("return !panel.context.model.dirty"), what="Ctrl+S saves, on a slider too"
    )
