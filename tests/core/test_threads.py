import os
import subprocess
import sys
import threading

import pytest

from bn_teach import _threads

# Its own process: here, BLAS was told to use one thread before NumPy was loaded.
UNTOLD = """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "2"
import numpy
from threadpoolctl import threadpool_info
from bn_teach.data import load_digits
from bn_teach.replay import replay
from bn_teach.training import TrainingConfig, TrainingDiverged, train, train_live

def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

before, seen, data = threads(), [], load_digits()
recording = train(data, TrainingConfig(steps=10), on_step=lambda step, loss: seen.append(threads()))
assert all(number == 1 for held in seen for number in held), seen
assert threads() == before
replay(recording)
assert threads() == before
try:
    train(data, TrainingConfig(steps=10, learning_rate=1e30))
except TrainingDiverged:
    assert threads() == before
for loss, network in train_live(data, TrainingConfig(steps=2), momentum=0.9):
    assert threads() == before
print(before)
"""


def test_training_and_replay_hold_one_thread_and_give_back_what_there_was():
    done = subprocess.run([sys.executable, "-c", UNTOLD], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if done.stdout.strip() in ("[]", "[1]"):
        pytest.skip("this NumPy's BLAS has no threads that could be set")


class Controller:
    """Stands in for threadpoolctl's: notes what is set and restored."""

    def __init__(self):
        self.log = []

    def limit(self, *, limits, user_api):
        self.log.append((limits, user_api))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.log.append("restored")


@pytest.fixture
def controller(monkeypatch):
    made = Controller()
    monkeypatch.setattr(_threads, "_controller", lambda: made)
    return made


def test_only_the_last_to_leave_restores(controller):
    one = _threads.OneBlasThread()
    with one:
        inside, leave = threading.Event(), threading.Event()

        @one
        def other():
            inside.set()
            leave.wait(10)

        thread = threading.Thread(target=other)
        thread.start()
        assert inside.wait(10)
    assert controller.log == [(1, "blas")]
    leave.set()
    thread.join()
    assert controller.log == [(1, "blas"), "restored"]
    with one:
        pass
    assert controller.log == 2 * [(1, "blas"), "restored"]


def test_an_error_restores_too(controller):
    with pytest.raises(ZeroDivisionError), _threads.OneBlasThread():
        raise ZeroDivisionError
    assert controller.log[-1] == "restored"


def test_without_threadpoolctl_nothing_is_held(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    _threads._controller.cache_clear()
    try:
        with _threads.OneBlasThread():
            pass
        assert _threads._controller() is None
    finally:
        _threads._controller.cache_clear()


def test_importing_the_explorers_sets_nothing_for_the_rest_of_the_process():
    code = (
        "import os, bn_teach; before = dict(os.environ); bn_teach.MomentumExplorer; assert dict(os.environ) == before"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
