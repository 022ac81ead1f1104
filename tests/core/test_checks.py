"""Checks: what passes comes back converted; what does not is told with its name, what came, and what is allowed."""

import math

import numpy as np
import pytest

from bn_teach import _checks


@pytest.mark.parametrize(
    ("checked", "expected"),
    [
        (lambda: _checks.integer("n", np.int64(3), 1, 3), 3),
        (lambda: _checks.number("x", np.float32(0.5), 0, 1), 0.5),
        (lambda: _checks.boolean("b", np.True_), True),
        (lambda: _checks.choice("c", "one", ("one", "two")), "one"),
        (lambda: _checks.instance("s", "text", str), "text"),
        (lambda: _checks.momentum(1), 1.0),
        (lambda: _checks.momenta((0, 1)).tolist(), [0.0, 1.0]),
        (lambda: _checks.distinct("d", iter([1, 2]), float), (1.0, 2.0)),
        (lambda: _checks.array("a", [[1, 2]], shape=(None, 2)).tolist(), [[1.0, 2.0]]),
        (lambda: _checks.array("a", np.ones((4, 3, 2, 2)), shape=(None, 3, ...)).shape, (4, 3, 2, 2)),
        (lambda: _checks.array("a", np.ones((4, 3)), shape=(None, 3, ...)).shape, (4, 3)),
        (lambda: _checks.integers("i", [1, 2], 1, shape=(2,)).tolist(), [1, 2]),
        (lambda: int(_checks.integers("i", 5, 1)), 5),
        (lambda: _checks.generator(0).random(), np.random.default_rng(0).random()),
    ],
)
def test_what_is_allowed_comes_back(checked, expected):
    result = checked()
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _checks.integer("n", 0, 1), ValueError, "n must be a whole number of at least 1, got 0"),
        (lambda: _checks.integer("n", 4, 1, 3), ValueError, "n must be a whole number from 1 to 3, got 4"),
        (lambda: _checks.integer("n", 1.0), TypeError, "n must be a whole number, got 1.0"),
        (lambda: _checks.integer("n", True), TypeError, "n must be a whole number, got True"),
        (lambda: _checks.number("x", math.nan), ValueError, "x must be a finite number, got nan"),
        (lambda: _checks.number("x", 0, above=0), ValueError, "x must be a finite number above 0, got 0"),
        (lambda: _checks.number("x", "1"), TypeError, "x must be a finite number, got '1'"),
        (
            lambda: _checks.number("x", np.ones(1)),
            TypeError,
            "x must be a finite number, got an array of shape",
        ),
        (lambda: _checks.number("x", 10**400), ValueError, "x must be a finite number, got 1000"),
        (lambda: _checks.boolean("b", 1), TypeError, "b must be True or False, got 1"),
        (
            lambda: _checks.choice("c", "three", ("one", "two")),
            ValueError,
            "c must be one of 'one', 'two', got 'th",
        ),
        (lambda: _checks.choice("c", None, ("one", "two")), TypeError, "c must be one of 'one', 'two', got None"),
        (lambda: _checks.instance("s", 3, str, " of words"), TypeError, "s must be a str of words, got 3"),
        (lambda: _checks.momentum(1.5), ValueError, "momentum must be between 0 and 1 (the weight kept on the old"),
        (lambda: _checks.momenta([0.5, 2]), ValueError, "momentum must be between 0 and 1 (the weight kept on the old"),
        (lambda: _checks.momenta([[0.5]]), ValueError, "momentum must have shape (any,), got (1, 1)"),
        (lambda: _checks.debiasable([0.5, 1.0]), ValueError, "momentum must be below 1 to be debiased, got 1"),
        (lambda: _checks.distinct("d", [], int), ValueError, "d must not be empty"),
        (lambda: _checks.distinct("d", "ab", str), TypeError, "d must be a sequence, got 'ab'"),
        (lambda: _checks.distinct("d", [1, 1.0], float), ValueError, "d must not repeat, got 1.0 twice"),
        (lambda: _checks.array("a", []), ValueError, "a must not be empty, got shape (0,)"),
        (
            lambda: _checks.array("a", [[1], [1, 2]]),
            ValueError,
            "a must be an array of real numbers, got rows of",
        ),
        (lambda: _checks.array("a", ["x"]), TypeError, "a must be an array of real numbers, got ['x']"),
        (lambda: _checks.array("a", [math.inf]), ValueError, "a must be finite everywhere, got NaN or infinity in it"),
        (lambda: _checks.array("a", [-1.0], minimum=0), ValueError, "a must be at least 0 everywhere, got -1.0"),
        (lambda: _checks.array("a", [1.0], shape=(None, 2)), ValueError, "a must have shape (any, 2), got (1,)"),
        (lambda: _checks.array("a", 1.0, shape=(None, ...)), ValueError, "a must have shape (any, ...), got ()"),
        (
            lambda: _checks.integers("i", [1.5], 0),
            TypeError,
            "i must be a whole number (or an array of them), got [1",
        ),
        (lambda: _checks.integers("i", [3, -1], 0), ValueError, "i must be at least 0 everywhere, got -1"),
        (lambda: _checks.generator(-1), ValueError, "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_the_message_names_the_argument_what_came_and_what_is_allowed(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_a_long_value_is_cut_short():
    assert len(_checks.describe("x" * 1000)) == 80
