"""Hands that move every control of an explorer, and eyes that compare the page with what Python computes anew."""

import json
from pathlib import Path

import fresh

LOOK = 60  # seconds; training of several networks, on a slow machine

# What an explorer shows: its controls as they are written and as they are spoken, its picture, its sentence.
SNAPSHOT = """(number) => {
    const root = document.querySelectorAll('.bn-teach')[number];
    const plain = (text) => text?.replaceAll('\\u200b', '').replaceAll('\\u00a0', ' ').trim() ?? '';
    const text = (element) => plain(element?.textContent);
    const controls = {}, spoken = {}, names = {};
    const each = (kind, read) => root.querySelectorAll(kind).forEach((one) => {
        const name = text(one.querySelector(':scope > .widget-label'));
        read(one, name);
    });
    each('.widget-slider', (one, name) => {
        const handle = one.querySelector('.noUi-handle');
        controls[name] = text(one.querySelector('.widget-readout'));
        spoken[name] = handle.getAttribute('aria-valuetext');
        names[name] = handle.getAttribute('aria-label');
    });
    each('.widget-dropdown', (one, name) => {
        controls[name] = plain(one.querySelector('select').selectedOptions[0]?.label);
    });
    each('.widget-text', (one, name) => { controls[name] = one.querySelector('input').value; });
    each('.widget-radio', (one, name) => {
        controls[name] = text(one.querySelector('input:checked')?.closest('label') ?? null) || 'None';
    });
    each('.widget-toggle-buttons', (one, name) => { controls[name] = text(one.querySelector('.mod-active')); });
    const word = (yes) => yes ? 'True' : 'False';
    root.querySelectorAll('.widget-checkbox').forEach((one) => {
        controls[text(one)] = word(one.querySelector('input').checked);
    });
    root.querySelectorAll('.jupyter-widgets.widget-toggle-button').forEach((one) => {
        controls[text(one)] = word(one.classList.contains('mod-active'));
    });
    const plot = root.querySelector('.js-plotly-plot');
    const picture = plot?.querySelector('.main-svg[role=img]');
    const list = (values) => Array.from(values ?? []);
    return {
        controls, spoken, names,
        sentence: text(root.querySelector('.bn-teach-status')),
        traces: plot?.data?.map(({ meta, x, y, z }) => [meta, [x, y, z].map(list)]) ?? [],
        alternative: plot ? {
            name: picture?.getAttribute('aria-label') ?? '',
            described: text(document.getElementById(picture?.getAttribute('aria-describedby'))),
        } : null,
    };
}"""


class Hands:
    """A learner at one explorer of an open notebook: moves a control, then looks whether everything is right.

    ``names`` has the names of the controls that were moved, ``moves`` counts the moves.
    """

    def __init__(self, notebook, number, name, controls):
        self.notebook, self.page, self.number, self.name = notebook, notebook.page, number, name
        self.controls = controls
        self.names, self.moves = [], 0
        self.root = notebook.explorer.nth(number)

    # -- eyes --------------------------------------------------------------------------------------------------

    def snapshot(self):
        shown = self.page.evaluate(SNAPSHOT, self.number)
        shown["traces"] = dict(shown["traces"])
        return shown

    def expected(self):
        return json.loads(self.notebook.kernel(f"print(fresh.expected(fresh.on_display(Out)[{self.number}]))"))

    def differences(self):
        """In words, what the page shows otherwise than it should; an empty list is good."""
        expected, shown = self.expected(), self.snapshot()
        wrong = [
            f"{what}: {value!r} instead of {wanted!r}"
            for what, wanted, value in (
                ("controls", expected["controls"], shown["controls"]),
                ("spoken", {name: shown["controls"][name] for name in shown["spoken"]}, shown["spoken"]),
                ("names", {name: name for name in shown["names"]}, shown["names"]),
                ("traces", sorted(expected["traces"]), sorted(shown["traces"])),
                ("sentence", expected["sentence"] or shown["sentence"], shown["sentence"]),
            )
            if value != wanted
        ]
        for key, wanted in expected["traces"].items():
            drawn = [fresh.fingerprint(values) for values in shown["traces"].get(key, [])][: len(wanted)]
            if drawn != wanted:
                wrong.append(f"trace {key!r}: {drawn} instead of {wanted}")
        picture = shown["alternative"]
        if picture and not (len(picture["name"]) > 30 and picture["described"] == shown["sentence"]):
            wrong.append(f"no words for the picture: {picture}")
        return wrong

    def look(self, after=""):
        """Wait until the page shows what Python computes from the state; say what differs if it never does."""
        found = ["nothing was looked at"]

        def right():
            found[:] = self.differences()
            return not found

        try:
            self.notebook.wait_for(right, timeout=LOOK)
        except AssertionError:
            raise AssertionError(f"{self.name} after {after}:\n  " + "\n  ".join(found)) from None

    # -- hands -------------------------------------------------------------------------------------------------

    def move_everything(self):
        """Every control by keyboard, sliders also by mouse; after each move, look."""
        self.notebook.show(self.number)
        if self.root.locator(".js-plotly-plot").count():
            self.notebook.wait_for(lambda: self.snapshot()["traces"], what=f"the picture of {self.name}")
        self.look("Run All")
        self.unfold()
        for key, kind, description in self.controls:
            move = getattr(self, f"_{kind.lower()}")
            if move(description):
                self.names.append(description or "Play")
            else:
                print(f"{self.name}: {key} is not to be moved now")
        self.tab_through()

    def move_once(self):
        """Move the first control, if there is one that is not Play, and look."""
        for _, kind, description in self.controls:
            if kind != "Play":
                self.notebook.show(self.number)
                getattr(self, f"_{kind.lower()}")(description)
                return

    def unfold(self):
        """Open what is folded away, by keyboard."""
        closed = self.root.locator(".jupyter-widget-Collapse-header[aria-expanded=false]")
        while count := closed.count():
            closed.first.press("Enter")
            self.notebook.wait_for(lambda count=count: closed.count() < count, what="Enter opens what is folded away")

    def _after(self, description, before, move):
        """The control shows another value, and everything else is right."""
        self.moves += 1
        self.notebook.wait_for(
            lambda: self.snapshot()["controls"][description] != before, what=f"{move} moves {description}"
        )
        self.look(f"{move} on {description}")
        return self.snapshot()["controls"][description]

    def slider(self, description):
        """The handle of a slider."""
        return self.root.get_by_role("slider", name=description, exact=True)

    def _slider(self, description):
        handle = self.slider(description)
        track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]")
        value = self.snapshot()["controls"][description]
        at_home = float(handle.get_attribute("aria-valuenow")) == float(handle.get_attribute("aria-valuemin"))
        keys, fraction = (("End", "ArrowLeft"), 0.3) if at_home else (("Home", "ArrowRight"), 0.7)
        for key in keys:
            handle.press(key)
            value = self._after(description, value, key)
        handle.scroll_into_view_if_needed()
        box, whole = handle.bounding_box(), track.bounding_box()
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] / 2, y)
        self.page.mouse.down()
        self.page.mouse.move(whole["x"] + fraction * whole["width"], y, steps=4)
        self.page.mouse.up()
        self._after(description, value, "the mouse")
        return True

    _selectionslider = _intslider = _slider

    def _field(self, description):
        """What has a label of its own: a drop-down, a number, a checkbox."""
        field = self.root.get_by_label(description, exact=True).first
        return field if field.is_visible() and field.is_enabled() else None

    def _dropdown(self, description):
        field, before = self._field(description), self.snapshot()["controls"][description]
        last = field.evaluate("(select) => select.selectedIndex === select.options.length - 1")
        there, back = ("ArrowUp", "ArrowDown") if last else ("ArrowDown", "ArrowUp")
        field.press(there)
        moved = self._after(description, before, there)
        field.press(back)
        self._after(description, moved, back)
        return True

    def _checkbox(self, description):
        field = self._field(description)
        for _ in range(2):
            before = self.snapshot()["controls"][description]
            field.press("Space")
            self._after(description, before, "Space")
        return True

    def _boundedinttext(self, description):
        field, before = self._field(description), self.snapshot()["controls"][description]
        other = "1" if before != "1" else "2"
        for value in (other, before):
            held = self.snapshot()["controls"][description]
            field.press("Control+a")
            self.page.keyboard.type(value)
            self.page.keyboard.press("Enter")
            self._after(description, held, f"typing {value}")
        return True

    def _togglebutton(self, description):
        button = self.root.get_by_role("button", name=description, exact=True)
        for key in ("Enter", "Space"):
            before = self.snapshot()["controls"][description]
            button.press(key)
            self._after(description, before, key)
        return True

    def _togglebuttons(self, description):
        group = self.root.get_by_role("group", name=description, exact=True)
        if not group.count() or not group.first.is_visible():
            return False
        for place in (1, 0):
            before = self.snapshot()["controls"][description]
            group.get_by_role("button").nth(place).press("Enter")
            self._after(description, before, "Enter")
        return True

    def _radiobuttons(self, description):
        group = self.root.get_by_role("radiogroup", name=description, exact=True)
        before = self.snapshot()["controls"][description]
        group.get_by_role("radio").first.press("Space")
        before = self._after(description, before, "Space")
        self.page.keyboard.press("ArrowDown")
        self._after(description, before, "ArrowDown")
        return True

    def _text(self, description):
        field, before = self._field(description), self.snapshot()["controls"][description]
        field.press("Control+a")
        self.page.keyboard.type("5")
        self.page.keyboard.press("Tab")
        self._after(description, before, "typing 5")
        return True

    def _play(self, _):
        """Play and Pause, by keyboard and then by mouse."""
        for act in ("press", "click"):
            before = self.snapshot()["controls"]
            play = self.root.get_by_role("button", name="Play", exact=True)
            play.press("Enter") if act == "press" else play.click()
            self.notebook.wait_for(
                lambda before=before: self.snapshot()["controls"] != before, what=f"Play moves {self.name}"
            )
            pause = self.root.get_by_role("button", name="Pause", exact=True)
            pause.press("Enter") if act == "press" else pause.click()
            play.wait_for()
            self.moves += 1
            self.look(f"Play and Pause by {act}")
        return True

    def answer(self):
        """Answer a prediction by keyboard alone, and see the reveal."""
        self.notebook.show(self.number)
        for _, kind, description in self.controls:
            getattr(self, f"_{kind.lower()}")(description)
            self.names.append(description)
        self.tab_through()
        button = self.root.get_by_role("button", name="Commit and reveal", exact=True)
        button.press("Enter")
        self.notebook.wait_for(lambda: self.expected()["sentence"], what=f"the reveal of {self.name}")
        self.look("Commit and reveal")
        self.names.append("Commit and reveal")
        self.moves += 1

    # -- keyboard and screen reader -----------------------------------------------------------------------------

    def tab_through(self):
        """Name of everything that Tab reaches in here, each one seen to be outlined."""
        self.notebook.show(self.number)
        first = self.root.locator(
            "button:enabled, select:enabled, input:enabled:not([type=radio]:not(:checked)), [tabindex='0']"
        )
        if not first.count():
            return []
        first.first.focus()
        for key in ("Tab", "Shift+Tab"):  # by keyboard, so that the browser shows the focus
            self.page.keyboard.press(key)
        reached = []
        while len(reached) < 60:
            found = self.root.evaluate(
                """(root) => {
                    const here = document.activeElement;
                    if (!root.contains(here)) return null;
                    const style = getComputedStyle(here);
                    const group = here.closest('.widget-radio, .widget-toggle-buttons')?.ariaLabel;
                    return {
                        name: (group ?? here.ariaLabel ?? here.labels?.[0]?.textContent ?? here.textContent).trim(),
                        outline: style.outlineStyle !== 'none' ? parseFloat(style.outlineWidth) : 0,
                    };
                }"""
            )
            if found is None:
                break
            assert found["outline"] >= 2, f"{self.name}: the focus on {found['name']!r} is not seen"
            reached.append(found["name"])
            self.page.keyboard.press("Tab")
        missed = set(self.names) - set(reached)
        assert not missed, f"{self.name}: Tab does not reach {missed}, but {reached}"
        return reached


def explorers_of(notebook):
    """One ``Hands`` for everything in the notebook that has ``Accessible`` around it, from top to bottom."""
    here = str(Path(__file__).parent)
    notebook.kernel(f"import sys; sys.path.insert(0, {here!r}); import fresh")
    listed = json.loads(notebook.kernel("print(fresh.inventory(Out))"))
    notebook.wait_for(lambda: notebook.explorer.count() == len(listed), what=f"{len(listed)} explorers in the page")
    return [Hands(notebook, number, name, controls) for number, (name, controls) in enumerate(listed)]
