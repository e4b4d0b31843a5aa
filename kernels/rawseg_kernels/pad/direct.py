"""Frames row by row: the stretch that a row keeps is copied in one piece, only its frame goes through the table.

forward: one task is one output row
    // per element: 1 read and 1 write of 4 bytes
backward: gather form; one task is one input row, which adds the output rows over it, then the columns, in double precision
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import inlined, kernel
from .._simd_copies import copy_ahead
from .._threads import launch
from ..resize.tables import transposed


def forward(x, rows, columns, fill):
    """See ``reference.forward``."""
    out = empty((x.shape[0], rows.size, columns.size), x.dtype)
    launch(_forward, x.shape[0] * rows.size, x, out, rows, columns, longest_run(columns), fill, work=out.size)
    return out


def backward(grad_output, input_size, rows, columns):
    """See ``reference.backward``."""
    planes, out_h, _ = grad_output.shape
    grad_input = empty((planes, *input_size), grad_output.dtype)
    starts, outputs, _ = transposed(input_size[0], rows[None], np.ones((1, out_h)))
    tables = starts, outputs, columns, longest_run(columns)
    launch(_backward, planes * input_size[0], grad_output, grad_input, *tables, work=grad_output.size)
    return grad_input


@kernel
def longest_run(table):
    """Return ``(at, start, count)`` of the longest stretch of ``table`` that counts up: ``table[at + i] == start + i``."""
    at, longest, begin = 0, 0, 0
    for end in range(1, table.size + 1):
        if end == table.size or table[end - 1] < 0 or table[end] != table[end - 1] + 1:
            if end - begin > longest:
                at, longest = begin, end - begin
            begin = end
    if longest == 0 or table[at] < 0:  # nothing but the constant
        return 0, 0, 0
    return at, table[at], longest


@kernel
def _forward(first, last, x, out, rows, columns, run, fill):
    source, target, (_, h, w), (_, out_h, out_w) = x.reshape(-1), out.reshape(-1), x.shape, out.shape
    at, start, count = run
    plane, oh = first // out_h, first % out_h
    for task in range(first, last):
        to, row = task * out_w, rows[oh]
        origin = (plane * h + row) * w
        plane, oh = (plane, oh + 1) if oh + 1 < out_h else (plane + 1, 0)  # divisions cost as much as a short row
        if row < 0:
            for i in range(to, to + out_w):
                target[i] = fill
            continue
        _copy_frame(source, origin, columns, 0, at, fill, target, to)
        copy_ahead(source, origin + start, target, to + at, count)
        _copy_frame(source, origin, columns, at + count, out_w, fill, target, to)


@inlined
def _copy_frame(source, origin, columns, begin, end, fill, target, to):
    for i in range(begin, end):
        target[to + i] = source[origin + columns[i]] if columns[i] >= 0 else fill


@kernel
def _backward(first, last, grad_output, grad_input, starts, outputs, columns, run):
    h, w = grad_input.shape[1], grad_input.shape[2]
    at, start, count = run
    row, total = np.empty(columns.size, np.float64), np.empty(w, np.float64)
    for task in range(first, last):
        plane, ih = task // h, task % h
        for i in range(row.size):
            row[i] = 0
        for entry in range(starts[ih], starts[ih + 1]):
            part = grad_output[plane, outputs[entry]]
            for i in range(row.size):
                row[i] += part[i]
        for i in range(total.size):
            total[i] = 0
        _add_frame(row[:at], columns[:at], total)
        kept, target = row[at : at + count], total[start : start + count]
        for i in range(kept.size):
            target[i] += kept[i]
        _add_frame(row[at + count :], columns[at + count :], total)
        values = grad_input[plane, ih]
        for i in range(values.size):
            values[i] = total[i]


@inlined
def _add_frame(row, columns, total):
    for i in range(row.size):
        total[columns[i]] += row[i]
