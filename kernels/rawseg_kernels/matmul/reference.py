"""Matrix products as plain loops: the definition, summed in order of k, in float64 for float32, rounded once."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # widens a float32 factor


def forward(a, b, pairs, transpose_a, transpose_b):
    """``out[i] = a[pairs[i, 0]] @ b[pairs[i, 1]]``, either matrix read transposed if asked."""
    rows, depth = (a.shape[2], a.shape[1]) if transpose_a else (a.shape[1], a.shape[2])
    columns = b.shape[1] if transpose_b else b.shape[2]
    out = np.empty((pairs.shape[0], rows, columns), a.dtype)
    for i in range(pairs.shape[0]):
        left, right = a[pairs[i, 0]], b[pairs[i, 1]]
        for row in range(rows):
            for column in range(columns):
                total = 0.0 * ONE
                for k in range(depth):
                    x = left[k, row] if transpose_a else left[row, k]
                    y = right[column, k] if transpose_b else right[k, column]
                    total += ONE * x * y
                out[i, row, column] = total
    return out
