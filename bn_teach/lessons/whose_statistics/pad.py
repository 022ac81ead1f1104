"""The drawing pad as a widget; the page has the same, from the same scripts."""

from pathlib import Path

import anywidget
import numpy as np
import traitlets

from bn_teach import _checks
from bn_teach.data import Dataset, load_digits
from bn_teach.lessons.whose_statistics import ink

HERE = Path(__file__).parent
GLUE = """
export default {
  render({ model, el }) {
    const bytes = (name) => new Uint8Array(model.get(name).buffer);
    const pad = drawingPad(el.appendChild(document.createElement("div")), {
      images: bytes("_images"),
      labels: bytes("_labels"),
      remarks: model.get("_remarks"),
      onChange(drawing) {
        model.set("drawing", drawing);
        model.save_changes();
      },
    });
    const follow = () => pad.show(model.get("drawing"));
    follow();
    model.on("change:drawing", follow);
    return () => model.off("change:drawing", follow);
  },
};
"""


class DrawingPad(anywidget.AnyWidget):
    """A sheet on which a digit is drawn by mouse, finger or pen, and what the network gets of it.

    By keyboard: take one of our images, move it, make it thinner.

    ===========  ====  ==========================================================================
    trait        type  meaning
    ===========  ====  ==========================================================================
    ``drawing``  str   what is drawn, as `ink.py` describes it; may be set from Python too
    ===========  ====  ==========================================================================

    Parameters
    ----------
    dataset : Dataset, optional
        Whose held-out images can be taken: 8 x 8 counts from 0 to 16, divided by 16. Default: the digits.
    drawing : str

    Raises
    ------
    ValueError, TypeError, traitlets.TraitError
        For a data set that cannot be drawn (see `ink.drawable`), and for a drawing that is none.

    Examples
    --------
    >>> pad = DrawingPad(drawing="~0")
    >>> pad.counts.shape, pad.remark
    ((8, 8), '')
    >>> pad.drawing = ""
    >>> pad.remark
    'Nothing is drawn: there is nothing to read.'
    """

    _esm = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("ink.js", "pad.js")) + GLUE
    _css = HERE / "pad.css"

    drawing = traitlets.Unicode("").tag(sync=True)
    _images = traitlets.Bytes().tag(sync=True)
    _labels = traitlets.Bytes().tag(sync=True)
    _remarks = traitlets.Dict(ink.REMARKS).tag(sync=True)

    def __init__(self, dataset=None, drawing=""):
        dataset = load_digits() if dataset is None else _checks.instance("dataset", dataset, Dataset)
        if not ink.drawable(dataset):
            raise ValueError(f"dataset must hold images of 8 x 8 counts, divided by 16, got {dataset.name!r}")
        self.ours = np.round(16 * dataset.validation_x).astype(np.uint8)
        labels = dataset.validation_y.astype(np.uint8)
        super().__init__(_images=self.ours.tobytes(), _labels=labels.tobytes(), drawing=drawing)

    @traitlets.validate("drawing")
    def _drawing(self, proposal):
        return ink.checked(proposal["value"], self.ours)

    @property
    def counts(self):
        """Black pixels in every block, 0 to 16, shape (8, 8)."""
        return ink.count(ink.bitmap(self.drawing, self.ours))

    @property
    def image(self):
        """The same as an input of the network: shape (1, 64), float32, from 0 to 1."""
        return self.counts.reshape(1, 64).astype(np.float32) / 16

    @property
    def remark(self):
        """What is wrong with the drawing, as a sentence; empty if nothing is."""
        return ink.REMARKS.get(ink.remark(self.drawing, self.ours), "")
