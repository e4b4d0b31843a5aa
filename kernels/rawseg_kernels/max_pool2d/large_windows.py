"""Max pooling by windows of many taps, or of large planes: a tap is laid over an output row at once, its offset in 64 bits.

// per output: kernel_h * kernel_w compares; 4 bytes written per value and 8 per index
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel, piece
from .._pooling_rows import columns_inside, taps_inside


@kernel
def forward_rows(first, last, x, out, indices, kernel_size, stride, padding, dilation):
    """One task is one output row; its best values and their offsets from the window's corner stay in two small rows."""
    h, out_h, out_w = x.shape[1], out.shape[1], out.shape[2]
    w = x.shape[2]
    best, offset, line = np.empty(out_w, x.dtype), np.empty(out_w, np.int64), np.empty(out_w, x.dtype)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        top = oh * stride[0] - padding[0]
        kh_first = max(0, -(top // dilation[0]))  # first tap at or below the upper edge
        kh_last = min(kernel_size[0], (h - 1 - top) // dilation[0] + 1)
        for i in range(best.size):  # -inf loses to every value but -inf, whose first tap is already named here
            best[i] = -np.inf
            offset[i] = kh_first * dilation[0] * w
        for ow in range(min(out_w, (padding[1] + stride[1] - 1) // stride[1])):
            offset[ow] += -((ow * stride[1] - padding[1]) // dilation[1]) * dilation[1]
        for kh in range(kh_first, kh_last):
            row = x[plane, top + kh * dilation[0]]
            _scan(row, kh * dilation[0] * w, best, offset, line, kernel_size[1], stride[1], padding[1], dilation[1])
        values, where = out[plane, oh], indices[plane, oh]
        corner = top * w - padding[1]
        for i in range(values.size):
            values[i] = best[i]
            where[i] = corner + i * stride[1] + offset[i]


@piece
def _scan(row, row_offset, best, offset, line, kernel_w, stride_w, padding_w, dilation_w):
    """Offer the taps of one input row, left to right, to all windows of an output row."""
    w, out_w = row.size, best.size
    kw_first, kw_last = taps_inside(kernel_w, stride_w, padding_w, dilation_w, w, out_w)
    for kw in range(kw_first, kw_last):
        left = kw * dilation_w - padding_w
        ow_first, ow_last = columns_inside(left, stride_w, w, out_w)
        if ow_first >= ow_last:
            continue
        so_far, where, tap = best[ow_first:ow_last], offset[ow_first:ow_last], row_offset + kw * dilation_w
        if stride_w == 1:
            taps = row[left + ow_first : left + ow_last]
        else:
            source = row[left + ow_first * stride_w :]
            taps = line[: ow_last - ow_first]
            for i in range(taps.size):
                taps[i] = source[i * stride_w]
        for i in range(so_far.size):
            value, held, held_at = taps[i], so_far[i], where[i]
            if value > held or value != value:  # the second is true for NaN alone
                held, held_at = value, tap
            so_far[i], where[i] = held, held_at
