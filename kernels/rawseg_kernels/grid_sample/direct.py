"""Sampling point by point: the taps of a segment of points are looked up again for every channel while they are cached.

forward, backward_weights: one task is a segment of the points of an image, for all of its channels
backward_input: one task is a plane, which adds the gradients up in the order of the points
    // per output and tap: 1 read of 4 bytes from anywhere in the plane; 12 bytes of index and weight, cached
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece, specialised
from .._threads import launch
from .reference import NOWHERE, REFLECTION, ZEROS

TOGETHER = 4  # channels that are sampled at once
SEGMENT = 512  # points: their indices and weights take 24 KiB, and leave the first-level cache some room for pixels


def locate(grid, size, taps, padding, align_corners):
    """See ``reference.locate``: the same operations in the same order, so the same bits."""
    points = grid.size // 2
    indices = empty((*grid.shape[:3], taps), np.int64)
    fractions, slopes = empty(grid.shape, grid.dtype), empty(grid.shape, grid.dtype)
    views = grid.reshape(points, 2), indices.reshape(points, taps), fractions.reshape(points, 2), slopes.reshape(points, 2)
    launch(_locate, -(-points // SEGMENT), *views, size, padding, align_corners, work=20 * points)
    return indices, fractions, slopes


def weights(fractions):
    """See ``weights`` of the room: products of a point's distances from its four neighbours, each rounded."""
    out = empty((*fractions.shape[:3], 4), fractions.dtype)
    points = fractions.size // 2
    launch(_weights, -(-points // SEGMENT), fractions.reshape(points, 2), out.reshape(points, 4), work=20 * points)
    return out


def forward(x, indices, weights):
    """See ``reference.forward``; sums in the dtype of ``x``."""
    n, c, h, w = x.shape
    out_h, out_w, taps = indices.shape[1:]
    out = empty((n, c, out_h, out_w), x.dtype)
    views = x.reshape(n, c, h * w), *_taps(indices), weights.reshape(n, out_h * out_w, taps), out.reshape(n, c, out_h * out_w)
    launch(_forward, n * _segments(out_h * out_w), *views, work=out.size * taps)
    return out


def backward_input(grad_output, indices, weights, input_size):
    """See ``reference.backward_input``; sums in the dtype of ``grad_output``."""
    n, c, out_h, out_w = grad_output.shape
    taps, pixels = indices.shape[3], input_size[0] * input_size[1]
    grad_input = empty((n, c, *input_size), grad_output.dtype)
    weights = weights.reshape(n, out_h * out_w, taps)
    views = grad_output.reshape(n * c, out_h * out_w), *_taps(indices), weights, grad_input.reshape(n * c, pixels)
    launch(_backward_input, n * c, c, *views, work=grad_output.size * taps + grad_input.size)
    return grad_input


def backward_weights(grad_output, x, indices):
    """See ``reference.backward_weights``; sums in the dtype of ``x``."""
    n, c, h, w = x.shape
    out_h, out_w, taps = indices.shape[1:]
    grad_weights = empty(indices.shape, x.dtype)
    views = grad_output.reshape(n, c, out_h * out_w), x.reshape(n, c, h * w), *_taps(indices)
    work = grad_output.size * taps
    launch(_backward_weights, n * _segments(out_h * out_w), *views, grad_weights.reshape(n, out_h * out_w, taps), work=work)
    return grad_weights


def _segments(points):
    return -(-points // SEGMENT)


def _taps(indices):
    """Return the indices as (N, points, taps), unsigned: those of Numba that are not signed are never wrapped around."""
    n, out_h, out_w, taps = indices.shape
    return (indices.reshape(n, out_h * out_w, taps).view(np.uint64),)


@kernel
def _locate(first, last, grid, indices, fractions, slopes, size, padding, align_corners):
    h, w = size
    taps = indices.shape[1]
    for point in range(first * SEGMENT, min(last * SEGMENT, grid.shape[0])):
        x, slopes[point, 0] = _coordinate(grid[point, 0], grid.dtype.type(w), taps, padding, align_corners)
        y, slopes[point, 1] = _coordinate(grid[point, 1], grid.dtype.type(h), taps, padding, align_corners)
        left, top = np.floor(x), np.floor(y)
        fractions[point, 0], fractions[point, 1] = x - left, y - top
        for tap in range(taps):
            iw, ih = np.int64(left) + tap % 2, np.int64(top) + tap // 2
            indices[point, tap] = ih * w + iw if 0 <= iw < w and 0 <= ih < h else h * w


@kernel
def _weights(first, last, fractions, out):
    one = fractions.dtype.type(1)
    for point in range(first * SEGMENT, min(last * SEGMENT, out.shape[0])):
        right, down = fractions[point, 0], fractions[point, 1]
        left, up = one - right, one - down
        out[point, 0], out[point, 1] = up * left, up * right
        out[point, 2], out[point, 3] = down * left, down * right


@piece
def _coordinate(g, extent, taps, padding, align_corners):
    """Return a coordinate in pixels, padded and rounded, and its slope."""
    one, two = type(g)(1), type(g)(2)
    zero = one - one
    span = extent - one if align_corners else extent
    low = zero if align_corners else -one / two
    c = (g + one) / two * span if align_corners else ((g + one) * extent - one) / two
    slope = span / two
    if padding == ZEROS:
        if not -1 <= c < extent:
            c, slope = one * NOWHERE, zero
    else:
        if padding == REFLECTION:
            c, slope = _reflected(c, slope, low, span)
        if not c > 0:
            c, slope = zero, zero
        elif c >= extent - one:
            c, slope = extent - one, zero
    return (c, slope) if taps > 1 else (np.rint(c), zero)


@piece
def _reflected(c, slope, low, span):
    over = np.fmod(abs(c - low), span + span)  # exact; NaN where both mirrors stand at a single pixel, which is then the first
    if c < low:
        slope = -slope
    return (over + low, slope) if not over > span else (span + span - over + low, -slope)


@kernel
def _forward(first, last, x, indices, weights, out):
    segments, taps = (out.shape[2] + SEGMENT - 1) // SEGMENT, weights.shape[2]
    together = x.shape[1] // TOGETHER * TOGETHER
    for task in range(first, last):
        b, start = task // segments, task % segments * SEGMENT
        where, factors = indices[b, start : start + SEGMENT], weights[b, start : start + SEGMENT]
        samples = out[b, :, start : start + SEGMENT]
        for k in range(0, together, TOGETHER):
            if taps == 4:  # a number that the compiler knows: the loop over the taps is unrolled
                _gather_together(x[b, k : k + TOGETHER], where, factors, samples[k : k + TOGETHER], 4)
            else:
                _gather_together(x[b, k : k + TOGETHER], where, factors, samples[k : k + TOGETHER], taps)
        for k in range(together, x.shape[1]):
            _gather(x[b, k], where, factors, samples[k], taps)


@specialised
def _gather_together(source, where, factors, target, taps):
    """Sample TOGETHER channels: what a tap's index and weight cost to load is shared."""
    one, two, three, four = source[0], source[1], source[2], source[3]
    for i in range(target.shape[1]):
        total_1 = total_2 = total_3 = total_4 = source.dtype.type(0)
        for tap in range(taps):
            index, factor = where[i, tap], factors[i, tap]
            if index < np.uint64(source.shape[1]):
                total_1 += factor * one[index]
                total_2 += factor * two[index]
                total_3 += factor * three[index]
                total_4 += factor * four[index]
        target[0, i], target[1, i], target[2, i], target[3, i] = total_1, total_2, total_3, total_4


@piece
def _gather(source, where, factors, target, taps):
    for i in range(target.size):
        total = source.dtype.type(0)
        for tap in range(taps):
            index = where[i, tap]
            if index < np.uint64(source.size):
                total += factors[i, tap] * source[index]
        target[i] = total


@kernel
def _backward_input(first, last, channels, grad_output, indices, weights, grad_input):
    for plane in range(first, last):
        total = grad_input[plane]
        for i in range(total.size):
            total[i] = 0
        if weights.shape[2] == 4:
            _scatter(grad_output[plane], indices[plane // channels], weights[plane // channels], total, 4)
        else:
            _scatter(grad_output[plane], indices[plane // channels], weights[plane // channels], total, weights.shape[2])


@specialised
def _scatter(part, where, factors, total, taps):
    for i in range(part.size):
        for tap in range(taps):
            index = where[i, tap]
            if index < np.uint64(total.size):
                total[index] += factors[i, tap] * part[i]


@kernel
def _backward_weights(first, last, grad_output, x, indices, grad_weights):
    segments, taps = (grad_output.shape[2] + SEGMENT - 1) // SEGMENT, grad_weights.shape[2]
    for task in range(first, last):
        b, start = task // segments, task % segments * SEGMENT
        where, total = indices[b, start : start + SEGMENT], grad_weights[b, start : start + SEGMENT]
        total[:] = 0
        for k in range(x.shape[1]):
            if taps == 4:
                _correlate(x[b, k], where, grad_output[b, k, start : start + SEGMENT], total, 4)
            else:
                _correlate(x[b, k], where, grad_output[b, k, start : start + SEGMENT], total, taps)


@specialised
def _correlate(source, where, part, total, taps):
    for i in range(part.size):
        for tap in range(taps):
            index = where[i, tap]
            if index < np.uint64(source.size):
                total[i, tap] += part[i] * source[index]
