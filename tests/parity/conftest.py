"""Compares ours with a framework, and prints how far apart the two were at most.

Each module names what it compares with in `FRAMEWORK`. `largest` in the table is the largest
difference seen, relative to the largest value of the array; `allowed` is what would have failed.
"""

import os

import numpy as np
import pytest

SEEN = pytest.StashKey()  # (framework, what, dtype) -> [largest difference, allowed]
CHANNELS = 5


def pytest_configure(config):
    config.stash.setdefault(SEEN, {})


def pytest_sessionfinish(session):
    """BN_TEACH_REQUIRE_PARITY=1 (`make parity`): a framework that is missing fails the run."""
    skipped = session.config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped")
    if skipped and os.environ.get("BN_TEACH_REQUIRE_PARITY") == "1":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    seen = config.stash.get(SEEN, {})
    if not seen:
        return
    width = max(len(framework) for framework, _, _ in seen) + 2
    terminalreporter.section("ours beside the frameworks")
    terminalreporter.line(f"{'':{width}}{'compared':30}{'dtype':10}{'largest':>10}{'allowed':>10}")
    for (framework, what, dtype), (largest, allowed) in sorted(seen.items()):
        terminalreporter.line(f"{framework:{width}}{what:30}{dtype:10}{largest:10.1e}{allowed:10.1e}")


@pytest.fixture
def agree(request):
    """Assert that ours and theirs agree: ``agree(dtype, rounding)(what, ours, theirs)``.

    float64: to rtol 1e-10, and what is next to nothing beside the largest value, to 1e-13 of that.
    float32: to `rounding`, which the fixture of that name derives.
    """
    seen = request.config.stash[SEEN]

    def agree(dtype, rounding=None):
        rtol, of_largest = {"float64": (1e-10, 1e-13), "float32": (rounding, rounding)}[dtype]

        def check(what, ours, theirs):
            ours, theirs = np.asarray(ours), np.asarray(theirs)
            assert ours.shape == theirs.shape
            largest = np.abs(theirs).max()
            difference = np.abs(ours - theirs).max() / (largest or 1.0)
            row = seen.setdefault((request.module.FRAMEWORK, what, dtype), (0.0, 0.0))
            seen[request.module.FRAMEWORK, what, dtype] = max(row[0], difference), max(row[1], rtol)
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=of_largest * largest)

        return check

    return agree


@pytest.fixture(params=[(16, CHANNELS), (6, CHANNELS, 4, 3)], ids=["rows", "images"])
def shape(request):
    return request.param


@pytest.fixture
def draw():
    """Draw x, gamma, beta and an upstream gradient, none of them special in any way.

    The upstream gradient is random because ones prove nothing: batch norm undoes a shift of the
    whole batch, so that its gradient is zero whatever the formula.
    """

    def draw(shape, dtype="float64", seed=0):
        rng = np.random.default_rng(seed)
        per_channel = (1, shape[1]) + (1,) * (len(shape) - 2)
        location, spread = rng.normal(size=per_channel), rng.uniform(0.5, 2.0, size=per_channel)
        x = location + spread * rng.normal(size=shape)
        gamma, beta = rng.uniform(0.5, 2.0, size=shape[1]), rng.normal(size=shape[1])
        dy = rng.normal(size=shape)
        return tuple(a.astype(dtype) for a in (x, gamma, beta, dy))

    return draw


@pytest.fixture
def stream(shape, draw):
    """Draw 200 batches of changing size, the smallest that has a variance included."""

    def stream(dtype="float64"):
        sizes = np.random.default_rng(1).choice([2, 8, 21], size=200)
        return [draw((size, *shape[1:]), dtype, seed=step)[0] for step, size in enumerate(sizes)]

    return stream


@pytest.fixture
def rounding():
    """Bound what two correct float32 programs may differ by, relative to the largest value.

    The sum of m numbers, in any order, is off by at most m/2 * eps of the sum of their magnitudes
    (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2), so two sums differ by at
    most m * eps. Beside a spread of sd, the mean brings the factor rms(x) / sd; a variance computed
    as E[x^2] - E[x]^2 (Keras, Flax) the square of it. Mean, variance, and for dx the means of dy and
    dy * x_hat make four such sums. A running average rounds four times a step, by eps/2 at most.
    """

    def rounding(*batches, updates=0, fast_variance=False):
        eps = np.finfo(np.float32).eps
        if not batches:
            return 2 * updates * eps
        rows = [np.moveaxis(x.astype(np.float64), 1, -1).reshape(-1, x.shape[1]) for x in batches]
        values = np.concatenate(rows)
        cancelled = np.sqrt(np.mean(values**2, axis=0) / values.var(axis=0)).max()
        return (4 * max(map(len, rows)) * cancelled ** (1 + fast_variance) + 2 * updates) * eps

    return rounding


@pytest.fixture
def freed():
    """Bound what dividing by 1 - p**t adds in float32, for a framework that stores p as float32.

    p is off by eps/2 at most, so p**t by t * eps/2 of itself, and beside 1 - p**t that is largest at t = 1. The power
    and the difference round once more each, which counts as much again.
    """
    return lambda p: np.finfo(np.float32).eps / (1 - p)
