"""RoIPool on channel vectors, so that the comparisons run in vectors.

forward: one task is some channels of one box
    // per bin and channel: one comparison a pixel; 4 bytes written per value and 8 per index
backward: one task is some planes of an image, and walks its boxes in order: of each box, these planes lie together
gather: one task is one box
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._roi import by_image
from .._roi_lanes import LANES, channels_last
from .._threads import launch

TOGETHER = 8  # planes of a task, at most: fewer, where there would not be
ENOUGH = 16  # tasks for all threads


def forward(x, batch, first_row, last_row, first_column, last_column):
    """See ``reference.forward``."""
    shape = batch.size, x.shape[1], first_row.shape[1], first_column.shape[1]
    out, indices = empty(shape, x.dtype), empty(shape, np.int64)
    pixels = int(((last_row - first_row).clip(0).sum(1) * (last_column - first_column).clip(0).sum(1)).sum())
    bins = batch, first_row, last_row, first_column, last_column
    tasks = batch.size * -(-x.shape[1] // LANES)
    launch(_forward, tasks, channels_last(x), out, indices, *bins, work=pixels * x.shape[1] + out.size)
    return out, indices


def backward(grad_output, indices, batch, input_shape):
    """See ``reference.backward``; sums in the dtype of ``grad_output``."""
    n, c, h, w = input_shape
    k, bins = batch.size, grad_output.shape[2] * grad_output.shape[3]
    grad_input = empty(input_shape, grad_output.dtype)
    views = grad_output.reshape(k, c, bins), indices.reshape(k, c, bins), grad_input.reshape(n * c, h * w)
    together = max(1, min(TOGETHER, n * c // ENOUGH))
    tables = c, together, *by_image(batch, n)
    launch(_backward, n * -(-c // together), *views, *tables, work=grad_input.size + grad_output.size)
    return grad_input


def gather(grad_grad_input, indices, batch):
    """See ``reference.gather``."""
    n, c, h, w = grad_grad_input.shape
    k, bins = batch.size, indices.shape[2] * indices.shape[3]
    out = empty(indices.shape, grad_grad_input.dtype)
    views = grad_grad_input.reshape(n, c, h * w), indices.reshape(k, c, bins), out.reshape(k, c, bins)
    launch(_gather, k, *views, batch, work=out.size)
    return out


@kernel
def _forward(first, last, x, out, indices, batch, first_row, last_row, first_column, last_column):
    h, w, c = x.shape[1:]
    pixels, out_w = x.reshape(-1), out.shape[3]
    best, held = np.empty(LANES, x.dtype), np.empty(LANES, np.int64)
    for task in range(first, last):
        k, c0 = task % batch.size, task // batch.size * LANES
        lanes = min(LANES, c - c0)
        for ph in range(out.shape[2]):
            top, bottom = first_row[k, ph], last_row[k, ph]
            for pw in range(out_w):
                left, right = first_column[k, pw], last_column[k, pw]
                for i in range(LANES):  # -inf loses to every value but -inf, and then the first pixel is named already
                    best[i], held[i] = -np.inf, top * w + left
                for ih in range(top, bottom):
                    for iw in range(left, right):
                        _offer(pixels, ((batch[k] * h + ih) * w + iw) * c + c0, ih * w + iw, best, held, lanes)
                is_empty = bottom <= top or right <= left
                for i in range(lanes):
                    out[k, c0 + i, ph, pw] = 0 if is_empty else best[i]
                    indices[k, c0 + i, ph, pw] = -1 if is_empty else held[i]


@piece
def _offer(pixels, at, index, best, held, count):
    """Offer some channels of one pixel."""
    at = np.uint64(at)
    for i in range(np.uint64(count)):
        value, most, where = pixels[at + i], best[i], held[i]
        if value > most or value != value:  # the second is true for NaN alone
            most, where = value, index
        best[i], held[i] = most, where


@kernel
def _backward(first, last, grad_output, indices, grad_input, c, together, order, image_starts):
    groups = -(-c // together)
    for task in range(first, last):
        image, begin = task // groups, task % groups * together
        end = min(begin + together, c)
        for plane in range(image * c + begin, image * c + end):
            total = grad_input[plane]
            for i in range(total.size):
                total[i] = 0
        for place in range(image_starts[image], image_starts[image + 1]):
            for channel in range(begin, end):
                total = grad_input[image * c + channel]
                part, where = grad_output[order[place], channel], indices[order[place], channel]
                for i in range(part.size):
                    if where[i] >= 0:
                        total[where[i]] += part[i]


@kernel
def _gather(first, last, x, indices, out, batch):
    for k in range(first, last):
        for channel in range(out.shape[1]):
            source, where, part = x[batch[k], channel], indices[k, channel], out[k, channel]
            for i in range(part.size):
                part[i] = source[where[i]] if where[i] >= 0 else 0
