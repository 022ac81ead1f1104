"""Files: written whole or not at all. Arrays in .npz files: never unpickled."""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def written_whole(path):
    """Give a file to write to, beside `path`; renamed to `path` once all went well, removed otherwise."""
    path = Path(os.path.realpath(path))  # a link stays one: the file that it names is written
    if path.exists() and not path.is_file():  # a device or a pipe takes what comes, and a folder says no
        with open(path, "wb") as file:
            yield file
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            yield file
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_arrays(path, arrays):
    """Write a dict of arrays to a compressed .npz file."""
    with written_whole(path) as file:
        np.savez_compressed(file, **arrays)


def read_arrays(path, build, written_by):
    """Return ``build(arrays)`` for the arrays in `path`, each read when asked for; whatever is wrong is a ValueError.

    Damage shows in many ways (zip, zlib, json, a missing or misshapen array). For the reader they are
    one: this file cannot be used.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            return build(stored)
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"path must name a file written by {written_by}, got {path}, which is damaged or something else: "
            f"{type(error).__name__}: {error}"
        ) from error
