"""Group normalisation, one group of one image a task: its pixels stay in the cache from the sums to the normalised values.

The gradients of scale and shift are sums over the images: a task leaves its own, and they are added in the order of the images.
    // per pixel: forward 3 reads (2 of them cached) and 1 write, backward 4 reads (2 of them cached) and 1 write, 4 bytes each
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._row_moments import FETCHED, NEAR, row_statistics
from .._simd_affine import SOON, normalise_ahead, subtract_scaled
from .._simd_norms import sum_gradient
from .._threads import launch


def forward(x, weight, bias, eps):
    """See ``reference.forward``."""
    rows = x.shape[0]
    out = empty(x.shape, x.dtype)
    mean, inv_std, variance = np.empty(rows), np.empty(rows), np.empty(rows)
    launch(_forward, rows, x, weight, bias, eps, out, mean, inv_std, variance, work=4 * x.size)
    return out, mean, inv_std, variance


def backward(grad_output, x, weight, mean, inv_std):
    """See ``reference.backward``."""
    rows, segments = x.shape[:2]
    grad_input = empty(x.shape, x.dtype)
    sums = np.empty((2, rows * segments))  # per image and channel, of grad_output times the normalised x, and of grad_output
    launch(_backward, rows, grad_output, x, weight, mean, inv_std, grad_input, *sums, work=4 * x.size)
    images = rows * segments // weight.size if weight.size else 0
    grad_weight, grad_bias = sums.reshape(2, images, weight.size).sum(1).astype(x.dtype)  # one image after the other
    return grad_input, grad_weight, grad_bias


@kernel
def _forward(first, last, x, weight, bias, eps, out, mean, inv_std, variance):
    flat, target, (_, segments, length) = x.reshape(-1), out.reshape(-1), x.shape
    together, near = max(1, NEAR // max(segments * length, 1)), segments * length <= FETCHED
    expected = target if near else flat  # of a long group nothing is asked for but what is read anyway
    soon, ahead = 0 if near else SOON, segments * length if near else 0
    for begin in range(first, last, together):
        end = min(begin + together, last)
        row_statistics(flat, begin, end, segments * length, eps, mean, variance, inv_std, expected)
        for row in range(begin, end):
            for s in range(segments):
                at, k = (row * segments + s) * length, (row * segments + s) % weight.size
                scale = inv_std[row] * weight[k]
                normalise_ahead(flat, at, length, mean[row], scale, bias[k], target, soon, ahead)


@kernel
def _backward(first, last, grad_output, x, weight, mean, inv_std, grad_input, moments, totals):
    given, values, target, (_, segments, length) = grad_output.reshape(-1), x.reshape(-1), grad_input.reshape(-1), x.shape
    count = max(segments * length, 1)
    ahead = count if count <= FETCHED else 0
    for row in range(first, last):
        shift, slope = 0.0, 0.0
        for s in range(segments):
            at = row * segments + s
            summed, moment = _sums(given, values, at * length, length, mean[row])
            totals[at], moments[at] = summed, moment * inv_std[row]
            shift += weight[at % weight.size] * totals[at]
            slope += weight[at % weight.size] * moments[at]
        shift, slope = shift / count, slope * inv_std[row] / count
        for s in range(segments):
            at = row * segments + s
            factor = weight[at % weight.size]
            subtract_scaled(given, values, at * length, length, mean[row], factor, inv_std[row], shift, slope, target, ahead)


@piece
def _sums(grad, row, at, count, centre):
    """Return the sum of a gradient, and that of its products with the distances from a centre."""
    summed = moment = 0.0
    for start in range(0, count, NEAR):
        part = sum_gradient(grad, row, at + start, min(NEAR, count - start), centre, -np.inf, np.inf)
        summed, moment = summed + part[0], moment + part[1]
    return summed, moment
