"""Explorers: pictures with controls, one per file, all on the same base."""

from bn_teach.explorers.batch_statistics import BatchStatisticsExplorer
from bn_teach.explorers.clinic import ClinicExplorer
from bn_teach.explorers.momentum import MomentumExplorer
from bn_teach.explorers.paper import PaperFigure
from bn_teach.explorers.prediction import Prediction
from bn_teach.explorers.race import EstimatorRaceExplorer
from bn_teach.explorers.recorder import RecorderExplorer
from bn_teach.explorers.running_statistics import RunningStatisticsExplorer
from bn_teach.explorers.two_modes import TwoModesExplorer
from bn_teach.explorers.valley import ValleyFigure

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
    "ValleyFigure",
]
