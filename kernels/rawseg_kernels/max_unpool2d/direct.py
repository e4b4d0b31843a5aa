"""Max unpooling plane by plane; what adds, and what only reads, are max pooling's own scatter and gather.

A plane belongs to one task, which goes through its elements in row-major order.
    // per plane: every output written once, every element moved once; a byte a pixel tells which are taken
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._simd_pairs import place_pairs
from .._threads import launch
from ..max_pool2d import direct as max_pool2d


def first_duplicate(indices, plane):
    """See ``reference.first_duplicate``: each plane finds its own, and the first plane's is the answer."""
    planes, elements = indices.shape[0] * indices.shape[1], indices.shape[2] * indices.shape[3]
    found = empty((planes, 2), np.int64)
    launch(_first_duplicate, planes, indices.reshape(planes, *indices.shape[2:]), found, plane, work=indices.size)
    repeated = np.flatnonzero(found[:, 1] >= 0)
    if not repeated.size:
        return -1, -1
    earlier, later = found[repeated[0]] + repeated[0] * elements
    return int(earlier), int(later)


def forward(x, indices, output_shape, adding, distinct=False):
    """See ``reference.forward``; sums in the dtype of ``x``."""
    if adding:
        return max_pool2d.backward(x, indices, output_shape)
    n, c, out_h, out_w = output_shape
    elements = x.shape[2] * x.shape[3]
    out = empty(output_shape, x.dtype)
    views = x.reshape(n * c, elements), indices.reshape(n * c, elements), out.reshape(n * c, out_h * out_w)
    launch(_place, n * c, *views, work=out.size + x.size)
    return out


def forward_apart(x, indices, output_shape):
    """Return what `forward` returns if every element points into a window of its own, else None: indices need no check before.

    After pooling without overlap it is so, and then none is outside and no two meet.
    """
    n, c, h, w = x.shape
    out, whole = empty(output_shape, x.dtype), np.zeros(n * c, np.bool_)
    views = x.reshape(n * c, h, w), indices.reshape(n * c, h, w), out.reshape(n * c, *output_shape[2:])
    launch(_place_apart, n * c, *views, whole, work=out.size + x.size)
    return out if whole.all() else None


def backward(grad_output, indices, last_wins):
    """See ``reference.backward``."""
    if not last_wins:
        return max_pool2d.gather(grad_output, indices)
    planes, elements = indices.shape[0] * indices.shape[1], indices.shape[2] * indices.shape[3]
    pixels = grad_output.shape[2] * grad_output.shape[3]
    grad_input = empty(indices.shape, grad_output.dtype)
    views = grad_output.reshape(planes, pixels), indices.reshape(planes, elements), grad_input.reshape(planes, elements)
    launch(_read_winners, planes, *views, work=indices.size)
    return grad_input


@kernel
def _first_duplicate(first, last, indices, found, size):
    taken = np.zeros(size[0] * size[1], np.bool_)
    for plane in range(first, last):
        found[plane, 0], found[plane, 1] = -1, -1
        if apart(indices[plane], size):
            continue
        where = indices[plane].reshape(-1)
        count = where.size
        for i in range(where.size):
            if taken[where[i]]:
                count = i
                break
            taken[where[i]] = True
        if count < where.size:
            found[plane, 1] = count
            for i in range(count):
                if where[i] == where[count]:
                    found[plane, 0] = i
        for i in range(count):  # not all pixels: fewer are taken
            taken[where[i]] = False


@piece
def apart(indices, size):
    """Return whether every element points into a window of its own, as after pooling without overlap: then no two can meet."""
    h, w = indices.shape
    rows, columns = size[0] // max(h, 1), size[1] // max(w, 1)
    inside = 0
    for i in range(h):
        where = indices[i]
        for row in range(rows):
            start = (i * rows + row) * size[1]
            for j in range(w):
                place = where[j] - start - j * columns
                inside += 0 <= place < columns
    return inside == h * w


@kernel
def _place_apart(first, last, x, indices, out, whole):
    """Write each element's window; what points elsewhere is written nowhere, but counted."""
    _, h, w = x.shape
    rows, columns, out_w = out.shape[1] // h, out.shape[2] // w, out.shape[2]
    values, where, target = x.reshape(-1), indices.reshape(-1), out.reshape(-1)
    for plane in range(first, last):
        inside = 0
        for i in range(h):
            at = (plane * h + i) * w
            for row in range(i * rows, (i + 1) * rows):
                to = (plane * out.shape[1] + row) * out_w
                if columns == 2:
                    inside += place_pairs(w, values, where, at, row * out_w, target, to)
                else:
                    inside += _place_few(values[at : at + w], where[at : at + w], row * out_w, columns, target[to : to + out_w])
        out[plane, :, w * columns :] = 0
        out[plane, h * rows :] = 0
        whole[plane] = inside == h * w
        if inside < h * w:
            break


@piece
def _place_few(values, where, start, columns, target):
    """Put the elements of a row into windows of any number of columns; return how many are in them."""
    inside = 0
    target[:] = 0
    for j in range(values.size):
        place = where[j] - start - j * columns
        if 0 <= place < columns:
            target[j * columns + place] = values[j]
            inside += 1
    return inside


@kernel
def _place(first, last, x, indices, out):
    for plane in range(first, last):
        values, where, target = x[plane], indices[plane], out[plane]
        for i in range(target.size):
            target[i] = 0
        for i in range(values.size):
            target[where[i]] = values[i]


@kernel
def _read_winners(first, last, grad_output, indices, grad_input):
    taken = np.zeros(grad_output.shape[1], np.bool_)
    for plane in range(first, last):
        source, where, part = grad_output[plane], indices[plane], grad_input[plane]
        for i in range(part.size - 1, -1, -1):  # from the last element on: the first to take a pixel is its winner
            part[i] = 0 if taken[where[i]] else source[where[i]]
            taken[where[i]] = True
        for i in range(part.size):
            taken[where[i]] = False
