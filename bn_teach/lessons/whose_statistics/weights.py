"""The picture of `ChangedWeightsExplorer`: accuracy under several statistics, and whether these still fit."""

import numpy as np

from bn_teach.lessons.shared.choices import cost, percent
from bn_teach.lessons.shared.panels import (
    BATCH,
    CUMULATIVE,
    EXACT,
    OWN,
    POPULATION,
    RUNNING,
    START,
    TEXT,
    Picture,
    dots,
    line,
    panels,
)
from bn_teach.lessons.whose_statistics.changed import AMOUNTS

CHANGE_LABELS = {
    "pruned": "pruned: the smallest weights set to 0",
    "rounded": "rounded to a few bits",
    "swa": "averaged, all alike (SWA)",
    "ema": "averaged, moving (EMA)",
}
WORDS = {
    "old": "of the weights as trained",
    "few": "of 64 unlabelled images",
    "recomputed": "recomputed",
    "averaged": "averaged as the weights are",
    "first": "of the first weights averaged",
    "never": "never set, 0 and 1",
}
"""Whose statistics."""
_STYLES = {
    "old": (RUNNING, "solid"),
    "few": (OWN, "dot"),
    "recomputed": (EXACT, "dash"),
    "averaged": (CUMULATIVE, "dashdot"),
    "first": (POPULATION, "8px,2px,2px,2px"),
    "never": (START, "3px,3px"),
}
_COMPARED = "old", "few"
_KINDS = "mean", "standard deviation"
_LINES = {
    **{
        name: (1, WORDS[name], {**line(*style), "mode": "lines+markers", "marker": {"size": 5}})
        for name, style in _STYLES.items()
    },
    "here": (
        1,
        "your choice",
        {"mode": "markers", "marker": {"symbol": "circle-open", "color": TEXT, "size": 14, "line": {"width": 2}}},
    ),
    **{
        f"{kind}, {name}": (panel, WORDS[name], dots(_STYLES[name][0], size=5) | {"showlegend": False})
        for panel, kind in enumerate(_KINDS, start=2)
        for name in _COMPARED
    },
    **{
        f"{kind}, alike": (panel, "stored = recomputed", line(BATCH, "dash", 1.5))
        for panel, kind in enumerate(_KINDS, start=2)
    },
}
_UNITS = {
    "pruned": "% of the weights pruned",
    "rounded": "bits kept of a weight",
    "swa": "checkpoints averaged",
    "ema": "span of the average, in checkpoints",
}


def axes():
    """Draw accuracy over how far the weights were changed, and stored against recomputed statistics, without lines."""
    figure = panels(
        ("% read rightly", "means", "standard deviations"),
        _LINES,
        x_titles=("", "recomputed (↑ stored)", "recomputed (↑ stored)"),
        widths=(0.44, 0.28, 0.28),
    )
    return figure.update_xaxes(tickvals=list(range(8)), ticktext=[""] * 8, range=[-0.5, 7.5], tickangle=0, col=1)


def amount_labels(change):
    """Write the amounts of a change as a slider shows them."""
    unit = {"pruned": " %", "rounded": " bits", "swa": "", "ema": ""}[change]
    return [f"{amount}{unit}" for amount in AMOUNTS[change]]


def picture(state, found):
    """Show what a change of the weights does to the accuracy, and whether stored statistics still fit.

    Parameters
    ----------
    state : ChangedWeightsState
    found : list of Changed
        One for each of the change's amounts.

    Returns
    -------
    Picture
    """
    places, nothing = np.arange(float(len(found))), np.full(len(found), np.nan)
    curves = {
        name: np.array([one.accuracy[name] for one in found]) if name in found[0].accuracy else nothing
        for name in _STYLES
    }
    here = found[state.amount]
    told = list(here.accuracy.values())
    traces = {name: (places, curve) for name, curve in curves.items()}
    traces["here"] = np.full(len(told), float(state.amount)), np.array(told)
    ranges = {
        "yaxis": [10.0 * (np.nanmin(list(curves.values())) // 10), 101.0],
        "xaxis.title": {"text": _UNITS[state.change]},
        "xaxis": {"ticktext": [str(amount) for amount in AMOUNTS[state.change]]},
    }
    for panel, kind in enumerate(_KINDS, start=2):
        true = _of_all_units(here, "recomputed", kind)
        traces |= {f"{kind}, {name}": (true, _of_all_units(here, name, kind)) for name in _COMPARED}
        ends = _extent(found, kind)
        traces[f"{kind}, alike"] = ends, ends
        ranges |= {f"xaxis{panel}": ends.tolist(), f"yaxis{panel}": ends.tolist()}
    return Picture(traces, ranges, _sentence(state, found))


def _of_all_units(changed, name, kind):
    """Means or standard deviations of the units of all layers, in one row."""
    if kind == "mean":
        return np.concatenate([mean for mean, _ in changed.statistics[name]])
    return np.sqrt(np.concatenate([var for _, var in changed.statistics[name]]))


def _extent(found, kind):
    """From the least to the largest of the statistics shown, whatever the amount."""
    values = np.concatenate([_of_all_units(one, name, kind) for one in found for name in (*_COMPARED, "recomputed")])
    low, high = np.quantile(values, [0.002, 0.998])
    margin = 0.05 * (high - low) or 1.0
    return np.array([0.0 if kind == "standard deviation" else low - margin, high + margin])


# In words


def _done(state, amount):
    if amount == AMOUNTS[state.change][0]:
        return "The weights are as trained."
    return {
        "pruned": f"The smallest {amount} % of the weights below each batch norm are set to 0.",
        "rounded": f"Of each weight below a batch norm {amount} {'bit is' if amount == 1 else 'bits are'} left.",
        "swa": f"The weights are the average of the last {amount} checkpoints.",
        "ema": f"The weights are a moving average over the checkpoints that keeps {1 - 1 / amount:.3g} of the old.",
    }[state.change]


def _sentence(state, found):
    here = found[state.amount]
    told = ", ".join(f"{WORDS[name]} {percent(here.accuracy[name] / 100)}" for name in _STYLES if name in here.accuracy)
    recomputed, trained = here.accuracy["recomputed"], found[0].accuracy["recomputed"]
    by_statistics, by_weights = cost((here.accuracy["old"] - recomputed) / 100), cost((recomputed - trained) / 100)
    said, spread = (_of_all_units(here, name, "standard deviation") for name in ("old", "recomputed"))
    return (
        f"{_done(state, here.amount)} Read rightly with statistics {told}. Against recomputed statistics the old ones "
        f"{by_statistics}; against the weights as trained, both with statistics recomputed, these {by_weights}. "
        f"The median unit has {np.median(spread[said > 0] / said[said > 0]):.2f} times the standard deviation that the "
        "old statistics say."
    )
