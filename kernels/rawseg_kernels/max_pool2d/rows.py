"""Max pooling along the rows first, then down them: windows that share a row share its maxima.

A row is laid out in phases, with -inf where windows reach over the edge. Maxima of rows stay for the output rows, and tasks,
that come next.
    // per output: kernel_w compares along each row that is new, kernel_h down them; 4 bytes written, and 1 or 8 for the place
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import _phases
from .._jit import kernel
from .._phases import lay_row, slots_of
from .._simd_maxima import maxima_along, maxima_down
from .._simd_rows import BLOCK

NUMBERS = {4: np.int32, 8: np.int64}  # as wide as an element, by its bytes


@lru_cache(maxsize=256)
def tables(w, out_w, kernel_w, stride_w, padding_w, dilation_w, step, itemsize):
    """Return ``pitch, phases, taps, firsts``: those of `_phases.tables`, tap ``kw`` with its number ``kw * step``.

    ``firsts`` has the number of every window's first tap on a pixel, of windows past the last too.
    """
    pitch, phases, taps = _phases.tables(w, out_w, kernel_w, stride_w, padding_w, dilation_w)
    starts = np.arange(-(-out_w // BLOCK) * BLOCK) * stride_w - padding_w
    firsts = np.maximum(0, -(starts // dilation_w)) * step
    return pitch, phases, taps * np.array([1, step]), firsts.astype(NUMBERS[itemsize])


@kernel
def forward_rows(
    first, last, x, out, where, pitch, phases, taps, firsts, step, by_place, kernel_h, stride, padding, dilation_h
):
    """One task is one output row; places are counted from the plane's first element, or taps from the window's."""
    h, w, out_h, out_w = x.shape[1], x.shape[2], out.shape[1], out.shape[2]
    flat, values, places, width = x.reshape(-1), out.reshape(-1), where.reshape(-1), firsts.size
    slots = slots_of(kernel_h, dilation_h, h)
    lowest = x.dtype.type(-np.inf)  # loses to every value but -inf
    lines = np.full(phases.shape[0] * pitch, lowest)
    best, chosen = np.empty(slots * width, x.dtype), np.empty(slots * width, firsts.dtype)
    holds, starts = np.full(slots, -1), np.empty(kernel_h, np.int64)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        top = oh * stride[0] - padding[0]
        kh_first = max(0, -(top // dilation_h))  # first tap at or below the upper edge
        kh_last = min(kernel_h, (h - 1 - top) // dilation_h + 1)
        for kh in range(kh_first, kh_last):
            ih = top + kh * dilation_h
            row, slot = plane * h + ih, ih & (slots - 1)
            if holds[slot] != row:
                holds[slot] = row
                lay_row(flat, row * w, w, stride[1], phases, lowest, lines, 0)
                maxima_along(out_w, lines, taps, firsts, best, chosen, slot * width)
            starts[kh - kh_first] = slot * width
        begin, run = kh_first * step, 0
        if by_place:
            begin, run = begin + top * w - padding[1], stride[1]
        at = task * out_w
        maxima_down(out_w, kh_last - kh_first, starts, step, best, chosen, begin, run, values, at, places, at)
