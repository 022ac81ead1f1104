"""How tests look at an explorer: what it shows, what its controls offer, what a move changed."""

import numpy as np


def lines(explorer):
    """The traces on the screen, by key."""
    return {trace.meta: trace for trace in explorer.figure.data}


def copied(explorer):
    """The coordinates on the screen, to compare with later ones."""
    return {
        key: tuple(np.copy(getattr(trace, name)) for name in "xyz" if getattr(trace, name, None) is not None)
        for key, trace in lines(explorer).items()
    }


def changed(explorer, before):
    """Keys of the traces that are not as they were."""
    now = copied(explorer)
    return {key for key in now if not same(now[key], before[key])}


def same(arrays, others):
    """Whether two lists of arrays hold the same values."""
    return len(arrays) == len(others) and all(map(lambda a, b: np.array_equal(a, b, equal_nan=True), arrays, others))


def assert_shows(explorer, picture):
    """The screen has exactly this picture: every trace, every range, the sentence."""
    shown = copied(explorer)
    assert set(shown) == set(picture.traces)
    for key, wanted in picture.traces.items():
        assert same(shown[key], wanted), key
    for part, wanted in picture.ranges.items():
        for name, value in (wanted if isinstance(wanted, dict) else {"range": wanted}).items():
            held = explorer.figure.layout[part][name]
            assert (held if isinstance(held, str) else list(held)) == (value if isinstance(value, str) else list(value))
    assert explorer.status == picture.sentence


def extremes(control):
    """The minimum, the middle and the maximum of what a control takes."""
    if hasattr(control, "options"):
        values = [value[1] if isinstance(value, tuple) else value for value in control.options]
        return values[0], values[len(values) // 2], values[-1]
    if isinstance(control.value, bool):
        return False, True
    return control.min, (control.min + control.max) // 2, control.max
