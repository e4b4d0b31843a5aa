"""Plain loops that define the mean of the samples and its three adjoints, over tables of samples (``samples_reference``).

``rows`` and ``columns`` are ``Samples``; weight 0 belongs to ``low`` and weight 1 to ``high``. Sums run in float64 for float32
arrays, over the samples of a bin row by row, and are rounded once.
"""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # widens a float32 factor


def forward(x, batch, rows, columns, row_weights, column_weights, output_size):
    """Add up the samples of every bin, four terms each, and divide by their number, those outside the map included."""
    c, (out_h, out_w) = x.shape[1], output_size
    out = np.empty((batch.size, c, out_h, out_w), x.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = x[batch[k], channel]
            total = ONE * np.zeros((out_h, out_w), x.dtype)
            for ph in range(out_h):
                for pw in range(out_w):
                    for iy in range(grid_h):
                        row = rows.starts[k] + ph * grid_h + iy
                        y1, y2, hy, ly = rows.low[row], rows.high[row], row_weights[0, row], row_weights[1, row]
                        for ix in range(grid_w):
                            column = columns.starts[k] + pw * grid_w + ix
                            x1, x2 = columns.low[column], columns.high[column]
                            hx, lx = column_weights[0, column], column_weights[1, column]
                            if y1 >= 0 and x1 >= 0:
                                upper = ONE * hy * hx * plane[y1, x1] + ONE * hy * lx * plane[y1, x2]
                                total[ph, pw] += upper + ONE * ly * hx * plane[y2, x1] + ONE * ly * lx * plane[y2, x2]
                    out[k, channel, ph, pw] = total[ph, pw] / max(grid_h * grid_w, 1)
    return out


def backward_input(grad_output, input_shape, batch, rows, columns, row_weights, column_weights):
    """Add each bin's share to the four pixels of each of its samples, box after box."""
    c, out_h, out_w = grad_output.shape[1:]
    grad_input = np.empty(input_shape, grad_output.dtype)
    total = ONE * np.zeros(input_shape, grad_output.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for channel in range(c):
            plane = total[batch[k], channel]
            for ph in range(out_h):
                for pw in range(out_w):
                    share = ONE * grad_output[k, channel, ph, pw] / max(grid_h * grid_w, 1)
                    for iy in range(grid_h):
                        row = rows.starts[k] + ph * grid_h + iy
                        for ix in range(grid_w):
                            column = columns.starts[k] + pw * grid_w + ix
                            for side_y in range(2):
                                for side_x in range(2):
                                    y = rows.high[row] if side_y else rows.low[row]
                                    z = columns.high[column] if side_x else columns.low[column]
                                    if y >= 0 and z >= 0:
                                        plane[y, z] += share * row_weights[side_y, row] * column_weights[side_x, column]
    sums, rounded = total.reshape(-1), grad_input.reshape(-1)
    for i in range(sums.size):
        rounded[i] = sums[i]
    return grad_input


def backward_rows(grad_output, x, batch, rows, columns, column_weights):
    """Add up, for each side of each row sample, the bins' shares of what the columns made of its row."""
    c, out_h, out_w = grad_output.shape[1:]
    grad_weights = np.zeros((2, rows.low.size), grad_output.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for ph in range(out_h):
            for iy in range(grid_h):
                row = rows.starts[k] + ph * grid_h + iy
                total = ONE * np.zeros(2, grad_output.dtype)
                for channel in range(c):
                    plane = x[batch[k], channel]
                    for pw in range(out_w):
                        share = ONE * grad_output[k, channel, ph, pw] / max(grid_h * grid_w, 1)
                        for ix in range(grid_w):
                            column = columns.starts[k] + pw * grid_w + ix
                            x1, x2 = columns.low[column], columns.high[column]
                            hx, lx = column_weights[0, column], column_weights[1, column]
                            for side in range(2):
                                y = rows.high[row] if side else rows.low[row]
                                if y >= 0 and x1 >= 0:
                                    total[side] += share * (ONE * hx * plane[y, x1] + ONE * lx * plane[y, x2])
                grad_weights[0, row] = total[0]
                grad_weights[1, row] = total[1]
    return grad_weights


def backward_columns(grad_output, x, batch, rows, columns, row_weights):
    """Do the same for each side of each column sample, over the rows."""
    c, out_h, out_w = grad_output.shape[1:]
    grad_weights = np.zeros((2, columns.low.size), grad_output.dtype)
    for k in range(batch.size):
        grid_h, grid_w = rows.counts[k], columns.counts[k]
        for pw in range(out_w):
            for ix in range(grid_w):
                column = columns.starts[k] + pw * grid_w + ix
                total = ONE * np.zeros(2, grad_output.dtype)
                for channel in range(c):
                    plane = x[batch[k], channel]
                    for ph in range(out_h):
                        share = ONE * grad_output[k, channel, ph, pw] / max(grid_h * grid_w, 1)
                        for iy in range(grid_h):
                            row = rows.starts[k] + ph * grid_h + iy
                            y1, y2, hy, ly = rows.low[row], rows.high[row], row_weights[0, row], row_weights[1, row]
                            for side in range(2):
                                z = columns.high[column] if side else columns.low[column]
                                if y1 >= 0 and z >= 0:
                                    total[side] += share * (ONE * hy * plane[y1, z] + ONE * ly * plane[y2, z])
                grad_weights[0, column] = total[0]
                grad_weights[1, column] = total[1]
    return grad_weights
