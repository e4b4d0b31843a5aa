"""Adaptive max pooling, rows before columns: the rows of a bin are compared whole, so that the comparisons run in vectors.

For every column the best value and its row are kept. Of two columns of a bin the greater value wins; of equal values the one
from the upper row, then from the left column; of NaNs the one from the lower row, then from the right column. A scan in
row-major order chooses the same.
    // per pixel and bin that holds it: 1 comparison; per output: 12 bytes written
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._threads import launch


def forward(x, rows, columns):
    """See ``reference.forward``."""
    n, c, h, w = x.shape
    size = rows[0].size, columns[0].size
    out, indices = empty((n, c, *size), x.dtype), empty((n, c, *size), np.int64)
    views = x.reshape(n * c, h, w), out.reshape(n * c, *size), indices.reshape(n * c, *size)
    launch(_forward, n * c * size[0], *views, *rows, *columns, work=2 * x.size + out.size)
    return out, indices


@kernel
def _forward(first, last, x, out, indices, top, bottom, left, right):
    """One task is one output row."""
    out_h, w = out.shape[1], x.shape[2]
    best, row = np.empty(w, x.dtype), np.empty(w, np.int64)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        source = x[plane, top[oh]]
        for i in range(best.size):
            best[i] = source[i]
            row[i] = top[oh]
        for ih in range(top[oh] + 1, bottom[oh]):
            source = x[plane, ih]
            for i in range(best.size):
                value, held, held_at = source[i], best[i], row[i]
                if value > held or value != value:  # the second is true for NaN alone
                    held, held_at = value, ih
                best[i], row[i] = held, held_at
        values, where = out[plane, oh], indices[plane, oh]
        for ow in range(values.size):
            value, ih, iw = best[left[ow]], row[left[ow]], left[ow]
            for i in range(left[ow] + 1, right[ow]):
                wins = best[i] > value or (best[i] == value and row[i] < ih)
                if best[i] != best[i]:
                    wins = value == value or row[i] >= ih
                if wins:
                    value, ih, iw = best[i], row[i], i
            values[ow], where[ow] = value, ih * w + iw
