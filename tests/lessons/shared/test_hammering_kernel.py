"""The same in a real kernel: a thousand moves sent as messages, as JupyterLab sends them.

JupyterLab may send them to the main thread of the kernel or, with ipykernel 7, to a subshell, whose thread then
runs the callbacks.
"""

import json
import random

import ipykernel
import pytest
from jupyter_client.manager import KernelManager

MOVES = 1000
VALUES = {
    "momentum": ("index", range(9)),
    "batch_size": ("index", range(6)),
    "step": ("value", range(10, 50, 10)),
    "estimator": ("index", range(6)),
    "unit": ("value", range(6)),
}
"""What the page sends of each control: a list's index, a number's value."""

SETUP = """
import json, threading
import bn_teach.lessons.shared.explorer as base
from bn_teach import MomentumExplorer
from bn_teach.training import TrainingConfig

SMALL = TrainingConfig(steps=40, hidden=(8, 6), batch_size=8)
explorer, threads = MomentumExplorer(config=SMALL), set()
explorer.wait()
react = explorer._react
explorer._react = lambda control: (threads.add(threading.current_thread() is threading.main_thread()), react(control))
sliders = {name: explorer.controls[name] for name in ("momentum", "batch_size", "step", "estimator", "unit")}

def held():
    return {name: getattr(slider, "index", slider.value) for name, slider in sliders.items()}

print(json.dumps({name: slider.comm.comm_id for name, slider in sliders.items()}))
"""

CHECK = """
explorer.wait()
direct = MomentumExplorer(config=SMALL)
for name in sliders:
    direct.controls[name].value = sliders[name].value
direct.wait()
for ours, theirs in zip(explorer.figure.data, direct.figure.data):
    assert repr(ours.x) == repr(theirs.x) and repr(ours.y) == repr(theirs.y), ours.meta
assert explorer.status == direct.status, (explorer.status, direct.status)
print(json.dumps([sorted(threads), held()]))
"""


class Kernel:
    """A kernel that code and moves are sent to."""

    def __init__(self):
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.subshell = None

    def run(self, code):
        """Execute on the main shell; return what was printed last."""
        printed = []

        def show(message):
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, output_hook=show, timeout=120)
        assert reply["content"]["status"] == "ok", reply["content"].get("traceback")
        return json.loads("".join(printed).splitlines()[-1])

    def open_subshell(self):
        """Send all further moves to a subshell of their own."""
        request = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(request)
        while True:
            reply = self.client.control_channel.get_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                self.subshell = reply["content"]["subshell_id"]
                return

    def move(self, comms, name, rng):
        """Tell the kernel that a hand moved a control to some value, and return the value."""
        trait, values = VALUES[name]
        value = rng.choice(values)
        data = {"method": "update", "state": {trait: value}, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": comms[name], "data": data})
        if self.subshell:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)
        return value

    def wait_until(self, condition, what):
        """Ask until a condition holds in the kernel: messages to a subshell do not wait for the main one."""
        for _ in range(600):
            if self.run(f"import json, time; time.sleep(0.05); print(json.dumps(bool({condition})))"):
                return
        raise AssertionError(f"never came: {what}")

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel():
    made = Kernel()
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("subshell", [False, True], ids=["main thread", "subshell"])
def test_a_thousand_messages_end_in_the_picture_of_the_last(kernel, subshell):
    comms = kernel.run(SETUP)
    if subshell:
        if ipykernel.version_info[0] < 7:
            pytest.skip(f"ipykernel {ipykernel.__version__} has no subshells")
        kernel.open_subshell()
    rng = random.Random(0)
    for _ in range(MOVES):
        kernel.move(comms, rng.choice(list(VALUES)), rng)
    last = {name: kernel.move(comms, name, rng) for name in VALUES}
    kernel.wait_until(f"held() == {last}", "the last move of every control")
    on_main, values = kernel.run(CHECK)
    assert values == last
    assert (False in on_main) == subshell
