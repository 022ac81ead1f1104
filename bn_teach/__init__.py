"""Teaching batch normalisation's running statistics with a real network, live.

Nothing is imported until it is used: ``bn_teach.MomentumExplorer`` brings in plotly and ipywidgets,
``bn_teach.running`` only NumPy.
"""

from importlib import import_module

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
_HOME = {
    "BatchNorm": "batchnorm",
    "Dataset": "data",
    "load_digits": "data",
    "MomentumExplorer": "explorers",
    "TrainingConfig": "training",
    "Recording": "training",
    "train": "training",
}

__all__ = [*_MODULES, *_HOME]


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"bn_teach.{name}")
    if name in _HOME:
        return getattr(import_module(f"bn_teach.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bn_teach' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
