"""Cross entropy over strips: all loops run over neighbouring pixels, which are vectors; classes are taken in order.

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
    arrays = _along_pixels(x), *map(_row, (target, kept, sharp)), smooth, _row(losses), _row(shifts)
    _launch(_forward, arrays[0], *arrays)
    return losses, shifts


def backward(grad_output, x, shifts, target, kept, sharp, smooth):
    """See ``reference.backward``."""
    seen = _along_pixels(x)
    grad_input = empty(seen.shape, x.dtype)
    _launch(_backward, seen, _row(grad_output), seen, *map(_row, (shifts, target, kept, sharp)), smooth, grad_input)
    return grad_input if seen is x else np.ascontiguousarray(grad_input[0].T)[:, :, None]


def _along_pixels(x):
    """Return logits of single pixels as those of one image, whose pixels are neighbours."""
    return np.ascontiguousarray(x[:, :, 0].T)[None] if x.shape[2] == 1 and x.shape[0] > 1 else x


def _row(array):
    return array.reshape(1, -1) if array.shape[1] == 1 else array


def _launch(run, x, *arrays):
    n, classes, pixels = x.shape
    strip = max(1, min(pixels, LONGEST, max(SHORTEST, STRIP_BYTES // (x.itemsize * classes))))
    strips = -(-pixels // strip)
    launch(run, n * strips, *arrays, strip, strips, work=20 * x.size)


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
def _backward(first, last, grad_output, x, shifts, target, kept, sharp, smooth, grad_input, strip, strips):
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
