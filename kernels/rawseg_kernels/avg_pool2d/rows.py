"""Average pooling over rows laid out in phases, so that every tap of an output row is a contiguous stretch.

Zeros stand where windows reach over the edge, which changes no sum. Rows stay for the output rows, and tasks, that come next.
    // per output: kernel_h * kernel_w additions in vectors of doubles, and one division
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from .._phases import lay_row, slots_of
from .._simd_means import mean_of_taps


@kernel
def forward_rows(first, last, x, out, heights, widths, pitch, phases, taps, kernel_h, stride, padding):
    """One task is one output row."""
    h, w, out_h, out_w = x.shape[1], x.shape[2], out.shape[1], out.shape[2]
    flat, values, zero = x.reshape(-1), out.reshape(-1), x.dtype.type(0)
    slots, length = slots_of(kernel_h, 1, h), phases.shape[0] * pitch
    lines, holds, starts = np.full(slots * length, zero), np.full(slots, -1), np.empty(kernel_h, np.int64)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        top = oh * stride[0] - padding[0]
        begin, end = max(top, 0), min(top + kernel_h, h)
        for ih in range(begin, end):
            row, slot = plane * h + ih, ih & (slots - 1)
            if holds[slot] != row:
                holds[slot] = row
                lay_row(flat, row * w, w, stride[1], phases, zero, lines, slot * length)
            starts[ih - begin] = slot * length
        mean_of_taps(out_w, end - begin, starts, taps, lines, heights[oh], widths, values, task * out_w)
