"""Resizing row by row: an output row needs at most two input rows, and neighbours need the same ones.

forward: one task is one output row; a row that its neighbour has already prepared is used again, which changes no bits
backward: gather form over the transposed tables; one task is one input row, summed down the columns first, then along the row
    // per output pixel: 1 read and 1 write of 4 bytes, the rest stays in the first-level cache
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._arena import empty
from .._jit import inlined, kernel
from .._simd_gathers import add_products_of, interpolate_row
from .._threads import launch
from . import tables


def forward_nearest(x, rows, columns):
    """See ``reference.forward_nearest``."""
    n, c, h, w = x.shape
    out = empty((n, c, rows.size, columns.size), x.dtype)
    views = x.reshape(n * c, h, w), out.reshape(n * c, rows.size, columns.size)
    twice = np.array_equal(columns, np.arange(2 * w) // 2)
    launch(_nearest, n * c * rows.size, *views, rows, columns.astype(np.uint32), twice, work=out.size)
    return out


def forward_bilinear(x, rows, columns):
    """See ``reference.forward_bilinear``: the same operations in the same order, so the same bits."""
    n, c, h, w = x.shape
    out_h, out_w = rows[0].size, columns[0].size
    out = empty((n, c, out_h, out_w), x.dtype)
    views = x.reshape(n * c, h, w), out.reshape(n * c, out_h, out_w)
    twice = _is_twice(w, *columns)
    columns = *(side.astype(np.uint32) for side in columns[:2]), *columns[2:]  # unsigned: no index counts from the end
    launch(_bilinear, n * c * out_h, *views, *rows, *columns, twice, work=4 * out.size)
    return out


def _is_twice(size, left, right, left_weight, right_weight):
    """Return whether an axis becomes twice as long, as most do: but for its ends, weights are a quarter and three of them."""
    if left.size != 2 * size:
        return False
    place = np.arange(1, left.size - 1)
    quarters = np.where(place % 2, 0.75, 0.25)
    same = np.array_equal(left[1:-1], (place - 1) // 2) and np.array_equal(right[1:-1], (place + 1) // 2)
    return same and np.array_equal(left_weight[1:-1], quarters) and np.array_equal(right_weight[1:-1], 1 - quarters)


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
    rows = tables.transposed(input_size[0], *terms[0])
    sources, weights = map(np.ascontiguousarray, terms[1])
    columns = _entries(input_size[1], sources.shape, sources.tobytes(), weights.tobytes(), weights.dtype)
    views = grad_output.reshape(n * c, out_h, out_w), grad_input.reshape(n * c, *input_size)
    launch(_gather, n * c * input_size[0], *views, *rows, *columns, work=4 * grad_output.size)
    return grad_input


@lru_cache(maxsize=64)
def _entries(size, shape, sources, weights, dtype):
    """Return the transposed table of an axis for vectors: first every pixel's first entry, then every second, and so on.

    Parameters
    ----------
    sources, weights : bytes
        Of int64 and ``dtype``, shape ``shape``, as `tables.transposed` takes them.

    Returns
    -------
    spans : ndarray of int64, shape (entries of a pixel, 3)
        The pixels, begin and end, that have an entry k or lie between such; and where the entries of the first of them is.
    outputs, weights : ndarray of uint32, of float64
        Where between others a pixel has no entry, its weight is 0 and its output the one past the last.
    pairs : bool
        Whether every pixel is the plain sum of the next two of the output: rows twice as long, by nearest neighbours.
    """
    table = np.frombuffer(sources, np.int64).reshape(shape), np.frombuffer(weights, dtype).reshape(shape)
    starts, outputs, factors = tables.transposed(size, *table)
    counts, spans, parts, at = np.diff(starts), [], [], 0
    for k in range(counts.max()):
        pixels = np.flatnonzero(counts > k)
        begin, end = pixels[0], pixels[-1] + 1
        places, shares = np.full(end - begin, shape[1], np.uint32), np.zeros(end - begin)
        places[pixels - begin], shares[pixels - begin] = outputs[starts[pixels] + k], factors[starts[pixels] + k]
        spans.append((begin, end, at))
        parts.append((places, shares))
        at += end - begin
    return np.array(spans), *map(np.concatenate, zip(*parts)), _are_pairs(starts, outputs, factors)


def _are_pairs(starts, outputs, weights):
    """Return whether every pixel is the plain sum of the next two of the output: rows twice as long, by nearest neighbours."""
    twice = np.array_equal(starts, np.arange(starts.size) * 2)
    return bool(twice and np.array_equal(outputs, np.arange(outputs.size)) and (weights == 1).all())


@kernel
def _nearest(first, last, x, out, rows, columns, twice):
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
            if twice:
                for i in range(source.size):
                    target[2 * i] = source[i]
                    target[2 * i + 1] = source[i]
                continue
            for i in range(target.size):
                target[i] = source[columns[i]]


@kernel
def _bilinear(first, last, x, out, top, bottom, top_weight, bottom_weight, left, right, left_weight, right_weight, twice):
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
            _along(x[plane, top[oh]], left, right, left_weight, right_weight, upper, twice)
            upper_holds = above
        if lower_holds != below:
            _along(x[plane, bottom[oh]], left, right, left_weight, right_weight, lower, twice)
            lower_holds = below
        target, first_weight, second_weight = out[plane, oh], top_weight[oh], bottom_weight[oh]
        for i in range(target.size):
            target[i] = first_weight * upper[i] + second_weight * lower[i]


@inlined
def _along(source, left, right, left_weight, right_weight, target, twice):
    """Interpolate one row along x."""
    if twice:
        far, near = source.dtype.type(0.25), source.dtype.type(0.75)
        for i in range(source.size - 1):
            target[2 * i + 1] = near * source[i] + far * source[i + 1]
            target[2 * i + 2] = far * source[i] + near * source[i + 1]
        for i in (0, target.size - 1):
            target[i] = left_weight[i] * source[left[i]] + right_weight[i] * source[right[i]]
        return
    interpolate_row(target.size, source, 0, left, right, left_weight, right_weight, target)


@kernel
def _gather(first, last, grad_output, grad_input, row_starts, row_outputs, row_weights, spans, outputs, weights, pairs):
    h, out_w = grad_input.shape[1], grad_output.shape[2]
    total, sums = np.zeros(out_w + 1, np.float64), np.empty(grad_input.shape[2], np.float64)  # of no output, 0
    for task in range(first, last):
        plane, ih = task // h, task % h
        down = total[:out_w]
        for i in range(down.size):
            down[i] = 0
        for entry in range(row_starts[ih], row_starts[ih + 1]):
            part, weight = grad_output[plane, row_outputs[entry]], np.float64(row_weights[entry])
            for i in range(down.size):
                down[i] += weight * part[i]
        target = grad_input[plane, ih]
        if pairs:
            for iw in range(target.size):
                target[iw] = 0.0 + total[2 * iw] + total[2 * iw + 1]  # the zero: sums begin with it, and so have no -0.0
            continue
        sums[:] = 0
        for k in range(spans.shape[0]):
            begin, end, at = spans[k, 0], spans[k, 1], spans[k, 2]
            add_products_of(end - begin, weights, outputs, at, total, sums, begin)
        for iw in range(target.size):
            target[iw] = sums[iw]
