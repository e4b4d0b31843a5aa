"""Softmax over strips: a task holds a strip of neighbouring columns, or whole rows, in cache from the maximum to the quotient.

Along the last axis a row is contiguous and one row a task. Along any other axis, channels of images, a task is a strip of
pixels, and all loops run over the pixels of a strip; nothing is transposed. Sums run over the classes in order.
    // per element: 1 read (backward 2) and 1 write of 4 bytes; 1 exponential; the rest stays in the second-level cache
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._elementary import exp, log
from .._jit import kernel
from .._threads import launch

STRIP_BYTES = 1 << 17  # of the float64 exponentials of a strip: half a second-level cache
SHORTEST, LONGEST = 16, 1024  # pixels of a strip


def forward(x, logarithm):
    """See ``reference.forward``."""
    outer, classes, inner = x.shape
    out = empty(x.shape, x.dtype)
    if inner == 1:
        launch(_rows, outer, x.reshape(outer, classes), out.reshape(outer, classes), logarithm, work=4 * x.size)
    else:
        strip, strips = _strips(classes, inner)
        launch(_strips_forward, outer * strips, x, out, logarithm, strip, strips, work=4 * x.size)
    return out


def backward(grad_output, out, logarithm):
    """See ``reference.backward``."""
    outer, classes, inner = out.shape
    grad_input = empty(out.shape, out.dtype)
    if inner == 1:
        rows = (array.reshape(outer, classes) for array in (grad_output, out, grad_input))
        launch(_rows_backward, outer, *rows, logarithm, work=2 * out.size)
    else:
        strip, strips = _strips(classes, inner)
        arrays = grad_output, out, grad_input
        launch(_strips_backward, outer * strips, *arrays, logarithm, strip, strips, work=2 * out.size)
    return grad_input


def _strips(classes: int, inner: int) -> tuple[int, int]:
    """Return the length of a strip, and how many there are in a plane."""
    length = max(1, min(inner, LONGEST, max(SHORTEST, STRIP_BYTES // (8 * classes))))
    return length, -(-inner // length)


@kernel
def _rows(first, last, x, out, logarithm):
    exponentials = np.empty(x.shape[1], np.float64)
    for row in range(first, last):
        values, target = x[row], out[row]
        top = np.float64(values[0])
        for k in range(values.size):
            if values[k] > top or values[k] != values[k]:  # the second is true for NaN alone
                top = np.float64(values[k])
        for k in range(values.size):
            exponentials[k] = exp(values[k] - top, values[k])
        total = 0.0
        for k in range(values.size):
            total += exponentials[k]
        shift = log(total)
        for k in range(values.size):
            target[k] = (values[k] - top) - shift if logarithm else exponentials[k] / total


@kernel
def _strips_forward(first, last, x, out, logarithm, strip, strips):
    classes, inner = x.shape[1], x.shape[2]
    exponentials = np.empty((classes, strip), np.float64)
    tops, totals = np.empty(strip, np.float64), np.empty(strip, np.float64)
    for task in range(first, last):
        b, start = task // strips, task % strips * strip
        end = min(start + strip, inner)
        top, total = tops[: end - start], totals[: end - start]
        values = x[b, 0, start:end]
        for i in range(top.size):
            top[i] = values[i]
            total[i] = 0.0
        for k in range(1, classes):
            values = x[b, k, start:end]
            for i in range(top.size):
                larger = values[i] > top[i] or values[i] != values[i]
                top[i] = values[i] if larger else top[i]
        for k in range(classes):
            values, row = x[b, k, start:end], exponentials[k]
            for i in range(top.size):
                row[i] = exp(values[i] - top[i], values[i])
                total[i] += row[i]
        if logarithm:
            for i in range(top.size):
                total[i] = log(total[i])
        for k in range(classes):
            values, row, target = x[b, k, start:end], exponentials[k], out[b, k, start:end]
            if logarithm:
                for i in range(target.size):
                    target[i] = (values[i] - top[i]) - total[i]
            else:
                for i in range(target.size):
                    target[i] = row[i] / total[i]


@kernel
def _rows_backward(first, last, grad_output, out, grad_input, logarithm):
    for row in range(first, last):
        grads, values, target = grad_output[row], out[row], grad_input[row]
        total = 0.0
        if logarithm:
            for k in range(values.size):
                total += grads[k]
            for k in range(values.size):
                target[k] = grads[k] - exp(np.float64(values[k]), values[k]) * total
        else:
            for k in range(values.size):
                total += np.float64(grads[k]) * values[k]
            for k in range(values.size):
                target[k] = (grads[k] - total) * values[k]


@kernel
def _strips_backward(first, last, grad_output, out, grad_input, logarithm, strip, strips):
    classes, inner = out.shape[1], out.shape[2]
    totals = np.empty(strip, np.float64)
    for task in range(first, last):
        b, start = task // strips, task % strips * strip
        end = min(start + strip, inner)
        total = totals[: end - start]
        for i in range(total.size):
            total[i] = 0.0
        for k in range(classes):
            grads, values = grad_output[b, k, start:end], out[b, k, start:end]
            if logarithm:
                for i in range(total.size):
                    total[i] += grads[i]
            else:
                for i in range(total.size):
                    total[i] += np.float64(grads[i]) * values[i]
        for k in range(classes):
            grads, values, target = grad_output[b, k, start:end], out[b, k, start:end], grad_input[b, k, start:end]
            if logarithm:
                for i in range(total.size):
                    target[i] = grads[i] - exp(np.float64(values[i]), values[i]) * total[i]
            else:
                for i in range(total.size):
                    target[i] = (grads[i] - total[i]) * values[i]
