"""Try a learner's function, compare what it does with the reference and with every planted mistake, and say so."""

import contextlib
import copy
import inspect
import io
import os
import sysconfig
import traceback
import warnings
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations

import numpy as np

from bn_teach import _checks
from bn_teach.exercises import solutions
from bn_teach.exercises.table import ASKS, GENERAL, MISTAKES, ROWS, variants
from bn_teach.exercises.tasks import EXERCISES
from bn_teach.exercises.text import Hint, Verdict, indented

# Of the largest number in the right answer. A thousand times the rounding of float32, and at most a
# tenth of what keeps any two rows of the table apart on some input (a test measures that).
TOLERANCE = 1e-4


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


def hint(name, answer=None):
    """Return a hint for the exercise `name`, a key of `EXERCISES`; with an `answer` to it, what to change in that."""
    exercise = EXERCISES[_checks.choice("name", name, tuple(EXERCISES))]
    if answer is None:
        return Hint(name, exercise.hint)
    verdict = check(exercise, answer)
    if verdict:
        return Hint(name, "Your answer is right: there is nothing to change.")
    return Hint(name, exercise.hint if verdict.mistake in GENERAL else MISTAKES[verdict.mistake])


@dataclass
class Outcome:
    """What one call did: it gave `parts` (name to array), or there is a `mistake` to tell with a `detail`."""

    parts: dict | None = None
    mistake: str | None = None
    detail: str = ""
    error: type | None = None
    edited: tuple = ()


class _Unreadable(Exception):
    """The result is not what was asked for: (mistake, detail)."""


@np.errstate(all="ignore")  # infinities are told in words
def check(exercise, function):
    """Return the Verdict on `function` as an answer to the Exercise `exercise`."""
    mistake, detail = _diagnose(exercise, function)
    if mistake is None:
        return Verdict(True, None, f"{detail}\n\n{solutions.SOLUTIONS[exercise.name].why}")
    if mistake in GENERAL:
        blocks = [MISTAKES[mistake], detail]
        if mistake == "unrecognised":
            blocks.append(f'For a hint: `hint("{exercise.name}")`.')
    else:
        blocks = [detail, f'To be told what to change: `hint("{exercise.name}", {exercise.name})`.']
    return Verdict(False, mistake, "\n\n".join(filter(None, blocks)), ASKS[mistake])


def _diagnose(exercise, f):
    if not callable(f):
        kind = f"a value of type `{type(f).__name__}`"
        return "not-callable", f"It was given {kind}. Write `check_{exercise.name}({exercise.name})`."
    signature = _signature(f)
    called = f"It is called as `{exercise.signature}`, by position. Yours takes `{_words(signature)}`."
    if signature and not _accepts(signature, exercise):
        return "wrong-arguments", called

    outcomes = [call(exercise, f, args) for args in exercise.inputs]
    readable = all(outcome.mistake is None for outcome in outcomes)
    for outcome in outcomes:
        if outcome.mistake == "unanswered":
            return "unanswered", outcome.detail
    for mistake, applies in (
        ("none-returned", lambda outcome: outcome.mistake == "none-returned"),
        ("input-edited", lambda outcome: outcome.edited and readable),
    ):
        for args, outcome in zip(exercise.inputs, outcomes):
            if applies(outcome):
                return mistake, _edits(outcome) + _called_with(exercise, args)
    wrong = _differing(outcomes, _expected(exercise.name))
    if not wrong:
        return None, f"`{exercise.name}` agrees with the reference on all {len(outcomes)} inputs that were tried."
    if signature and _reordered(tuple(signature.parameters), exercise.parameters):
        return "arguments-out-of-order", called
    return _explain(exercise, f, outcomes, wrong)


def _explain(exercise, f, outcomes, wrong):
    """Return (mistake, detail) for an answer of which the parts `wrong` are not right."""
    mistake, parts = recognise(exercise.name, outcomes)
    if mistake is not None:
        # The exception that a mistake led to is worth showing too: it is what the learner will have seen.
        raised = [f"On another input this raises an error. {o.detail}" for o in outcomes if o.error is not None]
        return mistake, "\n\n".join([_example(exercise, outcomes, parts), *raised[:1]])
    shared = [part for part in wrong if _is_one_number(exercise, outcomes, part)]
    if shared:
        return "all-elements", _example(exercise, outcomes, shared)
    mistake, detail = _fault(exercise, outcomes)
    if mistake is not None:
        return mistake, detail
    order = _order(exercise, outcomes)
    if order is not None:
        return "arguments-out-of-order", (
            f"It is called as `{exercise.signature}`, by position. Yours does what is right for `{order}`."
        )
    mistake, parts = _behaviour(exercise, f, wrong)
    return mistake or "unrecognised", _example(exercise, outcomes, parts or wrong)


def call(exercise, f, args):
    """Call `f` with copies of `args`, and return the Outcome."""
    given = copy.deepcopy(args)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a NaN is told in words
            result = f(*given)
    except NotImplementedError:
        return Outcome(mistake="unanswered")
    except (Exception, SystemExit) as error:
        about = _words(error) if isinstance(error, (TypeError, AttributeError)) else ""
        if "ellipsis" in about:
            return Outcome(mistake="unanswered")  # a line like mean = ... was left to fill in
        comma = f"\n\n{MISTAKES['trailing-comma']}" if "tuple" in about else ""
        return Outcome(mistake="exception", detail=_their_line(error) + comma, error=type(error))
    edited = tuple(n for n, a, b in zip(exercise.parameters, given, args) if not _unchanged(a, b))
    try:
        return Outcome(parts=read(exercise, result, args, f), edited=edited)
    except _Unreadable as unreadable:
        return Outcome(None, *unreadable.args, edited=edited)
    except Exception as error:  # an object that does not let itself be looked at
        return Outcome(None, "wrong-type", f"Reading it raises {type(error).__name__}.", edited=edited)


def read(exercise, result, args, f=None):
    """Return a dict of float64 arrays, one for each part of the answer; raise _Unreadable if that cannot be."""
    if result is None:
        raise _Unreadable("unanswered" if _does_nothing(f) else "none-returned", "")
    if result is Ellipsis or result is NotImplemented:
        raise _Unreadable("unanswered", "")
    names, axes = list(exercise.returns), list(exercise.returns.values())
    values = [result]
    if len(names) > 1:
        if isinstance(result, tuple) and len(result) == 1 and isinstance(result[0], (tuple, list)):
            raise _Unreadable("trailing-comma", "")
        wanted = f"Asked for are {len(names)} results, `({', '.join(names)})`"
        # np.stack([mean, var]) is as good as a tuple, but no array holds results with different numbers of axes.
        stacked = isinstance(result, np.ndarray) and len(set(axes)) == 1 and result.ndim > axes[0]
        if not isinstance(result, (tuple, list)) and not (stacked and len(result) == len(names)):
            raise _Unreadable("wrong-count", f"{wanted}; yours is one, {_describe(result)}.")
        if len(result) != len(names):
            raise _Unreadable("wrong-count", f"{wanted}; yours has {len(result)}.")
        values = list(result)
    elif isinstance(result, tuple) and len(result) > 1 and np.ndim(result[0]) >= axes[0]:
        wanted = f"Asked for is one array, `{names[0]}`"
        raise _Unreadable("wrong-count", f"{wanted}; yours is a tuple of {len(result)} values.")
    left_open = [f"`{name}`" for name, value in zip(names, values) if value is Ellipsis]
    if left_open:
        some = len(left_open) < len(names)
        raise _Unreadable("unanswered", f"Still open: {', '.join(left_open)}." if some else "")
    if "new_state" in names and isinstance(values[0], dict) and not isinstance(values[1], dict):
        raise _Unreadable("results-out-of-order", "`new_state` comes first.")
    parts = {name: _out_of_tuple(*part) for name, *part in zip(names, values, axes)}
    if "new_state" in parts:
        parts |= _opened(parts.pop("new_state"), args[0])
    return {name: _numbers(name, value) for name, value in parts.items()}


def _out_of_tuple(value, axes):
    """Return `value`, but for a tuple that holds nothing but a whole result."""
    if isinstance(value, tuple) and len(value) == 1 and np.ndim(value[0]) >= axes:
        raise _Unreadable("trailing-comma", f"It holds {_describe(value[0])}.")
    return value


def _opened(new_state, state):
    """Make every entry of `new_state` a part of its own. Further entries are the learner's business."""
    if not isinstance(new_state, dict):
        raise _Unreadable("wrong-type", f"`new_state` should be a dict, and is {_describe(new_state)}.")
    missing = [name for name in state if name not in new_state]
    if missing:
        keys = ", ".join(f"`{name}`" for name in missing)
        raise _Unreadable("wrong-type", f"`new_state` should have the keys of `state`, and lacks {keys}.")
    return {_entry(name): _out_of_tuple(new_state[name], np.ndim(value)) for name, value in state.items()}


def _entry(name):
    return f'new_state["{name}"]'


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


def alike(part, outcome, other):
    """Say whether two calls gave the same `part`: values alike up to rounding, or the same type of exception."""
    if outcome.error is not None or other.error is not None:
        return outcome.error is other.error
    if outcome.parts is None or other.parts is None:
        return False
    return close(outcome.parts[part], other.parts[part])


def _agree(part, outcomes, others):
    return all(alike(part, *pair) for pair in zip(outcomes, others))


def _differing(outcomes, right):
    return [part for part in right[0].parts if not _agree(part, outcomes, right)]


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
    """List (row, outcomes on all inputs, parts that are wrong where it does not raise) for every variant."""
    exercise, found = EXERCISES[name], []
    for row, f in variants(name):
        outcomes = [call(exercise, f, args) for args in exercise.inputs]
        readable = [pair for pair in zip(outcomes, _expected(name)) if pair[0].parts]
        found.append((row, outcomes, _differing(*zip(*readable))))
    return found


def recognise(name, outcomes):
    """Return (mistake, wrong parts that it explains), or (None, []).

    A variant explains a part if it gives the same on all inputs. The one that explains most is meant; of several,
    the one with the fewest other wrong parts, and then the first in the table.
    """
    best = (0, 0), None, []
    if any(outcome.parts is not None for outcome in outcomes):
        wrong = _differing(outcomes, _expected(name))
        for row, theirs, spoilt in planted(name):
            parts = [part for part in wrong if part in spoilt and _agree(part, outcomes, theirs)]
            score = len(parts), len(parts) - len(spoilt)
            if parts and score > best[0] and not (row.whole and len(parts) < len(spoilt)):
                best = score, row.name, parts
    return best[1:]


def _is_one_number(exercise, outcomes, part):
    """Say whether `part` is one number where each channel should have one."""
    pairs = zip(outcomes, _expected(exercise.name))
    return all(outcome.parts and outcome.parts[part].ndim == 0 < right.parts[part].ndim for outcome, right in pairs)


def _behaviour(exercise, f, wrong):
    """Return (mistake, parts) if wrong parts stay where the right ones move, or move where these stay."""
    with contextlib.redirect_stdout(io.StringIO()):  # what they print, they have seen
        for row in ROWS:
            parts = set(wrong) if row.ignores or exercise.name in row.keeps else set()
            for name in row.ignores:
                change = partial(_halved, exercise, name)
                parts &= _moved(exercise, exercise.reference, change) - _moved(exercise, f, change)
            if exercise.name in row.keeps:
                parts &= _moved(exercise, f, *row.keeps[exercise.name])
            if parts:
                return row.name, [part for part in wrong if part in parts]
    return None, []


def _moved(exercise, f, change, look=lambda part: part):
    """Return the parts that, where `look` looks, are others when `change` has changed the inputs."""
    moved = set()
    for args in exercise.inputs:
        before, after = call(exercise, f, args), call(exercise, f, change(args))
        moved |= {
            part
            for part in _expected(exercise.name)[0].parts
            if not (before.parts and after.parts and close(look(after.parts[part]), look(before.parts[part])))
        }
    return moved


def _halved(exercise, name, args):
    """Halve the argument `name`, or the entry of `state`; what counts steps or examples doubles, to stay whole."""

    def other(value):
        return 2 * value if isinstance(value, int) else value / 2

    return tuple(
        other(value) if parameter == name
        else {**value, name: other(value[name])} if isinstance(value, dict) and name in value
        else value
        for parameter, value in zip(exercise.parameters, args)
    )  # fmt: skip


def _order(exercise, outcomes):
    """Return the call for which the answer would be right if its arguments came in another order, or None."""
    solve = getattr(solutions, exercise.name)
    for order in permutations(range(len(exercise.parameters))):

        def reordered(*args, order=order):
            return solve(*(args[i] for i in order))

        tried = (call(exercise, reordered, args) for args in exercise.inputs)  # one after the other: most fail at once
        if all(alike(part, a, b) for a, b in zip(outcomes, tried) for part in a.parts):
            names = sorted(exercise.parameters, key=lambda name: order[exercise.parameters.index(name)])
            return f"{exercise.name}({', '.join(names)})"
    return None


# What a message says


def _fault(exercise, outcomes):
    """Return (mistake, detail) for what is wrong with a result before its values even matter."""
    right = _expected(exercise.name)
    for args, outcome, expected in zip(exercise.inputs, outcomes, right):
        mistake, detail = outcome.mistake, outcome.detail
        if mistake is None:
            mistake, detail = _misfit(outcome.parts, expected.parts)
            if mistake == "wrong-shape" and not any(map(_other_numbers, outcomes, right)):
                detail += " The values are right, only the number of axes is not."
        if mistake is not None:
            return mistake, "\n\n".join(filter(None, [detail, _called_with(exercise, args)]))
    return None, ""


def _misfit(parts, expected):
    for name, want in expected.items():
        got = parts[name]
        if got.shape != want.shape:
            return "wrong-shape", f"`{name}` has shape {got.shape}; asked for is {want.shape}."
        if not np.isfinite(got).all():
            return "not-finite", f"In `{name}`, {np.sum(~np.isfinite(got))} of {got.size} values are not finite."
    return None, ""


def _example(exercise, outcomes, parts):
    """Write down the first input, the smallest, on which the learner's `parts` differ from the right ones."""
    right = _expected(exercise.name)
    indices = [i for i, o in enumerate(outcomes) if o.parts and not all(alike(p, o, right[i]) for p in parts)]
    # Other numbers say more than the same numbers in another shape.
    index = next((i for i in indices if _other_numbers(outcomes[i], right[i])), indices[0])
    got, want = outcomes[index].parts, right[index].parts
    lines = [*_input_lines(exercise, exercise.inputs[index]), ""]
    for name in parts:
        if not close(got[name], want[name]):
            lines += _difference(name, got[name], want[name])
    text = f"The smallest example that shows it:\n\n{indented(lines)}"
    wrong = _differing(outcomes, right)
    told = [name for name in want if name in exercise.returns or "running" in name]
    for words, names in (
        ("Right on every input", [name for name in told if name not in wrong]),
        ("Not right yet either", [name for name in told if name in wrong and name not in parts]),
    ):
        if names:
            text += f"\n\n{words}: {', '.join(f'`{name}`' for name in names)}."
    return text


def _other_numbers(outcome, right):
    """Say whether more than the number of axes is wrong."""
    return outcome.parts is None or not all(
        close(np.squeeze(outcome.parts[name]), np.squeeze(want)) for name, want in right.parts.items()
    )


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


def _signature(f):
    try:
        return inspect.signature(f)
    except Exception:  # some built-in functions do not tell
        return None


def _accepts(signature, exercise):
    try:
        signature.bind(*exercise.parameters)
    except TypeError:
        return False
    return True


def _reordered(names, parameters):
    return names != parameters and sorted(names) == sorted(parameters)


def _does_nothing(f):
    """Say whether a function has an empty body (a docstring, ... or pass): then it compiles to almost nothing."""
    code = getattr(f, "__code__", None)
    return code is not None and len(code.co_code) <= len(_empty.__code__.co_code)


def _empty():
    """Do nothing, with a docstring and an ellipsis like the stubs of the notebooks."""


def _unchanged(given, original):
    if isinstance(original, dict):
        return given.keys() == original.keys() and all(_unchanged(given[k], original[k]) for k in original)
    try:
        return np.shape(given) == np.shape(original) and bool(np.all(given == original))
    except Exception:  # something that cannot be compared has been put there
        return False


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
    message = f"{type(error).__name__}: {_words(error)}".rstrip(": \n")
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame.filename)]
    if not theirs:
        return f"The error:\n\n{indented(message.splitlines())}"
    frame = theirs[-1]
    where = os.path.basename(frame.filename) if os.path.isfile(frame.filename) else "your cell"
    place = f"Line {frame.lineno} of {where}, in `{frame.name}`:"
    return f"{place}\n\n{indented([*filter(None, [frame.line]), *message.splitlines()])}"


def _words(thing):
    try:
        return str(thing)
    except Exception:  # its own __str__ is wrong
        return ""


def _is_theirs(filename):
    return not filename.startswith("<frozen") and not os.path.realpath(filename).startswith(_INSTALLED)
