"""Max pooling along the rows first, then down them: windows that share a row share its maxima.

A row is laid out in phases, every stride-th element beside the other and -inf where windows reach over the edge, so that each
tap of a whole output row is a contiguous stretch. Maxima of rows stay for the output rows, and tasks, that come next.
    // per output: kernel_w compares along each row that is new, kernel_h down them; 4 bytes written, and 1 or 8 for the place
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._jit import kernel
from .._pooling_rows import taps_inside
from .._simd import copy
from .._simd_maxima import maxima_along, maxima_down
from .._simd_rows import BLOCK, part_row_above

NUMBERS = {4: np.int32, 8: np.int64}  # as wide as an element, by its bytes
taps_of_row = taps_inside.py_func


@lru_cache(maxsize=256)
def tables(w, out_w, kernel_w, stride_w, padding_w, dilation_w, step, itemsize):
    """Return where a row's elements are laid, where its taps then are, and each window's first tap on a pixel.

    Returns
    -------
    pitch : int
        Elements of a phase.
    phases : ndarray of int64, shape (phases, 3)
        First column of the row that is copied, where it is laid, and how many follow, ``stride_w`` apart.
    taps : ndarray of int64, shape (taps, 2)
        Where each tap of the first window is, and its number ``kw * step``.
    firsts : ndarray
        Numbers of the first taps, of windows past the last too.
    """
    inside = range(*taps_of_row(kernel_w, stride_w, padding_w, dilation_w, w, out_w))
    columns = [kw * dilation_w for kw in inside]  # of the padded row, under the first window
    width = -(-out_w // BLOCK) * BLOCK
    ends = [width + columns[-1] // stride_w, (w - 1 + padding_w) // stride_w + BLOCK]
    pitch = -(-max(ends) // BLOCK) * BLOCK
    found = sorted({column % stride_w for column in columns}, key=lambda phase: (phase - padding_w) % stride_w)
    phases = []
    for at, phase in enumerate(found):
        begin = max(0, -((phase - padding_w) // stride_w))
        count = (w - 1 + padding_w - phase) // stride_w + 1 - begin
        phases.append((begin * stride_w + phase - padding_w, at * pitch + begin, max(0, count)))
    taps = [(found.index(c % stride_w) * pitch + c // stride_w, kw * step) for kw, c in zip(inside, columns)]
    starts = np.arange(width) * stride_w - padding_w
    firsts = np.maximum(0, -(starts // dilation_w)) * step
    return pitch, np.array(phases), np.array(taps), firsts.astype(NUMBERS[itemsize])


@kernel
def forward_rows(
    first, last, x, out, where, pitch, phases, taps, firsts, step, by_place, kernel_h, stride, padding, dilation_h
):
    """One task is one output row; places are counted from the plane's first element, or taps from the window's."""
    h, w, out_h, out_w = x.shape[1], x.shape[2], out.shape[1], out.shape[2]
    flat, values, places, width = x.reshape(-1), out.reshape(-1), where.reshape(-1), firsts.size
    slots = 1
    while slots < min((kernel_h - 1) * dilation_h + 1, h):
        slots *= 2
    lines = np.full(phases.shape[0] * pitch, -np.inf, x.dtype)  # -inf loses to every value but -inf
    best, chosen = np.empty(slots * width, x.dtype), np.empty(slots * width, firsts.dtype)
    pairs = stride[1] == 2 and phases.shape[0] == 2
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
                if pairs:
                    part_row_above(flat, row * w, w, lines, phases[0, 1], phases[1, 1])
                for phase in range(0 if pairs else phases.shape[0]):
                    copy(flat, row * w + phases[phase, 0], stride[1], lines, phases[phase, 1], 1, phases[phase, 2])
                maxima_along(out_w, lines, taps, firsts, best, chosen, slot * width)
            starts[kh - kh_first] = slot * width
        begin, run = kh_first * step, 0
        if by_place:
            begin, run = begin + top * w - padding[1], stride[1]
        at = task * out_w
        maxima_down(out_w, kh_last - kh_first, starts, step, best, chosen, begin, run, values, at, places, at)
