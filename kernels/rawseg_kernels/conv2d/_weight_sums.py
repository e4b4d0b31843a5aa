"""The matrix product behind backward_weight: pixels are what is summed, kernel taps and channels are its columns.

    grad_weight[k, c, tap] = sum over pixels of grad_output[pixel, k] * x[pixel * stride + tap * dilation - padding, c]

A task owns some output channels, a block of input channels and a share of the pixels. Tile of pixels after tile it packs
grad_output into panels and lays the rows of x that the tile sees into a zero-padded strip *with the channels innermost*: for
every pixel a tap is then a run of neighbours in the strip, so the columns of the product are places in a table.

Sums run over a span of pixels (`SPAN`) in one chain of fused multiply-adds; the spans of a share, and then the shares, are
added in order. All of this follows from the shape alone, so neither threads nor vector widths reach the bits.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._arena import empty, zeros
from .._jit import kernel, piece
from .._panels import multiply, pack_rows
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import launch

TILE_PIXELS = 512  # what a tile packs of grad_output and sees of x stays in the second-level cache
SPAN_PIXELS = 2048  # a chain this long loses about as much accuracy as the sum of the chains
SHARE_PIXELS = 384  # of a task, at least
RESULTS = 192 * 192  # output channels times input channels times taps of a task: they fit the second-level cache
PORTION = 1 << 14  # sums of a task that adds shares up
ENOUGH_TASKS = 16  # pixels are shared out until there are as many


class Layout(NamedTuple):
    """The numbers that the kernel computes with."""

    rows: int  # of a tile of output pixels
    columns: int
    down: int  # tiles that cover a plane
    across: int
    span: int  # tiles of one chain
    shares: int  # of the tiles of all images
    tiles: int
    panels: int  # of a task
    panel_blocks: int  # that cover a group's output channels
    block: int  # input channels of a task
    blocks: int  # that cover a group's input channels
    strip_h: int
    strip_w: int
    runs: int  # of neighbouring columns: the taps of a kernel row, or single taps where they are dilated
    taps_of_run: int
    run_columns: int  # with the lanes that no channel fills


def _blocks(channels_out: int, depth: int, taps: int) -> tuple[int, int]:
    """Return in how many blocks to take a group's output and input channels: as many of one as of the other, if there are."""
    side = max(8, math.isqrt(RESULTS // taps) // 8 * 8)
    out = min(channels_out, side)
    into = max(1, min(depth, RESULTS // (out * taps)))
    out = max(out, min(channels_out, RESULTS // (into * taps) // 8 * 8))
    return -(-channels_out // out), -(-depth // into)


@lru_cache(maxsize=1024)
def layout(images, out_size, weight_shape, stride, dilation, groups, lanes):
    """Lay out one geometry; only ``run_columns`` depends on the width of a vector."""
    out_channels, depth, kernel_h, kernel_w = weight_shape
    across = -(-out_size[1] // TILE_PIXELS)
    columns = -(-out_size[1] // across)
    rows = max(1, min(out_size[0], TILE_PIXELS // columns))
    down = -(-out_size[0] // rows)
    rows = -(-out_size[0] // down)
    tiles = images * down * across
    blocks_out, blocks = _blocks(out_channels // groups, depth, kernel_h * kernel_w)
    block = -(-depth // blocks)
    all_panels = -(-(out_channels // groups) // ROWS)
    panels = -(-all_panels // blocks_out)
    span = -(-SPAN_PIXELS // (rows * columns))
    few = min(tiles, images * out_size[0] * out_size[1] // SHARE_PIXELS)  # shares that are worth adding up
    shares = max(1, min(few, -(-ENOUGH_TASKS // (groups * blocks_out * blocks))))
    taps = kernel_w if dilation[1] == 1 else 1
    return Layout(
        rows=rows,
        columns=columns,
        down=down,
        across=across,
        span=span,
        shares=shares,
        tiles=tiles,
        panels=panels,
        panel_blocks=-(-all_panels // panels),
        block=block,
        blocks=-(-depth // block),
        strip_h=(rows - 1) * stride[0] + (kernel_h - 1) * dilation[0] + 1,
        strip_w=(columns - 1) * stride[1] + (kernel_w - 1) * dilation[1] + 1,
        runs=kernel_h * kernel_w // taps,
        taps_of_run=taps,
        run_columns=-(-taps * block // lanes) * lanes,
    )


@piece
def fill_pixels(strip, x, image_at, h, w, top, left, rows, columns, channels, tile):
    """Copy ``rows x columns`` pixels of ``x`` from (top, left) on into the strip, channels innermost, zero outside."""
    begin, end = min(columns, max(0, -left)), min(columns, w - left)
    for row in range(rows):
        ih, at = top + row, row * tile.strip_w * tile.block
        if not (0 <= ih < h and begin < end):
            fill(strip, at, at + tile.strip_w * tile.block, 0)
            continue
        fill(strip, at, at + begin * tile.block, 0)
        fill(strip, at + end * tile.block, at + tile.strip_w * tile.block, 0)
        for c in range(0, channels, ROWS):
            source_at = image_at + (c * h + ih) * w + left + begin
            pack_rows(x, source_at, h * w, min(ROWS, channels - c), end - begin, strip, at + begin * tile.block + c, tile.block)


@piece
def pack_gradients(packed, grad_output, image_at, out_h, out_w, i0, j0, rows, columns, channels, tile):
    """Lay a tile of ``grad_output`` out in panels, ``[panel][pixel][ROWS]``; pixels beyond ``columns`` become zero."""
    size = tile.rows * tile.columns * ROWS
    for k in range(0, channels, ROWS):
        source_at = image_at + k * out_h * out_w + i0 * out_w + j0
        to_at = k // ROWS * size
        count = min(ROWS, channels - k)
        if columns == out_w:  # rows follow one another without a gap
            pack_rows(grad_output, source_at, out_h * out_w, count, rows * columns, packed, to_at, ROWS)
            continue
        if columns < tile.columns:
            fill(packed, to_at, to_at + size, 0)
        for row in range(rows):
            place = to_at + row * tile.columns * ROWS
            pack_rows(grad_output, source_at + row * out_w, out_h * out_w, count, columns, packed, place, ROWS)


@piece
def add_results(results, total, total_at, depth, kernel_area, channels, block, tile):
    """Add a task's results, ``[channel][run][tap of the run][c]``, to ``total[channel][c][tap]``."""
    pitch = tile.runs * tile.run_columns
    for k in range(channels):
        for run in range(tile.runs):
            for t in range(tile.taps_of_run):
                for c in range(block):
                    place = total_at + (k * depth + c) * kernel_area + run * tile.taps_of_run + t
                    total[place] += results[k * pitch + run * tile.run_columns + t * tile.block + c]


@piece
def add_tile(results, strip, packed, grad_output, x, t, c, block, k, channels, sizes, padding, stride, tile, steps, starts):
    """Add what tile ``t`` of pixels gives for ``block`` input channels from c on, ``channels`` output channels from k on."""
    channels_in, h, w, channels_out, out_h, out_w, _ = sizes
    rest, j0 = t // tile.across, t % tile.across * tile.columns
    image, i0 = rest // tile.down, rest % tile.down * tile.rows
    rows, columns = min(tile.rows, out_h - i0), min(tile.columns, out_w - j0)
    top, left = i0 * stride[0] - padding[0], j0 * stride[1] - padding[1]
    seen_h = tile.strip_h - (tile.rows - rows) * stride[0]
    seen_w = tile.strip_w - (tile.columns - columns) * stride[1]
    fill_pixels(strip, x, (image * channels_in + c) * h * w, h, w, top, left, seen_h, seen_w, block, tile)
    source_at = (image * channels_out + k) * out_h * out_w
    pack_gradients(packed, grad_output, source_at, out_h, out_w, i0, j0, rows, columns, channels, tile)
    pixels, panel, pitch = rows * tile.columns, tile.rows * tile.columns * ROWS, tile.runs * tile.run_columns
    multiply(channels, pixels, 1, packed, 0, panel, strip, 0, steps, 0, starts, starts.size, results, 0, pitch)


@kernel
def sum_weights(first, last, scratch, grad_output, x, total, sizes, padding, stride, groups, tile, steps, starts):
    """Compute the tasks ``first <= task < last``, each a share of the pixels for some channels of one group."""
    channels_in, _, _, channels_out, _, _, area = sizes
    depth, group_out = channels_in // groups, channels_out // groups
    size, panel_pixels = tile.panels * ROWS * tile.runs * tile.run_columns, tile.panels * tile.rows * tile.columns * ROWS
    results, packed, strip = scratch[:size], scratch[size : size + panel_pixels], scratch[size + panel_pixels :]
    fill(scratch, 0, scratch.size, 0)
    for task in range(first, last):
        rest, c = task // tile.blocks, task % tile.blocks * tile.block
        rest, panel = rest // tile.panel_blocks, rest % tile.panel_blocks * tile.panels
        share, group = rest // groups, rest % groups
        block, channels = min(tile.block, depth - c), min(tile.panels * ROWS, group_out - panel * ROWS)
        k = group * group_out + panel * ROWS
        begin, end = share * tile.tiles // tile.shares, (share + 1) * tile.tiles // tile.shares
        for t in range(begin, end):
            if (t - begin) % tile.span == 0:
                fill(results, 0, results.size, 0)
            seen = group * depth + c
            add_tile(
                results, strip, packed, grad_output, x, t, seen, block, k, channels, sizes, padding, stride, tile, steps, starts
            )
            if (t - begin + 1) % tile.span == 0 or t == end - 1:
                add_results(results, total, ((share * channels_out + k) * depth + c) * area, depth, area, channels, block, tile)


@lru_cache(maxsize=1024)
def tables(tile, stride, dilation, kernel_size, lanes):
    """Return the places in the strip of every pixel of a tile (``steps``) and of every vector of columns (``starts``)."""
    rows, columns = np.arange(tile.rows), np.arange(tile.columns)
    steps = (rows[:, None] * stride[0] * tile.strip_w + columns * stride[1]) * tile.block
    kh, kw = np.arange(kernel_size[0]), np.arange(0, kernel_size[1], tile.taps_of_run)
    runs = (kh[:, None] * dilation[0] * tile.strip_w + kw * dilation[1]) * tile.block
    starts = runs.reshape(-1, 1) + np.arange(0, tile.run_columns, lanes)
    return steps.reshape(-1).astype(np.int64), starts.reshape(-1).astype(np.int64)


def sum_over_pixels(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Return ``grad_weight``, in the shape of the weights."""
    n, channels_out, out_h, out_w = grad_output.shape
    lanes = VECTOR_BYTES // x.itemsize
    tile = layout(n, (out_h, out_w), tuple(weight_shape), stride, dilation, groups, lanes)
    steps, starts = tables(tile, stride, dilation, tuple(weight_shape[2:]), lanes)
    shares = begun(zeros, tile.shares, weight_shape, x.dtype)
    sizes = (*x.shape[1:], channels_out, out_h, out_w, weight_shape[2] * weight_shape[3])
    tasks = tile.shares * groups * tile.panel_blocks * tile.blocks
    work = 2 * shares.size // tile.shares * n * out_h * out_w
    arrays = grad_output.reshape(-1), x.reshape(-1), shares.reshape(-1)
    panels = tile.panels * ROWS
    strip = tile.strip_h * tile.strip_w * tile.block + tile.run_columns
    scratch = panels * (tile.runs * tile.run_columns + tile.rows * tile.columns) + strip, x.dtype
    launch(sum_weights, tasks, *arrays, sizes, padding, stride, groups, tile, steps, starts, work=work, scratch=scratch)
    return added(shares, tile.shares)


def begun(make, count, weight_shape, dtype):
    """Return memory for the sums of so many shares; those of a single one are the result."""
    return make((count, *weight_shape) if count > 1 else tuple(weight_shape), dtype)


@kernel
def _add_shares(first, last, shares, total):
    size = total.size
    for task in range(first, last):
        begin, end = task * PORTION, min((task + 1) * PORTION, size)
        sums = total[begin:end]
        copy(shares, begin, 1, total, begin, 1, end - begin)
        for at in range(size + begin, shares.size, size):
            row = shares[at : at + end - begin]
            for i in range(sums.size):
                sums[i] += row[i]


def added(shares, count):
    """Return the sum of what the shares of the pixels gave, one after the other; it keeps no memory of theirs."""
    if count == 1:
        return shares
    total = empty(shares.shape[1:], shares.dtype)
    launch(_add_shares, -(-total.size // PORTION), shares.reshape(-1), total.reshape(-1), work=shares.size)
    return total
