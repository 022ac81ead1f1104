"""Explorers: pictures with controls, one per file, all on the same base."""

import os

# The matrices here are small, and several BLAS threads would spend their time waiting for each other: many
# times slower on a busy machine, or in a container that may use fewer cores than it sees. OpenBLAS reads
# this once, when NumPy is first imported; a number that is set already stays.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bn_teach.explorers.batch_statistics import BatchStatisticsExplorer
from bn_teach.explorers.clinic import ClinicExplorer
from bn_teach.explorers.momentum import MomentumExplorer
from bn_teach.explorers.paper import PaperFigure
from bn_teach.explorers.prediction import Prediction
from bn_teach.explorers.race import EstimatorRaceExplorer
from bn_teach.explorers.recorder import RecorderExplorer
from bn_teach.explorers.running_statistics import RunningStatisticsExplorer
from bn_teach.explorers.two_modes import TwoModesExplorer

__all__ = [
    "BatchStatisticsExplorer",
    "ClinicExplorer",
    "EstimatorRaceExplorer",
    "MomentumExplorer",
    "PaperFigure",
    "Prediction",
    "RecorderExplorer",
    "RunningStatisticsExplorer",
    "TwoModesExplorer",
]
