"""Cross entropy over strips: all loops run over neighbouring pixels, which are vectors; classes are taken in order.

Logits of whole images, a pixel each, have their classes for neighbours: there exponentials are vectors, and added in order, a
few images side by side, since each sum is a chain that waits for itself.

// per element: forward 2 reads of 4 bytes, one from a cache, and an exponential; backward 1 read, 1 write, an exponential
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._elementary import exp, log
from .._jit import kernel
from .._simd_scalar import number_at, order_of
from .._threads import launch

STRIP_BYTES = 1 << 16  # of a strip's logits: they are still in a cache when they are read again
SHORTEST, LONGEST = 16, 1024  # pixels of a strip
ROWS = 4  # images of a task


def forward(x, target, kept, sharp, smooth):
    """See ``reference.forward``."""
    losses, shifts = empty(target.shape, x.dtype), empty(target.shape, np.float64)
    arrays = target, kept, sharp, smooth, losses, shifts
    if x.shape[2] == 1:
        launch(_forward_rows, -(-x.shape[0] // ROWS), x.reshape(x.shape[:2]), *arrays, work=20 * x.size)
    else:
        _launch(_forward, x, *arrays)
    return losses, shifts


def backward(grad_output, x, shifts, target, kept, sharp, smooth):
    """See ``reference.backward``."""
    grad_output = grad_output.reshape(-1)  # a single one is that of all pixels
    if x.shape[2] == 1:
        rows = empty(x.shape[:2], x.dtype)
        arrays = grad_output, shifts, target, kept, sharp, smooth, rows
        launch(_backward_rows, x.shape[0], x.reshape(rows.shape), *arrays, work=20 * x.size)
        return rows.reshape(x.shape)
    grad_input = empty(x.shape, x.dtype)
    _launch(_backward, x, grad_output, shifts, target, kept, sharp, smooth, grad_input)
    return grad_input


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
        for k in range(1, classes):
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
            top[i] = x[b, np.uint64(ids[i]), start + i]  # one by one, so that the rest are vectors
        for i in range(top.size):
            value = weight[i] * (shift[i] - top[i])
            if smooth.size:
                value += total[i]
            loss[i] = value if keep[i] else 0.0


@kernel
def _backward(first, last, x, grad_output, shifts, target, kept, sharp, smooth, grad_input, strip, strips):
    classes, pixels = x.shape[1], x.shape[2]
    mass = 0.0
    for k in range(smooth.size):
        mass += smooth[k]
    alike = np.empty(strip, x.dtype)
    if grad_output.size == 1:
        alike[:] = grad_output[0]
    for task in range(first, last):
        b, start = task // strips, task % strips * strip
        end = min(start + strip, pixels)
        ids, keep, weight = target[b, start:end], kept[b, start:end], sharp[b, start:end]
        shift, grads = shifts[b, start:end], alike[: end - start]
        if grad_output.size > 1:
            grads = grad_output[b * pixels + start : b * pixels + end]
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
    n, classes = x.shape
    exponentials = np.zeros((ROWS, classes))
    for task in range(first, last):
        start, end = task * ROWS, min(task * ROWS + ROWS, n)
        for b in range(start, end):
            values, powers = x[b], exponentials[b - start]
            place = order_of(values[0])
            for k in range(values.size):
                place = max(place, order_of(values[k]))  # of integers: in any order, so in vectors; NaN comes into the sum
            top = number_at(place, values[0])
            shifts[b, 0] = top
            for k in range(values.size):
                powers[k] = exp(np.float64(values[k]) - top, values[k])
        total, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for k in range(classes):
            total += exponentials[0, k]
            second += exponentials[1, k]
            third += exponentials[2, k]
            fourth += exponentials[3, k]
        for b in range(start, end):
            values, own = x[b], target[b, 0]
            shift = shifts[b, 0] + log(total)
            total, second, third = second, third, fourth
            loss = sharp[b, 0] * (shift - values[own])
            if smooth.size:
                evenly = 0.0
                for k in range(classes):
                    evenly += smooth[k] * (shift - values[k])
                loss += evenly
            losses[b, 0], shifts[b, 0] = loss if kept[b, 0] else 0.0, shift


@kernel
def _backward_rows(first, last, x, grad_output, shifts, target, kept, sharp, smooth, grad_input):
    classes = x.shape[1]
    mass = 0.0
    for k in range(smooth.size):
        mass += smooth[k]
    for b in range(first, last):
        values, to = x[b], grad_input[b]
        if not kept[b, 0]:
            to[:] = 0.0
            continue
        shift, weight, grad = shifts[b, 0], sharp[b, 0] + mass, np.float64(grad_output[b if grad_output.size > 1 else 0])
        own = target[b, 0]
        its = exp(values[own] - shift, values[own]) * weight - sharp[b, 0]
        if smooth.size:
            for k in range(classes):
                to[k] = (exp(values[k] - shift, values[k]) * weight - smooth[k]) * grad
            its -= smooth[own]
        else:
            for k in range(classes):
                to[k] = (exp(values[k] - shift, values[k]) * weight) * grad
        to[own] = its * grad
