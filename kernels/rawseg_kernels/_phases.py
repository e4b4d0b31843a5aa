"""A row laid out in phases, every stride-th element beside the other, so that each tap of all windows is a contiguous stretch.

Where windows reach over the row's ends stands what changes no result. A tap is then one vector after the other, whatever the
stride, the padding and the dilation.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ._jit import inlined, piece
from ._pooling_rows import taps_inside
from ._simd import copy
from ._simd_rows import BLOCK, part_row_between

taps_of_row = taps_inside.py_func


@lru_cache(maxsize=256)
def tables(w, out_w, kernel_w, stride_w, padding_w, dilation_w):
    """Return where a row's elements are laid, and where each window's taps then are.

    Returns
    -------
    pitch : int
        Elements of a phase, with those behind its last that whole vectors read and write.
    phases : ndarray of int64, shape (phases, 3)
        First column of the row that is copied, where it is laid, and how many follow, ``stride_w`` apart.
    taps : ndarray of int64, shape (taps, 2)
        Where each tap of the first window is, and which it is; many that no window has on a pixel are left out.
    """
    inside = range(*taps_of_row(kernel_w, stride_w, padding_w, dilation_w, w, out_w))
    columns = [kw * dilation_w for kw in inside]  # of the padded row, under the first window
    read, written = _whole(out_w) + columns[-1] // stride_w, -(-padding_w // stride_w) + _whole(-(-w // stride_w))
    pitch = _whole(max(read, written))
    found = sorted({column % stride_w for column in columns}, key=lambda phase: (phase - padding_w) % stride_w)
    phases = []
    for at, phase in enumerate(found):
        begin = max(0, -((phase - padding_w) // stride_w))
        count = (w - 1 + padding_w - phase) // stride_w + 1 - begin
        phases.append((begin * stride_w + phase - padding_w, at * pitch + begin, max(0, count)))
    taps = [(found.index(column % stride_w) * pitch + column // stride_w, kw) for kw, column in zip(inside, columns)]
    return pitch, np.array(phases), np.array(taps)


def _whole(count):
    """Return how many elements there are in the vectors that ``count`` fill."""
    return -(-count // BLOCK) * BLOCK


@inlined
def lay_row(source, source_at, w, stride_w, phases, around, to, to_at):
    """Lay a row; ``to`` holds ``around`` wherever no row's elements are laid."""
    if stride_w == 2 and phases.shape[0] == 2:
        part_row_between(source, source_at, w, around, to, to_at + phases[0, 1], to_at + phases[1, 1])
        return
    for phase in range(phases.shape[0]):
        copy(source, source_at + phases[phase, 0], stride_w, to, to_at + phases[phase, 1], 1, phases[phase, 2])


@piece
def slots_of(kernel_h, dilation_h, h):
    """Return how many rows are kept for windows, a power of two: row ih then has place ``ih & (slots - 1)`` of them."""
    slots = 1
    while slots < min((kernel_h - 1) * dilation_h + 1, h):
        slots *= 2
    return slots
