"""Plain loops that define the largest sample and, with the choice fixed, the four sums that its derivatives are.

Everything is computed in float64 for float32 arrays and rounded once.
"""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # widens a float32 factor


def forward(x, batch, rows, columns, row_weights, column_weights, output_size):
    """Compare the samples of every bin in the order (row, column): the first largest wins, the last NaN beats everything."""
    c, (out_h, out_w) = x.shape[1], output_size
    out = np.empty((batch.size, c, out_h, out_w), x.dtype)
    chosen = np.empty((batch.size, c, out_h, out_w), np.int64)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = x[batch[k], channel]
            for ph in range(out_h):
                for pw in range(out_w):
                    best, at = ONE * 0.0, -1
                    for iy in range(grid_h):
                        row = rows.starts[k] + ph * grid_h + iy
                        y1, y2, hy, ly = rows.low[row], rows.high[row], row_weights[0, row], row_weights[1, row]
                        for ix in range(grid_w):
                            column = columns.starts[k] + pw * grid_w + ix
                            x1, x2 = columns.low[column], columns.high[column]
                            hx, lx = column_weights[0, column], column_weights[1, column]
                            value = ONE * 0.0
                            if y1 >= 0 and x1 >= 0:
                                upper = ONE * hy * hx * plane[y1, x1] + ONE * hy * lx * plane[y1, x2]
                                value = upper + ONE * ly * hx * plane[y2, x1] + ONE * ly * lx * plane[y2, x2]
                            if at < 0 or value > best or np.isnan(value):
                                best, at = value, iy * grid_w + ix
                    out[k, channel, ph, pw] = best
                    chosen[k, channel, ph, pw] = at
    return out, chosen


def gather(x, chosen, batch, rows, columns, row_weights, column_weights):
    """Interpolate the chosen samples."""
    c, out_h, out_w = chosen.shape[1:]
    out = np.empty(chosen.shape, x.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = x[batch[k], channel]
            total = ONE * np.zeros((out_h, out_w), x.dtype)
            for ph in range(out_h):
                for pw in range(out_w):
                    at = chosen[k, channel, ph, pw]
                    if at >= 0:
                        row = rows.starts[k] + ph * grid_h + at // grid_w
                        column = columns.starts[k] + pw * grid_w + at % grid_w
                        y1, y2, hy, ly = rows.low[row], rows.high[row], row_weights[0, row], row_weights[1, row]
                        x1, x2 = columns.low[column], columns.high[column]
                        hx, lx = column_weights[0, column], column_weights[1, column]
                        if y1 >= 0 and x1 >= 0:
                            total[ph, pw] = ONE * hy * hx * plane[y1, x1] + ONE * hy * lx * plane[y1, x2]
                            total[ph, pw] += ONE * ly * hx * plane[y2, x1]
                            total[ph, pw] += ONE * ly * lx * plane[y2, x2]
                    out[k, channel, ph, pw] = total[ph, pw]
    return out


def backward_input(grad_output, chosen, input_shape, batch, rows, columns, row_weights, column_weights):
    """Add each gradient to the four pixels of the chosen sample, box after box."""
    c, out_h, out_w = grad_output.shape[1:]
    grad_input = np.empty(input_shape, grad_output.dtype)
    total = ONE * np.zeros(input_shape, grad_output.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = total[batch[k], channel]
            for ph in range(out_h):
                for pw in range(out_w):
                    at = chosen[k, channel, ph, pw]
                    if at >= 0:
                        row = rows.starts[k] + ph * grid_h + at // grid_w
                        column = columns.starts[k] + pw * grid_w + at % grid_w
                        for side_y in range(2):
                            for side_x in range(2):
                                y = rows.high[row] if side_y else rows.low[row]
                                z = columns.high[column] if side_x else columns.low[column]
                                if y >= 0 and z >= 0:
                                    share = ONE * grad_output[k, channel, ph, pw] * row_weights[side_y, row]
                                    plane[y, z] += share * column_weights[side_x, column]
    sums, rounded = total.reshape(-1), grad_input.reshape(-1)
    for i in range(sums.size):
        rounded[i] = sums[i]
    return grad_input


def backward_rows(grad_output, x, chosen, batch, rows, columns, column_weights):
    """Add up, for each side of each row sample, what the columns of the chosen samples made of its row."""
    c, out_h, out_w = grad_output.shape[1:]
    total = ONE * np.zeros((2, rows.low.size), x.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = x[batch[k], channel]
            for ph in range(out_h):
                for pw in range(out_w):
                    at = chosen[k, channel, ph, pw]
                    if at >= 0:
                        row = rows.starts[k] + ph * grid_h + at // grid_w
                        column = columns.starts[k] + pw * grid_w + at % grid_w
                        x1, x2 = columns.low[column], columns.high[column]
                        hx, lx = column_weights[0, column], column_weights[1, column]
                        for side in range(2):
                            y = rows.high[row] if side else rows.low[row]
                            if y >= 0 and x1 >= 0:
                                value = ONE * hx * plane[y, x1] + ONE * lx * plane[y, x2]
                                total[side, row] += ONE * grad_output[k, channel, ph, pw] * value
    grad_weights = np.empty((2, rows.low.size), x.dtype)
    for side in range(2):
        for row in range(rows.low.size):
            grad_weights[side, row] = total[side, row]
    return grad_weights


def backward_columns(grad_output, x, chosen, batch, rows, columns, row_weights):
    """Do the same for each side of each column sample, over the rows."""
    c, out_h, out_w = grad_output.shape[1:]
    total = ONE * np.zeros((2, columns.low.size), x.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = x[batch[k], channel]
            for ph in range(out_h):
                for pw in range(out_w):
                    at = chosen[k, channel, ph, pw]
                    if at >= 0:
                        row = rows.starts[k] + ph * grid_h + at // grid_w
                        column = columns.starts[k] + pw * grid_w + at % grid_w
                        y1, y2, hy, ly = rows.low[row], rows.high[row], row_weights[0, row], row_weights[1, row]
                        for side in range(2):
                            z = columns.high[column] if side else columns.low[column]
                            if y1 >= 0 and z >= 0:
                                value = ONE * hy * plane[y1, z] + ONE * ly * plane[y2, z]
                                total[side, column] += ONE * grad_output[k, channel, ph, pw] * value
    grad_weights = np.empty((2, columns.low.size), x.dtype)
    for side in range(2):
        for column in range(columns.low.size):
            grad_weights[side, column] = total[side, column]
    return grad_weights
