"""One job at a time, off the callback: a new job cancels the one before it."""

import threading
import time


class LatestJob:
    """Runs the latest job on a thread of its own.

    A job is a function of one argument, `cancelled`, which it asks now and then whether to give up.
    """

    def __init__(self):
        self._cancel = threading.Event()
        self._thread = None

    def start(self, job):
        """Cancel the job under way, if any, and start this one."""
        self.cancel()
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=job, args=(self._cancel.is_set,), daemon=True)
        self._thread.start()

    def cancel(self):
        """Ask the job under way to give up."""
        self._cancel.set()

    def wait(self, timeout):
        """Return once no job is under way; raise TimeoutError after `timeout` seconds."""
        end = time.monotonic() + timeout
        # A job can be replaced while we wait for it, so look again after each one.
        while (thread := self._thread) is not None and thread.is_alive():
            thread.join(max(end - time.monotonic(), 0))
            if thread.is_alive():
                raise TimeoutError(f"training was still under way after {timeout:g} seconds")
