"""The picture of `BatchStatisticsExplorer`: one population, and how the statistics of its mini-batches scatter."""

import numpy as np

from bn_teach.lessons.shared.panels import BATCH, EXACT, OWN, RUNNING, bars, dots, fill, line, panels, round_up
from bn_teach.theory import batch_mean_density, batch_var_density, running_mean_std, running_var_std

VARIANCES = ("both", "biased", "unbiased")
"""Which variances `batch_statistics_traces` can show."""

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


def batch_statistics_traces(sample, *, variances="both"):
    """Compute the lines of `batch_statistics_figure`.

    Parameters
    ----------
    sample : BatchSample
    variances : str
        One of `VARIANCES`; those not shown come out empty.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Key to x and y, float64.
    """
    population = sample.population
    tops = _tops(sample)
    mean, variance = population.mean, population.std**2
    where = np.linspace(*_window_of_values(population), 241)
    traces = {
        "population": (where, population.density(where)),
        "one batch": (sample.first.astype(np.float64), _scattered(sample.batch_size, tops[0])),
        "mean of one batch": _upright(sample.mean[0], 0.45 * tops[0]),
        "means": _histogram(sample.mean, _edges_of_means(sample)),
        "closed form of the means": _curve_of_means(sample),
        "population mean": _upright(mean, tops[1]),
        "population variance": _upright(variance, tops[2]),
    }
    for kind in ("biased", "unbiased"):
        values = getattr(sample, kind)
        shown = variances in ("both", kind)
        traces[f"{kind} variances"] = _histogram(values, _edges_of_variances(sample)) if shown else _NOTHING
        traces[f"closed form of the {kind} variances"] = _curve_of_variances(sample, kind) if shown else _NOTHING
        traces[f"mean of the {kind} variances"] = _upright(values.mean(), tops[2]) if shown else _NOTHING
    return traces


def batch_statistics_ranges(sample, *, zoom=False):
    """Axis ranges of `batch_statistics_figure`.

    Parameters
    ----------
    sample : BatchSample
    zoom : bool
        False: the same widths for every batch size, so that it shows how the histograms narrow. True:
        as wide as the histograms, so that their shape shows.

    Returns
    -------
    dict of str to list of two float
        Layout axis to range.
    """
    population = sample.population
    mean, std, variance = population.mean, population.std, population.std**2
    if zoom:
        spread, spread_of_variance = _spreads(sample)
        means = [mean - 4.5 * spread, mean + 4.5 * spread]
        variances = [max(variance - 4.5 * spread_of_variance, 0.0), variance + 4.5 * spread_of_variance]
    else:
        means = [mean - 2.2 * std, mean + 2.2 * std]
        variances = [0.0, 4 * variance]
    tops = _tops(sample)
    return {
        "xaxis": list(_window_of_values(population)),
        "xaxis2": means,
        "xaxis3": variances,
        "yaxis": [0.0, tops[0]],
        "yaxis2": [0.0, tops[1]],
        "yaxis3": [0.0, tops[2]],
    }


def batch_statistics_figure(sample, *, variances="both", zoom=False):
    """Draw a population, and the histograms of the means and the variances of its mini-batches.

    Parameters
    ----------
    sample, variances, zoom
        As in `batch_statistics_traces` and `batch_statistics_ranges`. `sample` may be None: axes and
        empty lines, to be filled later.

    Returns
    -------
    plotly.graph_objects.Figure
        Three panels: the population and one mini-batch, the means, the variances.
    """
    titles = ("one mini-batch", "means of all mini-batches", "variances of all mini-batches")
    figure = panels(titles, _LINES, x_titles=("value", "mean", "variance"))
    if sample is not None:
        ranges = batch_statistics_ranges(sample, zoom=zoom)
        fill(figure, batch_statistics_traces(sample, variances=variances), ranges)
    return figure


_NOTHING = (np.empty(0), np.empty(0))


def _spreads(sample):
    """Standard deviation of the batch means, and of the unbiased batch variances, by the closed forms."""
    population, m = sample.population, sample.batch_size
    kurtosis = population.excess_kurtosis
    return (
        running_mean_std(population.std, 0.0, m),
        running_var_std(population.std, 0.0, m, excess_kurtosis=kurtosis),
    )


def _edges_of_means(sample):
    spread, _ = _spreads(sample)
    return sample.population.mean + spread * np.linspace(-5, 5, _BARS + 1)


def _edges_of_variances(sample):
    _, spread = _spreads(sample)
    variance = sample.population.std**2
    return np.linspace(max(variance - 5 * spread, 0.0), variance + 6 * spread, _BARS + 1)


def _histogram(values, edges):
    """Bars of area 1 in all (less what lies beyond the edges), with an empty one at either end."""
    counts, _ = np.histogram(values, edges)
    width = edges[1] - edges[0]
    centres = edges[0] + width * np.arange(-0.5, len(counts) + 1)
    return centres, np.concatenate([[0.0], counts / (len(values) * width), [0.0]])


def _curve_of_means(sample):
    edges = _edges_of_means(sample)
    x = np.linspace(edges[0], edges[-1], 201)
    return x, batch_mean_density(x, sample.population.std, sample.batch_size, mean=sample.population.mean)


def _curve_of_variances(sample, kind):
    edges = _edges_of_variances(sample)
    # Not from 0 itself, where the curve of batches of two has no end.
    x = np.linspace(edges[0] + (edges[1] - edges[0]) / 8, edges[-1], 401)
    return x, batch_var_density(x, sample.population.std**2, sample.batch_size, unbiased=kind == "unbiased")


def _tops(sample):
    """The highest value that each panel needs, rounded up, so that another seed hardly moves the axes."""
    where = np.linspace(*_window_of_values(sample.population), 241)
    edges = _edges_of_variances(sample)
    means = [_histogram(sample.mean, _edges_of_means(sample))[1].max(), _curve_of_means(sample)[1].max()]
    variances = [_histogram(getattr(sample, kind), edges)[1].max() for kind in ("biased", "unbiased")]
    return tuple(round_up(1.05 * top) for top in (sample.population.density(where).max(), max(means), max(variances)))


def _window_of_values(population):
    return population.mean - 3.5 * population.std, population.mean + 4.5 * population.std


def _upright(x, top):
    return np.array([x, x]), np.array([0.0, top])


def _scattered(count, top):
    """Heights for single values, so that near ones do not hide each other."""
    return top * (0.05 + 0.35 * ((0.381966 * np.arange(count, dtype=np.float64)) % 1))
