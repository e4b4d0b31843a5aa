"""Plain loops that define adaptive max pooling; ``rows`` and ``columns`` are the two tables of bins."""

from __future__ import annotations

import numpy as np


def forward(x, rows, columns):
    """Scan each bin in row-major order: the first largest value wins, and the last NaN beats everything."""
    n, c, _, w = x.shape
    (top, bottom), (left, right) = rows, columns
    out = np.empty((n, c, top.size, left.size), x.dtype)
    indices = np.empty((n, c, top.size, left.size), np.int64)
    for b in range(n):
        for k in range(c):
            for oh in range(top.size):
                for ow in range(left.size):
                    best, chosen = x[b, k, top[oh], left[ow]], top[oh] * w + left[ow]
                    for ih in range(top[oh], bottom[oh]):
                        for iw in range(left[ow], right[ow]):
                            value = x[b, k, ih, iw]
                            if value > best or np.isnan(value):
                                best, chosen = value, ih * w + iw
                    out[b, k, oh, ow], indices[b, k, oh, ow] = best, chosen
    return out, indices
