"""What the clinic says of a case: the symptom, how an answer compares with the run, and the explanation."""

import statistics

from bn_teach.lessons.clinic.causes import CAUSES


def clinic_symptom(case, broken):
    """Say what somebody saw, with the numbers of this run.

    Parameters
    ----------
    case : Case
    broken : Run

    Returns
    -------
    str
    """
    return case.symptom.format(**broken.facts, before=case.experiment.written(broken.value))


def clinic_verdict(case, broken, fixed, cause, number):
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
    truth = case.truth(broken, fixed)
    right, off = cause == case.cause, number - truth
    close = abs(off) <= case.close
    named = "Right" if right else f"You named: {CAUSES[cause]}. It is another one"
    distance = "close enough" if close else f"{_number(case, abs(off))} too {'high' if off > 0 else 'low'}"
    said = f"You said {number:g}, the run says {_number(case, truth)}{_unit(case)}: {distance}."
    return right, close, f"{named}: {CAUSES[case.cause]}. {said}"


def clinic_reveal(case, broken, fixed):
    """Explain a case.

    Parameters
    ----------
    case : Case
    broken, fixed : Run

    Returns
    -------
    list of (str, str)
        Headings and paragraphs; the threads are not among them.
    """
    values = _values(case.experiment, broken, fixed)
    paragraphs = [
        ("Formula", case.formula),
        ("Fix", f"{case.fix} {effect_sentence(case.experiment, broken, fixed)}"),
        ("Spot it", case.spot),
        ("Careful", case.careful),
    ]
    return [(heading, text.format(**values)) for heading, text in paragraphs]


def clinic_twist(twist, broken, fixed):
    """Say what the turned picture shows.

    Parameters
    ----------
    twist : Twist
    broken, fixed : Run
        Of its experiment.

    Returns
    -------
    str
    """
    words = twist.words.format(**_values(twist.experiment, broken, fixed))
    return f"{words} {_over_seeds(twist.experiment, '{} and {}')}"


def effect_sentence(experiment, broken, fixed):
    """Say how large an effect is, in this run and over the seeds that were measured.

    Parameters
    ----------
    experiment : Experiment
    broken, fixed : Run

    Returns
    -------
    str
    """
    here = f"In this run, {experiment.number}: {experiment.written(broken.value)} before, "
    return f"{here}{experiment.written(fixed.value)} after. {_over_seeds(experiment, '{} before, {} after')}"


def clinic_score(results, total):
    """Say how far a walk through the clinic has come.

    Parameters
    ----------
    results : iterable of (bool, bool)
        For each case done: was the cause right, was the number close?
    total : int

    Returns
    -------
    str
    """
    results = list(results)
    if not results:
        return f"0 of {total} cases done"
    causes, numbers = (sum(part) for part in zip(*results, strict=True))
    return f"{len(results)} of {total} cases done: cause right {causes}, number close {numbers}"


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
    rows = [("", "before", "after", "change", "seeds")]
    for title, experiment in experiments.items():
        effect = experiment.effect
        unit = "points" if experiment.unit == "%" else experiment.unit
        change = f"{experiment.rounded(effect.size, '+')} ± {experiment.rounded(effect.spread)} {unit}"
        before, after = (_mean(values, experiment) for values in (effect.before, effect.after))
        rows.append((title, before, after, change, str(len(effect.seeds))))
    widths = [max(len(line[column]) for line in rows) for column in range(5)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in rows)


def _over_seeds(experiment, both):
    effect = experiment.effect
    means = both.format(*(_mean(values, experiment) for values in (effect.before, effect.after)))
    change = f"{experiment.rounded(effect.size, '+')} ± {experiment.rounded(effect.spread)}"
    return (
        f"Over {len(effect.seeds)} seeds: {means}, a difference of {change} (mean ± standard deviation from seed to "
        "seed)."
    )


def _mean(values, experiment):
    return f"{experiment.rounded(statistics.fmean(values))} ± {experiment.rounded(statistics.stdev(values))}"


def _values(experiment, broken, fixed):
    written = {"before": experiment.written(broken.value), "after": experiment.written(fixed.value)}
    return {**fixed.facts, **broken.facts, **written}


def _number(case, value):
    """Write a number of the question as exactly as an answer is asked for."""
    return f"{value:.2f}" if case.close < 0.3 else f"{value:.1f}" if case.close < 10 else f"{value:.0f}"


def _unit(case):
    return f" {case.unit}" if case.unit else ""
