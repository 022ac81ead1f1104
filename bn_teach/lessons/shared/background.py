"""Work off the callback: what was asked for last, and what may be asked for next."""

import ctypes
import sys
import threading
import time
from contextlib import suppress

from bn_teach.lessons.shared import idle


class LatestJob:
    """Runs the latest job on a thread of its own, and never two at once.

    A job is a function of one argument, `cancelled`, which it asks now and then whether to give up. A
    job that was replaced before its turn came is not begun: however fast somebody clicks, one job runs
    and at most one waits.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._waiting = None
        self._idle = threading.Event()
        self._idle.set()

    def start(self, job):
        """Cancel the job under way, if any, and run this one as soon as it has given up."""
        with self._lock:
            self._cancel.set()
            self._cancel = threading.Event()
            self._waiting = job, self._cancel
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._work, daemon=True).start()

    def cancel(self):
        """Ask the job under way to give up."""
        with self._lock:
            self._cancel.set()

    def wait(self, timeout):
        """Return once no job is under way; raise TimeoutError after `timeout` seconds."""
        if not self._idle.wait(timeout):
            raise TimeoutError(f"training was still under way after {timeout:g} seconds")

    def _work(self):
        while (job := self._next()) is not None:
            run, cancelled = job
            if not cancelled.is_set():
                _do(run, cancelled.is_set)

    def _next(self):
        with self._lock:
            job, self._waiting = self._waiting, None
            if job is None:
                self._idle.set()
            return job


class Ahead:
    """Does, piece by piece, what a learner may ask for next, while they ask for nothing.

    Parameters
    ----------
    next_piece : callable
        Returns the piece that is likeliest to be wanted, a function without arguments, or None if all is done. A long
        piece calls `rest` now and then. One that fails is told of, and is the last until somebody wakes this again.
    """

    def __init__(self, next_piece):
        self._next_piece = next_piece
        self._lock = threading.Lock()
        self._works = self._again = False

    def wake(self):
        """Look for pieces, as soon as the kernel is at rest."""
        idle.listen()
        with self._lock:
            self._again = True
            if not self._works and idle.AHEAD:
                self._works = True
                threading.Thread(target=self._work, name="ahead", daemon=True).start()

    def rest(self, unless=lambda: False):
        """Return once the kernel is at rest, or something came up."""
        while not (idle.at_rest() or unless()):
            time.sleep(idle.QUIET / 10)

    def _work(self):
        while self._next_round():
            self.rest()
            while idle.AHEAD and (piece := self._next_piece()) is not None:
                if not _do(piece):
                    break
                self.rest()

    def _next_round(self):
        with self._lock:
            self._works, self._again = self._again, False
            return self._works


def _do(work, *arguments):
    """Do it, and return whether it went well; jobs show their own errors, and any other is told as that of a thread."""
    try:
        work(*arguments)
    except Exception:
        threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
        return False
    finally:
        _give_back()
    return True


def _give_back():
    """Hand memory that was freed back to the system: glibc keeps it, in a heap for each thread."""
    with suppress(OSError, AttributeError, TypeError):  # other systems have other libraries
        ctypes.CDLL(None).malloc_trim(0)
