"""Batch normalisation, one channel a task: its pixels stay in the cache from the sums to the normalised values.

Sums run in double precision over LANES partial sums (`_row_moments`), one image of the batch after the other.
    // per pixel: forward 3 reads (2 of them cached) and 1 write, backward 4 reads and 1 write, 4 bytes each
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._row_moments import add_products, add_row, add_squares, normalise, total
from .._threads import launch

LANES = 512  # 4 KiB of partial sums: long enough to hide a slice's cost, small enough for the first-level cache


def forward_train(x, weight, bias, eps):
    """See ``reference.forward_train``."""
    c = x.shape[1]
    out = empty(x.shape, x.dtype)
    mean, inv_std, variance = np.empty(c), np.empty(c), np.empty(c)
    launch(_forward_train, c, x, weight, bias, eps, out, mean, inv_std, variance, work=4 * x.size)
    return out, mean, inv_std, variance


def forward_eval(x, weight, bias, running_mean, running_var, eps):
    """See ``reference.forward_eval``."""
    out = empty(x.shape, x.dtype)
    inv_std = _inverse_deviation(running_var, eps)
    launch(_forward_eval, x.shape[1], x, weight, bias, running_mean.astype(np.float64), inv_std, out, work=x.size)
    return out


def backward_train(grad_output, x, weight, mean, inv_std):
    """See ``reference.backward_train``."""
    return _backward(grad_output, x, weight, mean, inv_std, True)


def backward_eval(grad_output, x, weight, running_mean, running_var, eps):
    """See ``reference.backward_eval``."""
    inv_std = _inverse_deviation(running_var, eps)
    return _backward(grad_output, x, weight, running_mean.astype(np.float64), inv_std, False)


def _inverse_deviation(running_var, eps):
    return 1 / np.sqrt(running_var.astype(np.float64) + eps)


def _backward(grad_output, x, weight, mean, inv_std, through_statistics):
    grads = empty(x.shape, x.dtype), empty(x.shape[1], x.dtype), empty(x.shape[1], x.dtype)
    arrays = grad_output, x, weight, mean, inv_std, through_statistics, *grads
    launch(_backward_channels, x.shape[1], *arrays, work=4 * x.size)
    return grads


@kernel
def _forward_train(first, last, x, weight, bias, eps, out, mean, inv_std, variance):
    lanes, count = np.zeros(LANES, np.float64), max(x.shape[0] * x.shape[2], 1)
    for k in range(first, last):
        mean[k] = _sum(x, k, lanes) / count
        variance[k] = _sum_of_squares(x, k, mean[k], lanes) / count
        inv_std[k] = 1 / np.sqrt(variance[k] + eps)
        _normalise(x, out, k, mean[k], inv_std[k] * weight[k], bias[k])


@kernel
def _forward_eval(first, last, x, weight, bias, mean, inv_std, out):
    for k in range(first, last):
        _normalise(x, out, k, mean[k], inv_std[k] * weight[k], bias[k])


@kernel
def _backward_channels(
    first, last, grad_output, x, weight, mean, inv_std, through_statistics, grad_input, grad_weight, grad_bias
):
    lanes, count = np.zeros(LANES, np.float64), max(x.shape[0] * x.shape[2], 1)
    for k in range(first, last):
        summed = _sum(grad_output, k, lanes)
        moment = _sum_of_products(grad_output, x, k, mean[k], lanes)
        grad_bias[k], grad_weight[k] = summed, moment * inv_std[k]
        scale = inv_std[k] * weight[k]
        if not through_statistics:  # the statistics are constants
            _normalise(grad_output, grad_input, k, 0.0, scale, 0.0)
            continue
        shift, slope = summed / count, moment * inv_std[k] * inv_std[k] / count
        for b in range(x.shape[0]):
            part, values, target = grad_output[b, k], x[b, k], grad_input[b, k]
            for i in range(target.size):
                target[i] = scale * (part[i] - shift - (values[i] - mean[k]) * slope)


@kernel
def _sum(x, k, lanes):
    for b in range(x.shape[0]):
        add_row(x[b, k], lanes)
    return total(lanes)


@kernel
def _sum_of_squares(x, k, centre, lanes):
    for b in range(x.shape[0]):
        add_squares(x[b, k], centre, lanes)
    return total(lanes)


@kernel
def _sum_of_products(grad_output, x, k, centre, lanes):
    for b in range(x.shape[0]):
        add_products(grad_output[b, k], x[b, k], centre, lanes)
    return total(lanes)


@kernel
def _normalise(x, out, k, centre, scale, shift):
    for b in range(x.shape[0]):
        normalise(x[b, k], centre, scale, shift, out[b, k])
