"""Teaching batch normalisation's running statistics with a real network, live.

Nothing is imported until it is used: ``bn_teach.MomentumExplorer`` brings in plotly and ipywidgets,
``bn_teach.running`` only NumPy.
"""

from bn_teach._face import face

__version__ = "0.1.0"

_MODULES = (
    "batchnorm",
    "data",
    "exercises",
    "frameworks",
    "network",
    "replay",
    "running",
    "sweep",
    "theory",
    "torch_recorder",
    "training",
)
__getattr__, __dir__, _names = face(
    __name__,
    {
        **dict.fromkeys(_MODULES, ()),
        "batchnorm": ("BatchNorm",),
        "data": ("Dataset", "load_digits"),
        "lessons.clinic.cases": ("CASES",),
        "lessons.clinic.explorer": ("ClinicExplorer",),
        "lessons.prediction": ("Prediction",),
        "lessons.running_averages.explorer": ("MemoryExplorer", "RunningStatisticsExplorer"),
        "lessons.samples_and_population.explorer": ("BatchStatisticsExplorer",),
        "lessons.start_here.explorer": ("MomentumExplorer",),
        "lessons.the_paper.explorer": ("PaperFigure",),
        "lessons.tracking_accuracy.explorer": ("EstimatorRaceExplorer", "ValleyFigure"),
        "lessons.two_modes.explorer": ("TwoModesExplorer",),
        "lessons.whose_statistics.explorer": ("ChangedWeightsExplorer", "WhoseStatisticsExplorer"),
        "lessons.when_training_reads.explorer": ("TrainingReadsExplorer",),
        "lessons.your_framework.explorer": ("RecorderExplorer",),
        "lessons.whose_statistics.pad": ("DrawingPad",),
        "lessons.your_framework.framework_table": ("FrameworkTable",),
        "training": ("Recording", "TrainingConfig", "train"),
    },
)

__all__ = [*_MODULES, *_names]
