"""Winograd's convolution: the same driver for both tile sizes and both directions; `_simd_winograd` has the mathematics.

Transformed source and weights are multiplied point by point: (m + 2)**2 matrix products over the channels, each output of which
is one chain of fused multiply-adds in order of the channels. Blocks, tasks and vectors only say who computes which chain.

Every input of a tile meets every output of it, so an infinity or NaN would spread: images whose sums are not all numbers, be it
that or an overflow on the way, are computed again by sums that no tile shares. A weight that is no number is met by every tile.
"""

from __future__ import annotations

import numpy as np

from .._arena import empty, zeros
from .._jit import kernel, piece
from .._panels import multiply
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import get_num_threads, launch
from ._winograd_grid import apart, grid
from ._winograd_tiles import rooms, store_rows, store_scattered, transform_source, transform_weights


@kernel
def transform_panels(first, last, scratch, u, weight, grid, adjoint):
    """Transform the weights of the tasks ``first <= task < last``, each a panel of output channels of a group."""
    fill(scratch, 0, scratch.size, 0)
    for task in range(first, last):
        group, panel = task // grid.panels, task % grid.panels
        at = group * grid.points * grid.weight_step + panel * grid.depth * ROWS
        transform_weights(u, at, grid.weight_step, weight, group, panel, scratch, 0, grid, adjoint)


@piece
def multiply_points(u, u_at, u_step, v, m, m_at, m_step, rows, steps, starts, grid):
    """Multiply the weights of ``rows`` output channels with the tiles, point by point."""
    for point in range(grid.points):
        place, seen, panel = u_at + point * u_step, point * grid.seen_step, grid.depth * ROWS
        after = u_step - (-(-rows // ROWS) - 1) * panel if point + 1 < grid.points else 0
        right, results = (v, seen, steps, 0, starts, grid.vectors), (m, m_at + point * m_step, grid.pitch)
        soon = v.ctypes.data + (seen + grid.seen_step) * v.itemsize, grid.pitch * v.itemsize
        multiply(rows, grid.depth, 0, u, place, panel, *right, *results, after, soon)


@piece
def transform_tiles(first, last, v, x, group, groups, block, room, room_at, grid):
    """Transform the source channels ``first <= c < last`` of a group for one block."""
    lanes, channels = VECTOR_BYTES // x.itemsize, groups * grid.depth
    # Rows of tiles that begin inside a vector are put together nearby: far away, a vector across two lines is slow to write.
    inside = grid.together * grid.block_columns % lanes != 0
    nearby = room_at + grid.points * (grid.block_columns + 2 * lanes)
    for c in range(first, last):
        at = c * grid.pitch
        there = (room, nearby, grid.pitch) if inside else (v, at, grid.seen_step)
        transform_source(*there, x, group * grid.depth + c, channels, room, room_at, block, grid)
        if inside:
            for point in range(grid.points):
                copy(room, nearby + point * grid.pitch, 1, v, at + point * grid.seen_step, 1, grid.pitch)


@kernel
def transform_channels(first, last, scratch, v, x, group, groups, block, grid):
    """Do as `transform_tiles`."""
    fill(scratch, 0, scratch.size, 0)
    transform_tiles(first, last, v, x, group, groups, block, scratch, 0, grid)


@piece
def store_channels(m, m_at, m_step, bias, out, broken, group, groups, first, count, block, after, room, room_at, grid):
    """Finish and store ``count`` output channels of a group from ``first`` on for one block."""
    in_rows = grid.block_columns >= VECTOR_BYTES // out.itemsize
    for k in range(count):
        channel = group * grid.channels + first + k
        products = m, m_at + k * grid.pitch, m_step, bias[channel] if bias.size else out.dtype.type(0)
        places = out, broken, channel, groups * grid.channels, after, block, room, room_at, grid
        if in_rows:
            store_rows(*products, *places)
        else:
            store_scattered(*products, *places)


@kernel
def convolve_blocks(first, last, scratch, x, u, bias, out, broken, groups, steps, starts, after, grid):
    """Compute the tasks ``first <= task < last``, each a block of tiles of one group, from source to output."""
    m_at = grid.points * grid.seen_step
    room_at = m_at + grid.points * grid.product_step
    fill(scratch, 0, m_at, 0)  # what no tile ever fills is multiplied, too: numbers as small as old memory may hold are slow
    fill(scratch, room_at, scratch.size, 0)
    for task in range(first, last):
        group, block = task // grid.blocks, task % grid.blocks
        transform_tiles(0, grid.depth, scratch, x, group, groups, block, scratch, room_at, grid)
        at = group * grid.points * grid.weight_step
        for panel in range(0, grid.panels, grid.at_once):
            first_channel = panel * ROWS
            rows = min(grid.at_once * ROWS, grid.channels - first_channel)
            place = at + first_channel * grid.depth
            results = scratch, m_at, grid.product_step
            multiply_points(u, place, grid.weight_step, scratch, *results, rows, steps, starts, grid)
            ends = bias, out, broken, group, groups, first_channel, rows, block, after
            store_channels(*results, *ends, scratch, room_at, grid)


@kernel
def convolve_panels(
    first,
    last,
    scratch,
    v,
    weight,
    bias,
    out,
    broken,
    group,
    groups,
    block,
    adjoint,
    u_step,
    m_step,
    steps,
    starts,
    after,
    grid,
):
    """Compute the tasks ``first <= task < last``, each some panels of output channels for a block of tiles."""
    m_at = grid.points * u_step
    room_at = m_at + grid.points * m_step
    fill(scratch, room_at, scratch.size, 0)
    for task in range(first, last):
        panel = task * grid.at_once
        panels = min(grid.at_once, grid.panels - panel)
        for p in range(panels):
            place = p * grid.depth * ROWS
            transform_weights(scratch, place, u_step, weight, group, panel + p, scratch, room_at, grid, adjoint)
        rows = min(panels * ROWS, grid.channels - panel * ROWS)
        multiply_points(scratch, 0, u_step, v, scratch, m_at, m_step, rows, steps, starts, grid)
        ends = bias, out, broken, group, groups, panel * ROWS, rows, block, after
        store_channels(scratch, m_at, m_step, *ends, scratch, room_at, grid)


def convolve(x, weight, bias, out, size, padding, groups, adjoint, after):
    """Write the convolution of ``x`` with 3x3 weights into ``out``; return an array that tells which images must be done again.

    Parameters
    ----------
    size : int
        Of a tile, 2 or 4.
    padding : (int, int)
        At the top and the left; may be negative.
    adjoint : bool
        The weights are those of the convolution whose adjoint this is: source channels first, turned by half a turn.
    after : Epilogue
        What follows the sums.
    """
    n, depth, channels = x.shape[0], x.shape[1] // groups, out.shape[1] // groups
    sizes = x.shape[2:], out.shape[2:], padding, depth, channels, x.itemsize
    made = grid(size, n, *sizes, get_num_threads())
    steps = np.arange(depth, dtype=np.int64) * made.pitch
    starts = np.arange(made.vectors, dtype=np.int64) * (VECTOR_BYTES // x.itemsize)
    bias = empty(0, x.dtype) if bias is None else bias
    broken = zeros(n, np.uint8)
    source, target, weight = x.reshape(-1), out.reshape(-1), weight.reshape(-1)
    work = 2 * made.points * made.vectors * made.blocks * depth * channels * groups
    of_weights, of_source, of_output = rooms(made, VECTOR_BYTES // x.itemsize)
    if made.blocks > 1:
        u = empty(groups * made.points * made.weight_step, x.dtype)
        room, transformed = (of_weights, x.dtype), (u, weight, made, adjoint)
        launch(transform_panels, groups * made.panels, *transformed, work=9 * u.size, scratch=room)
        tables = groups, steps, starts, after, made
        scratch = made.points * (made.seen_step + made.product_step) + max(of_source, of_output), x.dtype
        launch(convolve_blocks, groups * made.blocks, source, u, bias, target, broken, *tables, work=work, scratch=scratch)
        return broken
    v = empty(made.points * made.seen_step, x.dtype)
    own_steps = apart(made.at_once * ROWS * depth, x.itemsize), made.product_step
    scratch = made.points * sum(own_steps) + max(of_weights, of_output), x.dtype
    for group in range(groups):
        launch(transform_channels, depth, v, source, group, groups, 0, made, work=work, scratch=(of_source, x.dtype))
        tables = group, groups, 0, adjoint, *own_steps, steps, starts, after, made
        tasks = -(-made.panels // made.at_once)
        launch(convolve_panels, tasks, v, weight, bias, target, broken, *tables, work=work, scratch=scratch)
    return broken
