"""Products of a few rows with a transposed matrix, as a linear layer has them for a small batch.

The right matrix is read once, along the rows where it lies: laying it out would take longer than the products. A task owns
some columns of the output of one pair of matrices; each element is one chain of fused multiply-adds, as in ``panels``.
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._simd import VECTOR_BYTES, copy, fill
from .._simd_dots import CHAINS, chain_dots
from .._threads import launch

VECTORS = 4  # of a task


@kernel
def multiply_rows(first, last, a, b, out, pairs, sizes, pitch):
    """Compute the tasks ``first <= task < last``, numbered by pair, then by column; the last vector moves back to fit."""
    rows, depth, columns = sizes
    lanes = VECTOR_BYTES // b.itemsize
    width = VECTORS * lanes
    across = -(-columns // width)
    spare = np.empty(CHAINS * lanes, b.dtype)
    for task in range(first, last):
        pair, begin = task // across, task % across * width
        end = min(begin + width, columns)
        for column in range(begin, end, lanes):
            there = min(column, columns - lanes)
            left_at, right_at = pairs[pair, 0] * rows * pitch, (pairs[pair, 1] * columns + there) * depth
            chain_dots(rows, depth, a, left_at, pitch, b, right_at, depth, spare, 0, lanes)
            for row in range(rows):
                to = (pair * rows + row) * columns + column
                copy(spare, row * lanes + column - there, 1, out, to, 1, lanes - (column - there))


@kernel
def pad_rows(first, last, a, padded, depth, pitch):
    """Copy the rows ``first <= row < last``; what is behind them is -0."""
    for row in range(first, last):
        copy(a, row * depth, 1, padded, row * pitch, 1, depth)
        fill(padded, row * pitch + depth, (row + 1) * pitch, -0.0)


def fits(rows, depth, columns, itemsize, transpose_a, transpose_b):
    """Return whether this is the way to multiply."""
    return transpose_b and not transpose_a and rows <= CHAINS and depth > 0 and columns * itemsize >= VECTOR_BYTES


def forward(a, b, pairs):
    """See ``reference.forward``: a as it is, b transposed."""
    (matrices, rows, depth), columns = a.shape, b.shape[1]
    lanes = VECTOR_BYTES // a.itemsize
    pitch = -(-depth // lanes) * lanes
    padded = empty(matrices * rows * pitch, a.dtype)
    launch(pad_rows, matrices * rows, a.reshape(-1), padded, depth, pitch, work=padded.size)
    out = empty((pairs.shape[0], rows, columns), a.dtype)
    tasks = pairs.shape[0] * -(-columns // (VECTORS * lanes))
    arrays = padded, b.reshape(-1), out.reshape(-1), pairs
    launch(multiply_rows, tasks, *arrays, (rows, depth, columns), pitch, work=2 * out.size * depth)
    return out
