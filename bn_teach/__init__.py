"""Teaching batch normalisation's running statistics with a real network, live.

Nothing is imported until it is used: ``bn_teach.MomentumExplorer`` brings in plotly and ipywidgets,
``bn_teach.running`` only NumPy.
"""

from bn_teach._face import face

__version__ = "0.1.0"

_MODULES = (
    "batchnorm",
    "clinic",
    "data",
    "exercises",
    "explorers",
    "figures",
    "framework_table",
    "frameworks",
    "network",
    "paper",
    "replay",
    "running",
    "sweep",
    "theory",
    "torch_recorder",
    "tracking",
    "training",
)
__getattr__, __dir__, _names = face(
    __name__,
    {
        **dict.fromkeys(_MODULES, ()),
        "batchnorm": ("BatchNorm",),
        "clinic.cases": ("CASES",),
        "data": ("Dataset", "load_digits"),
        "explorers.batch_statistics": ("BatchStatisticsExplorer",),
        "explorers.clinic": ("ClinicExplorer",),
        "explorers.momentum": ("MomentumExplorer",),
        "explorers.paper": ("PaperFigure",),
        "explorers.prediction": ("Prediction",),
        "explorers.race": ("EstimatorRaceExplorer",),
        "explorers.recorder": ("RecorderExplorer",),
        "explorers.running_statistics": ("RunningStatisticsExplorer",),
        "explorers.two_modes": ("TwoModesExplorer",),
        "explorers.valley": ("ValleyFigure",),
        "framework_table": ("FrameworkTable",),
        "training": ("Recording", "TrainingConfig", "train"),
    },
)

__all__ = [*_MODULES, *_names]
