"""Explorers: pictures with controls, one per file, all on the same base."""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "batch_statistics": ("BatchStatisticsExplorer",),
        "clinic": ("ClinicExplorer",),
        "momentum": ("MomentumExplorer",),
        "paper": ("PaperFigure",),
        "prediction": ("Prediction",),
        "race": ("EstimatorRaceExplorer",),
        "recorder": ("RecorderExplorer",),
        "running_statistics": ("RunningStatisticsExplorer",),
        "two_modes": ("TwoModesExplorer",),
        "valley": ("ValleyFigure",),
    },
)
