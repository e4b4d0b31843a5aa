"""Matrix products by packed panels: a is packed once, b block by block in each task, and the micro-kernel does the rest.

A task owns a tile of the output of one pair of matrices. The sum runs in blocks of `DEPTH_BLOCK` steps, for each of which the
task lays out its columns of b; the accumulators carry on from block to block in one chain of fused multiply-adds.
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._panels import DEPTH_BLOCK, multiply, pack_rows
from .._simd import ROWS, VECTOR_BYTES, VECTORS, copy
from .._threads import launch

TILE_ROWS = 256  # rows of a tile, and
TILE_BYTES = 1024  # bytes of its width, at most: with the packed blocks they fill a second-level cache of 1 MB
ENOUGH_TASKS = 16  # tiles shrink until there are as many


@kernel
def pack_left(first, last, a, packed, matrix_size, rows, depth, transposed):
    """Lay the left matrices out, ``[matrix][panel][depth][ROWS]``; missing rows stay zero. A task is a panel."""
    panels = -(-rows // ROWS)
    for task in range(first, last):
        matrix, row = task // panels, task % panels * ROWS
        count = min(ROWS, rows - row)
        to_at = task * depth * ROWS
        if transposed:
            for k in range(depth):
                copy(a, matrix * matrix_size + k * rows + row, 1, packed, to_at + k * ROWS, 1, count)
        else:
            pack_rows(a, matrix * matrix_size + row * depth, depth, count, depth, packed, to_at, ROWS)


@piece
def pack_right(b, matrix_at, k0, steps, column, columns, depth, all_columns, transposed, packed, width):
    """Lay ``steps`` rows of the right matrix from k0 on out, ``[step][width]``, of which ``columns`` are filled."""
    if transposed:
        for c in range(0, columns, ROWS):
            count = min(ROWS, columns - c)
            pack_rows(b, matrix_at + (column + c) * depth + k0, depth, count, steps, packed, c, width)
    else:
        for k in range(steps):
            copy(b, matrix_at + (k0 + k) * all_columns + column, 1, packed, k * width, 1, columns)


@kernel
def multiply_tiles(first, last, packed, b, out, pairs, sizes, tile_rows, width, transposed, steps, starts):
    """Compute the tiles ``first <= task < last``, numbered by pair, then by row, then by column."""
    rows, depth, columns = sizes
    down, across = -(-rows // tile_rows), -(-columns // width)
    panel_step = depth * ROWS
    block = np.zeros(steps.size * width, b.dtype)
    results = np.empty(-(-tile_rows // ROWS) * ROWS * width, b.dtype)
    lanes = VECTOR_BYTES // b.itemsize
    for task in range(first, last):
        rest, column = task // across, task % across * width
        pair, row = rest // down, rest % down * tile_rows
        rows_here, columns_here = min(tile_rows, rows - row), min(width, columns - column)
        left_at = (pairs[pair, 0] * -(-rows // ROWS) + row // ROWS) * panel_step
        for k in range(0, max(depth, 1), DEPTH_BLOCK):
            count = min(DEPTH_BLOCK, depth - k)
            pack_right(
                b, pairs[pair, 1] * depth * columns, k, count, column, columns_here, depth, columns, transposed, block, width
            )
            vectors = -(-columns_here // lanes)
            multiply(
                rows_here,
                count,
                k,
                packed,
                left_at + k * ROWS,
                panel_step,
                block,
                0,
                steps,
                0,
                starts,
                vectors,
                results,
                0,
                width,
            )
        for r in range(rows_here):
            to = (pair * rows + row + r) * columns + column
            copy(results, r * width, 1, out, to, 1, columns_here)


def _tile(pairs, rows, columns, lanes):
    """Return the rows and columns of a tile: whole panels and vectors, as large as the caches and the threads allow."""
    tile_rows = min(TILE_ROWS, -(-rows // ROWS) * ROWS)
    widest = TILE_BYTES // (VECTOR_BYTES * VECTORS) * VECTORS * lanes
    width = min(widest, -(-columns // lanes) * lanes)
    while pairs * -(-rows // tile_rows) * -(-columns // width) < ENOUGH_TASKS:
        if tile_rows > 8 * ROWS:
            tile_rows = -(-tile_rows // (2 * ROWS)) * ROWS
        elif width > VECTORS * lanes:
            width = -(-width // (2 * VECTORS * lanes)) * VECTORS * lanes
        else:
            break
    return tile_rows, width


def forward(a, b, pairs, transpose_a, transpose_b):
    """Pack the left matrices, then let every task compute one tile of one product."""
    rows, depth = (a.shape[2], a.shape[1]) if transpose_a else (a.shape[1], a.shape[2])
    columns = b.shape[1] if transpose_b else b.shape[2]
    out = empty((pairs.shape[0], rows, columns), a.dtype)
    if out.size == 0:
        return out
    lanes = VECTOR_BYTES // a.itemsize
    panels = -(-rows // ROWS)
    packed = (np.zeros if rows % ROWS else np.empty)(a.shape[0] * panels * depth * ROWS, a.dtype)
    launch(pack_left, a.shape[0] * panels, a.reshape(-1), packed, rows * depth, rows, depth, transpose_a, work=packed.size)
    tile_rows, width = _tile(pairs.shape[0], rows, columns, lanes)
    steps = np.arange(min(depth, DEPTH_BLOCK), dtype=np.int64) * width
    starts = np.arange(0, width, lanes, dtype=np.int64)
    tasks = pairs.shape[0] * -(-rows // tile_rows) * -(-columns // width)
    sizes = (rows, depth, columns)
    tables = out.reshape(-1), pairs, sizes, tile_rows, width, transpose_b, steps, starts
    launch(multiply_tiles, tasks, packed, b.reshape(-1), *tables, work=2 * out.size * depth)
    return out
