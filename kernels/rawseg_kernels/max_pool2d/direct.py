"""Max pooling on the CPU: windows of 2 x 2 side by side, which every encoder has, and the rows and scatters of all others.

forward: along the rows first, then down them (``rows``); for the places of very many taps, or in very large planes, tap by tap
    (``large_windows``)
backward: a plane belongs to one task, which adds the gradients in the order of the windows
with taps: a byte says which tap was taken, an eighth of an index; windows of 2 x 2 go back as they came, in vectors
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._pooling import are_quarters
from .._threads import launch
from . import large_windows, rows

MOST_TAPS = 256  # of a window whose places are taken in vectors: tables of more could be long
MOST_PIXELS = 1 << 31  # of a float32 plane whose places are: numbers beside elements are as wide as these


def forward(x, kernel_size, stride, padding, dilation, output_size):
    """See ``reference.forward``."""
    return _forward(x, np.int64, _forward_quarters, kernel_size, stride, padding, dilation, output_size)


def forward_taps(x, kernel_size, stride, padding, dilation, output_size):
    """See ``reference.forward_taps``."""
    return _forward(x, np.uint8, _forward_quarter_taps, kernel_size, stride, padding, dilation, output_size)


def _forward(x, kind, quarters, kernel_size, stride, padding, dilation, output_size):
    """Return the largest elements, and their places as int64 or their taps as uint8."""
    n, c, h, w = x.shape
    out, where = empty((n, c, *output_size), x.dtype), empty((n, c, *output_size), kind)
    views = x.reshape(n * c, h, w), out.reshape(n * c, *output_size), where.reshape(n * c, *output_size)
    tasks, geometry, taps = n * c * output_size[0], (kernel_size, stride, padding, dilation), kernel_size[0] * kernel_size[1]
    by_place = kind is np.int64
    if are_quarters((h, w), *geometry, output_size):
        launch(quarters, tasks, *views, work=4 * out.size)
    elif not by_place or (taps <= MOST_TAPS and (x.itemsize == 8 or h * w < MOST_PIXELS)):
        steps = (dilation[0] * w, dilation[1]) if by_place else (kernel_size[1], 1)
        along = rows.tables(w, output_size[1], *(pair[1] for pair in geometry), steps[1], x.itemsize)
        down = steps[0], by_place, kernel_size[0], stride, padding, dilation[0]
        launch(rows.forward_rows, tasks, *views, *along, *down, work=out.size * (kernel_size[0] + kernel_size[1]))
    else:
        launch(large_windows.forward_rows, tasks, *views, *geometry, work=out.size * taps)
    return out, where


def indices_of_taps(taps, input_shape, kernel_size, stride, padding, dilation):
    """See ``reference.indices_of_taps``."""
    planes, size = taps.shape[0] * taps.shape[1], taps.shape[2:]
    indices = empty(taps.shape, np.int64)
    views = taps.reshape(planes, *size), indices.reshape(planes, *size)
    launch(_indices_of, planes * size[0], *views, input_shape[3], kernel_size, stride, padding, dilation, work=taps.size)
    return indices


def backward_taps(grad_output, taps, input_shape, kernel_size, stride, padding, dilation):
    """See ``reference.backward_taps``; sums in the dtype of ``grad_output``."""
    n, c, h, w = input_shape
    size, geometry = taps.shape[2:], (kernel_size, stride, padding, dilation)
    grad_input = empty(input_shape, grad_output.dtype)
    views = grad_output.reshape(n * c, *size), taps.reshape(n * c, *size), grad_input.reshape(n * c, h, w)
    if are_quarters((h, w), *geometry, size):
        launch(_backward_quarters, n * c, *views, work=grad_input.size)
        return grad_input
    launch(_backward_taps, n * c, *views, *geometry, work=grad_input.size + grad_output.size)
    return grad_input


def backward(grad_output, indices, input_shape):
    """See ``reference.backward``; sums in the dtype of ``grad_output``."""
    n, c, h, w = input_shape
    outputs = grad_output.shape[2] * grad_output.shape[3]
    grad_input = empty(input_shape, grad_output.dtype)
    views = grad_output.reshape(n * c, outputs), indices.reshape(n * c, outputs), grad_input.reshape(n * c, h * w)
    launch(_backward, n * c, *views, work=grad_input.size + grad_output.size)
    return grad_input


def gather(grad_grad_input, indices):
    """See ``reference.gather``."""
    n, c, h, w = grad_grad_input.shape
    outputs = indices.shape[2] * indices.shape[3]
    out = empty(indices.shape, grad_grad_input.dtype)
    views = grad_grad_input.reshape(n * c, h * w), indices.reshape(n * c, outputs), out.reshape(n * c, outputs)
    launch(_gather, n * c, *views, work=out.size)
    return out


@kernel
def _forward_quarters(first, last, x, out, indices):
    """Take windows of 2 x 2 that do not overlap, which every encoder has: two input rows at once, in vectors."""
    out_h, out_w, w = out.shape[1], out.shape[2], x.shape[2]
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        upper, lower = x[plane, 2 * oh, : 2 * out_w], x[plane, 2 * oh + 1, : 2 * out_w]
        values, where, corner = out[plane, oh], indices[plane, oh], 2 * oh * w
        for i in range(values.size):
            best, tap, other = upper[2 * i], 0, upper[2 * i + 1]
            if other > best or other != other:  # the second is true for NaN alone
                best, tap = other, 1
            other = lower[2 * i]
            if other > best or other != other:
                best, tap = other, w
            other = lower[2 * i + 1]
            if other > best or other != other:
                best, tap = other, w + 1
            values[i], where[i] = best, corner + 2 * i + tap


@kernel
def _forward_quarter_taps(first, last, x, out, taps):
    """As `_forward_quarters`, for taps."""
    out_h, out_w = out.shape[1], out.shape[2]
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        upper, lower = x[plane, 2 * oh, : 2 * out_w], x[plane, 2 * oh + 1, : 2 * out_w]
        values, where = out[plane, oh], taps[plane, oh]
        for i in range(values.size):
            best, tap, other = upper[2 * i], 0, upper[2 * i + 1]
            if other > best or other != other:
                best, tap = other, 1
            other = lower[2 * i]
            if other > best or other != other:
                best, tap = other, 2
            other = lower[2 * i + 1]
            if other > best or other != other:
                best, tap = other, 3
            values[i], where[i] = best, tap


@kernel
def _backward_quarters(first, last, grad_output, taps, grad_input):
    out_h, out_w = taps.shape[1], taps.shape[2]
    zero = grad_input.dtype.type(0)
    for plane in range(first, last):
        for ih in range(grad_input.shape[1]):
            target, oh, row = grad_input[plane, ih], ih // 2, 2 * (ih % 2)
            if oh >= out_h:
                target[:] = zero
                continue
            given, where, pairs = grad_output[plane, oh], taps[plane, oh], target[: 2 * out_w]
            for i in range(given.size):
                part = given[i] + zero  # a sum that begins at 0 has no -0
                pairs[2 * i] = part if where[i] == row else zero
                pairs[2 * i + 1] = part if where[i] == row + 1 else zero
            target[2 * out_w :] = zero


@piece
def _fill_offsets(offsets, w, kernel_size, dilation):
    """Put down how far every tap is from its window's corner, for all that a byte names."""
    for tap in range(min(offsets.size, kernel_size[0] * kernel_size[1])):
        offsets[tap] = tap // kernel_size[1] * dilation[0] * w + tap % kernel_size[1] * dilation[1]


@kernel
def _indices_of(first, last, taps, indices, w, kernel_size, stride, padding, dilation):
    out_h, offsets = taps.shape[1], np.zeros(256, np.int64)
    _fill_offsets(offsets, w, kernel_size, dilation)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        chosen, where, corner = taps[plane, oh], indices[plane, oh], (oh * stride[0] - padding[0]) * w - padding[1]
        for ow in range(where.size):
            where[ow] = corner + ow * stride[1] + offsets[chosen[ow]]


@kernel
def _backward_taps(first, last, grad_output, taps, grad_input, kernel_size, stride, padding, dilation):
    w, offsets = grad_input.shape[2], np.zeros(256, np.int64)
    _fill_offsets(offsets, w, kernel_size, dilation)
    for plane in range(first, last):
        total = grad_input[plane].reshape(-1)
        for i in range(total.size):
            total[i] = 0
        for oh in range(taps.shape[1]):
            part, chosen, corner = grad_output[plane, oh], taps[plane, oh], (oh * stride[0] - padding[0]) * w - padding[1]
            for ow in range(part.size):
                total[np.uint64(corner + ow * stride[1] + offsets[chosen[ow]])] += part[ow]


@kernel
def _backward(first, last, grad_output, indices, grad_input):
    for plane in range(first, last):
        total, part, where = grad_input[plane], grad_output[plane], indices[plane]
        for i in range(total.size):
            total[i] = 0
        for i in range(part.size):
            total[np.uint64(where[i])] += part[i]  # no index counts from the end


@kernel
def _gather(first, last, x, indices, out):
    for plane in range(first, last):
        source, where, part = x[plane], indices[plane], out[plane]
        for i in range(part.size):
            part[i] = source[where[i]]
