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
from .._simd_doubling import double_row, gather_doubled
from .._simd_gathers import add_products_of, interpolate_row
from .._threads import launch
from . import tables

ENDS = 2  # pixels, at each end of a row that becomes twice as long, whose weights are others


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
    columns = _columns(w, *_key(columns[:2], columns[2:]))
    launch(_bilinear, n * c * out_h, *views, *rows, *columns, work=4 * out.size)
    return out


def _key(sources, weights):
    """Return a table as something that a cache can look up: its shape, all sources, all weights, and their dtype."""
    parts = (b"".join([array.tobytes() for array in arrays]) for arrays in (sources, weights))
    return (len(sources), sources[0].size), *parts, weights[0].dtype


def _table(shape, sources, weights, dtype):
    """Return the sources and the weights of a `_key`."""
    return np.frombuffer(sources, np.int64).reshape(shape), np.frombuffer(weights, dtype).reshape(shape)


@lru_cache(maxsize=64)
def _columns(size, *key):
    """Return the table of an axis for vectors, and whether the axis becomes twice as long."""
    sources, weights = _table(*key)
    places = sources.astype(np.uint32)  # unsigned: no index counts from the end
    return *places, *weights.copy(), _is_twice(size, *sources, *weights)


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
    keys = [_key([table], [np.ones(table.size, grad_output.dtype)]) for table in (rows, columns)]
    return _backward(grad_output, input_size, *keys)


def backward_bilinear(grad_output, input_size, rows, columns):
    """See ``reference.backward_bilinear``."""
    return _backward(grad_output, input_size, *(_key(table[:2], table[2:]) for table in (rows, columns)))


def _backward(grad_output, input_size, rows, columns):
    n, c, out_h, out_w = grad_output.shape
    grad_input = empty((n, c, *input_size), grad_output.dtype)
    rows, columns = _transposed(input_size[0], *rows), _entries(input_size[1], *columns)
    views = grad_output.reshape(n * c, out_h, out_w), grad_input.reshape(n * c, *input_size)
    launch(_gather, n * c * input_size[0], *views, *rows, *columns, work=4 * grad_output.size)
    return grad_input


@lru_cache(maxsize=64)
def _transposed(size, *key):
    """Return the transposed table of an axis, see `tables.transposed`."""
    return tables.transposed(size, *_table(*key))


@lru_cache(maxsize=64)
def _entries(size, shape, *key):
    """Return the transposed table of an axis for vectors: first every pixel's first entry, then every second, and so on.

    Returns
    -------
    spans : ndarray of int64, shape (entries of a pixel, 3)
        The pixels, begin and end, that have an entry k or lie between such; and where the entries of the first of them is.
    outputs, weights : ndarray of uint32, of float64
        Where between others a pixel has no entry, its weight is 0 and its output the one past the last.
    pairs : bool
        Whether every pixel is the plain sum of the next two of the output: rows twice as long, by nearest neighbours.
    twice : bool
        Whether every pixel but two at each end is what `gather_doubled` takes: rows twice as long, by interpolation.
    """
    starts, outputs, factors = _transposed(size, shape, *key)
    counts, spans, parts, at = np.diff(starts), [], [], 0
    for k in range(counts.max()):
        pixels = np.flatnonzero(counts > k)
        begin, end = pixels[0], pixels[-1] + 1
        places, shares = np.full(end - begin, shape[1], np.uint32), np.zeros(end - begin)
        places[pixels - begin], shares[pixels - begin] = outputs[starts[pixels] + k], factors[starts[pixels] + k]
        spans.append((begin, end, at))
        parts.append((places, shares))
        at += end - begin
    kind = _are_pairs(starts, outputs, factors), _are_quarters(starts, outputs, factors)
    return np.array(spans), *map(np.concatenate, zip(*parts)), *kind


def _are_pairs(starts, outputs, weights):
    """Return whether every pixel is the plain sum of the next two of the output: rows twice as long, by nearest neighbours."""
    twice = np.array_equal(starts, np.arange(starts.size) * 2)
    return bool(twice and np.array_equal(outputs, np.arange(outputs.size)) and (weights == 1).all())


def _are_quarters(starts, outputs, weights):
    """Return whether every pixel but ENDS at each end is the weighed sum that `gather_doubled` takes, two further on each."""
    begins = starts[ENDS:-ENDS]
    if begins.size < 2 or (np.diff(begins) != 4).any():
        return False
    inner = slice(begins[0], begins[-1])
    first = 2 * np.arange(ENDS, ENDS + begins.size - 1) - 1
    same = np.array_equal(outputs[inner].reshape(-1, 4), first[:, None] + np.arange(4))
    return bool(same and (weights[inner].reshape(-1, 4) == (0.25, 0.75, 0.75, 0.25)).all())


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
    lines = np.empty((2, out_w), x.dtype)  # input rows interpolated along x, even ones in the first: neighbours share none
    held = np.full(2, -1)  # which they are, counted over all planes
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        for row in (top[oh], bottom[oh]):
            number = plane * h + row
            if held[number % 2] != number:
                _along(x[plane, row], left, right, left_weight, right_weight, lines[number % 2], twice)
                held[number % 2] = number
        upper, lower = lines[(plane * h + top[oh]) % 2], lines[(plane * h + bottom[oh]) % 2]
        target, first_weight, second_weight = out[plane, oh], top_weight[oh], bottom_weight[oh]
        for i in range(target.size):
            target[i] = first_weight * upper[i] + second_weight * lower[i]


@inlined
def _along(source, left, right, left_weight, right_weight, target, twice):
    """Interpolate one row along x."""
    if twice:
        double_row(source.size - 1, source, 0, target, 1)
        for i in (0, target.size - 1):
            target[i] = left_weight[i] * source[left[i]] + right_weight[i] * source[right[i]]
        return
    interpolate_row(target.size, source, 0, left, right, left_weight, right_weight, target)


@kernel
def _gather(first, last, grad_output, grad_input, row_starts, row_outputs, row_weights, spans, outputs, weights, pairs, twice):
    h, out_w = grad_input.shape[1], grad_output.shape[2]
    total, sums = np.zeros(out_w + 1, np.float64), np.empty(grad_input.shape[2], np.float64)  # of no output, 0
    for task in range(first, last):
        plane, ih = task // h, task % h
        down = total[:out_w]
        for i in range(down.size):
            down[i] = 0
        entry, end = row_starts[ih], row_starts[ih + 1]
        while entry + 1 < end:  # in pairs, since each time the sums are read and written
            part, weight = grad_output[plane, row_outputs[entry]], np.float64(row_weights[entry])
            other, its = grad_output[plane, row_outputs[entry + 1]], np.float64(row_weights[entry + 1])
            for i in range(down.size):
                down[i] = down[i] + weight * part[i] + its * other[i]
            entry += 2
        if entry < end:
            part, weight = grad_output[plane, row_outputs[entry]], np.float64(row_weights[entry])
            for i in range(down.size):
                down[i] += weight * part[i]
        target = grad_input[plane, ih]
        if pairs:
            for iw in range(target.size):
                target[iw] = 0.0 + total[2 * iw] + total[2 * iw + 1]  # the zero: sums begin with it, and so have no -0.0
            continue
        if twice:
            gather_doubled(target.size - 2 * ENDS, total, 2 * ENDS - 1, sums, ENDS)
            for i in range(ENDS):
                for pixel in (i, target.size - 1 - i):
                    sums[pixel] = _entries_of(pixel, spans, outputs, weights, total)
        else:
            sums[:] = 0
            for k in range(spans.shape[0]):
                begin, end, at = spans[k, 0], spans[k, 1], spans[k, 2]
                add_products_of(end - begin, weights, outputs, at, total, sums, begin)
        for iw in range(target.size):
            target[iw] = sums[iw]


@inlined
def _entries_of(pixel, spans, outputs, weights, total):
    """Return the sum of one pixel's entries, as `add_products_of` sums them."""
    value = 0.0
    for k in range(spans.shape[0]):
        at = spans[k, 2] + pixel - spans[k, 0]
        if spans[k, 0] <= pixel < spans[k, 1]:
            value += weights[at] * total[outputs[at]]
    return value
