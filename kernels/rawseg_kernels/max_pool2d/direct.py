"""Max pooling row by row: a tap is laid over a whole output row at once, so that the comparisons run in vectors.

forward: for each output row and each tap (kh, kw), compare one shifted input row with the best so far
    // per output: kernel_h * kernel_w compares; 4 bytes written per value and 8 per index
backward: a plane belongs to one task, which adds the gradients in the order of the windows
with taps: a byte says which tap was taken, an eighth of an index; windows of 2 x 2 go back as they came, in vectors
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._pooling_rows import columns_inside, taps_inside
from .._threads import launch

QUARTERS = (2, 2)


def forward(x, kernel_size, stride, padding, dilation, output_size):
    """See ``reference.forward``."""
    n, c, h, w = x.shape
    out = empty((n, c, *output_size), x.dtype)
    indices = empty((n, c, *output_size), np.int64)
    planes, rows = n * c, n * c * output_size[0]
    if _are_quarters((h, w), kernel_size, stride, padding, dilation, output_size):
        views = x.reshape(planes, h, w), out.reshape(planes, *output_size), indices.reshape(planes, *output_size)
        launch(_forward_quarters, rows, *views, work=4 * out.size)
        return out, indices
    views = x.reshape(planes, h, w), out.reshape(planes, *output_size), indices.reshape(planes, *output_size)
    launch(_forward, rows, *views, kernel_size, stride, padding, dilation, work=out.size * kernel_size[0] * kernel_size[1])
    return out, indices


def _are_quarters(plane, kernel_size, stride, padding, dilation, output_size):
    """Tell whether all windows are 2 x 2, side by side and whole: ``ceil_mode`` lets the last ones reach over an odd edge."""
    whole = 2 * output_size[0] <= plane[0] and 2 * output_size[1] <= plane[1]
    return whole and (kernel_size, stride, padding, dilation) == (QUARTERS, QUARTERS, (0, 0), (1, 1))


def forward_taps(x, kernel_size, stride, padding, dilation, output_size):
    """See ``reference.forward_taps``."""
    n, c, h, w = x.shape
    planes, rows = n * c, n * c * output_size[0]
    taps = empty((n, c, *output_size), np.uint8)
    if _are_quarters((h, w), kernel_size, stride, padding, dilation, output_size):
        out = empty((n, c, *output_size), x.dtype)
        views = x.reshape(planes, h, w), out.reshape(planes, *output_size), taps.reshape(planes, *output_size)
        launch(_forward_quarter_taps, rows, *views, work=4 * out.size)
        return out, taps
    out, indices = forward(x, kernel_size, stride, padding, dilation, output_size)
    views = indices.reshape(planes, *output_size), taps.reshape(planes, *output_size)
    launch(_taps_of, rows, *views, w, kernel_size[1], stride, padding, dilation, work=out.size)
    return out, taps


def indices_of_taps(taps, input_shape, kernel_size, stride, padding, dilation):
    """See ``reference.indices_of_taps``."""
    planes, size = taps.shape[0] * taps.shape[1], taps.shape[2:]
    indices = empty(taps.shape, np.int64)
    views = taps.reshape(planes, *size), indices.reshape(planes, *size)
    launch(_indices_of, planes * size[0], *views, input_shape[3], kernel_size[1], stride, padding, dilation, work=taps.size)
    return indices


def backward_taps(grad_output, taps, input_shape, kernel_size, stride, padding, dilation):
    """See ``reference.backward_taps``; sums in the dtype of ``grad_output``."""
    n, c, h, w = input_shape
    planes, size = n * c, taps.shape[2:]
    if not _are_quarters((h, w), kernel_size, stride, padding, dilation, size):
        return backward(grad_output, indices_of_taps(taps, input_shape, kernel_size, stride, padding, dilation), input_shape)
    grad_input = empty(input_shape, grad_output.dtype)
    views = grad_output.reshape(planes, *size), taps.reshape(planes, *size), grad_input.reshape(planes, h, w)
    launch(_backward_quarters, planes, *views, work=grad_input.size)
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
def _forward(first, last, x, out, indices, kernel_size, stride, padding, dilation):
    """One task is one output row; its best values and their offsets from the window's corner stay in two small rows."""
    h, out_h, out_w = x.shape[1], out.shape[1], out.shape[2]
    w = x.shape[2]
    best, offset, line = np.empty(out_w, x.dtype), np.empty(out_w, np.int64), np.empty(out_w, x.dtype)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        top = oh * stride[0] - padding[0]
        kh_first = max(0, -(top // dilation[0]))  # first tap at or below the upper edge
        kh_last = min(kernel_size[0], (h - 1 - top) // dilation[0] + 1)
        for i in range(best.size):  # -inf loses to every value but -inf, whose first tap is already named here
            best[i] = -np.inf
            offset[i] = kh_first * dilation[0] * w
        for ow in range(min(out_w, (padding[1] + stride[1] - 1) // stride[1])):
            offset[ow] += -((ow * stride[1] - padding[1]) // dilation[1]) * dilation[1]
        for kh in range(kh_first, kh_last):
            row = x[plane, top + kh * dilation[0]]
            _scan(row, kh * dilation[0] * w, best, offset, line, kernel_size[1], stride[1], padding[1], dilation[1])
        values, where = out[plane, oh], indices[plane, oh]
        corner = top * w - padding[1]
        for i in range(values.size):
            values[i] = best[i]
            where[i] = corner + i * stride[1] + offset[i]


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


@kernel
def _taps_of(first, last, indices, taps, w, kernel_w, stride, padding, dilation):
    out_h = taps.shape[1]
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        where, chosen, top = indices[plane, oh], taps[plane, oh], oh * stride[0] - padding[0]
        for ow in range(where.size):
            kh = (where[ow] // w - top) // dilation[0]
            chosen[ow] = kh * kernel_w + (where[ow] % w - ow * stride[1] + padding[1]) // dilation[1]


@kernel
def _indices_of(first, last, taps, indices, w, kernel_w, stride, padding, dilation):
    out_h = taps.shape[1]
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        chosen, where, top = taps[plane, oh], indices[plane, oh], oh * stride[0] - padding[0]
        for ow in range(where.size):
            kh, kw = chosen[ow] // kernel_w, chosen[ow] % kernel_w
            where[ow] = (top + kh * dilation[0]) * w + ow * stride[1] - padding[1] + kw * dilation[1]


@piece
def _scan(row, row_offset, best, offset, line, kernel_w, stride_w, padding_w, dilation_w):
    """Offer the taps of one input row, left to right, to all windows of an output row."""
    w, out_w = row.size, best.size
    kw_first, kw_last = taps_inside(kernel_w, stride_w, padding_w, dilation_w, w, out_w)
    for kw in range(kw_first, kw_last):
        left = kw * dilation_w - padding_w
        ow_first, ow_last = columns_inside(left, stride_w, w, out_w)
        if ow_first >= ow_last:
            continue
        so_far, where, tap = best[ow_first:ow_last], offset[ow_first:ow_last], row_offset + kw * dilation_w
        if stride_w == 1:
            taps = row[left + ow_first : left + ow_last]
        else:
            source = row[left + ow_first * stride_w :]
            taps = line[: ow_last - ow_first]
            for i in range(taps.size):
                taps[i] = source[i * stride_w]
        for i in range(so_far.size):
            value, held, held_at = taps[i], so_far[i], where[i]
            if value > held or value != value:  # the second is true for NaN alone
                held, held_at = value, tap
            so_far[i], where[i] = held, held_at


@kernel
def _backward(first, last, grad_output, indices, grad_input):
    for plane in range(first, last):
        total, part, where = grad_input[plane], grad_output[plane], indices[plane]
        for i in range(total.size):
            total[i] = 0
        for i in range(part.size):
            total[where[i]] += part[i]


@kernel
def _gather(first, last, x, indices, out):
    for plane in range(first, last):
        source, where, part = x[plane], indices[plane], out[plane]
        for i in range(part.size):
            part[i] = source[where[i]]
