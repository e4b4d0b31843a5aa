"""Layer normalisation of some rows at a time, as many as are near; the gradients of scale and shift run down their columns.

forward: one task is a row; backward: one task is a part of the rows, in its own two sums of every column. Of long rows, these
sums and what is written take a stretch of columns a task, after the averages of all rows.
    // per element: forward 3 reads (2 of them cached) and 1 write; backward 4 reads (2 of them cached) and 1 write of 4 bytes
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._row_moments import FETCHED, NEAR, row_statistics
from .._simd_affine import TOGETHER, finish_rows, scale_row, sum_weighted
from .._threads import launch

TILE = 8192  # elements of rows that are summed before any of their gradients is written: to turn between both takes time
PART_ROWS, MOST_PARTS = 64, 16  # rows of a part, at least, and parts: each holds two sums of every column


def forward(x, weight, bias, eps):
    """See ``reference.forward``."""
    rows = x.shape[0]
    out, mean, inv_std = empty(x.shape, x.dtype), np.empty(rows), np.empty(rows)
    launch(_forward, rows, x, _wide(weight), _wide(bias), eps, out, mean, inv_std, work=4 * x.size)
    return out, mean, inv_std


def backward(grad_output, x, weight, mean, inv_std):
    """See ``reference.backward``."""
    rows, length = x.shape
    parts = min(MOST_PARTS, 1 + rows // PART_ROWS)
    grad_input, lines = empty(x.shape, x.dtype), np.empty((rows, 4))
    sums = empty((2, parts, length), np.float64)  # of grad_output times (x - mean) * inv_std, and of grad_output
    arrays = grad_output, x, _wide(weight), mean, inv_std, lines
    if length <= NEAR:
        launch(_backward, parts, *arrays, grad_input, sums, work=7 * x.size)
    else:
        launch(_lines, rows, *arrays, work=4 * x.size)
        launch(_finish_stretches, parts * -(-length // NEAR), *arrays[:3], lines, grad_input, sums, work=4 * x.size)
    grad_weight, grad_bias = (sums[:, 0] if parts == 1 else sums.sum(1)).astype(x.dtype)  # one part after the other
    return grad_input, grad_weight, grad_bias


def _wide(affine):
    """Widen to double what every row takes again, unless it is so long that it comes from memory anew."""
    return affine.astype(np.float64) if affine.size <= NEAR else affine


@kernel
def _forward(first, last, x, weight, bias, eps, out, mean, inv_std):
    flat, target, length = x.reshape(-1), out.reshape(-1), x.shape[1]
    together, expected = max(1, NEAR // max(length, 1)), target if length <= FETCHED else flat
    for begin in range(first, last, together):
        end = min(begin + together, last)
        row_statistics(flat, begin, end, length, eps, mean, inv_std, inv_std, expected)
        for row in range(begin, end):
            scale_row(flat, row * length, length, mean[row], inv_std[row], weight, bias, 0, target)


@kernel
def _backward(first, last, grad_output, x, weight, mean, inv_std, lines, grad_input, sums):
    (rows, length), parts = x.shape, sums.shape[1]
    together = max(TOGETHER, TILE // max(length, 1))
    for part in range(first, last):
        until = rows * (part + 1) // parts
        for i in range(length):
            sums[0, part, i] = sums[1, part, i] = 0
        for begin in range(rows * part // parts, until, together):
            end = min(begin + together, until)
            _lines(begin, end, grad_output, x, weight, mean, inv_std, lines)
            _finish(begin, end, grad_output, x, weight, lines, grad_input, sums, part, 0, length)


@kernel
def _finish_stretches(first, last, grad_output, x, weight, lines, grad_input, sums):
    (rows, length), parts = x.shape, sums.shape[1]
    stretches = -(-length // NEAR)
    for task in range(first, last):
        part, start = task // stretches, task % stretches * NEAR
        end = min(start + NEAR, length)
        for i in range(start, end):
            sums[0, part, i] = sums[1, part, i] = 0
        begin, until = rows * part // parts, rows * (part + 1) // parts
        _finish(begin, until, grad_output, x, weight, lines, grad_input, sums, part, start, end - start)


@kernel
def _lines(first, last, grad_output, x, weight, mean, inv_std, lines):
    """Write centre and scale of each row, the average of its weighted gradient, and what its distances are subtracted with."""
    given, values, length = grad_output.reshape(-1), x.reshape(-1), x.shape[1]
    for row in range(first, last):
        summed = moment = 0.0
        for start in range(0, length, NEAR):
            at, size = row * length + start, min(NEAR, length - start)
            pair = sum_weighted(given, values, at, size, mean[row], weight, start)
            summed, moment = summed + pair[0], moment + pair[1]
        scale, count = inv_std[row], max(length, 1)
        lines[row, 0], lines[row, 1] = mean[row], scale
        lines[row, 2], lines[row, 3] = summed / count, moment * scale * scale / count


@piece
def _finish(begin, end, grad_output, x, weight, lines, grad_input, sums, part, start, size):
    """Write a stretch of the gradients of some rows, and add them to the sums of its columns, in the order of the rows."""
    given, values, target, length = grad_output.reshape(-1), x.reshape(-1), grad_input.reshape(-1), x.shape[1]
    flat, cells = lines.reshape(-1), sums.reshape(-1)
    moments_at, totals_at = part * length + start, (sums.shape[1] + part) * length + start
    row = begin
    while row < end:
        rows = TOGETHER if row + TOGETHER <= end else 1
        at = row * length + start
        finish_rows(rows, given, values, at, length, size, flat, 4 * row, weight, start, target, cells, moments_at, totals_at)
        row += rows
