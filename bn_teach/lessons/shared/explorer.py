"""What all explorers share: controls, a frozen state, one figure, a sentence, and errors that show.

The flow is one way: control -> state -> pure functions -> new arrays in existing traces.
"""

import html
import threading
from contextlib import contextmanager, nullcontext

import ipywidgets as widgets

from bn_teach import _checks
from bn_teach.lessons.shared.accessible import Accessible
from bn_teach.lessons.shared.legend import legend
from bn_teach.lessons.shared.panels import fill


class Explorer:
    """Base of every explorer.

    A subclass builds `controls` and `figure`, calls `_assemble`, and defines `state` (what the
    controls say) and `_draw` (state to traces, axis ranges and a sentence, or None while the result is
    still being computed).

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
        By name. Setting ``controls[name].value`` from Python does what a hand on the control does.
    figure : plotly.graph_objects.FigureWidget
    view : ipywidgets.VBox
        What is displayed.
    """

    def __init__(self):
        self.controls = {}
        self._lock = threading.RLock()
        self._quiet = False
        self._status = widgets.HTML()
        self._status.add_class("bn-teach-status")

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

    def _assemble(self, rows, plot_label, below=()):
        """Build the view: rows of controls, the figure, the sentence, what is below it. Listen to the controls."""
        words = {"label": type(self).__name__, "plot_label": plot_label}
        self.view = framed(rows, self.figure, [self._status, *below], **words, lock=self._lock)
        for control in self.controls.values():
            control.observe(self._on_change, names="value")

    def _on_change(self, change):
        # JupyterLab may deliver changes on several threads; those that we make ourselves come on this one.
        with self._lock, self._shown_errors():
            if not self._quiet:
                self._react(change["owner"])
                self._update()

    def _react(self, control):
        """Bring other controls in line with the one that changed; for subclasses."""

    def _update(self):
        with self._lock, self._shown_errors():
            drawn = self._draw()
            if drawn is None:
                return
            traces, ranges, sentence = drawn
            with self.figure.batch_update():
                fill(self.figure, traces, ranges)
            self._say(sentence)

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


def framed(above, figure, below, *, label, plot_label, lock=None):
    """Put a live figure and its legend between other widgets, into a box that is kept usable in every width."""
    accessible = Accessible(label=label, plot_label=plot_label, plot_heights=figure.heights)

    def arrange(change):
        with lock or nullcontext():
            figure.arrange(change["new"])

    accessible.observe(arrange, names="narrow")
    named = widgets.HTML(f'<ul class="bn-teach-legend">{legend(figure.data)}</ul>')
    view = widgets.VBox([*above, figure, named, *below, accessible])
    view.add_class("bn-teach")
    return view


def row(*children):
    """Lay out controls side by side, wrapping where the window is narrow."""
    layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="center", grid_gap="2px 14px")
    return widgets.Box(children, layout=layout)


def folded(title, *children):
    """Fold rarely used controls away under a title."""
    accordion = widgets.Accordion([row(*children)], titles=(title,), selected_index=None)
    accordion.layout.margin = "0 0 4px 0"
    return accordion


def number_slider(description, options, value, *, labels=None, width="330px"):
    """Build a slider over a fixed list of numbers, which may include 0 (a logarithmic one could not)."""
    labels = labels or [f"{option:g}" for option in options]
    return widgets.SelectionSlider(
        options=list(zip(labels, options, strict=True)),
        value=value,
        description=description,
        style={"description_width": "initial"},
        layout=widgets.Layout(width=width),
    )
