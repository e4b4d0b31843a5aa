"""Matrix products by packed panels: a is packed once, b block by block in each task, and the micro-kernel does the rest.

A task owns a tile of the output of one pair of matrices. The sum runs in blocks of `DEPTH_BLOCK` steps, for each of which the
task lays out its columns of b; the accumulators carry on from block to block in one chain of fused multiply-adds.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._panels import DEPTH_BLOCK, SHALLOW, multiply, pack_rows
from .._simd import ROWS, VECTOR_BYTES, VECTORS, copy, fill
from .._threads import launch
from . import few_rows

TILE_ROWS = 512  # rows of a tile, at most
TILE_BYTES = VECTOR_BYTES * VECTORS  # of its width: of one panel of vectors, which the block lays out side by side, or
WIDE_BYTES = 5 * TILE_BYTES  # where memory, not the products, takes the time, and long rows are read and written sooner
FEW_ROWS = 2 * ROWS  # of a tile: b is read so seldom that it is not worth laying out
CLASH = 1024  # bytes: rows a multiple apart fall into the same few lines of a cache
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
def multiply_tiles(first, last, scratch, packed, b, out, pairs, sizes, tile_rows, width, transposed, steps, in_place, starts):
    """Compute the tiles ``first <= task < last``, numbered by pair, then by row, then by column.

    Whole panels and vectors are summed in the output itself, others in results of the task's own. Where few rows meet b, its
    rows are read where they are, ``in_place`` apart; otherwise from a block.
    """
    rows, depth, columns = sizes
    down, across = -(-rows // tile_rows), -(-columns // width)
    panel_step, lanes = depth * ROWS, VECTOR_BYTES // b.itemsize
    block, results = scratch[: steps.size * width], scratch[steps.size * width :]
    fill(block, 0, block.size, 0)
    for task in range(first, last):
        rest, column = task // across, task % across * width
        pair, row = rest // down, rest % down * tile_rows
        rows_here, columns_here = min(tile_rows, rows - row), min(width, columns - column)
        left_at = (pairs[pair, 0] * -(-rows // ROWS) + row // ROWS) * panel_step
        to = (pair * rows + row) * columns + column
        whole = columns_here % lanes == 0
        few = rows_here <= FEW_ROWS
        direct = whole and rows_here % ROWS == 0 and (depth <= DEPTH_BLOCK or columns * b.itemsize % CLASH != 0)
        target, at, step = (out, to, columns) if direct else (results, 0, width)
        for k in range(0, max(depth, 1), DEPTH_BLOCK):
            count, vectors, matrix_at = min(DEPTH_BLOCK, depth - k), -(-columns_here // lanes), pairs[pair, 1] * depth * columns
            right = b, matrix_at + k * columns + column, in_place
            if transposed or not (whole and few):
                pack_right(b, matrix_at, k, count, column, columns_here, depth, columns, transposed, block, width)
                right = block, 0, steps
            left = packed, left_at + k * ROWS, panel_step
            multiply(rows_here, count, k, *left, *right, 0, starts, vectors, target, at, step)
        if not direct:
            for r in range(rows_here):
                copy(results, r * width, 1, out, to + r * columns, 1, columns_here)


def _tile(pairs, rows, depth, columns, lanes):
    """Return the rows and columns of a tile: whole panels and vectors, as large as the caches and the threads allow."""
    tile_rows = min(TILE_ROWS, -(-rows // ROWS) * ROWS)
    widest = (WIDE_BYTES if rows <= FEW_ROWS or depth <= SHALLOW else TILE_BYTES) // VECTOR_BYTES * lanes
    width = min(widest, -(-columns // lanes) * lanes)
    while pairs * -(-rows // tile_rows) * -(-columns // width) < ENOUGH_TASKS:
        if tile_rows > 8 * ROWS:
            tile_rows = -(-tile_rows // (2 * ROWS)) * ROWS
        elif width > VECTORS * lanes:
            width = -(-width // (2 * VECTORS * lanes)) * VECTORS * lanes
        else:
            break
    return tile_rows, width


@lru_cache(maxsize=256)
def _places(depth, width, columns, lanes):
    """Return where a step of the sum is, in a tile's block and in the right matrix, and where a vector is."""
    k = np.arange(depth, dtype=np.int64)
    return k * width, k * columns, np.arange(0, width, lanes, dtype=np.int64)


def forward(a, b, pairs, transpose_a, transpose_b):
    """Pack the left matrices, then let every task compute one tile of one product."""
    rows, depth = (a.shape[2], a.shape[1]) if transpose_a else (a.shape[1], a.shape[2])
    columns = b.shape[1] if transpose_b else b.shape[2]
    if few_rows.fits(rows, depth, columns, a.itemsize, transpose_a, transpose_b):
        return few_rows.forward(a, b, pairs)
    out = empty((pairs.shape[0], rows, columns), a.dtype)
    if out.size == 0:
        return out
    lanes = VECTOR_BYTES // a.itemsize
    panels = -(-rows // ROWS)
    packed = (np.zeros if rows % ROWS else np.empty)(a.shape[0] * panels * depth * ROWS, a.dtype)
    launch(pack_left, a.shape[0] * panels, a.reshape(-1), packed, rows * depth, rows, depth, transpose_a, work=packed.size)
    tile_rows, width = _tile(pairs.shape[0], rows, depth, columns, lanes)
    steps, in_place, starts = _places(min(depth, DEPTH_BLOCK), width, columns, lanes)
    tasks = pairs.shape[0] * -(-rows // tile_rows) * -(-columns // width)
    sizes = (rows, depth, columns)
    tables = pairs, sizes, tile_rows, width, transpose_b, steps, in_place, starts
    scratch = (steps.size + -(-tile_rows // ROWS) * ROWS) * width, a.dtype
    launch(multiply_tiles, tasks, packed, b.reshape(-1), out.reshape(-1), *tables, work=2 * out.size * depth, scratch=scratch)
    return out
