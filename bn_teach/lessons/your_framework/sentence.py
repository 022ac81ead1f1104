"""What the picture of `RecorderExplorer` shows, in words."""

import numpy as np

HARDLY = 1.5
"""A layer whose own momentum is off by less than this many times the least could hardly do better."""


def recorder_numbers(report):
    """Compute what `recorder_sentence` says.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
        ``layers``, how many; and of those that have a momentum ``compared``, how many; ``fine``, how many
        of them could hardly do better; ``worst``, the name of the layer that is farthest off, with its
        momentum ``own``, ``off`` (its distance), ``nearest`` and ``least`` (the distance there). Without
        such a layer ``compared`` is 0 and the last five are missing.
    """
    rows = [row for row, own in enumerate(report.own) if own is not None]
    numbers = {"layers": len(report.layers), "compared": len(rows)}
    if not rows:
        return numbers
    off = np.array([report.distance[row, int(np.argmin(np.abs(report.momenta - report.own[row])))] for row in rows])
    least = report.distance[rows].min(axis=1)
    at = int(off.argmax())
    return {
        **numbers,
        "fine": int((off <= HARDLY * least).sum()),
        "worst": report.layers[rows[at]] or "the model itself",
        "own": report.own[rows[at]],
        "off": float(off[at]),
        "nearest": float(report.nearest[rows[at]]),
        "least": float(least[at]),
    }


def recorder_sentence(report):
    """Say what `figures.recorder_figure` shows: which layer is farthest off, and what would have been nearest.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
    """
    numbers = recorder_numbers(report)
    if not numbers["compared"]:
        return "No layer here has a momentum: each averages all its batches alike."
    compared = numbers["compared"]
    many = f"Of {compared} layers, the one" if compared > 1 else "The layer"
    text = (
        f"{many} farthest off with the momentum it has is {numbers['worst']}: {numbers['off']:.3f} standard "
        f"deviations at momentum {numbers['own']:g}. "
    )
    if numbers["nearest"] == numbers["own"]:
        text += "No other momentum tried would have been nearer."
    else:
        text += f"The nearest of those tried, {numbers['nearest']:g}, would have left {numbers['least']:.3f}."
    if compared > 1:
        text += f" Less than {HARDLY:g} times as far off as with their nearest: {numbers['fine']} of {compared}."
    return text
