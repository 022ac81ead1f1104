"""The button that takes an answer."""

import math
import time

import ipywidgets as widgets

LATE = 0.5  # seconds; somebody who is told what is missing needs longer to type it


class CommitButton(widgets.Button):
    """Takes an answer when it is pressed, or as soon after as the answer is there.

    What somebody types before they press is sent before, and may be heard after: ipykernel 7.4 hears the widgets of one
    page on several threads. So an answer that becomes complete within half a second of the click counts.

    Parameters
    ----------
    take : callable
        Takes the answer and disables the button, or says what is missing.
    *answers : ipywidgets.Widget
        Where it is given.
    """

    def __init__(self, take, *answers):
        super().__init__(description="Commit and reveal", layout={"width": "max-content"})
        self._take, self._pressed = take, -math.inf
        self.on_click(lambda _: self._press())
        for answer in answers:
            answer.observe(self._late, names="value")

    def _press(self):
        self._pressed = time.monotonic()  # before it is read: what changes from here on comes to `_late`
        self._take()

    def _late(self, _):
        if not self.disabled and time.monotonic() - self._pressed < LATE:
            self._take()
