"""Cross entropy over strips: all loops run over neighbouring pixels, which are vectors; classes are taken in order.

Logits of whole images, a pixel each, have their classes for neighbours: there exponentials are vectors, and added in order.

// per element: forward 2 reads of 4 bytes, one from a cache, and an exponential; backward 1 read, 1 write, an exponential
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._elementary import exp, log
from .._jit import kernel
from .._threads import launch

STRIP_BYTES = 1 << 16  # of a strip's logits: they are still in a cache when they are read again
SHORTEST, LONGEST = 16, 1024  # pixels of a strip


def forward(x, target, kept, sharp, smooth):
    """See ``reference.forward``."""
    losses, shifts = empty(target.shape, x.dtype), empty(target.shape, np.float64)
    arrays = x, target, kept, sharp, smooth, losses, shifts
    if x.shape[2] == 1:
        launch(_forward_rows, x.shape[0], *_rows(arrays), work=20 * x.size)
    else:
        _launch(_forward, *arrays)
    return losses, shifts


def backward(grad_output, x, shifts, target, kept, sharp, smooth):
    """See ``reference.backward``."""
    grad_input = empty(x.shape, x.dtype)
    arrays = x, grad_output, shifts, target, kept, sharp, smooth, grad_input
    if x.shape[2] == 1:
        launch(_backward_rows, x.shape[0], *_rows(arrays), work=20 * x.size)
    else:
        _launch(_backward, *arrays)
    return grad_input


def _rows(arrays):
    """Return arrays without their last axis, of single pixels: what is left lies side by side, and Numba knows it."""
    return [array.reshape(array.shape[:-1]) if array.ndim > 1 else array for array in arrays]


def _launch(run, x, *arrays):
    n, classes, pixels = x.shape
    strip = max(1, min(pixels, LONGEST, max(SHORTEST, STRIP_BYTES // (x.itemsize * classes))))
    strips = -(-pixels // strip)
    launch(run, n * strips, x, *arrays, strip, strips, work=20 * x.size)


@kernel
def _forward(first, last, x, target, kept, sharp, smooth, losses, shifts, strip, strips):
    classes, pixels = x.shape[1], x.shape[2]
    tops, totals = np.empty(strip, x.dtype), np.empty(strip)
    for task in range(first, last):
        b, start = task // strips, task % strips * strip
        end = min(start + strip, pixels)
        top, total = tops[: end - start], totals[: end - start]
        ids, values = target[b, start:end], x[b, 0, start:end]
        for i in range(top.size):
            top[i], total[i] = values[i], 0.0
        for k in range(classes):
            values = x[b, k, start:end]
            for i in range(top.size):
                top[i] = values[i] if values[i] > top[i] else top[i]  # a NaN comes into the sum
        for k in range(classes):
            values = x[b, k, start:end]
            for i in range(top.size):
                total[i] += exp(np.float64(values[i]) - top[i], values[i])
        shift = shifts[b, start:end]
        for i in range(top.size):
            shift[i] = top[i] + log(total[i])
        if smooth.size:
            for i in range(top.size):
                total[i] = 0.0
            for k in range(classes):
                values = x[b, k, start:end]
                for i in range(top.size):
                    total[i] += smooth[k] * (shift[i] - values[i])
        loss, weight, keep = losses[b, start:end], sharp[b, start:end], kept[b, start:end]
        for i in range(top.size):
            value = weight[i] * (shift[i] - x[b, ids[i], start + i])
            if smooth.size:
                value += total[i]
            loss[i] = value if keep[i] else 0.0


@kernel
def _backward(first, last, x, grad_output, shifts, target, kept, sharp, smooth, grad_input, strip, strips):
    classes, pixels = x.shape[1], x.shape[2]
    mass = 0.0
    for k in range(smooth.size):
        mass += smooth[k]
    for task in range(first, last):
        b, start = task // strips, task % strips * strip
        end = min(start + strip, pixels)
        ids, keep, weight = target[b, start:end], kept[b, start:end], sharp[b, start:end]
        shift, grads = shifts[b, start:end], grad_output[b, start:end]
        for k in range(classes):
            values, to = x[b, k, start:end], grad_input[b, k, start:end]
            evenly = smooth[k] if smooth.size else 0.0
            for i in range(to.size):
                grad = exp(values[i] - shift[i], values[i]) * (weight[i] + mass)
                grad = grad - weight[i] if ids[i] == k else grad
                grad = (grad - evenly) * grads[i]
                to[i] = grad if keep[i] else 0.0


@kernel
def _forward_rows(first, last, x, target, kept, sharp, smooth, losses, shifts):
    classes = x.shape[1]
    exponentials = np.empty(classes)
    for b in range(first, last):
        values = x[b]
        top = values[0]
        for k in range(classes):
            top = values[k] if values[k] > top else top  # a NaN comes into the sum
        for k in range(classes):
            exponentials[k] = exp(np.float64(values[k]) - top, values[k])
        total = 0.0
        for k in range(classes):
            total += exponentials[k]
        shift = top + log(total)
        loss = sharp[b] * (shift - values[target[b]])
        if smooth.size:
            evenly = 0.0
            for k in range(classes):
                evenly += smooth[k] * (shift - values[k])
            loss += evenly
        losses[b], shifts[b] = loss if kept[b] else 0.0, shift


@kernel
def _backward_rows(first, last, x, grad_output, shifts, target, kept, sharp, smooth, grad_input):
    classes = x.shape[1]
    mass = 0.0
    for k in range(smooth.size):
        mass += smooth[k]
    for b in range(first, last):
        values, to = x[b], grad_input[b]
        if not kept[b]:
            to[:] = 0.0
            continue
        shift, weight, grad = shifts[b], sharp[b] + mass, np.float64(grad_output[b])
        own = target[b]
        its = exp(values[own] - shift, values[own]) * weight - sharp[b]
        if smooth.size:
            for k in range(classes):
                to[k] = (exp(values[k] - shift, values[k]) * weight - smooth[k]) * grad
            its -= smooth[own]
        else:
            for k in range(classes):
                to[k] = (exp(values[k] - shift, values[k]) * weight) * grad
        to[own] = its * grad
