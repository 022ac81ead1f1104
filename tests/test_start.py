"""What README and the Makefile say for a start does start: from the right folder, also for root, and in quiet."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from quietly import main as quietly

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST = "notebooks/00_start_here.ipynb"
PATIENCE = 120  # seconds; it only bounds how long a failure takes to show
GITHUB = "app.github.dev"
posix = pytest.mark.skipif(sys.platform == "win32", reason="make is for Linux and macOS")


class Started:
    """What a running JupyterLab says of itself."""

    def __init__(self, server):
        self.url, self.token, self.port, self.root = (server[key] for key in ("url", "token", "port", "root_dir"))

    def read(self, path):
        """What it answers, as bytes."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        return urllib.request.urlopen(request, timeout=30).read()

    def page(self):
        """What the page of the first notebook is told."""
        html = self.read(f"lab/tree/{FIRST}").decode()
        return json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', html, re.DOTALL)[1])

    def websocket(self, origin):
        """The status with which it answers a page from `origin`, logged in by cookie, that wants to talk to it."""
        with contextlib.closing(http.client.HTTPConnection("localhost", self.port, timeout=30)) as connection:
            connection.request("GET", f"/api/status?token={self.token}")
            logged_in = connection.getresponse()
            logged_in.read()
            cookies = "; ".join(one.split(";")[0] for one in logged_in.headers.get_all("Set-Cookie"))
            upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
            wanted = {"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==", "Cookie": cookies, "Origin": origin}
            connection.request("GET", "/api/events/subscribe", headers=upgrade | wanted)
            return connection.getresponse().status


@contextlib.contextmanager
def started(command, folder, **environment):
    """Run a command that starts JupyterLab, with nothing of the user's and no browser, until the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "PYTEST_"))}
    folders = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    kept |= {"PYTHONPATH": str(ROOT), "HOME": str(folder), "BROWSER": "true", **folders, **environment}
    log = folder / "log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            command, cwd=ROOT, env=kept, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        end = time.monotonic() + PATIENCE
        while not (found := list((folder / "RUNTIME").glob("jpserver-*.json"))):
            assert running.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.1)
        server = Started(json.loads(found[0].read_text()))
        while True:
            with contextlib.suppress(OSError):
                server.read("api/status")
                break
            assert time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.1)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def pictures():
    """The pictures of the first notebook, as paths from the repository."""
    cells = json.loads((ROOT / FIRST).read_text(encoding="utf-8"))["cells"]
    words = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", words)
    return [os.path.normpath(Path(FIRST).parent / target) for target in found]


@posix
def test_the_command_without_make_shows_the_notebook_with_its_pictures(tmp_path):
    (command,) = re.findall(r"^\.venv\\Scripts\\python (-m jupyterlab .*)$", README, re.MULTILINE)
    root = ["--allow-root"] if os.getuid() == 0 else []
    words = [sys.executable, *command.split(), "--no-browser", "--port", free_port(), *root]
    with started(words, tmp_path) as server:
        assert Path(server.root).samefile(ROOT)
        assert json.loads(server.read(f"api/contents/{FIRST}?content=0"))["type"] == "notebook"
        assert pictures()
        for picture in pictures():
            assert server.read(f"files/{picture}").startswith(b"\x89PNG"), picture


# `make lab` here has the Python that runs the tests for its .venv.


@pytest.fixture
def checkout(tmp_path):
    """A folder in which `make lab` has nothing left to install."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in ("notebooks", "tests", "tools"):
        (folder / name).symlink_to(ROOT / name)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / "lab").touch()
    return folder


def make_lab(checkout, more=""):
    return ["make", "-C", str(checkout), "lab", f"ARGS=--no-browser --port={free_port()} {more}"]


@posix
def test_make_lab_starts_for_whoever_calls_it_and_asks_nothing(checkout, tmp_path):
    # Root is who runs most containers: there, JupyterLab would refuse.
    with started(make_lab(checkout), tmp_path) as server:
        assert Path(server.root).samefile(checkout)
        page = server.page()
        # "Would you like to get notified about official Jupyter news?": only this keeps it from asking.
        assert "@jupyterlab/apputils-extension:announcements" in page["disabledExtensions"]
        assert server.websocket(f"https://quiet-umbrella-8888.{GITHUB}") == 403


@posix
def test_make_lab_lets_the_page_of_a_codespace_in_and_no_other(checkout, tmp_path):
    codespace = {"CODESPACE_NAME": "quiet-umbrella", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": GITHUB}
    with started(make_lab(checkout), tmp_path, **codespace) as server:
        assert server.websocket(f"https://quiet-umbrella-8888.{GITHUB}") == 101
        for other in (f"https://other-umbrella-8888.{GITHUB}", f"https://quiet-umbrella-8888.{GITHUB}.example.org"):
            assert server.websocket(other) == 403, other


@posix
def test_make_lab_respects_a_configuration_path_that_is_set(checkout, tmp_path):
    theirs = tmp_path / "theirs"
    (theirs / "labconfig").mkdir(parents=True)
    (theirs / "labconfig" / "page_config.json").write_text('{"disabledExtensions": {"theirs": true}}')
    with started(make_lab(checkout), tmp_path, JUPYTER_CONFIG_PATH=str(theirs)) as server:
        assert {"theirs", "@jupyterlab/apputils-extension:announcements"} <= set(server.page()["disabledExtensions"])


# Installing


def test_a_command_that_works_is_one_line(capfd):
    assert quietly("Working.", sys.executable, "-c", "print('a long log')") == 0
    assert re.fullmatch(r"Working\.  done after \d+ s\n", capfd.readouterr().out)


def test_a_command_that_takes_its_time_shows_that_it_goes_on(capfd, monkeypatch):
    monkeypatch.setattr("quietly.PATIENCE", 0.05)
    assert quietly("Working.", sys.executable, "-c", "import time; time.sleep(1)") == 0
    assert re.fullmatch(r"Working\. \.{3,} done after \d+ s\n", capfd.readouterr().out)


def test_a_command_that_fails_shows_its_whole_log(capfd):
    failing = "import sys; print('first'); print('last', file=sys.stderr); sys.exit(3)"
    assert quietly("Working.", sys.executable, "-u", "-c", failing) == 3
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("Working.  failed after")
    assert said[1:] == ["first", "last"]


@posix
def test_every_installation_of_the_makefile_is_quiet(checkout):
    for target, said in ((".venv/lab", "notebooks"), (".venv/test", "tests"), (".venv-oldest/ready", "oldest")):
        plan = subprocess.run(
            ["make", "-n", "-B", target, f"OLDEST_PYTHON={sys.executable}"],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.replace("\\\n", " ")
        (line,) = [line for line in plan.splitlines() if "pip install" in line]
        assert "tools/quietly.py" in line, target
        assert said in line.split('"')[1]
