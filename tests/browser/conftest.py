"""Fixtures for tests in a real browser: JupyterLab runs, chromium uses it.

Without a browser or without Playwright these tests are skipped, with the reason. BN_TEACH_REQUIRE_BROWSER=1 makes that
a failure, so that continuous integration cannot pass by skipping. A failed test leaves a screenshot in a temporary
folder (its report says where), or in $BN_TEACH_SCREENSHOTS.
"""

import contextlib
import os
from pathlib import Path

import accessibility
import pytest
from lab import Lab, LabServer, Notebook7Server, VoilaServer, find_browser


def pytest_itemcollected(item):
    item.add_marker(pytest.mark.browser)  # called for the tests below this folder only


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show what the browser showed when a test failed."""
    report = yield
    for lab in [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Lab)]:
        if report.failed and call.when == "call":
            folder = Path(os.environ.get("BN_TEACH_SCREENSHOTS") or lab.server.folder)
            path = folder / f"{item.name}.png"
            with contextlib.suppress(Exception):  # the browser may be what failed
                folder.mkdir(parents=True, exist_ok=True)
                lab.page.screenshot(path=path)
            report.sections.append(("the browser", f"screenshot: {path}\nthe server says:\n{lab.server.log()}"))
    return report


def _missing(reason):
    """Skip, or fail where a browser is required."""
    if os.environ.get("BN_TEACH_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason} (BN_TEACH_REQUIRE_BROWSER=1)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium():
    """The browser, as Playwright has it."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("no browser test: playwright is not installed (pip install playwright)")
    path = find_browser()
    if path is None:
        _missing("no browser test: neither chromium nor google-chrome is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
                # The second lock on the door: no name resolves but this machine's (Lab aborts and counts requests).
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            ],
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def _running(server):
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def lab_server(chromium, tmp_path_factory):
    """JupyterLab, running on a copy of notebooks/. Started once."""
    with _running(LabServer(tmp_path_factory.mktemp("lab"))) as server:
        yield server


@pytest.fixture(scope="session")
def voila_server(chromium, tmp_path_factory):
    """Voila, running on a copy of notebooks/. Started once."""
    with _running(VoilaServer(tmp_path_factory.mktemp("voila"))) as server:
        yield server


@pytest.fixture
def notebook7(chromium, tmp_path):
    """A browser window on Jupyter Notebook 7, used and checked as ``lab`` is."""
    with _running(Notebook7Server(tmp_path)) as server, _window(chromium, server) as lab:
        yield lab


@pytest.fixture
def lab_of_its_own(chromium, tmp_path):
    """A browser window on a JupyterLab that a test may stop; not checked, for much is to be complained of then."""
    with _running(LabServer(tmp_path)) as server:
        lab = Lab(chromium, server)
        yield lab
        lab.close()


@contextlib.contextmanager
def _window(chromium, lab_server):
    lab = Lab(chromium, lab_server)
    try:
        yield lab
        lab.check()
    finally:
        lab.close()


@pytest.fixture
def lab(chromium, lab_server):
    """A browser window on JupyterLab: ``lab.open("00_start_here.ipynb")`` gives a ``Notebook``.

    After the test: no request to another host, no console error, no uncaught exception.
    """
    with _window(chromium, lab_server) as lab:
        yield lab


@pytest.fixture
def voila(chromium, voila_server):
    """A browser window for Voila, to go to ``voila.server.app("00_start_here.ipynb")``; checked as ``lab`` is."""
    with _window(chromium, voila_server) as lab:
        yield lab


@pytest.fixture(scope="module")
def shared_lab(chromium, lab_server):
    """The same for all tests of a file: each finds the notebook as the one before left it (opening costs 10 s)."""
    with _window(chromium, lab_server) as lab:
        yield lab


@pytest.fixture(scope="session")
def axe():
    """``axe(notebook)`` gives what axe-core finds wrong in the explorers of the page, as a list of sentences."""
    if accessibility.find_axe() is None:
        _missing("no accessibility test: axe-core is not installed (pip install axe-playwright-python)")

    def check(notebook, number=None):
        """Of all explorers on the screen, or of the one with this number."""
        return accessibility.violations(notebook.page, accessibility.mark(notebook.page, number))

    return check


_TABLES = pytest.StashKey()


class Table:
    """Rows that the summary at the end prints, under the head that they were given."""

    def __init__(self, config):
        self.tables = config.stash.setdefault(_TABLES, {})

    def row(self, head, row):
        self.tables.setdefault(head, []).append(row)


@pytest.fixture
def table(request):
    """``table.row(head, row)`` adds a row to a table that is printed after all tests."""
    return Table(request.config)


def pytest_terminal_summary(terminalreporter, config):
    for head, rows in config.stash.get(_TABLES, {}).items():
        terminalreporter.section(head.split(" | ")[1], sep="-")
        for row in (head, *rows):
            terminalreporter.line(f"| {row} |")
