"""What the picture of `BatchStatisticsExplorer` shows, in words."""

import math

from bn_teach.theory import expected_biased_variance, running_var_std


def batch_statistics_numbers(sample):
    """Compute what `batch_statistics_sentence` says, all in units of the population.

    Parameters
    ----------
    sample : BatchSample

    Returns
    -------
    dict
        ``batches``, ``batch_size``; ``spread`` of the batch means in population standard deviations and
        ``expected_spread``, 1/sqrt(m); ``biased`` and ``unbiased``, the average batch variance as a
        ratio to the population's, and ``expected_biased``, (m-1)/m; ``var_spread``, the standard
        deviation of the unbiased variances as a ratio to the population variance, with
        ``gaussian_var_spread`` and ``expected_var_spread``, the closed form without and with the
        population's ``excess_kurtosis``.
    """
    m, population = sample.batch_size, sample.population
    variance = population.std**2
    kurtosis = population.excess_kurtosis
    return {
        "batches": len(sample.mean),
        "batch_size": m,
        "spread": float(sample.mean.std()) / population.std,
        "expected_spread": 1 / math.sqrt(m),
        "biased": float(sample.biased.mean()) / variance,
        "unbiased": float(sample.unbiased.mean()) / variance,
        "expected_biased": expected_biased_variance(1.0, m),
        "var_spread": float(sample.unbiased.std()) / variance,
        "gaussian_var_spread": running_var_std(1.0, 0.0, m),
        "expected_var_spread": running_var_std(1.0, 0.0, m, excess_kurtosis=kurtosis),
        "excess_kurtosis": kurtosis,
    }


def batch_statistics_sentence(sample, *, variances="both"):
    """Say what `figures.batch_statistics_figure` shows: how wide, and centred where.

    Parameters
    ----------
    sample, variances
        As in `figures.batch_statistics_traces`.

    Returns
    -------
    str
    """
    numbers = batch_statistics_numbers(sample)
    m = numbers["batch_size"]
    return " ".join(
        [
            f"{numbers['batches']:,} mini-batches of {m}; σ is the standard deviation of the population. The means "
            f"scatter by {numbers['spread']:.3f} σ; the formula σ/√m gives {numbers['expected_spread']:.3f} σ.",
            _centres(numbers, variances),
            _scatter(numbers, variances),
        ]
    )


def _centres(numbers, variances):
    biased = f"Variances divided by m average {numbers['biased']:.3f} σ²; (m-1)/m is {numbers['expected_biased']:.3f}."
    unbiased = f"Variances divided by m-1 average {numbers['unbiased']:.3f} σ²."
    return {"biased": biased, "unbiased": unbiased, "both": f"{biased} {unbiased}"}[variances]


def _scatter(numbers, variances):
    scale = numbers["expected_biased"] if variances == "biased" else 1.0
    measured = f"These scatter by {scale * numbers['var_spread']:.2f} σ²; "
    formula = f"for Gaussian data the formula gives {scale * numbers['gaussian_var_spread']:.2f} σ²"
    if numbers["excess_kurtosis"] == 0:
        return f"{measured}{formula}."
    tails = "heavier" if numbers["excess_kurtosis"] > 0 else "lighter"
    return (
        f"{measured}{formula}, and for data with these {tails} tails (excess kurtosis "
        f"{numbers['excess_kurtosis']:.1f}) {scale * numbers['expected_var_spread']:.2f} σ²."
    )
