"""One job at a time, off the callback: a new job cancels the one before it."""

import sys
import threading


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
            if cancelled.is_set():
                continue
            try:
                run(cancelled.is_set)
            except Exception:
                # Jobs show their own errors. One that slips through is told, and the next job runs.
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))

    def _next(self):
        with self._lock:
            job, self._waiting = self._waiting, None
            if job is None:
                self._idle.set()
            return job
