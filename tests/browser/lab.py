"""A real JupyterLab, and a real browser that uses it as a person does.

``LabServer`` runs JupyterLab on a copy of the notebooks and their pictures, ``VoilaServer`` shows them as apps;
``Lab`` is one browser window on it, kept away from every other host; ``Notebook`` is one open notebook, with the verbs
that tests need. The fixtures are in conftest.py.

Playwright is imported by conftest.py alone, and only when a test asks for a browser.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Any address but this machine's. (A pattern, not a function: Playwright would ask a function about every request.)
FOREIGN = re.compile(r"^(https?|wss?)://(?!(127\.0\.0\.1|localhost|\[::1\])([:/]|$))")
# Seconds. A machine with two busy cores is slow: these only bound how long a failure takes to show.
START, OPEN, RUN, ACT = 120, 120, 180, 30


def find_browser():
    """The path of an installed Chromium or Chrome, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def write_notebook(path, *cells):
    """Write a notebook of code cells, for a test that needs one of its own."""
    path = Path(path)
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


class LabServer:
    """JupyterLab in a process of its own, with folders of its own, on the Python that runs the tests.

    Nothing of the user's is read or changed: the notebooks are a copy, and configuration, kernels, workspaces,
    IPython's history and run-time files live below ``folder``.
    """

    ANSWERS = "api/status"  # an address of it that answers once it is up
    # What its pages do that should never happen, with no fault of ours: (pattern, why)
    IGNORED = ((r"\[anywidget\] Failed to initialize model", "of a page that is slow; its pictures are looked at"),)

    def __init__(self, folder):
        self.folder = Path(folder)
        self.root = self.folder / "files" / "notebooks"
        self.token = secrets.token_hex(16)
        self.log_path = self.folder / "server.log"
        self._process = None

    def start(self):
        left_out = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
        shutil.copytree(REPOSITORY / "notebooks", self.root, ignore=left_out)
        # No dialog about news, and no look for updates, in the page or in the server.
        config = self.folder / "config"
        (config / "labconfig").mkdir(parents=True)
        (config / "labconfig" / "page_config.json").write_text(
            json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
        )
        # The kernel named python3 is this very Python, whatever kernels the machine has.
        kernel = self.folder / "share" / "kernels" / "python3"
        kernel.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (kernel / "kernel.json").write_text(
            json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._launch()
        return self

    def restart(self):
        """End the server and all kernels, and start it again at the same address."""
        self.stop()
        for path in (self.folder / "runtime").glob("jpserver-*.json"):
            path.unlink()
        self._launch()

    def _launch(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "JUPYTER"))}
        environment.update(
            JUPYTER_CONFIG_DIR=str(self.folder / "config"),
            JUPYTER_DATA_DIR=str(self.folder / "data"),
            JUPYTER_RUNTIME_DIR=str(self.folder / "runtime"),
            JUPYTER_PATH=os.pathsep.join(filter(None, [str(self.folder / "share"), os.environ.get("JUPYTER_PATH")])),
            JUPYTERLAB_SETTINGS_DIR=str(self.folder / "settings"),
            JUPYTERLAB_WORKSPACES_DIR=str(self.folder / "workspaces"),
            IPYTHONDIR=str(self.folder / "ipython"),
            PYTHONPATH=os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
        )
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._command(self.port)],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.url = self._wait_until_up(self.port, time.monotonic() + START)

    def _command(self, port):
        """What runs, after ``python -m``."""
        return [
            "jupyterlab",
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            f"--ServerApp.root_dir={self.root.parent}",
            "--ServerApp.allow_root=True",
            f"--IdentityProvider.token={self.token}",
            "--KernelManager.shutdown_wait_time=0.5",  # seconds, and not five, for a kernel that is busy
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.news_url=",
        ]

    def _addresses(self, port):
        """From the file that the server writes: it takes another port when the one asked for is gone."""
        for path in (self.folder / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError):
                yield json.loads(path.read_text())["url"].replace("localhost", "127.0.0.1")

    def _wait_until_up(self, port, deadline):
        """The server's address, once it answers there."""
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"The server ended with code {self._process.returncode}:\n{self.log()}")
            for url in self._addresses(port):
                with contextlib.suppress(OSError, urllib.error.URLError):
                    self._request(url + self.ANSWERS).close()
                    return url
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"The server did not start in {START} s:\n{self.log()}")

    def address(self, name):
        """Where a window of its own shows one notebook."""
        return f"{self.url}lab/workspaces/test-{secrets.token_hex(4)}/tree/{quote(name)}?token={self.token}"

    def _request(self, url, method="GET"):
        request = urllib.request.Request(url, method=method, headers={"Authorization": f"token {self.token}"})
        return urllib.request.urlopen(request, timeout=10)

    def log(self, last=4000):
        """The end of what the server printed."""
        return self.log_path.read_text(errors="replace")[-last:] if self.log_path.exists() else ""

    def stop(self):
        """Shut kernels and server down; after 20 s, end them."""
        if self._process is None:
            return
        with contextlib.suppress(OSError, urllib.error.URLError, AttributeError):
            self._request(self.url + "api/shutdown", "POST").close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
            self._process.wait()


class Notebook7Server(LabServer):
    """Jupyter Notebook 7, which has JupyterLab's parts and shortcuts of its own."""

    IGNORED = (
        *LabServer.IGNORED,
        (r"properties of undefined \(reading 'schema'\)", "so it does with any notebook, an empty one too"),
    )

    def _command(self, port):
        _, *options = super()._command(port)
        return ["notebook", *(one.replace("--LabApp.expose", "--JupyterNotebookApp.expose") for one in options)]

    def address(self, name):
        return f"{self.url}notebooks/{quote(name)}?token={self.token}"


class VoilaServer(LabServer):
    """Voila on the folder of notebooks, as `voila notebooks` runs it: every notebook an app, at ``app(name)``."""

    ANSWERS = "voila/static/voila.js"
    IGNORED = (
        *LabServer.IGNORED,
        (r"cdn\.jsdelivr\.net/npm/@fortawesome/", "Voila's own page asks for its icons there"),
        (r"labextensions/@jupyter-notebook/lab-extension", "Voila tries to load Notebook 7's button for JupyterLab"),
    )

    def _command(self, port):
        return ["voila", "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}", str(self.root)]

    def _addresses(self, port):
        yield f"http://127.0.0.1:{port}/"

    def app(self, name):
        return f"{self.url}voila/render/{quote(name)}"

    def stop(self):
        """End Voila, which ends its kernels."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)


class Lab:
    """One browser window: opens notebooks, and remembers what should never happen.

    ``foreign`` lists every request and web socket to another host (each one aborted), ``console`` the console errors,
    ``page_errors`` uncaught exceptions. ``check()`` fails when any of them is not empty; the fixture calls it.
    """

    def __init__(self, browser, server, *, width=1280, height=900):
        self.server = server
        shutil.rmtree(server.folder / "settings", ignore_errors=True)  # the theme that the window before left
        self.foreign, self.console, self.page_errors, self.ignored = [], [], [], []
        self.notebooks = []
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, service_workers="block", reduced_motion="reduce"
        )
        self.context.set_default_timeout(ACT * 1000)
        self.context.set_default_navigation_timeout(OPEN * 1000)
        self.context.route(FOREIGN, self._abort)
        self.context.route_web_socket(FOREIGN, self._close)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self._note(self.page_errors, str(error.error)))
        self.page = self.context.new_page()

    def _abort(self, route):
        self._note(self.foreign, f"{route.request.method} {route.request.url}")
        route.abort()

    def _close(self, socket_route):
        self._note(self.foreign, f"WebSocket {socket_route.url}")
        socket_route.close()

    def _on_console(self, message):
        if message.type == "error":
            where = f"{message.location.get('url', '')}:{message.location.get('lineNumber', '')}"
            self._note(self.console, f"{message.text}  [{where}]")

    def _note(self, events, event):
        ignored = any(re.search(pattern, event) for pattern, _ in self.server.IGNORED)
        (self.ignored if ignored else events).append(event)

    def open(self, name):
        """Open a notebook of the folder ``notebooks``, as ``jupyter lab <name>`` does, and wait for its kernel."""
        if self.notebooks:
            self.notebooks[-1].shut_down()
        with contextlib.suppress(FileNotFoundError):  # one of a test's own has no original
            shutil.copy(REPOSITORY / "notebooks" / name, self.server.root)  # as if no test had saved it
        name = f"notebooks/{name}"
        self.page.goto(self.server.address(name))
        notebook = Notebook(self, name)
        notebook.wait_ready()
        self.notebooks.append(notebook)
        return notebook

    def second_tab(self, notebook):
        """Save a notebook, and open it with the same kernel in another tab."""
        notebook.save()
        page = self.context.new_page()
        page.goto(self.server.address(notebook.name))
        other = Notebook(self, notebook.name, page)
        other.wait_ready()
        return other

    def run(self, *cells):
        """Write a notebook of these code cells, open it and run it."""
        name = f"scratch-{secrets.token_hex(4)}.ipynb"
        write_notebook(self.server.root / name, *cells)
        notebook = self.open(name)
        notebook.run_all()
        assert notebook.errors() == [], notebook.errors()
        return notebook

    def check(self):
        """Fail if anything happened that should never happen."""
        wrong = {
            "requests to another host": self.foreign,
            "console errors": self.console,
            "uncaught exceptions in the page": self.page_errors,
        }
        assert not any(wrong.values()), "\n".join(
            f"{title}:\n  " + "\n  ".join(found) for title, found in wrong.items() if found
        )

    def close(self):
        for notebook in self.notebooks:
            with contextlib.suppress(Exception):  # the page may be gone after a failure
                notebook.shut_down()
        self.context.close()


class Notebook:
    """An open notebook. Controls are found by the label that a person reads beside them."""

    def __init__(self, lab, name, page=None):
        self.lab, self.page, self.name = lab, page or lab.page, name
        self.explorer = self.page.locator(".bn-teach")

    # -- JupyterLab, through window.jupyterapp ---------------------------------------------------------------

    # JavaScript: the notebook's panel, or undefined while Lab is loading.
    _PANEL = """
        const panel = [...(window.jupyterapp?.shell?.widgets('main') ?? [])]
            .find((widget) => widget.context?.path === name && widget.sessionContext);
    """

    def _in_panel(self, body):
        """Run JavaScript about ``panel``, for at most RUN seconds: a promise may never be kept."""
        return self.page.evaluate(
            f"""(name) => Promise.race([
                (async () => {{ {self._PANEL} {body} }})(),
                new Promise((_, fail) => setTimeout(() => fail(new Error('not done in {RUN} s')), {RUN * 1000})),
            ])""",
            self.name,
        )

    def _await_panel(self, condition, timeout, what):
        """Wait until the JavaScript expression about ``panel`` is true."""
        script = f"(name) => {{ {self._PANEL} return Boolean(panel && ({condition})); }}"
        try:
            self.page.wait_for_function(script, arg=self.name, timeout=timeout * 1000, polling=100)
        except Exception as error:
            if "Timeout" not in type(error).__name__:
                raise
            dialogs = self.page.locator(".jp-Dialog-content").all_inner_texts()
            raise AssertionError(
                f"{self.name}: not {what} after {timeout} s; "
                f"kernel {self.kernel_status()!r}, dialogs {dialogs}, cells {self._cell_states()}, "
                f"errors {self.errors()}\nJupyterLab says:\n{self.lab.server.log()}"
            ) from None

    def kernel_status(self):
        """JupyterLab's word for it: 'idle', 'busy', 'starting', ..."""
        return self._in_panel("return panel?.sessionContext.kernelDisplayStatus;")

    def _cell_states(self):
        return self._in_panel(
            """return panel?.content.widgets.filter((cell) => cell.model.type === 'code')
                .map((cell) => [cell.model.executionCount, cell.model.executionState]);"""
        )

    def wait_ready(self, timeout=OPEN):
        """Wait until the notebook is shown and its kernel is there and idle."""
        self._await_panel(
            """panel.isVisible && panel.context.isReady && panel.sessionContext.isReady
                && panel.sessionContext.session?.kernel?.status === 'idle'""",
            timeout,
            "open with an idle kernel",
        )

    def wait_idle(self, timeout=RUN):
        """Wait until every code cell that has a source was executed and the kernel is idle.

        A cell that stops at an error is the end too: see ``errors()``. Callbacks of widgets count as busy, threads of
        the package's own do not: wait for what they show with ``wait_for``.
        """
        self._await_panel(
            """panel.sessionContext.isReady && panel.sessionContext.session?.kernel?.status === 'idle' && (() => {
                const cells = panel.content.widgets.filter(
                    (cell) => cell.model.type === 'code' && cell.model.sharedModel.getSource().trim());
                const failed = cells.some((cell) => cell.model.outputs.toJSON().some((o) => o.output_type === 'error'));
                return cells.every((cell) => cell.model.executionState !== 'running'
                    && (failed || cell.model.executionCount !== null));
            })()""",
            timeout,
            "idle with every cell executed",
        )

    def _menu(self, menu, item):
        self.page.get_by_role("menubar").get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu-item").filter(has_text=item).first.click()
        self.page.mouse.move(1, 1)  # away from what the menu covered, which would show its hover labels

    def _clear(self):
        """Forget earlier runs (Clear Outputs of All Cells), so that ``wait_idle`` cannot mistake one for this run."""
        self._in_panel("await window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs');")

    def run_all(self, timeout=RUN):
        """Run > Run All Cells, then wait until they ran."""
        self._clear()
        self._menu("Run", re.compile(r"^Run All Cells"))
        self.wait_idle(timeout)

    def save(self):
        self._in_panel("await panel.context.save();")

    def save_and_reload(self):
        """Save, press F5, and wait until the notebook is there again, with the kernel that it had."""
        self.save()
        self.page.reload()
        self.wait_ready()

    def restart_and_run_all(self, timeout=RUN):
        """Kernel > Restart Kernel and Run All Cells..., confirmed, then wait until they ran in the new kernel."""
        self.kernel("_before_restart = True")
        self._clear()
        self._menu("Kernel", re.compile(r"^Restart Kernel and Run All Cells"))
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()
        self.wait_idle(timeout)
        assert self.kernel("print('_before_restart' in globals())") == "False\n", "the kernel was not restarted"

    def errors(self):
        """The error outputs in the notebook, as 'Name: message'."""
        return self._in_panel(
            """return panel?.content.widgets.flatMap((cell) => cell.model.outputs?.toJSON() ?? [])
                .filter((output) => output.output_type === 'error')
                .map((output) => output.ename + ': ' + output.evalue);"""
        )

    def outputs(self):
        """The text that code cells printed or displayed, one string a code cell."""
        return self._in_panel(
            """return panel.content.widgets.filter((cell) => cell.model.type === 'code').map((cell) =>
                cell.model.outputs.toJSON().map((output) =>
                    [output.text ?? output.data?.['text/plain'] ?? ''].flat().join('')).join(''));"""
        )

    def kernel(self, code, timeout=RUN):
        """Run code in the notebook's kernel, outside of every cell, and return what it printed."""
        self._in_panel(
            f"""
            const result = window.__bnTeach = {{ text: '', error: null, done: false }};
            const future = panel.sessionContext.session.kernel.requestExecute(
                {{ code: {json.dumps(code)}, store_history: false, stop_on_error: false }});
            future.onIOPub = (message) => {{
                const {{ header, content }} = message;
                if (header.msg_type === 'stream') result.text += content.text;
                if (header.msg_type === 'error') result.error = content.ename + ': ' + content.evalue;
            }};
            future.done.catch((error) => {{ result.error = String(error); }}).then(() => {{ result.done = true; }});
            """
        )
        self.page.wait_for_function("() => window.__bnTeach.done", timeout=timeout * 1000, polling=20)
        result = self.page.evaluate("() => window.__bnTeach")
        assert not result["error"], f"in the kernel: {result['error']}\n{code}"
        return result["text"]

    def show(self, number=0):
        """Scroll an explorer into view (JupyterLab draws what is off the screen only when it comes near)."""
        explorer = self.explorer.nth(number)
        explorer.wait_for(state="attached")
        # By JupyterLab first: in its older "full" windowing mode, a cell off the screen is not displayed at all.
        self._in_panel(
            f"""
            const explorer = document.querySelectorAll('.bn-teach')[{number}];
            await panel.content.scrollToItem(panel.content.widgets.findIndex((cell) => cell.node.contains(explorer)));
            """
        )
        explorer.scroll_into_view_if_needed()
        return explorer

    def shut_down(self):
        """Shut the kernel down, so that a busy one does not slow the next test."""
        self.page.evaluate(
            """async (name) => {
                const panel = [...(window.jupyterapp?.shell?.widgets('main') ?? [])]
                    .find((widget) => widget.context?.path === name && widget.sessionContext);
                await Promise.race([panel?.sessionContext.shutdown(), new Promise((done) => setTimeout(done, 5000))]);
            }""",
            self.name,
        )

    # -- controls ----------------------------------------------------------------------------------------------

    def slider_widget(self, label):
        """The whole slider: label, handle and readout."""
        text = self.page.locator(".widget-label").filter(has_text=re.compile(rf"^\s*{re.escape(label)}\s*$"))
        return self.explorer.locator(".widget-slider").filter(has=text).first

    def slider(self, label):
        """The handle of the slider with this label."""
        return self.slider_widget(label).locator(".noUi-handle").first

    def readout(self, label):
        """The value written beside the slider."""
        return self.slider_widget(label).locator(".widget-readout").text_content().strip()

    def spoken(self, label):
        """The value that a screen reader says for a slider."""
        return self.slider(label).get_attribute("aria-valuetext")

    def press(self, label, *keys):
        """Press keys ("ArrowRight", "Home", ...) on a slider; return its readout."""
        handle = self.slider(label)
        for key in keys:
            handle.press(key)
        return self.readout(label)

    def drag(self, label, fraction):
        """Drag a slider with the mouse to a fraction (0 to 1) of its track; return its readout."""
        handle, track = self.slider(label), self.slider_widget(label).locator(".noUi-base").first
        handle.scroll_into_view_if_needed()
        start, box = handle.bounding_box(), track.bounding_box()
        y = start["y"] + start["height"] / 2
        self.page.mouse.move(start["x"] + start["width"] / 2, y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + fraction * box["width"], y, steps=8)
        self.page.mouse.up()
        return self.readout(label)

    def control(self, name):
        """Any other control (drop-down, checkbox, number, button) by the name that a screen reader says."""
        labelled = self.explorer.get_by_label(name, exact=True)
        return labelled.or_(self.explorer.get_by_role("button", name=name, exact=True)).first

    # -- what the page shows -----------------------------------------------------------------------------------

    def status(self, number=0):
        """The sentence below the picture."""
        # Not inner_text: that is empty for what is scrolled off the screen, which JupyterLab does not draw.
        return self.explorer.nth(number).locator(".bn-teach-status").text_content().strip()

    def traces(self, number=0):
        """The traces of a plot as the browser has them: a list of dicts with name, type, mode, visible, x, y."""
        return self.page.evaluate(
            """(number) => {
                const plot = document.querySelectorAll('.js-plotly-plot')[number];
                if (!plot?.data) return [];
                const list = (values) => values === undefined || values === null ? [] : Array.from(values);
                return plot.data.map((trace, i) => ({
                    name: trace.name ?? null, meta: trace.meta ?? null,
                    type: trace.type ?? 'scatter', mode: trace.mode ?? null,
                    visible: trace.visible ?? true, xaxis: trace.xaxis ?? 'x', yaxis: trace.yaxis ?? 'y',
                    x: list(trace.x), y: list(trace.y),
                }));
            }""",
            number,
        )

    def trace(self, name, number=0):
        """The trace with this name."""
        found = [trace for trace in self.traces(number) if trace["name"] == name]
        assert len(found) == 1, f"{len(found)} traces named {name!r} among {[t['name'] for t in self.traces(number)]}"
        return found[0]

    def wait_for(self, predicate, timeout=ACT, what=""):
        """Call ``predicate`` until it gives something true, and return that; the page goes on meanwhile."""
        deadline = time.monotonic() + timeout
        while True:
            value = predicate()
            if value:
                return value
            assert time.monotonic() < deadline, f"not true within {timeout} s: {what or predicate}; last {value!r}"
            self.page.wait_for_timeout(30)

    def theme(self, dark):
        """Switch JupyterLab to its dark or its light theme, and wait until it is on."""
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
        self.page.wait_for_function(
            """(theme) => document.body.dataset.jpThemeName === theme
                && getComputedStyle(document.body).getPropertyValue('--jp-layout-color1') !== ''
                && !document.querySelector('#jupyterlab-splash')""",
            arg=theme,
        )

    def screenshot(self, path, whole_explorer=None):
        """Save what the window shows as PNG, or one explorer when its number is given."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if whole_explorer is None:
            self.page.screenshot(path=path)
        else:
            self.explorer.nth(whole_explorer).screenshot(path=path)
        return Path(path)
