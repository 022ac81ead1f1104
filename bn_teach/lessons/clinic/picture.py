"""The picture of `ClinicExplorer`: a broken run, its fix, the difference over several seeds, and the words for them."""

import statistics

import numpy as np

from bn_teach.lessons.clinic.case import CAUSES, Twist
from bn_teach.lessons.shared.panels import BATCH, FIXED, NOTHING, RUNNING, Picture, dots, line, panels
from bn_teach.lessons.shared.question import Ruler


def _ring(color):
    marker = {"symbol": "circle-open", "color": color, "size": 14, "line": {"color": color, "width": 2.5}}
    return {"mode": "markers", "marker": marker}


_SEEN, _FIXED = "before", "after"
_SIDES = "broken", "fixed"
_LINES = {
    "reference": (1, "to compare with", line(BATCH, "dot", 2)),
    "seen": (1, _SEEN, line(RUNNING)),
    "fixed": (1, _FIXED, line(FIXED, "dash", 2.5)),
    "before": (2, _SEEN, dots(RUNNING, size=7)),
    "after": (2, _FIXED, dots(FIXED, size=7)),
    "this run before": (2, "this run", _ring(RUNNING)),
    "this run after": (2, "this run", _ring(FIXED)),
}


def axes():
    """Draw the run, and the number that it is about, broken and fixed, for several seeds; without lines."""
    titles = ("the run", "over several seeds")
    figure = panels(titles, _LINES, x_titles=("training step", ""), widths=(0.68, 0.32))
    figure.update_xaxes(tickvals=[0, 1], ticktext=_SIDES, range=[-0.6, 1.6], showgrid=False, zeroline=False, col=2)
    return figure


def picture(shown, broken, fixed=None, answer=None):
    """Show a broken run; once an answer is committed, its fix as well, and how the answer compares.

    Parameters
    ----------
    shown : Case or Twist
    broken, fixed : Run
        Of its experiment. Without `fixed`, nothing of the fix is shown, neither of this run nor of those measured
        before.
    answer : (str, float)
        Cause and number, where a case is shown with its fix.

    Returns
    -------
    Picture
    """
    experiment = shown.experiment
    sentence = _sentence(shown, broken, fixed, answer)
    return Picture(_traces(experiment, broken, fixed), _ranges(shown, broken), sentence)


def nothing(case, why):
    """Show an empty picture, and why a case could not be run."""
    return Picture(dict.fromkeys(_LINES, NOTHING), {}, f"'{case.title}' cannot be reproduced here: {why}.")


def _traces(experiment, broken, fixed):
    effect = experiment.effect
    drawn = {**broken.lines, "before": _beside(0, effect.before), "this run before": _at(0, broken.value)}
    if fixed is not None:
        drawn |= {**fixed.lines, "after": _beside(1, effect.after), "this run after": _at(1, fixed.value)}
    return {key: drawn.get(key, NOTHING) for key in _LINES}


def _beside(place, values):
    """Dots of several seeds, a little apart so that they do not hide each other."""
    return place + np.linspace(-0.2, 0.2, len(values)), np.array(values)


def _at(place, value):
    return np.array([float(place)]), np.array([value])


def _ranges(shown, broken):
    """Ranges and titles: the same before and after the fix."""
    experiment = shown.experiment
    where, number = experiment.axes, f"{experiment.number}, {experiment.unit}".removesuffix(", ")
    first, last = (pick(float(x[end]) for x, _ in broken.lines.values()) for pick, end in ((min, 0), (max, -1)))
    return {
        "xaxis": [first if first > last / 2 else 0.0, 1.02 * last],
        "yaxis": list(where.y_range),
        "yaxis2": list(where.value_range),
        "xaxis.title": {"text": where.x_title},
        "xaxis2": {"ticktext": list(shown.sides if isinstance(shown, Twist) else _SIDES)},
        "annotations[0]": {"text": where.title},
        "annotations[1]": {"text": f"{number} ({len(experiment.effect.seeds)} seeds)"},
    }


# In words


def _sentence(shown, broken, fixed, answer):
    experiment = shown.experiment
    if isinstance(shown, Twist):
        words = shown.words.format(**_values(experiment, broken, fixed))
        return f"{words} {_over_seeds(experiment, '{} and {}')}"
    if answer is None:
        number = f"{experiment.number[0].upper()}{experiment.number[1:]}"
        return f"{number}: {experiment.written(broken.value)}. Name a cause and commit a number."
    return verdict(shown, broken, fixed, *answer)[-1]


def symptom(case, broken):
    """Say what somebody saw, with the numbers of this run."""
    return case.symptom.format(**broken.facts, before=case.experiment.written(broken.value))


def turned(twist, broken, fixed):
    """Say of a turned picture what is compared in it, and why it comes out as it does: two paragraphs by heading."""
    values = _values(twist.experiment, broken, fixed)
    return {"The other side": twist.setting.format(**values), "Why": twist.why.format(**values)}


def verdict(case, broken, fixed, cause, number):
    """Compare an answer with what the two runs say.

    Parameters
    ----------
    case : Case
    broken, fixed : Run
    cause : str
        A key of `CAUSES`.
    number : float

    Returns
    -------
    right, close : bool
        Of the cause and of the number.
    text : str
    """
    right, ruler = cause == case.cause, Ruler(case.truth(broken, fixed), case.unit, case.computable)
    named = "Right" if right else f"You named: {CAUSES[cause]}. It is another one"
    return right, ruler.is_close(number), f"{named}: {CAUSES[case.cause]}. {ruler.reply(number)}"


def explanation(case, broken, fixed):
    """Explain a case: headings and paragraphs; the threads are not among them."""
    experiment = case.experiment
    values = _values(experiment, broken, fixed)
    here = f"In this run, {experiment.number}: {values['before']} before, {values['after']} after."
    paragraphs = {
        "Formula": case.formula,
        "Fix": f"{case.fix} {here} {_over_seeds(experiment, '{} before, {} after')}",
        "Spot it": case.spot,
        "Careful": case.careful,
    }
    return {heading: text.format(**values) for heading, text in paragraphs.items()}


def score(results, total):
    """Say how far a walk has come; a result is whether the cause was right, and whether the number was close."""
    done = f"{len(results)} of {total} cases done"
    if not results:
        return done
    causes, numbers = map(sum, zip(*results, strict=True))
    return f"{done}: cause right {causes}, number close {numbers}"


def clinic_table(experiments):
    """Write effects below each other: mean and standard deviation over the seeds that were measured.

    Parameters
    ----------
    experiments : dict of str to Experiment
        By what stands in the first column.

    Returns
    -------
    str
    """
    rows = [("", "before", "after", "", "change", "", "seeds")]
    for title, experiment in experiments.items():
        before, after, change = _measured(experiment)
        unit = experiment.unit or "(no unit)"
        changed = unit.replace("%", "points")
        rows.append((title, before, after, unit, change, changed, str(len(experiment.effect.seeds))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _over_seeds(experiment, both):
    before, after, change = _measured(experiment)
    return (
        f"Over {len(experiment.effect.seeds)} seeds: {both.format(before, after)}, a difference of {change} (mean ± "
        "standard deviation from seed to seed)."
    )


def _measured(experiment):
    """Mean ± standard deviation over the seeds: before the fix, after it, and of what it changed."""
    effect = experiment.effect
    return [
        f"{experiment.rounded(statistics.fmean(values), sign)} ± {experiment.rounded(statistics.stdev(values))}"
        for values, sign in ((effect.before, ""), (effect.after, ""), (effect.differences, "+"))
    ]


def _values(experiment, broken, fixed):
    written = {"before": experiment.written(broken.value), "after": experiment.written(fixed.value)}
    return {**fixed.facts, **broken.facts, **written}
