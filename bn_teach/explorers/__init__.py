"""Explorers: pictures with controls, one per file, all on the same base."""

from bn_teach.explorers.momentum import MomentumExplorer
from bn_teach.explorers.prediction import Prediction

__all__ = ["MomentumExplorer", "Prediction"]
