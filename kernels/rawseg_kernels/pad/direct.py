"""Frames row by row: the stretch that a row keeps is copied in one piece, only its frame goes through the table.

forward: one task is one output row
    // per element: 1 read and 1 write of 4 bytes
backward: gather form; one task is one input row, which adds the output rows over it, then the columns, in double precision
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._threads import launch
from ..resize.tables import transposed
from .tables import longest_run


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
def _forward(first, last, x, out, rows, columns, run, fill):
    out_h = out.shape[1]
    at, start, count = run
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        target = out[plane, oh]
        if rows[oh] < 0:
            for i in range(target.size):
                target[i] = fill
            continue
        source = x[plane, rows[oh]]
        _copy_frame(source, columns[:at], fill, target[:at])
        kept, part = source[start : start + count], target[at : at + count]
        for i in range(part.size):
            part[i] = kept[i]
        _copy_frame(source, columns[at + count :], fill, target[at + count :])


@piece
def _copy_frame(source, columns, fill, target):
    for i in range(target.size):
        target[i] = source[columns[i]] if columns[i] >= 0 else fill


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


@piece
def _add_frame(row, columns, total):
    for i in range(row.size):
        total[columns[i]] += row[i]
