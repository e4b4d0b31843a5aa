"""Mean and deviation of rows: the compiled half of layer and group normalisation."""

from __future__ import annotations

import numpy as np

from ._jit import piece
from ._simd_sums import sum_row, sum_squares_before

FETCHED = 1 << 15  # elements of a row, at most, whose results' lines come before they are written: both are in the cache
NEAR = 1024  # elements of one row, or of several, that are summed while they are in the first-level cache


@piece
def row_statistics(rows, begin, end, length, eps, mean, variance, inv_std, to):
    """Write the mean, the biased variance and ``1 / sqrt(variance + eps)`` of each row, in two passes; 0 and 0 of an empty one.

    One row's sum begins while the last one's lanes are still added up. ``variance`` may be ``inv_std``, if nobody wants it. The
    lines of ``to`` at the same places come meanwhile: what is written there next need not wait for them.
    """
    count = max(length, 1)
    for row in range(begin, end):
        mean[row] = sum_row(rows, row * length, length) / count
    for row in range(begin, end):
        variance[row] = sum_squares_before(rows, row * length, length, mean[row], to) / count
    for row in range(begin, end):
        inv_std[row] = 1 / np.sqrt(variance[row] + eps)
