"""Average pooling row by row, in double precision, with the divisors of a window as a product of a row's and a column's.

Windows of 2 x 2 side by side are vectors; others go by rows in phases (``rows``), those of very many taps tap by tap, here.

forward: an output row is the sum of kernel_h * kernel_w shifted input rows, divided by its divisors
backward: gather form; an input row first sums the shares of the output rows over it, then spreads them along the row
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import _phases
from .._arena import empty
from .._jit import kernel
from .._pooling import are_quarters
from .._pooling_rows import columns_inside, taps_inside
from .._simd_means import spread_quarters, sum_quarters
from .._simd_rows import BLOCK
from .._threads import launch
from .rows import backward_rows, forward_rows

MOST_TAPS = 256  # of a window that is summed in vectors: tables of more could be long
EXACT = (0, 1, 2, 4)  # divisors of quarters, 0 for 4, whose inverse is exact: a product with it has the quotient's bits


def forward(x, kernel_size, stride, padding, output_size, count_include_pad, divisor_override):
    """See ``reference.forward``."""
    n, c, h, w = x.shape
    out = empty((n, c, *output_size), x.dtype)
    counts = _counts((h, w), kernel_size, stride, padding, output_size, count_include_pad, divisor_override)
    views = x.reshape(n * c, h, w), out.reshape(n * c, *output_size)
    if are_quarters((h, w), kernel_size, stride, padding, (1, 1), output_size) and divisor_override in EXACT:
        launch(_forward_quarters, n * c * output_size[0], *views, 1 / (divisor_override or 4), work=2 * out.size)
        return out
    work = out.size * kernel_size[0] * kernel_size[1]
    if kernel_size[0] * kernel_size[1] <= MOST_TAPS:
        tables = _phases.tables(w, output_size[1], kernel_size[1], stride[1], padding[1], 1)
        widths = np.ones(-(-output_size[1] // BLOCK) * BLOCK)  # whole vectors are read
        widths[: output_size[1]] = counts[1]
        launch(
            forward_rows,
            n * c * output_size[0],
            *views,
            counts[0],
            widths,
            *tables,
            kernel_size[0],
            stride,
            padding,
            work=work // 2,
        )
        return out
    launch(_forward, n * c * output_size[0], *views, *counts, kernel_size, stride, padding, work=work)
    return out


def backward(grad_output, input_shape, kernel_size, stride, padding, count_include_pad, divisor_override):
    """See ``reference.backward``."""
    n, c, h, w = input_shape
    output_size = grad_output.shape[2:]
    grad_input = empty(input_shape, grad_output.dtype)
    counts = _counts((h, w), kernel_size, stride, padding, output_size, count_include_pad, divisor_override)
    views = grad_output.reshape(n * c, *output_size), grad_input.reshape(n * c, h, w)
    if are_quarters((h, w), kernel_size, stride, padding, (1, 1), output_size) and divisor_override in EXACT:
        launch(_backward_quarters, n * c, *views, 1 / (divisor_override or 4), work=grad_input.size)
        return grad_input
    work = grad_output.size * kernel_size[0] * kernel_size[1]
    if kernel_size[0] * kernel_size[1] <= MOST_TAPS:
        tables = _phases.tables(w, output_size[1], kernel_size[1], stride[1], padding[1], 1)
        launch(backward_rows, n * c * h, *views, *counts, *tables, kernel_size[0], stride, padding, work=work // 2)
        return grad_input
    launch(_backward, n * c * h, *views, *counts, kernel_size, stride, padding, work=work)
    return grad_input


@lru_cache(maxsize=256)
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


@kernel
def _forward_quarters(first, last, x, out, factor):
    """Take the means of windows of 2 x 2 that do not overlap: two input rows at once, in vectors."""
    h, w, out_h, out_w = x.shape[1], x.shape[2], out.shape[1], out.shape[2]
    flat, values = x.reshape(-1), out.reshape(-1)
    for task in range(first, last):
        at = (task // out_h * h + 2 * (task % out_h)) * w
        sum_quarters(out_w, flat, at, at + w, factor, values, task * out_w)


@kernel
def _backward_quarters(first, last, grad_output, grad_input, factor):
    """Write each share to four pixels, and zeros behind the last windows of an odd plane."""
    out_h, out_w, h, w = grad_output.shape[1], grad_output.shape[2], grad_input.shape[1], grad_input.shape[2]
    given, target = grad_output.reshape(-1), grad_input.reshape(-1)
    for plane in range(first, last):
        for oh in range(out_h):
            at = (plane * h + 2 * oh) * w
            spread_quarters(out_w, given, (plane * out_h + oh) * out_w, factor, target, at, at + w)
        grad_input[plane, 2 * out_h :] = 0
        grad_input[plane, :, 2 * out_w :] = 0
