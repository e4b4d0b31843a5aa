"""Adaptive average pooling by whole rows, in double precision.

forward: one task is one output row; a bin's rows are added up first, then the columns of each bin. Where a bin holds whole
    rows (global pooling) its pixels are one stretch of memory, summed in lanes
backward: gather form; one task is one input row: the shares of the bins over it, then spread along the row; a row under
    the same bins as the one above is its copy, which changes no bits; under a single bin, all pixels are alike
    // per pixel: 1 read of 4 bytes forward, 1 write of 4 bytes backward
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._pooling import bins
from .._simd_sums import sum_row
from .._threads import launch


def forward(x, rows, columns):
    """See ``reference.forward``."""
    n, c, h, w = x.shape
    out_h, out_w = rows[0].size, columns[0].size
    out = empty((n, c, out_h, out_w), x.dtype)
    if out_w == 1:
        launch(_forward_rows, n * c, x.reshape(-1), out.reshape(n * c, out_h), *rows, w, work=x.size)
    else:
        views = x.reshape(n * c, h, w), out.reshape(n * c, out_h, out_w)
        launch(_forward, n * c * out_h, *views, *rows, *columns, work=x.size + out.size)
    return out


def backward(grad_output, input_shape, rows, columns):
    """See ``reference.backward``."""
    n, c, h, w = input_shape
    out_h, out_w = grad_output.shape[2:]
    grad_input = empty(input_shape, grad_output.dtype)
    if (out_h, out_w) == (1, 1):
        launch(_spread, n * c, grad_output.reshape(-1), grad_input.reshape(n * c, h * w), work=2 * grad_input.size)
        return grad_input
    views = grad_output.reshape(n * c, out_h, out_w), grad_input.reshape(n * c, h, w)
    launch(_backward, n * c * h, *views, *rows, *columns, *bins(out_h, h), work=grad_input.size + grad_output.size)
    return grad_input


@kernel
def _forward_rows(first, last, x, out, top, bottom, w):
    size = x.size // max(out.shape[0], 1)
    for oh in range(top.size):
        start, count = top[oh] * w, (bottom[oh] - top[oh]) * w
        for plane in range(first, last):  # all of one length, which spares the sums of short rows many a question
            out[plane, oh] = sum_row(x, plane * size + start, count) / count


@kernel
def _forward(first, last, x, out, top, bottom, left, right):
    out_h = out.shape[1]
    total = np.empty(x.shape[2], np.float64)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        for i in range(total.size):
            total[i] = 0
        for ih in range(top[oh], bottom[oh]):
            source = x[plane, ih]
            for i in range(total.size):
                total[i] += source[i]
        target, height = out[plane, oh], bottom[oh] - top[oh]
        for ow in range(target.size):
            value = 0.0
            for iw in range(left[ow], right[ow]):
                value += total[iw]
            target[ow] = value / (height * (right[ow] - left[ow]))


@kernel
def _spread(first, last, grad_output, grad_input):
    for plane in range(first, last):
        values, share = grad_input[plane], grad_output[plane] / grad_input.shape[1]
        for i in range(values.size):
            values[i] = share


@kernel
def _backward(first, last, grad_output, grad_input, top, bottom, left, right, oh_first, oh_last):
    h, out_w = grad_input.shape[1], grad_output.shape[2]
    share, total = np.empty(out_w, np.float64), np.empty(grad_input.shape[2], np.float64)
    for task in range(first, last):
        plane, ih = task // h, task % h
        values = grad_input[plane, ih]
        if task > first and ih > 0 and oh_first[ih] == oh_first[ih - 1] and oh_last[ih] == oh_last[ih - 1]:
            above = grad_input[plane, ih - 1]  # under the same bins
            for i in range(values.size):
                values[i] = above[i]
            continue
        for i in range(share.size):
            share[i] = 0
        for oh in range(oh_first[ih], oh_last[ih]):
            source, height = grad_output[plane, oh], bottom[oh] - top[oh]
            for i in range(share.size):
                share[i] += source[i] / (height * (right[i] - left[i]))
        for i in range(total.size):
            total[i] = 0
        for ow in range(share.size):
            part = total[left[ow] : right[ow]]
            for i in range(part.size):
                part[i] += share[ow]
        for i in range(values.size):
            values[i] = total[i]
