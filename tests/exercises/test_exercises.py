import contextlib
import html.parser
import io
import itertools
import re
from functools import partial

import numpy as np
import pytest

from bn_teach import exercises
from bn_teach.exercises import EXERCISES, MISTAKES, Verdict, hint, solution
from bn_teach.exercises.checking import TOLERANCE, Outcome, _halved, _moved, call, planted, recognise, show
from bn_teach.exercises.table import ROWS, variants
from bn_teach.exercises.text import to_html

NAMES = (
    "batch_statistics", "normalize", "running_average", "debias", "inference", "layer", "backward", "population",
)  # fmt: skip


def check(name, f):
    return getattr(exercises, f"check_{name}")(f)


def learner(source):
    """Define a function the way a notebook does."""
    namespace = {"np": np}
    exec(source, namespace)
    return [f for key, f in namespace.items() if callable(f) and not key.startswith("_") and key != "np"][-1]


def test_the_eight_exercises_have_a_check_a_hint_and_a_solution():
    assert tuple(EXERCISES) == NAMES
    for name in NAMES:
        assert name in str(hint(name))
        assert f"def {EXERCISES[name].signature}:" in str(solution(name))


# The table


@pytest.mark.parametrize("name", NAMES)
def test_no_two_rows_are_confused_and_none_with_the_right_answer(name):
    exercise = EXERCISES[name]
    right = [call(exercise, exercise.reference, args) for args in exercise.inputs]
    rows = [("right", right, []), *((row.name, outcomes, spoilt) for row, outcomes, spoilt in planted(name))]
    for (a, of_a, _), (b, of_b, wrong_in_b) in itertools.combinations(rows, 2):
        apart = {part: max(distance(part, *pair) for pair in zip(of_a, of_b)) for part in right[0].parts}
        if a != b:
            assert max(apart.values()) > 10 * TOLERANCE, (a, b)
        # Each part alone is told apart as well, unless it is the very same.
        assert not [part for part, far in apart.items() if TOLERANCE < far <= 10 * TOLERANCE], (a, b)
        if a == "right":
            assert wrong_in_b, b
            assert all(apart[part] > TOLERANCE for part in wrong_in_b), b


def distance(part, outcome, other):
    """The largest difference, as a fraction of the largest number: what TOLERANCE is compared with."""
    if outcome.parts is None or other.parts is None:
        return np.inf if outcome.error is not other.error else 0.0
    a, b = outcome.parts[part], other.parts[part]
    return np.inf if a.shape != b.shape else np.abs(a - b).max() / (max(np.abs(a).max(), np.abs(b).max()) or 1)


@pytest.mark.parametrize(
    ("name", "index"), [(name, i) for name in NAMES for i in range(len(variants(name)))], ids=lambda value: str(value)
)
def test_every_row_is_recognised_and_shown_in_numbers_that_differ(name, index):
    row, f = variants(name)[index]
    verdict = check(name, f)
    assert verdict.mistake == row.name
    assert "array of shape" not in verdict.message  # small enough to follow by hand
    pairs = re.findall(r"should be +(\S.*)\n +.*yours is +(\S.*)", verdict.message)
    assert pairs
    assert all(right != yours for right, yours in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_one_wrong_part_alone_is_explained_in_words_that_are_true_of_it(name):
    exercise = EXERCISES[name]
    right = [call(exercise, exercise.reference, args) for args in exercise.inputs]
    for row, theirs, spoilt in planted(name):
        if all(outcome.parts for outcome in theirs):
            for part in spoilt:
                mixed = [Outcome({**r.parts, part: t.parts[part]}) for r, t in zip(right, theirs)]
                mistake, parts = recognise(name, mixed)
                if mistake != row.name:  # another row makes the very same of this part, or half an exchange is none
                    assert mistake is None if row.whole else part in parts


@pytest.mark.parametrize(
    ("row", "name"), [(row, name) for row in ROWS for name in row.keeps], ids=lambda v: getattr(v, "name", v)
)
def test_what_belongs_apart_stays_apart_in_the_right_answer(row, name):
    exercise, (change, look) = EXERCISES[name], row.keeps[name]
    changes = False
    for args in exercise.inputs:
        before, after = (call(exercise, exercise.reference, its).parts for its in (args, change(args)))
        changes |= any(
            before[part].shape != after[part].shape or np.any(before[part] != after[part]) for part in before
        )
        for part in before:
            np.testing.assert_allclose(look(after[part]), look(before[part]), rtol=1e-12)
    assert changes or row.name == "order-of-batches"


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_that_may_be_forgotten_moves_the_right_answer(name):
    forgettable = {argument for row in ROWS for argument in row.ignores}
    exercise = EXERCISES[name]
    there = {*exercise.parameters, *exercise.inputs[0][0]} if name == "layer" else {*exercise.parameters}
    for argument in forgettable & there:
        moved = _moved(exercise, exercise.reference, partial(_halved, exercise, argument))
        assert moved & {*exercise.returns, 'new_state["running_mean"]'}, argument


def test_inputs_are_well_chosen():
    for name in NAMES:
        for args in EXERCISES[name].inputs:
            given = dict(zip(EXERCISES[name].parameters, args))
            given |= given.get("state", {})
            assert np.all(given.get("gamma", 2.0) != 1)
            assert np.all(given.get("beta", 2.0) != 0)
            assert given.get("eps") in (None, 0.1, 5.0, 15.0)
            if "dy" in given:
                assert np.ptp(given["dy"]) > 0
            if "x" in given and given["x"].shape[0] == given["x"].shape[1]:
                assert not np.allclose(given["x"], given["x"].T)


# What is told from how a function behaves

STUBS = (
    "{head}\n    ...",
    "{head}\n    pass",
    "{head}\n    return None",
    '{head}\n    """What is asked."""',
    '{head}\n    """What is asked."""\n    ...  # your answer',
    '{head}\n    """What is asked."""\n    raise NotImplementedError',
    "{head}\n    raise NotImplementedError('your answer here')",
    "{head}\n    return ...",
    "{head}\n    answer = ...\n    return 2 * answer",
    "{head}\n    answer = ...\n    return answer.mean()",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_unanswered_and_stops_nothing(name):
    stubs = [stub.format(head=f"def {EXERCISES[name].signature}:") for stub in STUBS]
    for stub in [*stubs, EXERCISES[name].stub]:
        verdict = check(name, learner(stub))
        assert (verdict.passed, verdict.mistake) == (False, "unanswered"), stub
        assert verdict.title == "Not answered yet"


def test_parts_left_open_are_unanswered():
    verdict = check("batch_statistics", lambda x: (x.mean(0), ...))
    assert verdict.mistake == "unanswered"
    assert "Still open: `var`." in verdict.message


def test_a_forgotten_return_is_told():
    def f(x):
        mean = x.mean(axis=0)
        var = x.var(axis=0)
        print(mean + var, end="")

    verdict = check("batch_statistics", f)
    assert verdict.mistake == "none-returned"
    assert "x = [[1], [5]]" in verdict.message


def test_a_return_forgotten_in_one_mode_shows_which():
    def f(state, x, training):
        if training:
            return exercises.solutions.layer(state, x, training)

    verdict = check("layer", f)
    assert verdict.mistake == "none-returned"
    assert "training = False" in verdict.message


@pytest.mark.parametrize("value", [None, 3, "normalize", np.ones(3)])
def test_what_is_no_function_is_told(value):
    verdict = check("normalize", value)
    assert verdict.mistake == "not-callable"
    assert "`check_normalize(normalize)`" in verdict.message


@pytest.mark.parametrize("f", [lambda x: x, lambda x, gamma, beta, eps, more: x, lambda x, *, gamma, beta, eps: x])
def test_wrong_arguments_are_told(f):
    verdict = check("normalize", f)
    assert verdict.mistake == "wrong-arguments"
    assert "`normalize(x, gamma, beta, eps)`" in verdict.message


def test_further_parameters_with_defaults_are_fine():
    assert check("running_average", lambda r, b, p, unused=None: p * r + (1 - p) * b)


def test_an_exception_is_shown_as_theirs_with_its_line():
    def helper(x):
        return np.linalg.inv(x)  # their line

    def f(dy, x, gamma, eps):
        return helper(x)

    verdict = check("backward", f)
    line = helper.__code__.co_firstlineno + 1
    assert verdict.mistake == "exception"
    assert (
        f"Line {line} of test_exercises.py, in `helper`:\n\n    return np.linalg.inv(x)  # their line"
        in verdict.message
    )
    assert "LinAlgError: Last 2 dimensions of the array must be square" in verdict.message
    assert "linalg.py" not in verdict.message
    assert "checking.py" not in verdict.message


def test_an_exception_in_a_cell_is_shown_with_its_line(monkeypatch):
    import linecache

    source = "def f(x):\n    mean = x.mean(axis=0)\n    return mean, nonsense\n"
    name = "ipykernel_1/234.py"  # what ipykernel calls a cell, whose source it puts into linecache
    monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(keepends=True), name))
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    message = check("batch_statistics", namespace["f"]).message
    assert "Line 3 of your cell, in `f`:\n\n    return mean, nonsense\n    NameError: name 'nonsense'" in message


def test_an_exception_without_a_line_of_theirs_is_shown_too():
    verdict = check("batch_statistics", np.linalg.inv)
    assert verdict.mistake == "exception"
    assert "LinAlgError" in verdict.message
    assert "Line" not in verdict.message


def test_an_exception_without_a_message_and_deep_recursion_are_shown():
    def f(x):
        return f(x)

    def g(x):
        raise ValueError

    assert "RecursionError" in check("batch_statistics", f).message
    assert "    ValueError\n" in check("batch_statistics", g).message + "\n"


def test_an_exception_that_a_known_mistake_leads_to_is_recognised_and_shown():
    def f(x, gamma, beta, eps):
        centred = x - x.mean(axis=1)
        return gamma * centred / np.sqrt(x.var(axis=1) + eps) + beta

    verdict = check("normalize", f)
    assert verdict.mistake == "wrong-axis"
    assert "centred = x - x.mean(axis=1)\n    ValueError: operands could not be broadcast" in verdict.message


def test_an_interrupt_is_not_swallowed():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("batch_statistics", f)


@pytest.mark.parametrize(
    ("name", "f", "mistake", "words"),
    [
        ("batch_statistics", lambda x: x.mean(0), "wrong-count", "2 results, `(mean, var)`"),
        ("batch_statistics", lambda x: (x.mean(0), x.var(0), len(x)), "wrong-count", "yours has 3"),
        ("batch_statistics", lambda x: {"mean": 1, "var": 2}, "wrong-count", "a dict"),
        ("batch_statistics", lambda x: (v for v in x), "wrong-count", "a generator"),
        ("batch_statistics", lambda x: ("a", "b"), "wrong-type", "`mean` should be an array of real numbers"),
        (
            "batch_statistics",
            lambda x: (x.mean(0), None),
            "wrong-type",
            "`var` should be an array of real numbers, and is None",
        ),
        ("batch_statistics", lambda x: (x.mean(0), [[1], [2, 3]]), "wrong-type", "a list"),
        ("batch_statistics", lambda x: (x.mean(0), x.var(0) > 1), "wrong-type", "dtype bool"),
        ("batch_statistics", lambda x: (x.mean(0), x.var(0) + 0j), "wrong-type", "dtype complex128"),
        (
            "batch_statistics",
            lambda x: (x.mean(0, keepdims=True), x.var(0, keepdims=True)),
            "wrong-shape",
            "The values are right",
        ),
        ("batch_statistics", lambda x: (x.mean(0), x), "wrong-shape", "`var` has shape (2, 1); asked for is (1,)"),
        ("batch_statistics", lambda x: (x.mean(0), np.var(x[:0], 0)), "not-finite", "1 of 1 values"),
        ("normalize", lambda x, g, b, e: (x, "cache"), "wrong-count", "a tuple of 2 values"),
        ("normalize", lambda x, g, b, e: x[:, 0], "wrong-shape", "`y` has shape (2,); asked for is (2, 1)"),
        ("normalize", lambda x, g, b, e: x / (x - x), "not-finite", "`y`"),
        ("normalize", lambda x, g, b, e: np.sqrt(-x), "not-finite", "2 of 2 values"),
        ("running_average", lambda r, b, p: "2", "wrong-type", "a str"),
        ("layer", lambda s, x, t: (x, x), "wrong-type", "`new_state` should be a dict"),
        ("layer", lambda s, x, t: (x, {"running_mean": 0, "running_var": 1}), "wrong-type", "lacks `gamma`, `beta`"),
        ("layer", lambda s, x, t: x, "wrong-count", "(y, new_state)"),
        ("layer", lambda s, x, t: (x, {**s, "gamma": None}), "wrong-type", '`new_state["gamma"]`'),
    ],
)
def test_none_nan_wrong_shapes_types_and_counts_are_told_plainly(name, f, mistake, words):
    verdict = check(name, f)
    assert verdict.mistake == mistake, verdict
    assert verdict.message.startswith(MISTAKES[mistake])
    assert words in verdict.message
    assert "It was called with\n\n    " in verdict.message


def test_editing_the_input_is_told_by_name():
    def normalize(x, gamma, beta, eps):
        mean, var = x.mean(0), x.var(0)
        x -= mean
        x /= np.sqrt(var + eps)
        return gamma * x + beta

    verdict = check("normalize", normalize)
    assert verdict.mistake == "input-edited"
    assert "edited `x` in place" in verdict.message


def test_editing_the_input_instead_of_returning_is_told():
    def running_average(running, batch, momentum):
        running[:] = momentum * running + (1 - momentum) * batch

    verdict = check("running_average", running_average)
    assert verdict.mistake == "none-returned"
    assert "edited `running` in place" in verdict.message


@pytest.mark.parametrize(
    "edit",
    [
        "state['running_mean'] = 2 * state['running_mean']",
        "state['running_mean'] *= 2",
        "state.pop('eps')",
        "state['steps'] = 1",
        "state['momentum'] = np.array([0.75])",
    ],
)
def test_editing_the_state_is_told(edit):
    f = learner(f"""
import copy
from bn_teach.exercises.solutions import layer
def f(state, x, training):
    answer = copy.deepcopy(layer(state, x, training))
    {edit}
    return answer
""")
    verdict = check("layer", f)
    assert verdict.mistake == "input-edited"
    assert "`state`" in verdict.message


def test_a_check_leaves_no_trace_in_the_next_one():
    def spoil(x):
        x[:] = 0
        return x, x

    assert check("batch_statistics", spoil).mistake == "input-edited"
    assert check("batch_statistics", exercises.solutions.batch_statistics)


def test_what_has_no_name_is_shown():
    def f(x, gamma, beta, eps):
        return (gamma + 1) * (x - x.mean(0)) / (x.var(0) + eps) + beta

    verdict = check("normalize", f)
    assert verdict.mistake == "unrecognised"
    assert "x = [[1], [5]]" in verdict.message
    assert "y should be  [[8], [12]]" in verdict.message
    assert "yours is   [[9.111], [10.89]]" in verdict.message


def test_of_two_mistakes_in_one_part_the_argument_that_is_missing_is_told():
    def f(x, gamma, beta, eps):
        print("a line that the learner wants to see once a call")
        return beta * (x - x.mean(0)) / (x.var(0) + eps)

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert check("normalize", f).mistake == "gamma-forgotten"
    assert output.getvalue().count("\n") == len(EXERCISES["normalize"].inputs)


def test_what_only_large_inputs_show_is_told_by_the_first_deviation():
    def f(x):
        mean, var = x.mean(0), x.var(0)
        if x.size > 9:
            mean[1] += 1
        return mean, var

    verdict = check("batch_statistics", f)
    assert verdict.mistake == "unrecognised"
    assert "x = an array of shape (5, 3)" in verdict.message
    assert "Right on every input: `var`." in verdict.message

    def g(x, gamma, beta, eps):
        y = exercises.solutions.normalize(x, gamma, beta, eps)
        y[0, 2:] += 1
        return y

    assert re.search(r"y\[0, 2\] should be  \S+\n +yours is   \S+", check("normalize", g).message)


def test_anything_callable_may_be_checked():
    class Statistics:
        def __call__(self, x):
            return x.mean(0), x.var(0)

        def method(self, x):
            return self(x)

    assert check("batch_statistics", Statistics())
    assert check("batch_statistics", Statistics().method)


class Strange:
    """An object that raises whenever it is looked at."""

    def _refuse(self, *_, **__):
        raise RuntimeError("leave me alone")

    __array__ = __len__ = __eq__ = __str__ = __repr__ = __getitem__ = __iter__ = __bool__ = __float__ = _refuse
    __hash__ = None


class StrangeError(Exception):
    __str__ = Strange._refuse


class Hidden:
    """A function that does not let itself be examined."""

    def __getattr__(self, name):
        raise RuntimeError("leave me alone")

    def __call__(self, *args):
        return None


def _raise(error):
    raise error


def _endless():
    values = []
    values.append(values)
    return values


def _spoil(args):
    if isinstance(args[0], dict):
        args[0]["running_mean"] = args[0]["gamma"] = Strange()
        args[0]["beta"] = [[1], [2, 3]]
    else:
        args[0].resize((1, 1), refcheck=False)
        args[0][:] = np.nan
    return args[0]


async def _later(*args):
    return args


STRANGE = {
    "strange object": lambda *args: Strange(),
    "strange parts": lambda *args: (Strange(), Strange(), Strange()),
    "strange state": lambda *args: (args[-2], {name: Strange() for name in ("gamma", "running_mean")}),
    "strange error": lambda *args: _raise(StrangeError()),
    "error about a tuple": lambda *args: (1,) / 2,
    "system exit": lambda *args: _raise(SystemExit(3)),
    "endless list": lambda *args: _endless(),
    "endless lists": lambda *args: (_endless(), _endless()),
    "endless recursion": lambda *args: STRANGE["endless recursion"](*args),
    "everything given": lambda *args: args,
    "class": Strange,
    "hidden": Hidden(),
    "built-in": max,
    "ufunc": np.add,
    "method": np.ndarray.mean,
    "generator": lambda *args: (arg for arg in args),
    "dict": lambda *args: dict(enumerate(args)),
    "set": lambda *args: {1, 2},
    "words": lambda *args: "mean, var",
    "letters": lambda *args: tuple("abc"[: len(args)]),
    "huge": lambda *args: (10**400, -(10**400)),
    "infinite": lambda *args: args[-2] * np.inf,
    "infinities": lambda *args: (args[-2] * np.inf, args[-2] * np.nan),
    "empty": lambda *args: np.zeros((0, 3)),
    "empty tuple": lambda *args: (),
    "tuple of an empty tuple": lambda *args: ((),),
    "object array": lambda *args: np.array([None, "a", Strange], dtype=object),
    "dates": lambda *args: np.array(["2015-02-11"], dtype="datetime64[D]"),
    "records": lambda *args: np.zeros(2, dtype=[("mean", float), ("var", float)]),
    "many axes": lambda *args: np.zeros((1,) * 32),
    "one of each": lambda *args: (1.0, 2.0, 3.0),
    "type": int,
    "spoilt input": lambda *args: _spoil(args),
    "warnings as errors": lambda *args: np.seterr(all="raise") and args[0] / 0,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", STRANGE)
def test_no_answer_makes_a_check_or_a_hint_raise(name, kind):
    verdict = check(name, STRANGE[kind])
    assert not verdict.passed
    assert verdict.mistake in MISTAKES
    assert verdict._repr_mimebundle_()["text/html"]
    assert hint(name, STRANGE[kind]).hint
    assert np.geterr()["divide"] == "warn"


@pytest.mark.filterwarnings("ignore:coroutine")
def test_an_answer_that_has_to_be_awaited_is_none():
    assert check("running_average", _later).mistake in ("wrong-type", "wrong-arguments")


def test_a_warning_of_theirs_is_told_by_the_verdict_alone():
    verdict = check("batch_statistics", lambda x: (x.mean(0), x[:1].var(0, ddof=1)))  # pytest makes warnings errors
    assert verdict.mistake == "not-finite"


# Solutions, hints, statements


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_as_shown_passes_its_check(name):
    namespace = {"np": np}
    exec(solution(name).source, namespace)
    assert check(name, namespace[name])
    assert solution(name).why


@pytest.mark.parametrize("ask", [hint, solution])
def test_an_unknown_name_is_refused_with_the_names_there_are(ask):
    with pytest.raises(ValueError, match=r"'batch_statistics', 'normalize'.*got 'normalise'"):
        ask("normalise")
    with pytest.raises(TypeError):
        ask(None)


def test_explanations_are_complete_sentences_and_questions_end_as_such():
    for explanation in MISTAKES.values():
        assert re.fullmatch(r"\S.*[.?]\)?", explanation), explanation
    for row in ROWS:
        assert re.fullmatch(r"[a-z][^\n]{10,110}\?", row.question), row.question
        assert row.name not in row.question


# How it looks


class Parser(html.parser.HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


TEXTS = [
    *(EXERCISES[name] for name in NAMES),
    *(hint(name) for name in NAMES),
    *(solution(name) for name in NAMES),
    Verdict(True, None, "All is well."),
    Verdict(False, "exception", "An error:\n\n    x < y & <script>alert(1)</script>\n\n    z\n\nRead `a < b` & think."),
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.title)
def test_rich_text_is_well_formed_semantic_escaped_and_uncoloured(text):
    bundle = text._repr_mimebundle_()
    page = Parser(bundle["text/html"])
    assert {tag for tag, _ in page.seen} <= {"div", "p", "strong", "pre", "code"}
    assert "color" not in bundle["text/html"]
    assert bundle["text/plain"] == str(text) == repr(text)

    def words(s):
        return re.sub(r"[\s`]+", "", s)

    assert words(page.text) == words(str(text))


def test_a_verdict_asks_in_words_and_leaves_the_name_to_code():
    assert str(Verdict(True, None, "All is well.")) == "Right\n\nAll is well."
    assert Verdict(False, "wrong-axis", "Look.").title == "Not yet"
    verdict = check("running_average", lambda running, batch, momentum: (1 - momentum) * running + momentum * batch)
    assert str(verdict) == (
        "Not yet: for a momentum close to 1, which should weigh more, the past or the newest mini-batch?\n\n"
        "The smallest example that shows it:\n\n"
        "    running = [1]\n    batch = [5]\n    momentum = 0.75\n\n"
        "    new_running should be  [2]\n                yours is   [4]\n\n"
        'To be told what to change: `hint("running_average", running_average)`.'
    )
    assert verdict.mistake == "momentum-reversed"
    assert "<strong>Not yet: for a momentum close to 1" in verdict._repr_mimebundle_()["text/html"]


def test_a_notebook_shows_the_rich_text_through_the_usual_protocol():
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(Verdict(True, None, "All is well."))
    assert data["text/plain"] == "Right\n\nAll is well."
    assert data["text/html"].startswith("<div")


def test_the_small_format():
    assert to_html("One\nline `x < 1`.\n\n    a\n\n    b\nNext") == (
        '<p>One line <code>x &lt; 1</code>.</p><pre style="white-space: pre-wrap"><code>a\n\nb</code></pre><p>Next</p>'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([[1.0], [-0.0]]), "[[1], [0]]"),
        (1 / 3, "0.3333"),
        (True, "True"),
        (np.zeros((5, 3)), "an array of shape (5, 3)"),
        ({"eps": 0.1, "beta": np.array([2.0])}, '{"eps": 0.1, "beta": [2]}'),
    ],
)
def test_values_are_shown_short(value, text):
    assert show(value) == text
