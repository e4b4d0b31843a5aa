"""Batch normalisation, one channel a task: its pixels stay in the cache from the sums to the normalised values.

Sums run in double precision over the lanes of `_simd_sums`, one image of the batch after the other.
The gradient has a file of its own.
    // per pixel: 3 reads (2 of them cached) and 1 write, 4 bytes each
"""

from __future__ import annotations

import math

import numpy as np

from .. import _arrays
from .._arena import empty
from .._jit import kernel
from .._simd_norms import normalise_row
from .._simd_sums import sum_row, sum_squares
from .._threads import launch
from . import gathered, gradient


def forward_train(x, weight, bias, eps, low=-math.inf, high=math.inf):
    """See ``reference.forward_train``; what ``reference.normalise`` then holds, too: a channel's pixels come from a cache."""
    mean, inv_std, variance = empty((3, x.shape[1]), np.float64)
    out = empty(x.shape, x.dtype)
    arrays = x, weight, bias, eps, low, high, mean, inv_std, variance, out
    launch(_train_gathered if _are_gathered(x) else _train, x.shape[1], *arrays, work=4 * x.size)
    return out, mean, inv_std, variance


def statistics(x, eps):
    """See ``reference.statistics``."""
    c = x.shape[1]
    mean, inv_std, variance = empty((3, c), np.float64)
    launch(gathered.statistics if _are_gathered(x) else _statistics, c, x, eps, mean, inv_std, variance, work=3 * x.size)
    return mean, inv_std, variance


def _are_gathered(x):
    """Return whether sums run over planes that are gathered first."""
    return x.shape[2] < gathered.SHORT and x.shape[0] > 1


def moved_statistics(running_mean, running_var, mean, variance, momentum):
    """See ``reference.moved_statistics``."""
    moved = empty(mean.size, running_mean.dtype), empty(mean.size, running_mean.dtype)
    _move(running_mean, running_var, mean, variance, 1.0, momentum, *moved)
    return moved


def normalise(x, weight, bias, mean, inv_std, low, high):
    """See ``reference.normalise``."""
    out = empty(x.shape, x.dtype)
    launch(_normalise_channels, x.shape[1], x, weight, bias, mean, inv_std, low, high, out, work=2 * x.size)
    return out


def forward_eval(x, weight, bias, running_mean, running_var, eps):
    """See ``reference.forward_eval``."""
    mean, inv_std = running_mean.astype(np.float64), _inverse_deviation(running_var, eps)
    return normalise(x, weight, bias, mean, inv_std, -math.inf, math.inf)


def fold(running_mean, running_var, weight, bias, eps):
    """Return centre, scale and shift of every channel in float64, or None if a statistic is not what it may be."""
    nothing = running_mean[:0]
    given = [nothing if array is None else _arrays.contiguous(array) for array in (running_mean, running_var, weight, bias)]
    out = np.empty((3, running_mean.size))
    return (out[0], out[1], out[2]) if _fold(*given, eps, out) else None


def backward_train(grad_output, x, weight, bias, mean, inv_std, low, high):
    """See ``reference.backward_train``."""
    return _backward(grad_output, x, weight, bias, mean, inv_std, low, high, True)


def backward_eval(grad_output, x, weight, running_mean, running_var, eps):
    """See ``reference.backward_eval``."""
    inv_std = _inverse_deviation(running_var, eps)
    mean = running_mean.astype(np.float64)
    return _backward(grad_output, x, weight, weight, mean, inv_std, -math.inf, math.inf, False)


def _inverse_deviation(running_var, eps):
    return 1 / np.sqrt(running_var.astype(np.float64) + eps)


def _backward(grad_output, x, weight, bias, mean, inv_std, low, high, through_statistics):
    grads = empty(x.shape, x.dtype), empty(x.shape[1], x.dtype), empty(x.shape[1], x.dtype)
    arrays = grad_output, x, weight, bias, mean, inv_std, low, high, through_statistics, *grads
    launch(gradient.backward(x.shape, low, high), x.shape[1], *arrays, work=4 * x.size)
    return grads


@kernel
def _statistics(first, last, x, eps, mean, inv_std, variance):
    flat, (n, channels, size) = x.reshape(-1), x.shape
    count = max(n * size, 1)
    together = max(1, gradient.NEAR // count)  # channels: one sum begins while the last one's lanes are still added up
    for begin in range(first, last, together):
        end = min(begin + together, last)
        for k in range(begin, end):
            total = 0.0
            for b in range(n):
                total += sum_row(flat, (b * channels + k) * size, size)
            mean[k] = total / count
        for k in range(begin, end):
            total = 0.0
            for b in range(n):
                total += sum_squares(flat, (b * channels + k) * size, size, mean[k])
            variance[k] = total / count
    for k in range(first, last):
        inv_std[k] = 1 / np.sqrt(variance[k] + eps)


@kernel
def _move(running_mean, running_var, mean, variance, factor, momentum, out_mean, out_var):
    kind = out_var.dtype.type
    for k in range(mean.size):
        moved = kind((1 - momentum) * running_mean[k] + momentum * mean[k])
        moved_var = kind((1 - momentum) * running_var[k] + momentum * (variance[k] * factor))
        sound = np.isfinite(moved_var)
        out_mean[k], out_var[k] = moved if sound else running_mean[k], moved_var if sound else running_var[k]


@kernel
def _normalise_channels(first, last, x, weight, bias, mean, inv_std, low, high, out):
    flat, target, (n, channels, size) = x.reshape(-1), out.reshape(-1), x.shape
    for k in range(first, last):
        for b in range(n):
            at = (b * channels + k) * size
            normalise_row(flat, at, size, mean[k], inv_std[k] * weight[k], bias[k], low, high, target, at)


@kernel
def _train(first, last, x, weight, bias, eps, low, high, mean, inv_std, variance, out):
    together = max(1, gradient.NEAR // max(x.shape[0] * x.shape[2], 1))
    for begin in range(first, last, together):
        end = min(begin + together, last)
        _statistics(begin, end, x, eps, mean, inv_std, variance)
        _normalise_channels(begin, end, x, weight, bias, mean, inv_std, low, high, out)


@kernel
def _train_gathered(first, last, x, weight, bias, eps, low, high, mean, inv_std, variance, out):
    together = max(1, gathered.LINE // max(x.shape[0] * x.shape[2], 1))
    for begin in range(first, last, together):
        end = min(begin + together, last)
        gathered.statistics(begin, end, x, eps, mean, inv_std, variance)
        _normalise_channels(begin, end, x, weight, bias, mean, inv_std, low, high, out)


@kernel
def are_statistics(mean, variance):
    """Return whether every mean is finite, and every variance, which is not negative."""
    sound = True
    for k in range(mean.size):
        sound &= np.isfinite(mean[k]) and np.isfinite(variance[k]) and variance[k] >= 0
    return sound


@kernel
def move(running_mean, running_var, mean, variance, factor, momentum):
    """Move running statistics in place, the variance towards ``factor`` times the batch's; return False if they are none."""
    if not are_statistics(running_mean, running_var):
        return False
    _move(running_mean, running_var, mean, variance, factor, momentum, running_mean, running_var)
    return True


@kernel
def _fold(running_mean, running_var, weight, bias, eps, out):
    if not are_statistics(running_mean, running_var):
        return False
    for k in range(running_mean.size):
        mean, variance = out.dtype.type(running_mean[k]), out.dtype.type(running_var[k])
        scale = 1 / np.sqrt(variance + eps)
        out[0, k], out[1, k] = mean, scale * weight[k] if weight.size else scale
        out[2, k] = bias[k] if bias.size else 0
    return True
