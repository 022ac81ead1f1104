"""The face of a folder: what it hands out, each name read from the file that defines it when somebody asks for it."""

import sys
from importlib import import_module


def face(package, names):
    """Make `__getattr__`, `__dir__` and `__all__` for the `__init__` of a folder (PEP 562).

    Code inside the package imports from the files themselves, so that importing one of them loads only what it uses.

    Parameters
    ----------
    package : str
        The folder's `__name__`.
    names : dict of str to sequence of str
        By file, the names that are handed out from it. The files are at hand as well, but not in `__all__`.
    """
    home = {name: file for file, its in names.items() for name in its}

    def __getattr__(name):
        if name in home:
            return getattr(import_module(f"{package}.{home[name]}"), name)
        if name in names:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*vars(sys.modules[package]), *names, *home})

    return __getattr__, __dir__, sorted(home)
