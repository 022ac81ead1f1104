"""What the picture of a sweep over seeds shows, in words."""

import numpy as np


def valley_sentence(swept):
    """Say for every batch size where least is lost, and how much at both ends.

    Parameters
    ----------
    swept : Sweep
        Under the estimators "ema" and "algorithm2".

    Returns
    -------
    str
    """
    order = np.argsort(swept.momenta)
    momenta = swept.momenta[order]
    told = []
    for config, band in sorted(swept.bands().items(), key=lambda item: item[0].batch_size):
        points = 100 * band[:, order]
        best = int(points[1].argmin())
        ends = " and ".join(f"{_points(points[:, i])} at {momenta[i]:g}" for i in (0, -1))
        told.append(
            f"Batch size {config.batch_size}: least is lost at momentum {momenta[best]:g}, "
            f"{_points(points[:, best])}; {ends}."
        )
    return f"Percentage points, median of the seeds (least to most). {' '.join(told)}"


def _points(band):
    least, middle, most = (f"{value + 0.0:.1f}".replace("-0.0", "0.0") for value in band)
    return f"{middle} ({least} to {most})"
