"""Winograd's convolution: the same driver for both tile sizes and both directions; `_simd_winograd` has the mathematics.

Transformed source and weights are multiplied point by point: (m + 2)**2 matrix products over the channels, each output of which is
one chain of fused multiply-adds in order of the channels. Blocks, tasks and vectors only say who computes which chain.

Every input of a tile meets every output of it, so an infinity or NaN would spread: images whose sums are not all numbers, be it
that or an overflow on the way, are computed again by sums that no tile shares.
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from .._panels import multiply
from .._simd import ROWS, VECTOR_BYTES, fill
from .._threads import launch
from ._winograd_grid import grid
from ._winograd_tiles import store_pixels, transform_products, transform_source, transform_weights

FEW_BLOCKS = 8  # fewer leave threads idle: then the stages of a block are shared out, one after the other
PANELS_A_TASK = 8  # of a stage of products


@kernel
def multiply_points(first, last, u, v, m, group, parts, steps, starts, grid):
    """Multiply for the tasks ``first <= task < last``, each a point and a part of the panels of output channels."""
    for task in range(first, last):
        point, part = task // parts, task % parts
        begin, end = part * grid.panels // parts, (part + 1) * grid.panels // parts
        rows = min(grid.channels, end * ROWS) - begin * ROWS
        m_at = point * grid.product_step + begin * ROWS * grid.pitch
        fill(m, m_at, m_at + (end - begin) * ROWS * grid.pitch, 0)
        u_at = (group * grid.points + point) * grid.weight_step + begin * grid.depth * ROWS
        panel = grid.depth * ROWS
        v_at = point * grid.seen_step
        multiply(rows, grid.depth, u, u_at, panel, v, v_at, steps, 0, starts, grid.vectors, m, m_at, grid.pitch)


@kernel
def transform_channels(first, last, v, x, group, groups, block, grid):
    """Transform the source channels ``first <= c < last`` of a group for one block."""
    lanes, width = VECTOR_BYTES // x.itemsize, grid.size + 2
    line = np.zeros((grid.block_columns + 2 * lanes) * grid.size + 2, x.dtype)
    half = np.empty(width * width * (grid.block_columns + lanes), x.dtype)
    for c in range(first, last):
        channel = group * grid.depth + c
        transform_source(v, c * grid.pitch, x, channel, groups * grid.depth, line, half, block, grid)


@kernel
def store_channels(first, last, m, bias, out, broken, group, groups, block, after, grid):
    """Finish and store the output channels ``first <= k < last`` of a group for one block."""
    lanes, width = VECTOR_BYTES // out.itemsize, grid.size + 2
    half = np.empty(width * width * lanes, out.dtype)
    pixels = np.empty(grid.size * grid.size * (grid.pitch + lanes), out.dtype)
    for k in range(first, last):
        channel = group * grid.channels + k
        shift = bias[channel] if bias.size else out.dtype.type(0)
        transform_products(m, k * grid.pitch, shift, half, pixels, grid)
        store_pixels(pixels, out, broken, channel, groups * grid.channels, after, block, grid)


@kernel
def convolve_blocks(first, last, x, u, bias, out, broken, groups, steps, starts, after, grid):
    """Compute the tasks ``first <= task < last``, each a block of tiles of one group, from source to output."""
    v = np.zeros(grid.points * grid.seen_step + VECTOR_BYTES, x.dtype)
    m = np.empty(grid.points * grid.product_step, x.dtype)
    for task in range(first, last):
        group, block = task // grid.blocks, task % grid.blocks
        transform_channels(0, grid.depth, v, x, group, groups, block, grid)
        multiply_points(0, grid.points, u, v, m, group, 1, steps, starts, grid)
        store_channels(0, grid.channels, m, bias, out, broken, group, groups, block, after, grid)


def convolve(x, weight, bias, out, size, padding, dilation, groups, adjoint, after):
    """Write the convolution of ``x`` with 3x3 weights into ``out``; return an array that tells which images must be done again.

    Parameters
    ----------
    size : int
        Of a tile, 2 or 4.
    padding, dilation : (int, int)
        As usual; the padding at the top and the left, which may be negative.
    adjoint : bool
        The weights are those of the convolution whose adjoint this is: source channels first, turned by half a turn.
    after : Epilogue
        What follows the sums.
    """
    n, depth, channels = x.shape[0], x.shape[1] // groups, out.shape[1] // groups
    made = grid(size, n, x.shape[2:], out.shape[2:], padding, dilation, depth, channels, x.itemsize)
    steps = np.arange(depth, dtype=np.int64) * made.pitch
    starts = np.arange(made.vectors, dtype=np.int64) * (VECTOR_BYTES // x.itemsize)
    u = np.empty(groups * made.points * made.weight_step, x.dtype)
    row_step, depth_step = (9, channels * 9) if adjoint else (depth * 9, 9)
    launch(transform_weights, groups * made.panels, weight.reshape(-1), u, made, row_step, depth_step, adjoint, work=9 * u.size)
    bias = np.empty(0, x.dtype) if bias is None else bias
    broken = np.zeros(n, np.uint8)
    source, target = x.reshape(-1), out.reshape(-1)
    work = 2 * made.points * made.vectors * made.blocks * depth * channels * groups
    if groups * made.blocks >= FEW_BLOCKS:
        tables = groups, steps, starts, after, made
        launch(convolve_blocks, groups * made.blocks, source, u, bias, target, broken, *tables, work=work)
        return broken
    v = np.zeros(made.points * made.seen_step + VECTOR_BYTES, x.dtype)
    m = np.empty(made.points * made.product_step, x.dtype)
    parts = -(-made.panels // PANELS_A_TASK)
    for group in range(groups):
        for block in range(made.blocks):
            launch(transform_channels, depth, v, source, group, groups, block, made, work=work)
            launch(multiply_points, made.points * parts, u, v, m, group, parts, steps, starts, made, work=work)
            launch(store_channels, channels, m, bias, target, broken, group, groups, block, after, made, work=work)
    return broken
