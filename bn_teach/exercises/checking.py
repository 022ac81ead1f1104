"""Try a learner's function, compare what it does with the reference and with every planted mistake, and say so."""

import copy
import inspect
import os
import sysconfig
import traceback
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np

from bn_teach.exercises.table import MISTAKES, variants
from bn_teach.exercises.tasks import EXERCISES
from bn_teach.exercises.text import Verdict, indented

# Of the largest number in the right answer. A thousand times the rounding of float32, and at most a
# tenth of what keeps any two rows of the table apart on some input (a test measures that).
TOLERANCE = 1e-3


def check_batch_statistics(f):
    """Return the Verdict on ``f(x) -> (mean, var)``."""
    return check(EXERCISES["batch_statistics"], f)


def check_normalize(f):
    """Return the Verdict on ``f(x, gamma, beta, eps) -> y``, batch norm in training mode."""
    return check(EXERCISES["normalize"], f)


def check_running_average(f):
    """Return the Verdict on ``f(running, batch, momentum)`` -> the new running value."""
    return check(EXERCISES["running_average"], f)


def check_debias(f):
    """Return the Verdict on ``f(running, momentum, step)`` -> the estimate freed of its start at 0."""
    return check(EXERCISES["debias"], f)


def check_inference(f):
    """Return the Verdict on ``f(x, running_mean, running_var, gamma, beta, eps) -> y``."""
    return check(EXERCISES["inference"], f)


def check_layer(f):
    """Return the Verdict on ``f(state, x, training) -> (y, new_state)``."""
    return check(EXERCISES["layer"], f)


def check_backward(f):
    """Return the Verdict on ``f(dy, x, gamma, eps) -> (dx, dgamma, dbeta)``."""
    return check(EXERCISES["backward"], f)


def check_population(f):
    """Return the Verdict on ``f(batch_means, batch_variances, m) -> (mean, var)``, Algorithm 2."""
    return check(EXERCISES["population"], f)


@dataclass
class Outcome:
    """What one call did: it gave `parts` (name to array), or there is a `mistake` to tell with a `detail`."""

    parts: dict | None = None
    mistake: str | None = None
    detail: str = ""
    error: Exception | None = None
    edited: tuple = ()


class _Unreadable(Exception):
    """The result is not what was asked for: (mistake, detail)."""


def check(exercise, function):
    """Return the Verdict on `function` as an answer to the Exercise `exercise`."""
    mistake, detail = _diagnose(exercise, function)
    if mistake is None:
        return Verdict(True, None, detail)
    return Verdict(False, mistake, "\n\n".join(filter(None, [MISTAKES[mistake], detail])))


def _diagnose(exercise, f):
    if not callable(f):
        kind = f"a value of type `{type(f).__name__}`"
        return "not-callable", f"It was given {kind}. Write `check_{exercise.name}({exercise.name})`."
    if not _accepts(f, exercise):
        return "wrong-arguments", (
            f"It is called as `{exercise.signature}`, by position. Yours is `{_name(f)}{inspect.signature(f)}`."
        )
    outcomes = [call(exercise, f, args) for args in exercise.inputs]
    right, wrong = _expected(exercise.name), [o for o in outcomes if o.mistake is not None]

    for outcome in outcomes:
        if outcome.mistake == "unanswered":
            return "unanswered", outcome.detail
    for mistake, applies in (
        ("none-returned", lambda outcome: outcome.mistake == "none-returned"),
        ("input-edited", lambda outcome: outcome.edited and not wrong),
    ):
        for args, outcome in zip(exercise.inputs, outcomes):
            if applies(outcome):
                return mistake, _edits(outcome) + _called_with(exercise, args)
    if all(map(same, outcomes, right)):
        return None, f"`{exercise.name}` agrees with the reference on all {len(right)} inputs that were tried."

    recognised = recognise(exercise.name, outcomes)
    if recognised is not None:
        # The exception that a mistake led to is worth showing too: it is what the learner will have seen.
        raised = next((f"On another input this raises an error. {o.detail}" for o in wrong), "")
        return recognised, "\n\n".join(filter(None, [_example(exercise, outcomes, right), raised]))
    for args, outcome, expected in zip(exercise.inputs, outcomes, right):
        mistake, detail = _fault(outcome, expected)
        if mistake is not None:
            return mistake, f"{detail}\n\n{_called_with(exercise, args)}"
    return "unrecognised", _example(exercise, outcomes, right)


def call(exercise, f, args):
    """Call `f` with copies of `args`, and return the Outcome."""
    given = copy.deepcopy(args)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a NaN is told in words
            result = f(*given)
    except NotImplementedError:
        return Outcome(mistake="unanswered")
    except Exception as error:
        if isinstance(error, (TypeError, AttributeError)) and "ellipsis" in str(error):
            return Outcome(mistake="unanswered")  # a line like mean = ... was left to fill in
        return Outcome(mistake="exception", detail=_their_line(error), error=error)
    edited = tuple(n for n, a, b in zip(exercise.parameters, given, args) if not _unchanged(a, b))
    try:
        return Outcome(parts=read(exercise, result, args, f), edited=edited)
    except _Unreadable as unreadable:
        return Outcome(None, *unreadable.args, edited=edited)


def read(exercise, result, args, f=None):
    """Return a dict of float64 arrays, one for each part of the answer; raise _Unreadable if that cannot be."""
    if result is None:
        raise _Unreadable("unanswered" if _does_nothing(f) else "none-returned", "")
    if result is Ellipsis or result is NotImplemented:
        raise _Unreadable("unanswered", "")
    names = exercise.returns
    values = [result]
    if len(names) > 1:
        wanted = f"Asked for are {len(names)} results, `({', '.join(names)})`"
        stacked = isinstance(result, np.ndarray) and result.ndim > 1  # np.stack([mean, var])
        if not isinstance(result, (tuple, list)) and not (stacked and "new_state" not in names):
            raise _Unreadable("wrong-count", f"{wanted}; yours is one, {_describe(result)}.")
        if len(result) != len(names):
            raise _Unreadable("wrong-count", f"{wanted}; yours are {len(result)}.")
        values = list(result)
    elif isinstance(result, tuple) and len(result) > 1 and np.ndim(args[0]) <= getattr(result[0], "ndim", 0):
        wanted = f"Asked for is one array, `{names[0]}`"
        raise _Unreadable("wrong-count", f"{wanted}; yours is a tuple of {len(result)} values.")
    left_open = [f"`{name}`" for name, value in zip(names, values) if value is Ellipsis]
    if left_open:
        some = len(left_open) < len(names)
        raise _Unreadable("unanswered", f"Still open: {', '.join(left_open)}." if some else "")
    parts = dict(zip(names, values))
    if "new_state" in parts:
        parts |= _opened(parts.pop("new_state"), args[0])
    return {name: _numbers(name, value) for name, value in parts.items()}


def _opened(new_state, state):
    """Make every entry of `new_state` a part of its own. Further entries are the learner's business."""
    if not isinstance(new_state, dict):
        raise _Unreadable("wrong-type", f"`new_state` should be a dict, and is {_describe(new_state)}.")
    missing = [name for name in state if name not in new_state]
    if missing:
        keys = ", ".join(f"`{name}`" for name in missing)
        raise _Unreadable("wrong-type", f"`new_state` should have the keys of `state`, and lacks {keys}.")
    return {f'new_state["{name}"]': new_state[name] for name in state}


def _numbers(name, value):
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and array.size and value is not None:
            array = array.astype(np.float64)  # fractions, decimals
    except Exception:  # whatever the type, it does not turn into numbers
        array = None
    if array is None or array.dtype.kind not in "fiu":
        raise _Unreadable("wrong-type", f"`{name}` should be an array of real numbers, and is {_describe(value)}.")
    return array.astype(np.float64)


def same(outcome, other):
    """Say whether two calls did the same: values alike up to rounding, or the same type of exception."""
    if outcome.error is not None or other.error is not None:
        return type(outcome.error) is type(other.error)
    if outcome.parts is None or other.parts is None:
        return False
    return all(close(outcome.parts[name], other.parts[name]) for name in other.parts)


def close(got, expected):
    """Say whether two arrays have the same shape and, up to rounding, the same values."""
    return got.shape == expected.shape and bool(np.all(np.abs(got - expected) <= TOLERANCE * _size(expected)))


def _size(array):
    return np.abs(array).max(initial=0.0) or 1.0


@cache
def _expected(name):
    exercise = EXERCISES[name]
    return [call(exercise, exercise.reference, args) for args in exercise.inputs]


@cache
def planted(name):
    """List (mistake, outcomes on all inputs) for every variant in the table."""
    exercise = EXERCISES[name]
    return [(mistake, [call(exercise, f, args) for args in exercise.inputs]) for mistake, f in variants(name)]


def recognise(name, outcomes):
    """Return the mistake whose variant did the same on all inputs, or None."""
    if all(outcome.parts is None for outcome in outcomes):
        return None
    return next((mistake for mistake, theirs in planted(name) if all(map(same, outcomes, theirs))), None)


# What a message says


def _fault(outcome, expected):
    """Return (mistake, detail) for what is wrong with a result before its values even matter."""
    if outcome.mistake is not None:
        return outcome.mistake, outcome.detail
    for name, want in expected.parts.items():
        got = outcome.parts[name]
        if got.shape != want.shape:
            detail = f"`{name}` has shape {got.shape}; asked for is {want.shape}."
            if close(np.squeeze(got), np.squeeze(want)):
                detail += " The values are right, only the number of axes is not."
            return "wrong-shape", detail
        if not np.isfinite(got).all():
            return "not-finite", f"In `{name}`, {np.sum(~np.isfinite(got))} of {got.size} values are not finite."
    return None, ""


def _example(exercise, outcomes, right):
    """Write down the first input, the smallest, on which the learner's values differ from the right ones."""
    indices = [i for i, o in enumerate(outcomes) if o.parts is not None and not same(o, right[i])]
    # Other numbers say more than the same numbers in another shape.
    index = next((i for i in indices if _other_numbers(outcomes[i], right[i])), indices[0])
    got, want = outcomes[index].parts, right[index].parts
    lines = [*_input_lines(exercise, exercise.inputs[index]), ""]
    wrong = [name for name in want if not close(got[name], want[name])]
    for name in wrong:
        lines += _difference(name, got[name], want[name])
    agreed = [
        name for name in want if all(o.parts and close(o.parts[name], r.parts[name]) for o, r in zip(outcomes, right))
    ]
    praise = ", ".join(f"`{name}`" for name in agreed if name in exercise.returns or "running" in name)
    text = f"The smallest example that shows it:\n\n{indented(lines)}"
    return f"{text}\n\nRight on every input: {praise}." if praise else text


def _other_numbers(outcome, right):
    pairs = [(np.squeeze(outcome.parts[name]), np.squeeze(right.parts[name])) for name in right.parts]
    return not all(close(got, want) for got, want in pairs)


def _difference(name, got, want):
    if got.size <= 9 and want.size <= 9:
        return [f"{name} should be  {show(want)}", f"{' ' * len(name)} yours is   {show(got)}"]
    if got.shape != want.shape:
        return [f"{name} should have shape {want.shape}", f"{' ' * len(name)} yours has shape {got.shape}"]
    far = ~(np.abs(got - want) <= TOLERANCE * _size(want))
    index = tuple(int(i) for i in np.argwhere(far)[0])
    place = f"{name}[{', '.join(map(str, index))}]"
    return [f"{place} should be  {show(want[index])}", f"{' ' * len(place)} yours is   {show(got[index])}"]


def _edits(outcome):
    names = " and ".join(f"`{name}`" for name in outcome.edited)
    return f"It edited {names} in place.\n\n" if names else ""


def _called_with(exercise, args):
    return f"It was called with\n\n{indented(_input_lines(exercise, args))}"


def _input_lines(exercise, args):
    return [f"{name} = {show(value)}" for name, value in zip(exercise.parameters, args)]


def show(value):
    """Write a number, a small array or a dict of them with at most four digits; a large array by its shape."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}": {show(entry)}' for name, entry in value.items()) + "}"
    if isinstance(value, bool):
        return str(value)
    array = np.asarray(value, dtype=np.float64)
    if array.size > 9:
        return f"an array of shape {array.shape}"
    if array.ndim:
        return "[" + ", ".join(map(show, array)) + "]"
    return f"{round(float(array), 9) + 0.0:.4g}"  # adding 0 turns -0 into 0


def _describe(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


# What can be learnt from a function and its exceptions


def _accepts(f, exercise):
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # some built-in functions do not tell
        return True
    try:
        signature.bind(*exercise.parameters)
    except TypeError:
        return False
    return True


def _name(f):
    return getattr(f, "__name__", type(f).__name__)


def _does_nothing(f):
    """Say whether a function has an empty body (a docstring, ... or pass): then it compiles to almost nothing."""
    code = getattr(f, "__code__", None)
    return code is not None and len(code.co_code) <= len(_empty.__code__.co_code)


def _empty():
    """Do nothing, with a docstring and an ellipsis like the stubs of the notebooks."""


def _unchanged(given, original):
    if isinstance(original, dict):
        return given.keys() == original.keys() and all(_unchanged(given[k], original[k]) for k in original)
    return np.shape(given) == np.shape(original) and bool(np.all(given == original))


_INSTALLED = tuple(
    os.path.join(os.path.realpath(path), "")
    for path in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        os.path.dirname(np.__file__),
        os.path.dirname(os.path.dirname(__file__)),
    }
)


def _their_line(error):
    """Describe an exception by the last line of the learner's own code that it passed through."""
    message = f"{type(error).__name__}: {error}".rstrip(": \n")
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame.filename)]
    if not theirs:
        return f"The error:\n\n{indented(message.splitlines())}"
    frame = theirs[-1]
    where = os.path.basename(frame.filename) if os.path.isfile(frame.filename) else "your cell"
    place = f"Line {frame.lineno} of {where}, in `{frame.name}`:"
    return f"{place}\n\n{indented([*filter(None, [frame.line]), *message.splitlines()])}"


def _is_theirs(filename):
    return not filename.startswith("<frozen") and not os.path.realpath(filename).startswith(_INSTALLED)
