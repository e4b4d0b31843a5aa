"""Matrix products by packed panels: a is packed once, b block by block in each task, and the micro-kernel does the rest.

A task owns a tile of the output of one pair of matrices. The sum runs in blocks of `DEPTH_BLOCK` steps, for each of which the
task lays out its columns of b, unless few rows meet them; the accumulators carry on from block to block in one chain of fused
multiply-adds.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._panels import DEPTH_BLOCK, NOWHERE, SHALLOW, multiply, pack_rows
from .._simd import ROWS, VECTOR_BYTES, VECTORS, copy, fill, gather_rows
from .._threads import get_num_threads, launch
from . import few_rows

TILE_ROWS = 512  # rows of a tile, at most. With so many, its rows are
TILE_BYTES = 192  # long: DEPTH_BLOCK steps of both sides and its results are in the second-level cache together; or else
WIDE_BYTES = 5 * VECTOR_BYTES * VECTORS  # where memory, not the products, takes the time; or else one panel of vectors
FEW_ROWS = 2 * ROWS  # of a tile: b is read so seldom that it is not worth laying out
LINES = 32  # steps at once of a single panel: long pieces of so many rows of b are what the processor fetches by itself
LONG = 256  # vectors of such a piece, at most
CLASH = 1024  # bytes: rows a multiple apart fall into the same few lines of a cache
ENOUGH_TASKS = 16  # tiles shrink until there are as many


@kernel
def pack_left(first, last, a, packed, matrix_size, rows, depth, transposed):
    """Lay the left matrices out, ``[matrix][panel][depth][ROWS]``; missing rows are zero. A task is a panel."""
    panels = -(-rows // ROWS)
    for task in range(first, last):
        matrix, row = task // panels, task % panels * ROWS
        count = min(ROWS, rows - row)
        to_at = task * depth * ROWS
        if count < ROWS:
            fill(packed, to_at, to_at + depth * ROWS, 0)
        if transposed and count == ROWS:  # whose elements are neighbours: a vector, quicker than a memcpy
            for k in range(depth):
                gather_rows(a, matrix * matrix_size + k * rows + row, 1, packed, to_at + k * ROWS)
        elif transposed:
            for k in range(depth):
                copy(a, matrix * matrix_size + k * rows + row, 1, packed, to_at + k * ROWS, 1, count)
        else:
            pack_rows(a, matrix * matrix_size + row * depth, depth, count, depth, packed, to_at, ROWS)


@piece
def pack_right(b, matrix_at, k0, count, column, columns, depth, all_columns, transposed, packed, steps, width):
    """Lay ``count`` rows of the right matrix from k0 on out, ``[panel][steps][width]``, of which ``columns`` are filled."""
    for first in range(0, columns, width):
        to, here = first * steps, min(width, columns - first)
        if transposed:
            for c in range(0, here, ROWS):
                place = matrix_at + (column + first + c) * depth + k0
                pack_rows(b, place, depth, min(ROWS, here - c), count, packed, to + c, width)
        else:
            for k in range(count):
                copy(b, matrix_at + (k0 + k) * all_columns + column + first, 1, packed, to + k * width, 1, here)


@kernel
def multiply_tiles(first, last, scratch, packed, b, out, pairs, sizes, tile_rows, width, at_once, transposed, places):
    """Compute the tiles ``first <= task < last``, numbered by pair, then by row, then by column.

    Whole panels and vectors are summed in the output itself, others in results of the task's own. Where few rows meet b, its
    rows are read where they are; otherwise from a block.
    """
    (laid, laid_starts), (in_place, starts) = places
    rows, depth, columns = sizes
    down, across = -(-rows // tile_rows), -(-columns // width)
    panel_step, lanes = depth * ROWS, VECTOR_BYTES // b.itemsize
    panel = VECTORS * lanes
    size = laid.size * -(-width // panel) * panel
    block, results = scratch[:size], scratch[size:]
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
        for k in range(0, max(depth, 1), at_once):
            count, vectors, matrix_at = min(at_once, depth - k), -(-columns_here // lanes), pairs[pair, 1] * depth * columns
            first = matrix_at + k * columns + column
            right = b, first, in_place, 0, starts
            soon = b.ctypes.data + (first + panel) * b.itemsize, columns * b.itemsize  # the next panel of vectors
            if transposed or not (whole and few):
                where = k, count, column, columns_here, depth, columns, transposed
                pack_right(b, matrix_at, *where, block, laid.size, panel)
                right, soon = (block, 0, laid, 0, laid_starts), NOWHERE
            multiply(rows_here, count, k, packed, left_at + k * ROWS, panel_step, *right, vectors, target, at, step, 0, soon)
        if not direct:
            for r in range(rows_here):
                copy(results, r * width, 1, out, to + r * columns, 1, columns_here)


def _tile(pairs, rows, depth, columns, lanes, transposed, threads):
    """Return the rows and columns of a tile: whole panels and vectors, as large as the caches and the threads allow."""
    tile_rows, panel = min(TILE_ROWS, -(-rows // ROWS) * ROWS), VECTORS * lanes
    if _reads_lines(rows, columns, lanes, transposed):
        pieces = max(2 * threads if threads > 1 else 1, -(-columns // (LONG * lanes)))
        return tile_rows, max(panel, -(-columns // (pieces * lanes)) * lanes)
    deep = rows > FEW_ROWS and depth > SHALLOW
    widest = WIDE_BYTES if not deep else TILE_BYTES if rows >= TILE_ROWS else VECTOR_BYTES * VECTORS
    width = min(widest // VECTOR_BYTES * lanes, -(-columns // lanes) * lanes)
    while pairs * -(-rows // tile_rows) * -(-columns // width) < ENOUGH_TASKS:
        if deep and width > panel:
            width = panel
        elif tile_rows > 8 * ROWS:
            tile_rows = -(-tile_rows // (2 * ROWS)) * ROWS
        elif width > panel:
            width = -(-width // (2 * panel)) * panel
        else:
            break
    return tile_rows, width


def _reads_lines(rows, columns, lanes, transposed):
    """Return whether b is read as it lies in memory: whole vectors of its rows, for a single panel."""
    return rows <= ROWS and columns % lanes == 0 and not transposed


@lru_cache(maxsize=256)
def _plan(pairs, rows, depth, columns, lanes, transposed, threads):
    """Return how many tasks there are, how much memory each has for itself, and what `multiply_tiles` knows of its tiles."""
    tile_rows, width = _tile(pairs, rows, depth, columns, lanes, transposed, threads)
    tasks = pairs * -(-rows // tile_rows) * -(-columns // width)
    at_once, deep = (LINES, 0) if _reads_lines(rows, columns, lanes, transposed) else (DEPTH_BLOCK, min(depth, DEPTH_BLOCK))
    size = deep * -(-width // (VECTORS * lanes)) * VECTORS * lanes
    places = _places(min(depth, at_once), deep, width, columns, lanes)
    return tasks, size + -(-tile_rows // ROWS) * ROWS * width, tile_rows, width, at_once, places


def _places(depth, deep, width, columns, lanes):
    """Return where a step of the sum and a vector are: in a tile's block of ``deep`` steps, panel after panel, and in b."""
    k, v, panel = np.arange(depth, dtype=np.int64), np.arange(-(-width // lanes), dtype=np.int64), VECTORS * lanes
    return (k[:deep] * panel, v // VECTORS * deep * panel + v % VECTORS * lanes), (k * columns, v * lanes)


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
    packed = empty(a.shape[0] * panels * depth * ROWS, a.dtype)
    launch(pack_left, a.shape[0] * panels, a.reshape(-1), packed, rows * depth, rows, depth, transpose_a, work=packed.size)
    sizes = rows, depth, columns
    tasks, size, tile_rows, width, at_once, places = _plan(pairs.shape[0], *sizes, lanes, transpose_b, get_num_threads())
    arrays, tables = (packed, b.reshape(-1), out.reshape(-1), pairs), (sizes, tile_rows, width, at_once, transpose_b, places)
    launch(multiply_tiles, tasks, *arrays, *tables, work=2 * out.size * depth, scratch=(size, a.dtype))
    return out
