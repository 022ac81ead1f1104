"""Whether the kernel is at rest: nobody has moved anything just now, and no cell runs.

What is computed ahead of a learner asks here, so that whatever they do comes first.
"""

import sys
import threading
import time

QUIET = 0.3  # seconds without a move after which a hand has come to rest
AHEAD = True
"""Whether anything at all is computed that nobody has asked for."""

_moved = 0.0
_cell_runs = False
_listening = threading.Lock()  # taken once, and kept


def moved():
    """Note that somebody moves a control or runs a cell."""
    global _moved
    _moved = time.monotonic()


def at_rest():
    """Return whether there is time for what nobody has asked for."""
    return not _cell_runs and time.monotonic() - _moved > QUIET


def listen():
    """Hear of cells from now on, also of the one that calls this; without IPython there are none."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if shell and _listening.acquire(blocking=False):
        shell.events.register("pre_run_cell", lambda *_: _cell(True))
        shell.events.register("post_run_cell", lambda *_: _cell(False))
        _cell(True)


def _cell(runs):
    global _cell_runs
    _cell_runs = runs
    moved()
