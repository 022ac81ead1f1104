"""Arrays as text, for the script of a page: rounded, deflated, base64."""

import base64
import zlib

import numpy as np

SPARED = 4
"""Bits of single precision that are not stored: 19 of 23 remain, six significant digits of every number."""


def rounded(values):
    """Round an array as it is stored.

    Parameters
    ----------
    values : array_like
        Real numbers.

    Returns
    -------
    numpy.ndarray, float64
        What the script of the page reads, to the last bit.
    """
    return (_bits(values) << SPARED).view("<f4").astype(np.float64)


class Pack:
    """Collects arrays, each stored once, and writes them as text.

    Neighbours in a curve differ little: what is stored is the difference to the number before, and the bytes of equal
    weight stand together. Deflated, this takes half of the space.
    """

    def __init__(self):
        self._stored = {}  # (kind, bytes) to number

    def add(self, values, *, exact=False):
        """Store an array, unless it is there already.

        Parameters
        ----------
        values : array_like
            Any shape; stored flat, rows one after the other. Whole numbers, from 0, are stored as they are.
        exact : bool
            Keep all bits of single precision.

        Returns
        -------
        int
            The number by which the script finds it.
        """
        flat = np.asarray(values).ravel()
        if flat.dtype.kind == "f":
            key = ("exact", flat.astype("<f4").tobytes()) if exact else ("real", _bits(flat).tobytes())
        else:
            key = "whole", flat.astype("<u4").tobytes()
        return self._stored.setdefault(key, len(self._stored))

    def written(self):
        """Return everything as a dict that JSON can hold.

        Returns
        -------
        dict
            ``arrays``, kind and length of each; ``spared``, how far the bits of reals were shifted; ``data``.
        """
        planes = b"".join(_planes(stored) for _, stored in self._stored)
        return {
            "arrays": [[kind, len(stored) // 4] for kind, stored in self._stored],
            "spared": SPARED,
            "data": deflated(planes),
        }


def deflated(data):
    """Write bytes as text, deflated and in base64."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(deflate.compress(data) + deflate.flush()).decode("ascii")


def _bits(values):
    """Single precision without its last bits, as whole numbers, rounded to the nearest."""
    single = np.ascontiguousarray(values, dtype="<f4")
    if not np.isfinite(single).all():
        raise ValueError("values must be finite in single precision")
    return (single.view("<u4") + np.uint32(1 << (SPARED - 1))) >> SPARED


def _planes(stored):
    """Differences of 32-bit integers, byte by byte: all lowest bytes first."""
    whole = np.frombuffer(stored, "<u4")
    differences = np.diff(whole, prepend=whole.dtype.type(0))  # wraps around, as the sums of the script do
    return differences.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes()
