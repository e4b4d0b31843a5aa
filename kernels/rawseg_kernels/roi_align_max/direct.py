"""The largest sample on channel vectors; the derivatives, which touch one sample a bin, as plain loops over boxes or planes.

forward: one task is some channels of one box
gather, backward_rows, backward_columns: one task is one box
backward_input: one task is one plane, which walks the boxes of its image in order
All sums are those of ``reference`` in the same order, so the bits are the same.
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._roi import by_image
from .._roi_lanes import LANES, channels_last
from .._threads import launch


def forward(x, batch, rows, columns, row_weights, column_weights, output_size):
    """See ``reference.forward``."""
    shape = (batch.size, x.shape[1], *output_size)
    out, chosen = empty(shape, x.dtype), empty(shape, np.int64)
    tables = batch, rows, columns, row_weights, column_weights
    samples = int((rows.counts * columns.counts).sum()) * output_size[0] * output_size[1]
    tasks = batch.size * -(-x.shape[1] // LANES)
    launch(_forward, tasks, channels_last(x), out, chosen, *tables, work=4 * samples * x.shape[1])
    return out, chosen


def gather(x, chosen, batch, rows, columns, row_weights, column_weights):
    """See ``reference.gather``."""
    out = empty(chosen.shape, x.dtype)
    launch(_gather, batch.size, x, chosen, out, batch, rows, columns, row_weights, column_weights, work=8 * out.size)
    return out


def backward_input(grad_output, chosen, input_shape, batch, rows, columns, row_weights, column_weights):
    """See ``reference.backward_input``."""
    grad_input = empty(input_shape, grad_output.dtype)
    tables = *by_image(batch, input_shape[0]), rows, columns, row_weights, column_weights
    work = grad_input.size + 8 * grad_output.size
    launch(_backward_input, input_shape[0] * input_shape[1], grad_output, chosen, grad_input, *tables, work=work)
    return grad_input


def backward_rows(grad_output, x, chosen, batch, rows, columns, column_weights):
    """See ``reference.backward_rows``."""
    grad_weights = empty((2, rows.low.size), x.dtype)
    tables = batch, rows, columns, column_weights, True
    launch(_backward_weights, batch.size, grad_output, x, chosen, grad_weights, *tables, work=8 * grad_output.size)
    return grad_weights


def backward_columns(grad_output, x, chosen, batch, rows, columns, row_weights):
    """See ``reference.backward_columns``."""
    grad_weights = empty((2, columns.low.size), x.dtype)
    tables = batch, columns, rows, row_weights, False
    launch(_backward_weights, batch.size, grad_output, x, chosen, grad_weights, *tables, work=8 * grad_output.size)
    return grad_weights


@kernel
def _forward(first, last, x, out, chosen, batch, rows, columns, row_weights, column_weights):
    w, c, pixels = x.shape[2], x.shape[3], x.reshape(-1)
    value, best, held = np.empty(LANES, np.float64), np.empty(LANES, np.float64), np.empty(LANES, np.int64)
    for task in range(first, last):
        k, c0 = task % batch.size, task // batch.size * LANES
        lanes, corner = min(LANES, c - c0), batch[k] * x.shape[1] * w * c + c0
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for ph in range(out.shape[2]):
            for pw in range(out.shape[3]):
                for i in range(LANES):  # -inf loses to every value but -inf, and then the first sample is named already
                    best[i], held[i] = -np.inf, 0
                for at in range(grid_h * grid_w):
                    row = rows.starts[k] + ph * grid_h + at // grid_w
                    column = columns.starts[k] + pw * grid_w + at % grid_w
                    if rows.low[row] >= 0 and columns.low[column] >= 0:
                        upper, lower = corner + rows.low[row] * w * c, corner + rows.high[row] * w * c
                        left, right = columns.low[column] * c, columns.high[column] * c
                        hy, ly = np.float64(row_weights[0, row]), np.float64(row_weights[1, row])
                        hx, lx = column_weights[0, column], column_weights[1, column]
                        places = upper + left, upper + right, lower + left, lower + right
                        _interpolate(pixels, places, (hy * hx, hy * lx, ly * hx, ly * lx), value, lanes)
                    else:
                        value[:] = 0
                    for i in range(LANES):
                        one, most, where = value[i], best[i], held[i]
                        if one > most or one != one:  # the second is true for NaN alone
                            most, where = one, at
                        best[i], held[i] = most, where
                for i in range(lanes):
                    out[k, c0 + i, ph, pw] = best[i] if grid_h * grid_w else 0
                    chosen[k, c0 + i, ph, pw] = held[i] if grid_h * grid_w else -1


@piece
def _interpolate(pixels, places, weights, value, count):
    """Interpolate one sample of some channels."""
    one, two, three, four = np.uint64(places[0]), np.uint64(places[1]), np.uint64(places[2]), np.uint64(places[3])
    for i in range(np.uint64(count)):
        upper = weights[0] * pixels[one + i] + weights[1] * pixels[two + i]
        value[i] = upper + weights[2] * pixels[three + i] + weights[3] * pixels[four + i]


@kernel
def _gather(first, last, x, chosen, out, batch, rows, columns, row_weights, column_weights):
    c, out_h, out_w = out.shape[1:]
    for k in range(first, last):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = x[batch[k], channel]
            for ph in range(out_h):
                for pw in range(out_w):
                    at, value = chosen[k, channel, ph, pw], 0.0
                    if at >= 0:
                        row = rows.starts[k] + ph * grid_h + at // grid_w
                        column = columns.starts[k] + pw * grid_w + at % grid_w
                        y1, y2, x1, x2 = rows.low[row], rows.high[row], columns.low[column], columns.high[column]
                        hy, ly = np.float64(row_weights[0, row]), np.float64(row_weights[1, row])
                        hx, lx = column_weights[0, column], column_weights[1, column]
                        if y1 >= 0 and x1 >= 0:
                            value = hy * hx * plane[y1, x1] + hy * lx * plane[y1, x2]
                            value = value + ly * hx * plane[y2, x1] + ly * lx * plane[y2, x2]
                    out[k, channel, ph, pw] = value


@kernel
def _backward_input(
    first, last, grad_output, chosen, grad_input, order, image_starts, rows, columns, row_weights, column_weights
):
    c, h, w = grad_input.shape[1:]
    total = np.empty((h, w), np.float64)
    for task in range(first, last):
        b, channel = task // c, task % c
        total[:] = 0
        for place in range(image_starts[b], image_starts[b + 1]):
            k = order[place]
            grid_h, grid_w = rows.counts[k], columns.counts[k]
            for ph in range(grad_output.shape[2]):
                for pw in range(grad_output.shape[3]):
                    at = chosen[k, channel, ph, pw]
                    row = rows.starts[k] + ph * grid_h + at // max(grid_w, 1)
                    column = columns.starts[k] + pw * grid_w + at % max(grid_w, 1)
                    if at < 0 or rows.low[row] < 0 or columns.low[column] < 0:
                        continue
                    y1, y2, x1, x2 = rows.low[row], rows.high[row], columns.low[column], columns.high[column]
                    part = np.float64(grad_output[k, channel, ph, pw])
                    upper, lower = part * row_weights[0, row], part * row_weights[1, row]
                    total[y1, x1] += upper * column_weights[0, column]
                    total[y1, x2] += upper * column_weights[1, column]
                    total[y2, x1] += lower * column_weights[0, column]
                    total[y2, x2] += lower * column_weights[1, column]
        for ih in range(h):
            for iw in range(w):
                grad_input[b, channel, ih, iw] = total[ih, iw]


@kernel
def _backward_weights(first, last, grad_output, x, chosen, grad_weights, batch, own, other, weights, is_rows):
    """Sum up for the samples of one axis, ``own``, with the weights of the other."""
    w = x.shape[3]
    own_step, other_step = (w, 1) if is_rows else (1, w)
    for k in range(first, last):
        begin, end = own.starts[k], own.starts[k + 1]
        total = np.zeros((2, end - begin), np.float64)
        grid_w = max(other.counts[k] if is_rows else own.counts[k], 1)
        for channel in range(x.shape[1]):
            plane = x[batch[k], channel].reshape(-1)
            for ph in range(grad_output.shape[2]):
                for pw in range(grad_output.shape[3]):
                    at = chosen[k, channel, ph, pw]
                    if at < 0:
                        continue
                    down, across = at // grid_w, at % grid_w
                    if is_rows:
                        mine, theirs = begin + ph * own.counts[k] + down, other.starts[k] + pw * grid_w + across
                    else:
                        mine, theirs = begin + pw * grid_w + across, other.starts[k] + ph * other.counts[k] + down
                    if own.low[mine] < 0 or other.low[theirs] < 0:
                        continue
                    part = np.float64(grad_output[k, channel, ph, pw])
                    high_weight, low_weight = np.float64(weights[0, theirs]), np.float64(weights[1, theirs])
                    for side in range(2):
                        base = (own.high[mine] if side else own.low[mine]) * own_step
                        value = high_weight * plane[base + other.low[theirs] * other_step]
                        value += low_weight * plane[base + other.high[theirs] * other_step]
                        total[side, mine - begin] += part * value
        for side in range(2):
            for i in range(end - begin):
                grad_weights[side, begin + i] = total[side, i]
