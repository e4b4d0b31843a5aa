"""Layer normalisation row by row; the gradients of scale and shift run down the columns of a part of the rows at a time.

forward, backward_input: one task is a row; backward_affine: one task is a part of the rows, in its own two sums of every column
    // per element: forward 3 reads (2 of them cached) and 1 write; backward 6 reads (2 of them cached) and 1 write of 4 bytes
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._row_moments import add_products, add_row, mean_and_variance, total
from .._threads import launch

LANES = 64  # partial sums of a row, which may be short
PART_ROWS, MOST_PARTS = 64, 16  # rows of a part, at least, and parts: each holds two sums of every column


def forward(x, weight, bias, eps):
    """See ``reference.forward``."""
    rows = x.shape[0]
    out, mean, inv_std = empty(x.shape, x.dtype), np.empty(rows), np.empty(rows)
    launch(_forward, rows, x, weight, bias, eps, out, mean, inv_std, work=4 * x.size)
    return out, mean, inv_std


def backward(grad_output, x, weight, mean, inv_std):
    """See ``reference.backward``."""
    rows, length = x.shape
    grad_input = empty(x.shape, x.dtype)
    launch(_backward_input, rows, grad_output, x, weight, mean, inv_std, grad_input, work=4 * x.size)
    parts = min(MOST_PARTS, 1 + rows // PART_ROWS)
    sums = np.zeros((2, parts, length))  # of grad_output times (x - mean) * inv_std, and of grad_output
    launch(_backward_affine, parts, grad_output, x, mean, inv_std, *sums, work=3 * x.size)
    grad_weight, grad_bias = sums.sum(1).astype(x.dtype)  # one part after the other
    return grad_input, grad_weight, grad_bias


@kernel
def _forward(first, last, x, weight, bias, eps, out, mean, inv_std):
    lanes = np.zeros(LANES, np.float64)
    for row in range(first, last):
        values, target = x[row], out[row]
        centre, variance = mean_and_variance(values, lanes)
        scale = 1 / np.sqrt(variance + eps)
        for i in range(target.size):
            target[i] = (values[i] - centre) * scale * weight[i] + bias[i]
        mean[row], inv_std[row] = centre, scale


@kernel
def _backward_input(first, last, grad_output, x, weight, mean, inv_std, grad_input):
    lanes, weighted = np.zeros(LANES, np.float64), np.empty(weight.size, np.float64)
    count = max(weight.size, 1)
    for row in range(first, last):
        part, values, target = grad_output[row], x[row], grad_input[row]
        centre, scale = mean[row], inv_std[row]
        for i in range(weighted.size):
            weighted[i] = np.float64(part[i]) * weight[i]
        add_row(weighted, lanes)
        shift = total(lanes) / count
        add_products(weighted, values, centre, lanes)
        slope = total(lanes) * scale * scale / count
        for i in range(target.size):
            target[i] = scale * (weighted[i] - shift - (values[i] - centre) * slope)


@kernel
def _backward_affine(first, last, grad_output, x, mean, inv_std, moments, totals):
    rows, parts = x.shape[0], moments.shape[0]
    for task in range(first, last):
        moment, gradient = moments[task], totals[task]
        for row in range(rows * task // parts, rows * (task + 1) // parts):
            part, values, centre, scale = grad_output[row], x[row], mean[row], inv_std[row]
            for i in range(part.size):
                moment[i] += part[i] * ((values[i] - centre) * scale)
                gradient[i] += part[i]
