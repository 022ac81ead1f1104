"""The one plotly figure of an explorer: quick to import, and right in every view of it."""

import sys
import time
from importlib.machinery import PathFinder
from importlib.util import LazyLoader
from pathlib import Path

import numpy as np
from traitlets import Int, Unicode

from bn_teach.lessons.shared.panels import Picture, stacked


class _WhenUsed:
    """Find one package as ever, to be read when something of it is first used and not when it is imported."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name) if name == self.name else None
        if spec is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec

    def __enter__(self):
        sys.meta_path.insert(0, self)

    def __exit__(self, *error):
        sys.meta_path.remove(self)


# plotly imports nbformat for `show()`, which no widget calls. That brings in jsonschema, which compiles the grammar of
# international web addresses: it took longer than all the rest of a first picture.
with _WhenUsed("nbformat"):
    from plotly.graph_objects import FigureWidget


class LiveFigure(FigureWidget):
    """A plotly figure in which whatever is put shows at once, as wide as the cell that it stands in.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure

    Attributes
    ----------
    lost : int
        How often a page was found that hears nothing of what is put; `reopen` gives it another view.
    """

    _esm = Path(__file__).with_name("live_figure.js")
    _plotly = Unicode(str(FigureWidget._esm)).tag(sync=True)
    lost = Int(0)
    _complete = False
    _answered = 0.0

    def __init__(self, figure):
        super().__init__(figure)
        # No buttons: zooming is off, and one of them would send the picture to another host.
        self._side_by_side = {part: self.layout[part] for part in stacked(self)}
        self._config = {**self._config, "responsive": True, "displayModeBar": False, "showSendToCloud": False}
        self._number = {trace.meta: number for number, trace in enumerate(self.data)}
        self._shown = Picture({}, {}, "")
        self._complete = True
        self.open()
        self.on_msg(self._answer)

    def open(self):
        """Tell the page of a figure once it is complete: a page that is just opening may ask at any moment."""
        if self._complete:
            super().open()

    def reopen(self):
        """Begin anew with every page, which needs the box around the figure to send its children again."""
        self.comm.on_msg(None)  # and not closed: a page may be drawing the old view, which would miss it
        self.comm = self._model_id = None
        self.open()

    def _answer(self, _, message, buffers):
        """Give a page the sign of life it asks for (live_figure.js); one that asks a third time never hears it."""
        last, self._answered = self._answered, time.monotonic()
        if message["asked"] > 1 and self._answered - last > 1:  # else its questions waited in line, behind a long cell
            self.lost += 1
        else:
            self.send({"answer": message["asked"]})

    def show(self, picture):
        """Put the x, y and z of a `Picture` into the traces, by key, and its ranges into the layout, if they are new.

        What is new is told by the picture before: to ask plotly takes longer than to send it.
        """
        before, self._shown = self._shown, picture
        layout = {
            f"{part}.{name}": value
            for part, wanted in picture.ranges.items()
            for name, value in _settings(wanted).items()
            if list(_settings(before.ranges.get(part, {})).get(name, ())) != list(value)
        }
        # Of the traces that change, either all get a new x or none: plotly 7.1 forgets what an update leaves out of one
        # trace and holds for another, in every view that is opened later.
        for names in ("xy", "xyz"):
            new = {key: values for key, values in picture.traces.items() if len(values) == len(names)}
            stale = {key: _stale(names, values, before.traces.get(key)) for key, values in new.items()}
            changed = [key for key in new if stale[key]]
            data = {
                name: [np.array(new[key][k], order="C") for key in changed]  # a copy: plotly keeps what it is given
                for k, name in enumerate(names)
                if any(name in stale[key] for key in changed)
            }
            if data:
                self.plotly_update(data, layout, [self._number[key] for key in changed])
                layout = {}
        if layout:
            self.plotly_relayout(layout)

    @property
    def heights(self):
        """In pixels, side by side and stacked, for the element around it: a figure that is told no longer follows."""
        return [self._side_by_side["height"], stacked(self)["height"]]

    def arrange(self, narrow):
        """Put panels one below the other where the place is narrow, and side by side elsewhere."""
        changes = stacked(self) if narrow else self._side_by_side
        self.plotly_relayout({part: value for part, value in changes.items() if part != "height"})

    def get_state(self, key=None, drop_defaults=False):
        """Return what a view needs that is opened now: after a reload, in a second tab, as an app.

        plotly sends changes on to the views that are open, and leaves the state as it was when the figure was built.
        """
        state = super().get_state(key, drop_defaults)
        if key is None:
            now = {
                "_widget_data": [trace.to_plotly_json() for trace in self.data],
                "_widget_layout": self.layout.to_plotly_json(),
            }
            state |= {name: self.trait_metadata(name, "to_json")(value, self) for name, value in now.items()}
        return state


def _settings(wanted):
    """Part of a layout to what is set in it: a bare list is its range."""
    return wanted if isinstance(wanted, dict) else {"range": wanted}


def _stale(names, values, before):
    """Which coordinates of a trace differ from those before."""
    if before is None:
        return list(names)
    return [name for name, old, new in zip(names, before, values) if not np.array_equal(old, new, equal_nan=True)]
