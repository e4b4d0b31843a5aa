"""Plain loops that define sampling: where a point's taps are, and the three contractions over them."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: sums are accumulated in double and rounded once
ZEROS, BORDER, REFLECTION = 0, 1, 2  # what happens to points outside
NOWHERE = -2  # a coordinate whose two neighbours, -2 and -1, both lie outside


def locate(grid, size, taps, padding, align_corners):
    """Map each coordinate to pixels, pad, round (one tap) or not (four), and split it into a pixel and a fraction."""
    n, out_h, out_w = grid.shape[:3]
    h, w = size
    indices = np.empty((n, out_h, out_w, taps), np.int64)
    fractions, slopes = np.empty(grid.shape, grid.dtype), np.empty(grid.shape, grid.dtype)
    one, two = grid.dtype.type(1), grid.dtype.type(2)  # in the grid's dtype, like everything that they meet
    for b in range(n):
        for oh in range(out_h):
            for ow in range(out_w):
                for axis in range(2):  # x along the width, then y along the height
                    extent = grid.dtype.type(w if axis == 0 else h)
                    if align_corners:
                        low, span = extent - extent, extent - one  # mirrors stand at the first and the last pixel's centre
                        c = (grid[b, oh, ow, axis] + one) / two * span
                    else:
                        low, span = -one / two, extent  # mirrors stand at the plane's edges
                        c = ((grid[b, oh, ow, axis] + one) * extent - one) / two
                    slope = span / two
                    if padding == REFLECTION:
                        if c < low:
                            slope = -slope
                        c = np.fmod(np.abs(c - low), two * span)  # exact; NaN where span is 0
                        if c > span:
                            c, slope = two * span - c, -slope
                        c = c + low
                    if padding == ZEROS:
                        if not -1 <= c < extent:  # NaN too
                            c, slope = one * NOWHERE, low - low
                    elif not c > 0:  # NaN too
                        c, slope = low - low, low - low
                    elif c >= extent - one:
                        c, slope = extent - one, low - low
                    if taps == 1:
                        c, slope = np.rint(c), low - low  # half-way: the even one
                    fractions[b, oh, ow, axis], slopes[b, oh, ow, axis] = c - np.floor(c), slope
                    for tap in range(taps):
                        beside = tap % 2 if axis == 0 else tap // 2
                        pixel = np.int64(np.floor(c)) + beside
                        if axis == 0:
                            indices[b, oh, ow, tap] = pixel if 0 <= pixel < w else h * w
                        elif not 0 <= pixel < h:
                            indices[b, oh, ow, tap] = h * w
                        elif indices[b, oh, ow, tap] < h * w:
                            indices[b, oh, ow, tap] += pixel * w
    return indices, fractions, slopes


def forward(x, indices, weights):
    """Sum the taps of every point in their order; those outside are left out."""
    n, c, h, w = x.shape
    out_h, out_w, taps = indices.shape[1:]
    out = np.empty((n, c, out_h, out_w), x.dtype)
    for b in range(n):
        for k in range(c):
            for oh in range(out_h):
                for ow in range(out_w):
                    total = ONE * (weights.dtype.type(0))
                    for tap in range(taps):
                        index = indices[b, oh, ow, tap]
                        if index < h * w:
                            total = total + ONE * weights[b, oh, ow, tap] * x[b, k, index // w, index % w]
                    out[b, k, oh, ow] = total
    return out


def backward_input(grad_output, indices, weights, input_size):
    """Add every gradient to the taps that its sample was made of, in the order of the points and of their taps."""
    n, c, out_h, out_w = grad_output.shape
    h, w = input_size
    grad_input = np.empty((n, c, h, w), grad_output.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros(h * w, grad_output.dtype)
            for oh in range(out_h):
                for ow in range(out_w):
                    for tap in range(indices.shape[3]):
                        index = indices[b, oh, ow, tap]
                        if index < h * w:
                            plane[index] += ONE * weights[b, oh, ow, tap] * grad_output[b, k, oh, ow]
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih * w + iw]
    return grad_input


def backward_weights(grad_output, x, indices):
    """Sum, over the channels, what a tap holds times the gradient of its sample."""
    n, c, h, w = x.shape
    out_h, out_w, taps = indices.shape[1:]
    grad_weights = np.zeros((n, out_h, out_w, taps), x.dtype)
    for b in range(n):
        for oh in range(out_h):
            for ow in range(out_w):
                for tap in range(taps):
                    index = indices[b, oh, ow, tap]
                    total = ONE * x.dtype.type(0)
                    if index < h * w:
                        for k in range(c):
                            total = total + ONE * grad_output[b, k, oh, ow] * x[b, k, index // w, index % w]
                    grad_weights[b, oh, ow, tap] = total
    return grad_weights
