"""Arrays in .npz files: written whole or not at all, and never unpickled."""

import os
from pathlib import Path

import numpy as np


def write_arrays(path, arrays):
    """Write a dict of arrays to a compressed .npz file, beside `path` first and then renamed."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read_arrays(path, build, written_by):
    """Return ``build(arrays)`` for the arrays in `path`; whatever is wrong with the file is a ValueError.

    Damage shows in many ways (zip, zlib, json, a missing or misshapen array). For the reader they are
    one: this file cannot be used.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            return build({name: stored[name] for name in stored.files})
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"path must name a file written by {written_by}, got {path}, which is damaged or something else: "
            f"{type(error).__name__}: {error}"
        ) from error
