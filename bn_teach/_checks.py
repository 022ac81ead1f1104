"""Checks of arguments, shared by every module.

Each message names the argument, what came, and what is allowed.
"""

import math
import operator

import numpy as np


def describe(value):
    """Return a short description of `value` for an error message: arrays by shape, the rest by repr."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.item()  # 1.5, not np.float64(1.5)
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def integer(name, value, minimum=None, maximum=None):
    """Return `value` as an int within [minimum, maximum]."""
    allowed = "a whole number" + _range_text(minimum, maximum)
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be {allowed}, got {describe(value)}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be {allowed}, got {describe(value)}") from None
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise ValueError(f"{name} must be {allowed}, got {number}")
    return number


def number(name, value, minimum=None, maximum=None, *, above=None):
    """Return `value` as a finite float within [minimum, maximum], or strictly above `above`."""
    allowed = "a finite number" + _range_text(minimum, maximum)
    if above is not None:
        allowed += f" above {above}"
    if isinstance(value, (str, bytes, bool, np.bool_, list, tuple)) or np.ndim(value) != 0:
        raise TypeError(f"{name} must be {allowed}, got {describe(value)}")
    try:
        result = float(value)
    except OverflowError:  # a whole number beyond any float
        result = math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be {allowed}, got {describe(value)}") from None
    outside = (
        not math.isfinite(result)
        or (minimum is not None and result < minimum)
        or (maximum is not None and result > maximum)
        or (above is not None and result <= above)
    )
    if outside:
        raise ValueError(f"{name} must be {allowed}, got {describe(value)}")
    return result


def boolean(name, value):
    """Return `value` as a bool; numbers and strings are refused, because they are usually slips."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {describe(value)}")
    return bool(value)


def choice(name, value, allowed):
    """Return `value` if it is one of `allowed`."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {describe(value)}")
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def momentum(value, name="momentum"):
    """Return one momentum as a float in [0, 1]: the weight kept on the old estimate."""
    try:
        return number(name, value, 0.0, 1.0)
    except ValueError:
        raise ValueError(
            f"{name} must be between 0 and 1 (the weight kept on the old estimate), got {describe(value)}"
        ) from None


def momenta(value, name="momentum"):
    """Return a momentum as a float, or a 1-D array-like of them as a float64 array."""
    if not isinstance(value, (list, tuple)) and np.ndim(value) == 0:
        return momentum(value, name)
    values = array(name, value)
    if values.ndim != 1:
        raise ValueError(f"{name} must be a number or a 1-D array, got shape {values.shape}")
    for one in values:
        momentum(one, name)
    return values.astype(np.float64)


def array(name, value, *, ndim=None, shape=None, minimum=None):
    """Return `value` as a non-empty, finite array of real numbers; float32 and float64 are kept.

    Everything else (lists, integers, float16) becomes float64. `shape` may hold None where any
    length will do; `minimum` is the least value allowed.
    """
    try:
        values = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be an array of numbers, got rows of unequal length") from None
    if values.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be an array of real numbers, got {describe(value)}")
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if ndim is not None and values.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {values.shape}")
    if shape is not None and not _fits(values.shape, shape):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ("," * (len(shape) == 1)) + ")"
        raise ValueError(f"{name} must have shape {wanted}, got {values.shape}")
    if values.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite everywhere, got NaN or infinity in it")
    if minimum is not None and values.min() < minimum:
        raise ValueError(f"{name} must be at least {minimum} everywhere, got {values.min()}")
    return values


def generator(seed, name="seed"):
    """Return a numpy Generator from a non-negative int or from a Generator."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(integer(name, seed, 0))


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(w in (None, n) for n, w in zip(shape, wanted, strict=True))


def _range_text(minimum, maximum):
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum}"
    if maximum is not None:
        return f" of at most {maximum}"
    return ""
