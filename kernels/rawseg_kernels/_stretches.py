"""Stretches of an axis, joined and taken apart, by all threads: NumPy's own copies have one.

Whatever the axis, the axes before it count rows and those behind it are part of a stretch, which lies together in memory.
    // per element: 1 read and 1 write
"""

from __future__ import annotations

import math

import numpy as np

from ._arena import empty
from ._jit import kernel
from ._simd import copy
from ._threads import launch

PIECE = 1 << 14  # elements of a stretch that are a task
SHORTEST = 64  # elements of a stretch: NumPy is better at shorter ones


@kernel
def _copy_stretches(first, last, source, source_at, source_step, to, to_at, to_step, size, pieces):
    for task in range(first, last):
        row, piece = task // pieces, task % pieces
        begin, end = piece * size // pieces, (piece + 1) * size // pieces
        copy(source, source_at + row * source_step + begin, 1, to, to_at + row * to_step + begin, 1, end - begin)


def _copy(rows, source, source_at, source_step, to, to_at, to_step, size):
    pieces = -(-size // PIECE)
    places = source.reshape(-1), source_at, source_step, to.reshape(-1), to_at, to_step
    launch(_copy_stretches, rows * pieces, *places, size, pieces, work=rows * size)


def joined(arrays: tuple[np.ndarray, ...], axis: int) -> np.ndarray:
    """Return C-contiguous arrays of one floating dtype, whose shapes differ along an axis at most, joined along it."""
    lead, rest = arrays[0].shape[:axis], arrays[0].shape[axis + 1 :]
    out = empty((*lead, sum(array.shape[axis] for array in arrays), *rest), arrays[0].dtype)
    rows, inner, at = math.prod(lead), math.prod(rest), 0
    for array in arrays:
        size = array.shape[axis] * inner
        _copy(rows, array, 0, size, out, at, out.shape[axis] * inner, size)
        at += size
    return out


def taken(array: np.ndarray, axis: int, start: int, size: int) -> np.ndarray:
    """Return a copy of ``size`` places of an axis of a C-contiguous array of a floating dtype."""
    lead, rest = array.shape[:axis], array.shape[axis + 1 :]
    out, inner = empty((*lead, size, *rest), array.dtype), math.prod(rest)
    _copy(math.prod(lead), array, start * inner, array.shape[axis] * inner, out, 0, size * inner, size * inner)
    return out
