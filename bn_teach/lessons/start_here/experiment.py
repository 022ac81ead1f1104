"""What of a run depends on the held-out images."""

from dataclasses import replace

import numpy as np


def held_out_noise(recording):
    """Exchange the held-out images of a recorded run for noise, evenly spread from 0 to 1.

    Everything that training saw and left behind stays as it is.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    Recording
        To be replayed: its accuracy is that on the noise.
    """
    noise = np.random.default_rng(0).random(recording.dataset.validation_x.shape)
    return replace(recording, dataset=replace(recording.dataset, validation_x=noise))
