"""Resizing row by row: an output row needs at most two input rows, and neighbours need the same ones.

forward: one task is one output row; a row that its neighbour has already prepared is used again, which changes no bits
backward: gather form over the transposed tables; one task is one input row, summed down the columns first, then along the row
    // per output pixel: 1 read and 1 write of 4 bytes, the rest stays in the first-level cache
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._threads import launch
from . import tables


def forward_nearest(x, rows, columns):
    """See ``reference.forward_nearest``."""
    n, c, h, w = x.shape
    out = empty((n, c, rows.size, columns.size), x.dtype)
    views = x.reshape(n * c, h, w), out.reshape(n * c, rows.size, columns.size)
    launch(_nearest, n * c * rows.size, *views, rows, columns, work=out.size)
    return out


def forward_bilinear(x, rows, columns):
    """See ``reference.forward_bilinear``: the same operations in the same order, so the same bits."""
    n, c, h, w = x.shape
    out_h, out_w = rows[0].size, columns[0].size
    out = empty((n, c, out_h, out_w), x.dtype)
    views = x.reshape(n * c, h, w), out.reshape(n * c, out_h, out_w)
    launch(_bilinear, n * c * out_h, *views, *rows, *columns, work=4 * out.size)
    return out


def backward_nearest(grad_output, input_size, rows, columns):
    """See ``reference.backward_nearest``."""
    one = np.ones(1, grad_output.dtype)
    terms = [(table[None], np.broadcast_to(one, (1, table.size))) for table in (rows, columns)]
    return _backward(grad_output, input_size, terms)


def backward_bilinear(grad_output, input_size, rows, columns):
    """See ``reference.backward_bilinear``."""
    terms = [(np.stack(table[:2]), np.stack(table[2:])) for table in (rows, columns)]
    return _backward(grad_output, input_size, terms)


def _backward(grad_output, input_size, terms):
    n, c, out_h, out_w = grad_output.shape
    grad_input = empty((n, c, *input_size), grad_output.dtype)
    rows, columns = (tables.transposed(size, *axis) for size, axis in zip(input_size, terms))
    views = grad_output.reshape(n * c, out_h, out_w), grad_input.reshape(n * c, *input_size)
    launch(_gather, n * c * input_size[0], *views, *rows, *columns, _are_pairs(*columns), work=4 * grad_output.size)
    return grad_input


def _are_pairs(starts, outputs, weights):
    """Return whether every pixel is the plain sum of the next two of the output: rows twice as long, by nearest neighbours."""
    twice = outputs.size == 2 * (starts.size - 1) and np.array_equal(starts, np.arange(starts.size) * 2)
    return bool(twice and np.array_equal(outputs, np.arange(outputs.size)) and (weights == 1).all())


@kernel
def _nearest(first, last, x, out, rows, columns):
    out_h = out.shape[1]
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        target = out[plane, oh]
        if task > first and oh > 0 and rows[oh] == rows[oh - 1]:
            above = out[plane, oh - 1]
            for i in range(target.size):
                target[i] = above[i]
        else:
            source = x[plane, rows[oh]]
            for i in range(target.size):
                target[i] = source[columns[i]]


@kernel
def _bilinear(first, last, x, out, top, bottom, top_weight, bottom_weight, left, right, left_weight, right_weight):
    h, out_h, out_w = x.shape[1], out.shape[1], out.shape[2]
    upper, lower = np.empty(out_w, x.dtype), np.empty(out_w, x.dtype)
    upper_holds, lower_holds = -1, -1  # the input row, counted over all planes, that each holds interpolated along x
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        above, below = plane * h + top[oh], plane * h + bottom[oh]
        if lower_holds == above:  # going down, the lower row becomes the upper one
            upper, lower = lower, upper
            upper_holds, lower_holds = lower_holds, upper_holds
        if upper_holds != above:
            _along(x[plane, top[oh]], left, right, left_weight, right_weight, upper)
            upper_holds = above
        if lower_holds != below:
            _along(x[plane, bottom[oh]], left, right, left_weight, right_weight, lower)
            lower_holds = below
        target, first_weight, second_weight = out[plane, oh], top_weight[oh], bottom_weight[oh]
        for i in range(target.size):
            target[i] = first_weight * upper[i] + second_weight * lower[i]


@piece
def _along(source, left, right, left_weight, right_weight, target):
    """Interpolate one row along x."""
    for i in range(target.size):
        target[i] = left_weight[i] * source[left[i]] + right_weight[i] * source[right[i]]


@kernel
def _gather(first, last, grad_output, grad_input, row_starts, row_outputs, row_weights, starts, outputs, weights, pairs):
    h, out_w = grad_input.shape[1], grad_output.shape[2]
    total = np.empty(out_w, np.float64)
    for task in range(first, last):
        plane, ih = task // h, task % h
        for i in range(total.size):
            total[i] = 0
        for entry in range(row_starts[ih], row_starts[ih + 1]):
            part, weight = grad_output[plane, row_outputs[entry]], np.float64(row_weights[entry])
            for i in range(total.size):
                total[i] += weight * part[i]
        target = grad_input[plane, ih]
        if pairs:
            for iw in range(target.size):
                target[iw] = 0.0 + total[2 * iw] + total[2 * iw + 1]  # the zero: sums begin with it, and so have no -0.0
            continue
        for iw in range(target.size):
            value = 0.0
            for entry in range(starts[iw], starts[iw + 1]):
                value += weights[entry] * total[outputs[entry]]
            target[iw] = value
