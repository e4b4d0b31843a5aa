"""RoIAlign on channel vectors: every box is a small separable resampling, along the columns first and then along the rows.

forward: one task is one box; an input row, resampled to out_w columns, serves all bins that read it
backward_input: one task is some channels of one map, which walks that map's boxes in order, rows first and then columns
backward_rows: one task is one box; backward_columns is backward_rows with the axes exchanged
    // per box and channel, about t * (rows + out_h * out_w) products, t ~ 3 taps a bin, instead of 4 * out_h * out_w * samples
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._roi import by_image
from .._roi_lanes import LANES, add_scaled, channels_last, clear, from_lanes, set_pair, to_lanes
from .._threads import launch
from .taps import merged


def forward(x, batch, rows, columns, row_weights, column_weights, output_size):
    """See ``reference.forward``; sums in the dtype of ``x``."""
    c, (out_h, out_w) = x.shape[1], output_size
    out = empty((batch.size, c, out_h, out_w), x.dtype)
    taps = merged(rows, row_weights, out_h), merged(columns, column_weights, out_w)
    views = channels_last(x), batch, out.reshape(batch.size, c, out_h * out_w)
    launch(_forward, batch.size * -(-c // LANES), *views, *taps, work=8 * out.size)
    return out


def backward_input(grad_output, input_shape, batch, rows, columns, row_weights, column_weights):
    """See ``reference.backward_input``; sums in the dtype of ``grad_output``."""
    n, c, h, w = input_shape
    out_h, out_w = grad_output.shape[2:]
    grad_input = empty(input_shape, grad_output.dtype)
    taps = merged(rows, row_weights, out_h), merged(columns, column_weights, out_w)
    views = grad_output.reshape(batch.size, c, out_h * out_w), grad_input.reshape(n, c, h * w)
    work = grad_input.size + 8 * grad_output.size
    launch(_backward_input, n * -(-c // LANES), *views, w, *by_image(batch, n), *taps, work=work)
    return grad_input


def backward_rows(grad_output, x, batch, rows, columns, column_weights):
    """See ``reference.backward_rows``; the sums over bins and channels are in float64."""
    out_h, out_w = grad_output.shape[2:]
    down = merged(rows, np.ones((2, rows.low.size), x.dtype), out_h)  # only its pixels are asked for
    across = merged(columns, column_weights, out_w)
    grad_weights = empty((2, rows.low.size), x.dtype)
    boxes = grad_output.reshape(batch.size, x.shape[1], out_h * out_w)
    launch(_backward_rows, batch.size, boxes, channels_last(x), batch, grad_weights, down, across, work=8 * grad_output.size)
    return grad_weights


def backward_columns(grad_output, x, batch, rows, columns, row_weights):
    """See ``reference.backward_columns``."""
    grad_output, x = (np.ascontiguousarray(array.swapaxes(2, 3)) for array in (grad_output, x))
    return backward_rows(grad_output, x, batch, columns, rows, row_weights)


@kernel
def _forward(first, last, x, batch, out, down, across):
    """Two lines hold the rows of the map that were resampled last: bins share them with their neighbours."""
    (h, w, c), (out_h, out_w) = x.shape[1:], (down.used.shape[1], across.used.shape[1])
    pixels, lines, tile = x.reshape(-1), np.empty(2 * out_w * LANES, x.dtype), np.empty(out_h * out_w * LANES, x.dtype)
    for task in range(first, last):
        k, c0 = task % batch.size, task // batch.size * LANES
        lanes = min(LANES, c - c0)
        line, far, near_row, far_row = 0, out_w * lanes, -1, -1
        for ph in range(out_h):
            total = ph * out_w * lanes
            clear(tile, total, out_w * lanes)
            begin = 2 * (down.starts[k] + ph * down.counts[k])
            for entry in range(begin, begin + down.used[k, ph]):
                row = down.pixel[entry]
                if row != near_row:
                    line, far, near_row, far_row = far, line, far_row, near_row
                if row != near_row:
                    near_row = row
                    _along(pixels, ((batch[k] * h + row) * w) * c + c0, c, across, k, lines, line, lanes)
                add_scaled(tile, total, down.weight[entry], lines, line, out_w * lanes)
        from_lanes(tile, out[k, c0:], lanes)


@piece
def _along(pixels, at, c, across, k, lines, line, lanes):
    """Resample a row of the map to the columns of box k."""
    pixel, weight = across.pixel, across.weight
    for pw in range(across.used.shape[1]):
        to = line + pw * lanes
        begin = 2 * (across.starts[k] + pw * across.counts[k])
        end = begin + across.used[k, pw]
        if end - begin < 2:
            clear(lines, to, lanes)
        else:  # the rule, as every sample has two pixels: the first two taps are written, not added
            one, two = at + pixel[begin] * c, at + pixel[begin + 1] * c
            set_pair(lines, to, weight[begin], pixels, one, weight[begin + 1], two, lanes)
            begin += 2
        for entry in range(begin, end):
            add_scaled(lines, to, weight[entry], pixels, at + pixel[entry] * c, lanes)


@kernel
def _backward_input(first, last, grad_output, grad_input, w, order, image_starts, down, across):
    """Two lines collect the gradients of the rows of the map that are being added up."""
    c, out_h, out_w = grad_input.shape[1], down.used.shape[1], across.used.shape[1]
    for task in range(first, last):
        b, c0 = task % grad_input.shape[0], task // grad_input.shape[0] * LANES
        lanes = min(LANES, c - c0)
        plane = np.zeros(grad_input.shape[2] * lanes, grad_output.dtype)
        lines, tile = np.zeros(2 * out_w * lanes, grad_output.dtype), np.empty(out_h * out_w * lanes, grad_output.dtype)
        for place in range(image_starts[b], image_starts[b + 1]):
            k = order[place]
            to_lanes(grad_output[k, c0:], tile, lanes)
            line, far, near_row, far_row = 0, out_w * lanes, -1, -1
            for ph in range(out_h):
                begin = 2 * (down.starts[k] + ph * down.counts[k])
                for entry in range(begin, begin + down.used[k, ph]):
                    row = down.pixel[entry]
                    if row != near_row:
                        line, far, near_row, far_row = far, line, far_row, near_row
                    if row != near_row:
                        _spread(lines, line, across, k, plane, near_row * w * lanes, lanes)
                        near_row = row
                    add_scaled(lines, line, down.weight[entry], tile, ph * out_w * lanes, out_w * lanes)
            _spread(lines, line, across, k, plane, near_row * w * lanes, lanes)
            _spread(lines, far, across, k, plane, far_row * w * lanes, lanes)
        from_lanes(plane, grad_input[b, c0:], lanes)


@piece
def _spread(lines, line, across, k, plane, at, lanes):
    """Add the gradients of a resampled row to its pixels, if it has any, and clear them: the adjoint of `_along`."""
    if at < 0:
        return
    for pw in range(across.used.shape[1]):
        begin = 2 * (across.starts[k] + pw * across.counts[k])
        for entry in range(begin, begin + across.used[k, pw]):
            add_scaled(plane, at + across.pixel[entry] * lanes, across.weight[entry], lines, line + pw * lanes, lanes)
    clear(lines, line, across.used.shape[1] * lanes)


@kernel
def _backward_rows(first, last, grad_output, x, batch, grad_weights, down, across):
    (h, w, c), (out_h, out_w) = x.shape[1:], (down.used.shape[1], across.used.shape[1])
    pixels, line, tile = x.reshape(-1), np.empty(out_w * c, x.dtype), np.empty(out_h * out_w * c, x.dtype)
    lanes = np.empty(c, np.float64)
    for k in range(first, last):
        to_lanes(grad_output[k], tile, c)
        count = down.counts[k]
        for ph in range(out_h):
            begin = down.starts[k] + ph * count
            gradients = np.empty(down.used[k, ph], np.float64)
            for entry in range(gradients.size):
                row = down.pixel[2 * begin + entry]
                _along(pixels, ((batch[k] * h + row) * w) * c, c, across, k, line, 0, c)
                gradients[entry] = _product(tile, ph * line.size, line, across.used[k], lanes) / count
            for sample in range(begin, begin + count):
                for side in range(2):
                    tap = down.tap[side, sample]
                    grad_weights[side, sample] = gradients[tap - 2 * begin] if tap >= 0 else 0


@piece
def _product(tile, at, line, used, lanes):
    """Sum the products of a line (bins, C) with a part of a tile: over the bins in C lanes, then over the lanes in order.

    A bin that reads no pixel is left out, not multiplied by 0.
    """
    for i in range(lanes.size):
        lanes[i] = 0
    for pw in range(used.size):
        if used[pw] == 0:
            continue
        one, other = np.uint64(at + pw * lanes.size), np.uint64(pw * lanes.size)
        for i in range(np.uint64(lanes.size)):
            lanes[i] += np.float64(tile[one + i]) * line[other + i]
    total = 0.0
    for i in range(lanes.size):
        total += lanes[i]
    return total
