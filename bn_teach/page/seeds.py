"""What a setting costs over several seeds, in words."""

import numpy as np

from bn_teach.lessons.shared.choices import cost


def seeds_sentence(lost):
    """Say what statistics cost at the end of runs that differ in nothing but the seed.

    Parameters
    ----------
    lost : array_like, shape (S,)
        Accuracy lost against the exact statistics, averaged over the last checkpoints, for every seed.

    Returns
    -------
    str

    Examples
    --------
    >>> seeds_sentence([0.04, 0.06])
    'Over 2 seeds, such statistics cost 5.0 percentage points at the end on average; the loss lies between 4.0 and 6.0.'
    """
    lost = np.asarray(lost, dtype=np.float64)
    if len(lost) == 1:
        return ""
    # Adding 0.0 makes a "-0.0" that rounding may leave a "0.0".
    low, high = (f"{round(100 * float(end), 1) + 0.0:.1f}" for end in (lost.min(), lost.max()))
    average = f"such statistics {cost(-float(lost.mean()))} at the end on average"
    return f"Over {len(lost)} seeds, {average}; the loss lies between {low} and {high}."
