"""The picture of `BatchStatisticsExplorer`: one population, and how the statistics of its mini-batches scatter."""

import math

import numpy as np

from bn_teach.lessons.shared.panels import (
    BATCH,
    EXACT,
    NOTHING,
    OWN,
    RUNNING,
    Picture,
    bars,
    dots,
    line,
    panels,
    round_up,
)
from bn_teach.theory import (
    batch_mean_density,
    batch_var_density,
    expected_biased_variance,
    running_mean_std,
    running_var_std,
)

_POPULATION = "population"
_MINI_BATCHES = "mini-batches"
_BIASED = "variance, over m"
_UNBIASED = "variance, over m-1"
_CLOSED = "closed form (Gaussian)"
_LINES = {
    "population": (1, _POPULATION, line(EXACT, "dash", 2)),
    "one batch": (1, _MINI_BATCHES, dots(BATCH, size=5, opacity=0.8)),
    "mean of one batch": (1, _MINI_BATCHES, line(BATCH)),
    "means": (2, _MINI_BATCHES, bars(BATCH)),
    "closed form of the means": (2, _CLOSED, line(BATCH, width=2)),
    "population mean": (2, _POPULATION, line(EXACT, "dash", 2)),
    "biased variances": (3, _BIASED, bars(OWN)),
    "unbiased variances": (3, _UNBIASED, bars(RUNNING)),
    "closed form of the biased variances": (3, _CLOSED, line(OWN, width=2)),
    "closed form of the unbiased variances": (3, _CLOSED, line(RUNNING, width=2)),
    "mean of the biased variances": (3, _BIASED, line(OWN, "dot", 2)),
    "mean of the unbiased variances": (3, _UNBIASED, line(RUNNING, "dot", 2)),
    "population variance": (3, _POPULATION, line(EXACT, "dash", 2)),
}
_BARS = 60


def axes():
    """Draw a population and one mini-batch, the means, and the variances, without lines."""
    titles = ("one mini-batch", "means of all mini-batches", "variances of all mini-batches")
    return panels(titles, _LINES, x_titles=("value", "mean", "variance"))


def picture(sample, variances, zoom):
    """Show a population, and the histograms of the means and the variances of its mini-batches.

    Parameters
    ----------
    sample : BatchSample
    variances : str
        Which are shown and spoken of: ``"biased"``, ``"unbiased"`` or ``"both"``.
    zoom : bool
        False: the same widths for every batch size, so that it shows how the histograms narrow. True:
        as wide as the histograms, so that their shape shows.

    Returns
    -------
    Picture
    """
    shapes = _shapes(sample)
    tops = _tops(shapes)
    traces = _traces(sample, variances, shapes, tops)
    return Picture(traces, _ranges(sample, zoom, tops), _sentence(sample, variances))


def _traces(sample, variances, shapes, tops):
    population = sample.population
    traces = {
        **shapes,
        "one batch": (sample.first.astype(np.float64), _scattered(sample.batch_size, tops[0])),
        "mean of one batch": _upright(sample.mean[0], 0.45 * tops[0]),
        "population mean": _upright(population.mean, tops[1]),
        "population variance": _upright(population.std**2, tops[2]),
    }
    for kind in ("biased", "unbiased"):
        traces[f"mean of the {kind} variances"] = _upright(getattr(sample, kind).mean(), tops[2])
        if variances not in ("both", kind):
            traces |= {f"{what}{kind} variances": NOTHING for what in ("", "closed form of the ", "mean of the ")}
    return traces


def _ranges(sample, zoom, tops):
    population = sample.population
    mean, std, variance = population.mean, population.std, population.std**2
    if zoom:
        spread, spread_of_variance = _spreads(sample)
        means = [mean - 4.5 * spread, mean + 4.5 * spread]
        variances = [max(variance - 4.5 * spread_of_variance, 0.0), variance + 4.5 * spread_of_variance]
    else:
        means = [mean - 2.2 * std, mean + 2.2 * std]
        variances = [0.0, 4 * variance]
    return {
        "xaxis": _window(population),
        "xaxis2": means,
        "xaxis3": variances,
        "yaxis": [0.0, tops[0]],
        "yaxis2": [0.0, tops[1]],
        "yaxis3": [0.0, tops[2]],
    }


def _shapes(sample):
    """The population, and of means and variances the histograms with their closed forms."""
    population, m = sample.population, sample.batch_size
    mean, variance = population.mean, population.std**2
    spread, spread_of_variance = _spreads(sample)
    values = np.linspace(*_window(population), 241)
    edges = mean + spread * np.linspace(-5, 5, _BARS + 1)
    x = np.linspace(edges[0], edges[-1], 201)
    shapes = {
        "population": (values, population.density(values)),
        "means": _histogram(sample.mean, edges),
        "closed form of the means": (x, batch_mean_density(x, population.std, m, mean=mean)),
    }
    edges = np.linspace(max(variance - 5 * spread_of_variance, 0.0), variance + 6 * spread_of_variance, _BARS + 1)
    # Not from 0 itself, where the curve of batches of two has no end.
    x = np.linspace(edges[0] + (edges[1] - edges[0]) / 8, edges[-1], 401)
    for kind in ("biased", "unbiased"):
        closed_form = batch_var_density(x, variance, m, unbiased=kind == "unbiased")
        shapes[f"{kind} variances"] = _histogram(getattr(sample, kind), edges)
        shapes[f"closed form of the {kind} variances"] = x, closed_form
    return shapes


def _tops(shapes):
    """The highest value that each panel needs, rounded up, so that another seed hardly moves the axes."""
    needed = ["population"], ["means", "closed form of the means"], ["biased variances", "unbiased variances"]
    return [round_up(1.05 * max(shapes[key][1].max() for key in keys)) for keys in needed]


def _spreads(sample):
    """Standard deviation of the batch means, and of the unbiased batch variances, by the closed forms."""
    population, m = sample.population, sample.batch_size
    kurtosis = population.excess_kurtosis
    return (
        running_mean_std(population.std, 0.0, m),
        running_var_std(population.std, 0.0, m, excess_kurtosis=kurtosis),
    )


def _window(population):
    return [population.mean - 3.5 * population.std, population.mean + 4.5 * population.std]


def _histogram(values, edges):
    """Bars of area 1 in all (less what lies beyond the edges), with an empty one at either end."""
    counts, _ = np.histogram(values, edges)
    width = edges[1] - edges[0]
    centres = edges[0] + width * np.arange(-0.5, len(counts) + 1)
    return centres, np.concatenate([[0.0], counts / (len(values) * width), [0.0]])


def _upright(x, top):
    return np.array([x, x]), np.array([0.0, top])


def _scattered(count, top):
    """Heights for single values, so that near ones do not hide each other."""
    return top * (0.05 + 0.35 * ((0.381966 * np.arange(count, dtype=np.float64)) % 1))


# In words


def _sentence(sample, variances):
    """Say how wide the histograms are and where they centre, in units of the population."""
    m, spread = sample.batch_size, sample.mean.std() / sample.population.std
    return " ".join(
        [
            f"{len(sample.mean):,} mini-batches of {m}; σ is the standard deviation of the population. The means "
            f"scatter by {spread:.3f} σ; the formula σ/√m gives {1 / math.sqrt(m):.3f} σ.",
            _centres(sample, variances),
            _scatter(sample, variances),
        ]
    )


def _centres(sample, variances):
    variance, expected = sample.population.std**2, expected_biased_variance(1.0, sample.batch_size)
    biased = f"Variances divided by m average {sample.biased.mean() / variance:.3f} σ²; (m-1)/m is {expected:.3f}."
    unbiased = f"Variances divided by m-1 average {sample.unbiased.mean() / variance:.3f} σ²."
    return {"biased": biased, "unbiased": unbiased, "both": f"{biased} {unbiased}"}[variances]


def _scatter(sample, variances):
    m, kurtosis = sample.batch_size, sample.population.excess_kurtosis
    scale = expected_biased_variance(1.0, m) if variances == "biased" else 1.0
    scatter = scale * (sample.unbiased.std() / sample.population.std**2)
    text = (
        f"These scatter by {scatter:.2f} σ²; for Gaussian data the formula gives "
        f"{scale * running_var_std(1.0, 0.0, m):.2f} σ²"
    )
    if kurtosis == 0:
        return f"{text}."
    tails = "heavier" if kurtosis > 0 else "lighter"
    return (
        f"{text}, and for data with these {tails} tails (excess kurtosis {kurtosis:.1f}) "
        f"{scale * running_var_std(1.0, 0.0, m, excess_kurtosis=kurtosis):.2f} σ²."
    )
