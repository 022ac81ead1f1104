"""Words and numbers that every sentence writes the same way."""


def percent(share):
    """Write a share as a percentage with one decimal: 0.984 is "98.4 %"."""
    return f"{100 * share:.1f} %"


def cost(difference):
    """Say what a difference of accuracies comes to, in percentage points."""
    points = 100 * difference
    if abs(points) < 0.05:
        return "cost nothing"
    if points < 0:
        return f"cost {-points:.1f} percentage points"
    return f"gain {points:.1f} percentage points"


def fill_in(templates, names, fields):
    """Put sentences together.

    Parameters
    ----------
    templates : dict of str to str
        Sentences with named fields in braces, by name.
    names : sequence of str
        Which of them, in order.
    fields : dict of str to str

    Returns
    -------
    str
    """
    return " ".join(templates[name].format(**fields) for name in names)
