"""Sums over planes too short for vectors: a channel's planes are gathered in one line.

A plane of 4 x 4 pixels is over before a loop has begun; a line of some hundred planes is not. Sums run along the line. Several
channels are gathered before the first is summed: what has just been written would be waited for.
    // per element: one more copy that stays in the first-level cache, in place of a call
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel, piece
from .._simd_norms import copy_row
from .._simd_sums import sum_row, sum_squares

SHORT = 128  # elements of a plane: longer ones are worth a loop of their own
LINE = 2048  # elements, which fit the first-level cache


@piece
def gather(flat, shape, begin, end, first, planes, lines):
    """Copy planes of some channels, from an image on, into a line for each channel."""
    _, channels, size = shape
    for k in range(begin, end):
        for b in range(planes):
            copy_row(flat, ((first + b) * channels + k) * size, lines, ((k - begin) * planes + b) * size, size)


@kernel
def statistics(first, last, x, eps, mean, inv_std, variance):
    """Write mean, ``1 / sqrt(variance + eps)`` and biased variance of every channel."""
    flat, (n, _, size) = x.reshape(-1), x.shape
    count, images = max(n * size, 1), max(1, min(n, LINE // max(size, 1)))
    together = 1 if images < n else max(1, LINE // count)  # channels whose lines are at hand
    lines = np.empty(together * images * size, x.dtype)
    for begin in range(first, last, together):
        end = min(begin + together, last)
        mean[begin:end], variance[begin:end] = 0, 0
        for b in range(0, n, images):
            planes = min(n - b, images)
            gather(flat, x.shape, begin, end, b, planes, lines)
            for k in range(begin, end):
                mean[k] += sum_row(lines, (k - begin) * planes * size, planes * size)
        for k in range(begin, end):
            mean[k] /= count
        for b in range(0, n, images):
            planes = min(n - b, images)
            if images < n:
                gather(flat, x.shape, begin, end, b, planes, lines)
            for k in range(begin, end):
                variance[k] += sum_squares(lines, (k - begin) * planes * size, planes * size, mean[k])
    for k in range(first, last):
        variance[k] /= count
        inv_std[k] = 1 / np.sqrt(variance[k] + eps)
