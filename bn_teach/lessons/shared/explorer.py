"""What all explorers share: controls, a frozen state, one figure, a sentence, and errors that show.

The flow is one way: control -> state -> pure functions -> new arrays in existing traces.
"""

import html
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields

import ipywidgets as widgets
from traitlets import TraitError

from bn_teach import _checks
from bn_teach.lessons.shared.accessible import Accessible
from bn_teach.lessons.shared.choices import MOMENTA, momentum_labels
from bn_teach.lessons.shared.legend import legend
from bn_teach.lessons.shared.live_figure import LiveFigure


@dataclass(frozen=True)
class NoState:
    """What an explorer without controls is told."""


class Explorer:
    """Base of every explorer.

    A subclass names its `State`, builds `controls`, calls `_assemble`, and defines `_draw`, which turns the state into
    a `Picture`, or None while the result is still being computed. What `_draw` should not compute again while
    another control moves goes through ``lru_cache(maxsize=1)``.

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
        By name. Setting ``controls[name].value`` from Python does what a hand on the control does.
    state : frozen dataclass
        What the controls say now; a field has the name of its control.
    figure : LiveFigure
    view : ipywidgets.VBox
        What is displayed.
    """

    State = NoState

    def __init__(self):
        self.controls = {}
        self._lock = threading.RLock()
        self._quiet = False
        self._status = widgets.HTML()
        self._status.add_class("bn-teach-status")

    @property
    def state(self):
        """What the controls say now."""
        return self.State(**{field.name: self.controls[field.name].value for field in fields(self.State)})

    @property
    def status(self):
        """The sentence below the picture, as plain text."""
        return html.unescape(self._status.value)

    def wait(self, timeout=60):
        """Return when any computation under way is shown.

        Parameters
        ----------
        timeout : float
            Seconds.

        Raises
        ------
        TimeoutError
        """
        _checks.number("timeout", timeout, 0.0)

    def _repr_mimebundle_(self, **kwargs):
        return self.view._repr_mimebundle_(**kwargs)

    def _assemble(self, axes, rows, plot_label, below=(), label=None):
        """Build the view: rows of controls, the figure, the sentence, what is below it. Listen, and draw.

        A screen reader says the `label` (None: the name of the class), and of the figure the `plot_label`.
        """
        self.figure = LiveFigure(axes)
        label = label or type(self).__name__
        accessible = Accessible(label=label, plot_label=plot_label, plot_heights=self.figure.heights)
        accessible.observe(self._arrange, names="narrow")
        self.figure.observe(self._show_again, names="lost")
        named = widgets.HTML(f'<ul class="bn-teach-legend">{legend(axes.data)}</ul>')
        self.view = widgets.VBox([*rows, self.figure, named, self._status, *below, accessible])
        self.view.add_class("bn-teach")
        for control in self.controls.values():
            control.observe(self._on_change, names="value")
        self._update()

    def _arrange(self, change):
        with self._lock:
            self.figure.arrange(change["new"])

    def _show_again(self, _):
        with self._lock:
            self.figure.reopen()
            self.view.send_state("children")

    def _set(self, **values):
        """Put controls where the caller wants them; each refuses what it does not offer."""
        for name, value in values.items():
            control = self.controls[name]
            with suppress(TraitError):
                control.value = value
            taken = control.value == value and isinstance(value, bool) == isinstance(control.value, bool)
            if value is None or not taken:  # a dropdown would take None for no choice
                raise ValueError(f"{name} must be {_offer(control)}, got {_checks.describe(value)}")

    def _on_change(self, change):
        # JupyterLab may deliver changes on several threads; those that we make ourselves come on this one.
        with self._lock, self._shown_errors():
            if not self._quiet:
                self._react(change["owner"])
                self._update()

    def _react(self, control):
        """Bring other controls in line with the one that changed; subclasses add theirs."""
        if control is self.controls.get("pytorch_momentum"):
            self._relabel(self.controls["momentum"], momentum_labels(MOMENTA, control.value))

    def _update(self):
        with self._lock, self._shown_errors():
            picture = self._draw()
            if picture is None:
                return
            with self.figure.batch_update():
                self.figure.show(picture)
            self._say(picture.sentence)

    def _say(self, sentence):
        self._status.value = html.escape(sentence, quote=False)

    @contextmanager
    def _shown_errors(self):
        """Errors in a callback would vanish into a log; show them, and leave the last good picture."""
        try:
            yield
        except Exception as error:
            self._say(f"This did not work: {error} ({type(error).__name__}). The picture is the last good one.")

    @contextmanager
    def _quietly(self):
        """Change several controls without an update after each."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def _relabel(self, slider, labels):
        """Write the options of a slider another way, and keep the value it has."""
        values = [value for _, value in slider.options]
        # New options put a slider back to its first one; the page is only told the final state.
        with self._quietly(), slider.hold_sync():
            kept = slider.value
            slider.options = list(zip(labels, values, strict=True))
            slider.value = kept


def row(*children):
    """Lay out controls side by side, wrapping where the window is narrow."""
    layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="center", grid_gap="2px 14px")
    return widgets.Box(children, layout=layout)


def folded(title, *children):
    """Fold rarely used controls away under a title."""
    accordion = widgets.Accordion([row(*children)], titles=(title,), selected_index=None)
    accordion.layout.margin = "0 0 4px 0"
    return accordion


def number_slider(description, options, value=None, *, labels=None, width="330px"):
    """Build a slider over a fixed list of numbers, which may include 0 (a logarithmic one could not)."""
    labels = labels or [f"{option:g}" for option in options]
    return widgets.SelectionSlider(
        options=list(zip(labels, options, strict=True)),
        value=options[0] if value is None else value,
        **_described(description, width),
    )


def momentum_slider(value=0.9):
    """Build the slider of all momenta; with a control ``pytorch_momentum`` beside it, it can be written both ways."""
    return number_slider("momentum", MOMENTA, value, labels=momentum_labels(MOMENTA, False), width="430px")


def pytorch_toggle():
    """Build the control ``pytorch_momentum``."""
    return checkbox("write momentum the PyTorch way", width="260px")


def dropdown(description, options, value=None, width="330px"):
    """Build a choice among `options`, a dict of what each value is called; the first is taken if none is named."""
    return widgets.Dropdown(
        options=[(label, name) for name, label in options.items()],
        value=next(iter(options)) if value is None else value,
        **_described(description, width),
    )


def played_slider(description, value, lowest, highest, step=1, *, width, interval):
    """Build the control ``play``, and the slider of whole numbers that it moves every `interval` milliseconds."""
    slider = widgets.IntSlider(value, lowest, highest, step, **_described(description, width))
    play = widgets.Play(value, min=lowest, max=highest, step=step, interval=interval)
    widgets.link((play, "value"), (slider, "value"))
    return play, slider


def radio_buttons(description, options=()):
    """Build a choice that shows everything there is to choose from; none is taken yet."""
    return widgets.RadioButtons(options=options, value=None, **_described(description, "max-content"))


def number_text(description, width="330px"):
    """Build a field for a number as somebody types it."""
    # Sent when it is all there: while a value is on its way, ipywidgets holds back the next one, but no click.
    return widgets.Text(placeholder="a number", continuous_update=False, **_described(description, width))


def number_box(description, value, highest, width="120px"):
    """Build a box for a whole number from 0."""
    return widgets.BoundedIntText(value, min=0, max=highest, **_described(description, width))


def seed_box(value=0):
    """Build the control ``seed``."""
    return number_box("seed", value, 10**6)


def checkbox(description, value=False, width="260px"):
    """Build a box to tick, with its words beside it."""
    return widgets.Checkbox(value, description=description, indent=False, layout=widgets.Layout(width=width))


def _described(description, width):
    style = {"description_width": "initial"}
    return {"description": description, "style": style, "layout": widgets.Layout(width=width)}


def _offer(control):
    """What a control takes, in words."""
    if hasattr(control, "options"):
        written = (f"{value:g}" if isinstance(value, float) else repr(value) for _, value in control.options)
        return f"one of {', '.join(written)}"
    return f"a whole number from {control.min} to {control.max}"
