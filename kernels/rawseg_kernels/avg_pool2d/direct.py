"""Average pooling row by row, in double precision, with the divisors of a window as a product of a row's and a column's.

forward: an output row is the sum of kernel_h * kernel_w shifted input rows, divided by its divisors
backward: gather form; an input row first sums the shares of the output rows over it, then spreads them along the row
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._pooling_rows import columns_inside, taps_inside
from .._threads import launch


def forward(x, kernel_size, stride, padding, output_size, count_include_pad, divisor_override):
    """See ``reference.forward``."""
    n, c, h, w = x.shape
    out = empty((n, c, *output_size), x.dtype)
    counts = _counts((h, w), kernel_size, stride, padding, output_size, count_include_pad, divisor_override)
    views = x.reshape(n * c, h, w), out.reshape(n * c, *output_size)
    work = out.size * kernel_size[0] * kernel_size[1]
    launch(_forward, n * c * output_size[0], *views, *counts, kernel_size, stride, padding, work=work)
    return out


def backward(grad_output, input_shape, kernel_size, stride, padding, count_include_pad, divisor_override):
    """See ``reference.backward``."""
    n, c, h, w = input_shape
    output_size = grad_output.shape[2:]
    grad_input = empty(input_shape, grad_output.dtype)
    counts = _counts((h, w), kernel_size, stride, padding, output_size, count_include_pad, divisor_override)
    views = grad_output.reshape(n * c, *output_size), grad_input.reshape(n * c, h, w)
    work = grad_output.size * kernel_size[0] * kernel_size[1]
    launch(_backward, n * c * h, *views, *counts, kernel_size, stride, padding, work=work)
    return grad_input


def _counts(size, kernel_size, stride, padding, output_size, count_include_pad, divisor_override):
    """Return row and column divisors, float64: the divisor of window (oh, ow) is ``rows[oh] * columns[ow]``."""
    if divisor_override:
        return np.full(output_size[0], float(divisor_override)), np.ones(output_size[1])
    counts = []
    for axis in (0, 1):
        start = np.arange(output_size[axis]) * stride[axis] - padding[axis]
        reach = start + kernel_size[axis]
        if count_include_pad:  # but never what ceil_mode lets hang over the right padding
            count = np.minimum(reach, size[axis] + padding[axis]) - start
        else:
            count = np.minimum(reach, size[axis]) - np.maximum(start, 0)
        counts.append(count.astype(np.float64))
    return counts[0], counts[1]


@kernel
def _forward(first, last, x, out, rows, columns, kernel_size, stride, padding):
    """One task is one output row."""
    h, w = x.shape[1], x.shape[2]
    out_h, out_w = out.shape[1], out.shape[2]
    total = np.empty(out_w, np.float64)
    kw_first, kw_last = taps_inside(kernel_size[1], stride[1], padding[1], 1, w, out_w)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        top = oh * stride[0] - padding[0]
        for i in range(total.size):
            total[i] = 0
        for ih in range(max(top, 0), min(top + kernel_size[0], h)):
            for kw in range(kw_first, kw_last):
                left = kw - padding[1]
                ow_first, ow_last = columns_inside(left, stride[1], w, out_w)
                if ow_first >= ow_last:
                    continue
                part, source = total[ow_first:ow_last], x[plane, ih, left + ow_first * stride[1] :]
                for i in range(part.size):
                    part[i] += source[i * stride[1]]
        values = out[plane, oh]
        for i in range(values.size):
            values[i] = total[i] / (rows[oh] * columns[i])


@kernel
def _backward(first, last, grad_output, grad_input, rows, columns, kernel_size, stride, padding):
    """One task is one input row."""
    h, w = grad_input.shape[1], grad_input.shape[2]
    out_h, out_w = grad_output.shape[1], grad_output.shape[2]
    share, total = np.empty(out_w, np.float64), np.empty(w, np.float64)
    kw_first, kw_last = taps_inside(kernel_size[1], stride[1], padding[1], 1, w, out_w)
    for task in range(first, last):
        plane, ih = task // h, task % h
        oh_first = max(0, -((kernel_size[0] - 1 - ih - padding[0]) // stride[0]))
        oh_last = min(out_h, (ih + padding[0]) // stride[0] + 1)
        for i in range(share.size):
            share[i] = 0
        for oh in range(oh_first, oh_last):
            source = grad_output[plane, oh]
            for i in range(share.size):
                share[i] += source[i] / (rows[oh] * columns[i])
        for i in range(total.size):
            total[i] = 0
        for kw in range(kw_first, kw_last):
            left = kw - padding[1]
            ow_first, ow_last = columns_inside(left, stride[1], w, out_w)
            if ow_first >= ow_last:
                continue
            part, target = share[ow_first:ow_last], total[left + ow_first * stride[1] :]
            for i in range(part.size):
                target[i * stride[1]] += part[i]
        values = grad_input[plane, ih]
        for i in range(values.size):
            values[i] = total[i]
