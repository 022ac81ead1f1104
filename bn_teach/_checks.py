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
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise _refusal(TypeError, name, allowed, value)
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise _refusal(ValueError, name, allowed, value)
    return number


def number(name, value, minimum=None, maximum=None, *, above=None):
    """Return `value` as a finite float within [minimum, maximum], or strictly above `above`."""
    allowed = "a finite number" + _range_text(minimum, maximum) + ("" if above is None else f" above {above}")
    if isinstance(value, (str, bytes, bool, np.bool_, list, tuple)) or np.ndim(value) != 0:
        raise _refusal(TypeError, name, allowed, value)
    try:
        result = float(value)
    except OverflowError:  # a whole number beyond any float
        result = math.inf
    except (TypeError, ValueError):
        raise _refusal(TypeError, name, allowed, value) from None
    outside = (
        not math.isfinite(result)
        or (minimum is not None and result < minimum)
        or (maximum is not None and result > maximum)
        or (above is not None and result <= above)
    )
    if outside:
        raise _refusal(ValueError, name, allowed, value)
    return result


def boolean(name, value):
    """Return `value` as a bool; numbers and strings are refused, because they are usually slips."""
    if not isinstance(value, (bool, np.bool_)):
        raise _refusal(TypeError, name, "True or False", value)
    return bool(value)


def choice(name, value, allowed):
    """Return `value` if it is one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        error = ValueError if isinstance(value, str) else TypeError
        raise _refusal(error, name, f"one of {', '.join(map(repr, allowed))}", value)
    return value


def instance(name, value, kind, hint=""):
    """Return `value` if it is a `kind`."""
    if not isinstance(value, kind):
        raise _refusal(TypeError, name, f"a {kind.__name__}{hint}", value)
    return value


def momentum(value, name="momentum"):
    """Return one momentum as a float in [0, 1]: the weight kept on the old estimate."""
    try:
        return number(name, value, 0.0, 1.0)
    except ValueError:
        raise _refusal(ValueError, name, "between 0 and 1 (the weight kept on the old estimate)", value) from None


def momenta(value, name="momentum"):
    """Return a momentum as a float, or a 1-D array-like of them as a float64 array."""
    if not isinstance(value, (list, tuple)) and np.ndim(value) == 0:
        return momentum(value, name)
    values = array(name, value, shape=(None,))
    return np.array([momentum(one, name) for one in values])


def debiasable(momentum, name="momentum"):
    """Refuse a momentum of 1: such an average never leaves its start, so nothing remains without it."""
    if np.any(np.equal(momentum, 1)):
        raise ValueError(f"{name} must be below 1 to be debiased, got 1: the average never leaves its initial value")


def distinct(name, values, check):
    """Return `values`, each through `check`, as a tuple: at least one of them and no two alike."""
    if isinstance(values, (str, bytes)) or not np.iterable(values):
        raise _refusal(TypeError, name, "a sequence", values)
    checked = tuple(check(value) for value in values)
    if not checked:
        raise ValueError(f"{name} must not be empty")
    for at, value in enumerate(checked):
        if value in checked[:at]:
            raise ValueError(f"{name} must not repeat, got {describe(value)} twice")
    return checked


def array(name, value, *, shape=None, minimum=None):
    """Return `value` as a non-empty, finite array of real numbers; float32 and float64 are kept.

    Everything else (lists, integers, float16) becomes float64. `shape` may hold None where any
    length will do, and end in ... where more axes may follow; `minimum` is the least value allowed.
    """
    values = reals(name, value, shape=shape)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if minimum is not None and values.min() < minimum:
        raise ValueError(f"{name} must be at least {minimum} everywhere, got {values.min()}")
    return values


def reals(name, value, *, shape=None):
    """Return `value` as `array` does, but as numbers of whatever type they are."""
    values = _as_array(name, value, "fiu", "an array of real numbers", shape)
    if not np.isfinite(values).all():
        where = _columns(value, lambda column: not np.isfinite(column).all())
        raise ValueError(f"{name} must be finite everywhere, got NaN or infinity in {where or 'it'}")
    return values


def integers(name, value, minimum, *, shape=None):
    """Return `value` as a non-empty int64 array of whole numbers, all at least `minimum`; `shape` as in `array`."""
    values = _as_array(name, value, "iu", "a whole number (or an array of them)", shape)
    if values.min() < minimum:
        raise ValueError(f"{name} must be at least {minimum} everywhere, got {values.min()}")
    return values.astype(np.int64)


def generator(seed, name="seed"):
    """Return a numpy Generator from a non-negative int or from a Generator."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(integer(name, seed, 0))


def _as_array(name, value, kinds, allowed, shape):
    if isinstance(value, np.ma.MaskedArray):  # an array of it would hold what is below the mask
        raise TypeError(f"{name} must be {allowed}, got a masked array: leave out or fill what is masked (.filled())")
    try:
        values = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be {allowed}, got rows of unequal length") from None
    if values.dtype.kind not in kinds:
        if where := _columns(value, lambda column: column.dtype.kind not in kinds or not np.isfinite(column).all()):
            raise TypeError(f"{name} must be {allowed}, got something else in {where}")
        raise _refusal(TypeError, name, allowed, value)
    if shape is not None and not _fits(values.shape, shape):
        wanted = ", ".join({None: "any", ...: "..."}.get(n, str(n)) for n in shape) + "," * (len(shape) == 1)
        raise ValueError(f"{name} must have shape ({wanted}), got {values.shape}")
    if values.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {values.shape}")
    return values


def _columns(table, bad):
    """Name the columns of a DataFrame that are `bad`, the first three of them; nothing for anything else."""
    names = [repr(name) for name in getattr(table, "columns", ()) if bad(np.asarray(table[name]))]
    if not names:
        return ""
    return f"column{'s'[: len(names) - 1]} {', '.join(names[:3])}" + (", ..." if len(names) > 3 else "")


def _fits(shape, wanted):
    if wanted and wanted[-1] is ...:
        wanted = wanted[:-1]
        shape = shape[: len(wanted)]
    return len(shape) == len(wanted) and all(w in (None, n) for n, w in zip(shape, wanted, strict=True))


def _refusal(error, name, allowed, value):
    return error(f"{name} must be {allowed}, got {describe(value)}")


def _range_text(minimum, maximum):
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum}"
    return "" if maximum is None else f" of at most {maximum}"
