"""What stock widgets leave out for people who use a keyboard or a screen reader.

ipywidgets' sliders have no name and a ``SelectionSlider`` is read out as its index ("2" for 0.9), the buttons of
``Play`` are pictures, an accordion opens by mouse only, and a plotly figure is a heap of anonymous text. ``Accessible``
repairs that in the page: an explorer puts one inside its view, and needs to know no more about it.
"""

from pathlib import Path

import anywidget
import traitlets


class Accessible(anywidget.AnyWidget):
    """An invisible widget that keeps the view around it accessible.

    Put it anywhere inside a box that has the CSS class ``bn-teach``. From then on, whatever changes in the box:

    - sliders have the name and say the value that are written beside them, also after the value changed;
    - the buttons of ``Play``, toggle buttons, progress bars, groups of buttons and accordions have names and states,
      and accordions open by keyboard; a stray tooltip "null" is removed;
    - an element with the class ``bn-teach-status`` is read out when its text changes (not ten times a second while
      ``Play`` runs);
    - a plotly figure is a picture with ``plot_label`` for its name, described by the status line, its texts and grid in
      the colours of JupyterLab's theme, as wide as the box if its configuration says ``responsive``;
    - what has the focus is outlined, and has its keys for itself; labels are not cut off;
    - when the kernel is gone, that is said instead of the last sentence.

    =============  ======  ==========================================================================
    trait          type    meaning
    =============  ======  ==========================================================================
    ``label``      str     name of the whole explorer; empty: none
    ``plot_label``  str    what the figure shows, in words (say what it is: the status line says how it is now)
    ``plot_heights``  list  of the figure, in pixels: usually, and where the box is narrow; empty: as its layout says
    ``narrow``     bool    told by the page: the box is too narrow for panels side by side
    =============  ======  ==========================================================================

    Examples
    --------
    >>> import ipywidgets
    >>> slider = ipywidgets.SelectionSlider(options=["0.9", "0.99"], description="momentum")
    >>> view = ipywidgets.VBox([slider, Accessible(label="Momentum explorer")])
    >>> _ = view.add_class("bn-teach")
    """

    _esm = Path(__file__).with_name("accessible.js")
    _css = Path(__file__).with_name("accessible.css")

    label = traitlets.Unicode("").tag(sync=True)
    plot_label = traitlets.Unicode("").tag(sync=True)
    plot_heights = traitlets.List(traitlets.Int()).tag(sync=True)
    narrow = traitlets.Bool(False).tag(sync=True)
