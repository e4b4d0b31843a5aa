"""Group normalisation, one group of one image a task: its pixels stay in the cache from the sums to the normalised values.

The gradients of scale and shift are sums over the images: a task leaves its own, and they are added in the order of the images.
    // per pixel: forward 3 reads (2 of them cached) and 1 write, backward 4 reads (2 of them cached) and 1 write, 4 bytes each
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._row_moments import add_products, add_row, mean_and_variance, normalise, total
from .._threads import launch

LANES = 64  # partial sums of a row, which may be short


def forward(x, weight, bias, eps):
    """See ``reference.forward``."""
    rows = x.shape[0]
    out = empty(x.shape, x.dtype)
    mean, inv_std, variance = np.empty(rows), np.empty(rows), np.empty(rows)
    flat = x.reshape(rows, x.shape[1] * x.shape[2])
    launch(_forward, rows, flat, weight, bias, eps, out, mean, inv_std, variance, work=4 * x.size)
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
    lanes, segments, length = np.zeros(LANES, np.float64), out.shape[1], out.shape[2]
    for row in range(first, last):
        mean[row], variance[row] = mean_and_variance(x[row], lanes)
        inv_std[row] = 1 / np.sqrt(variance[row] + eps)
        for s in range(segments):
            k = (row * segments + s) % weight.size
            values = x[row, s * length : (s + 1) * length]
            normalise(values, mean[row], inv_std[row] * weight[k], bias[k], out[row, s])


@kernel
def _backward(first, last, grad_output, x, weight, mean, inv_std, grad_input, moments, totals):
    segments, length = x.shape[1], x.shape[2]
    lanes, count = np.zeros(LANES, np.float64), max(segments * length, 1)
    for row in range(first, last):
        shift, slope = 0.0, 0.0
        for s in range(segments):
            at = row * segments + s
            add_row(grad_output[row, s], lanes)
            totals[at] = total(lanes)
            add_products(grad_output[row, s], x[row, s], mean[row], lanes)
            moments[at] = total(lanes) * inv_std[row]
            shift += weight[at % weight.size] * totals[at]
            slope += weight[at % weight.size] * moments[at]
        shift, slope = shift / count, slope * inv_std[row] / count
        for s in range(segments):
            factor = np.float64(weight[(row * segments + s) % weight.size])
            part, values, target = grad_output[row, s], x[row, s], grad_input[row, s]
            for i in range(target.size):
                target[i] = inv_std[row] * (factor * part[i] - shift - (values[i] - mean[row]) * slope)
