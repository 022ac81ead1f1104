"""One BLAS thread while we compute.

Matrices as small as ours lose from more: the threads spend their time waiting for each other. On two
busy cores a replay took ten times as long with two threads as with one.
"""

from contextlib import ContextDecorator, ExitStack
from functools import cache
from threading import Lock


class OneBlasThread(ContextDecorator):
    """Hold BLAS to one thread while anybody is inside, and give back what was set before.

    The setting belongs to the whole process, so whoever enters counts: a training in the background
    and a replay may overlap, and the last one to leave restores it. Without the package threadpoolctl
    nothing is held.
    """

    def __init__(self):
        self._lock = Lock()
        self._inside = 0
        self._held = ExitStack()

    def __enter__(self):
        with self._lock:
            if self._inside == 0 and (controller := _controller()) is not None:
                self._held.enter_context(controller.limit(limits=1, user_api="blas"))
            self._inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._held.close()


@cache
def _controller():
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


one_blas_thread = OneBlasThread()
