"""The matrix product behind backward_weight: pixels are what is summed, kernel taps and channels are its columns.

    grad_weight[k, c, tap] = sum over pixels of grad_output[pixel, k] * x[pixel * stride + tap * dilation - padding, c]

A task owns some output channels, a block of input channels and a share of the pixels. Tile of pixels after tile it packs
grad_output into panels and lays the rows of x that the tile sees into a zero-padded strip *with the channels innermost*: for
every pixel a tap is then a run of neighbours in the strip, so the columns of the product are places in a table. Of few channels
the rows under a kernel are stacked, so that all taps of a pixel are one run.

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
from .._panels import NOWHERE, multiply
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import launch
from ._weight_strips import fill_pixels, fill_stacks, lengths_of, pack_gradients

TILE_PIXELS = 512  # what a tile packs of grad_output and sees of x stays in the second-level cache
SPAN_PIXELS = 2048  # a chain this long loses about as much accuracy as the sum of the chains
SHARE_PIXELS = 384  # of a task, at least
RESULTS = 192 * 192  # output channels times input channels times taps of a task: they fit the second-level cache
PORTION = 1 << 14  # sums of a task that adds shares up
STACKED_GAIN = 6  # a stack has less than all vectors by one part in so many, at least
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
    runs: int  # of neighbouring columns: the taps of a kernel row, single taps where they are dilated, or all if stacked
    run_columns: int  # with the lanes that no channel fills
    cells: int  # elements of a pixel of the strip: the channels of a block, or those of all kernel rows, stacked
    stacked: bool
    width: int  # from a row to the next of the planes that stacks are made of: whole vectors


def _blocks(channels_out: int, depth: int, taps: int) -> tuple[int, int]:
    """Return in how many blocks to take a group's output and input channels: as many of one as of the other, if there are."""
    side = max(8, math.isqrt(RESULTS // taps) // 8 * 8)
    out = min(channels_out, side)
    into = max(1, min(depth, RESULTS // (out * taps)))
    out = max(out, min(channels_out, RESULTS // (into * taps) // 8 * 8))
    return -(-channels_out // out), -(-depth // into)


@lru_cache(maxsize=1024)
def layout(images, out_size, weight_shape, stride, dilation, groups, lanes):
    """Lay out one geometry; only what is said of runs, cells and their rows depends on the width of a vector."""
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
    stacked = dilation[1] == 1 and _pay_stacked(kernel_h, kernel_w * block, lanes)
    taps = kernel_h * kernel_w if stacked else kernel_w if dilation[1] == 1 else 1
    strip_w = (columns - 1) * stride[1] + (kernel_w - 1) * dilation[1] + 1
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
        strip_w=strip_w,
        runs=kernel_h * kernel_w // taps,
        run_columns=-(-taps * block // lanes) * lanes,
        cells=kernel_h * block if stacked else block,
        stacked=stacked,
        width=-(-strip_w // lanes) * lanes,
    )


def _pay_stacked(kernel_h, row, lanes):
    """Return whether to stack the rows of a kernel: they fill vectors together that the ``row`` of one leaves half empty."""
    apart, together = kernel_h * -(-row // lanes), -(-kernel_h * row // lanes)
    return STACKED_GAIN * (apart - together) >= apart


@piece
def add_results(results, total, total_at, depth, kernel_area, channels, block, tile, columns):
    """Add a task's results, ``[channel][column]``, to ``total[channel][c][tap]``."""
    pitch = tile.runs * tile.run_columns
    for k in range(channels):
        row = results[k * pitch : (k + 1) * pitch]
        for c in range(block):
            sums = total[total_at + (k * depth + c) * kernel_area : total_at + (k * depth + c + 1) * kernel_area]
            for tap in range(kernel_area):
                sums[tap] += row[columns[c, tap]]


@piece
def add_tile(memory, grad_output, x, t, c, block, k, channels, sizes, windows, tile, places):
    """Add what tile ``t`` of pixels gives for ``block`` input channels from c on, ``channels`` output channels from k on."""
    results, packed, strip, planes = memory
    channels_in, h, w, channels_out, out_h, out_w, _ = sizes
    (padding, stride), (steps, starts, lines, _) = windows, places
    rest, j0 = t // tile.across, t % tile.across * tile.columns
    image, i0 = rest // tile.down, rest % tile.down * tile.rows
    rows, columns = min(tile.rows, out_h - i0), min(tile.columns, out_w - j0)
    top, left = i0 * stride[0] - padding[0], j0 * stride[1] - padding[1]
    seen_h = tile.strip_h - (tile.rows - rows) * stride[0]
    seen_w = tile.strip_w - (tile.columns - columns) * stride[1]
    seen = (image * channels_in + c) * h * w, h, w, top, left, seen_h, seen_w, block
    if tile.stacked:
        fill_stacks(strip, planes, x, seen, rows, stride[0], lines, tile)
    else:
        fill_pixels(strip, x, seen, tile)
    source_at = (image * channels_out + k) * out_h * out_w
    pack_gradients(packed, grad_output, source_at, out_h, out_w, i0, j0, rows, columns, channels, tile)
    pixels, panel, pitch = rows * tile.columns, tile.rows * tile.columns * ROWS, tile.runs * tile.run_columns
    multiply(channels, pixels, 1, packed, 0, panel, strip, 0, steps, 0, starts, starts.size, results, 0, pitch, 0, NOWHERE)


@kernel
def sum_weights(first, last, scratch, grad_output, x, total, sizes, windows, groups, tile, places):
    """Compute the tasks ``first <= task < last``, each a share of the pixels for some channels of one group."""
    channels_in, _, _, channels_out, _, _, area = sizes
    depth, group_out = channels_in // groups, channels_out // groups
    lengths = lengths_of(tile, VECTOR_BYTES // x.itemsize)
    results, rest = scratch[: lengths[0]], scratch[lengths[0] :]
    packed, rest = rest[: lengths[1]], rest[lengths[1] :]
    memory = results, packed, rest[: lengths[2]], rest[lengths[2] :]
    fill(scratch, lengths[0], scratch.size, 0)
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
            add_tile(memory, grad_output, x, t, seen, block, k, channels, sizes, windows, tile, places)
            if (t - begin + 1) % tile.span == 0 or t == end - 1:
                total_at = ((share * channels_out + k) * depth + c) * area
                add_results(results, total, total_at, depth, area, channels, block, tile, places[3])


@lru_cache(maxsize=1024)
def tables(tile, stride, dilation, kernel_size, lanes):
    """Return where things are.

    The place in the strip of every pixel of a tile (``steps``) and of every vector of columns (``starts``); that of each row of
    a stack in the planes that it is made of; and the column of each input channel of a block and tap.
    """
    (kernel_h, kernel_w), vectors = kernel_size, np.arange(0, tile.run_columns, lanes)
    rows = np.arange(tile.rows) * (1 if tile.stacked else stride[0])
    steps = (rows[:, None] * tile.strip_w + np.arange(tile.columns) * stride[1]) * tile.cells
    c, kh, kw = np.arange(tile.block), np.arange(kernel_h), np.arange(kernel_w)
    if tile.stacked:
        starts = vectors
        columns = (kw * kernel_h + kh[:, None]) * tile.block + c[:, None, None]
    else:
        taps = kernel_h * kernel_w // tile.runs
        runs = (kh[:, None] * dilation[0] * tile.strip_w + kw[::taps] * dilation[1]) * tile.cells
        starts = runs.reshape(-1, 1) + vectors
        run, tap = np.divmod(kh[:, None] * kernel_w + kw, taps)
        columns = run * tile.run_columns + tap * tile.block + c[:, None, None]
    lines = (kh[:, None] * dilation[0] + c * tile.strip_h) * tile.width
    found = steps.reshape(-1), starts.reshape(-1), _groups(lines.reshape(-1)), columns.reshape(tile.block, -1)
    return tuple(np.ascontiguousarray(table, np.int64) for table in found)


def _groups(lines):
    """Return the rows of a stack in groups of ROWS: the last one moves back to fit, and a short stack has junk behind it."""
    if lines.size < ROWS:
        return np.pad(lines, (0, ROWS - lines.size), "edge")[None]
    first = np.minimum(np.arange(0, lines.size, ROWS), lines.size - ROWS)
    return lines[first[:, None] + np.arange(ROWS)]


def sum_over_pixels(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Return ``grad_weight``, in the shape of the weights."""
    n, channels_out, out_h, out_w = grad_output.shape
    lanes = VECTOR_BYTES // x.itemsize
    tile = layout(n, (out_h, out_w), tuple(weight_shape), stride, dilation, groups, lanes)
    places = tables(tile, stride, dilation, tuple(weight_shape[2:]), lanes)
    shares = begun(zeros, tile.shares, weight_shape, x.dtype)
    sizes = (*x.shape[1:], channels_out, out_h, out_w, weight_shape[2] * weight_shape[3])
    tasks = tile.shares * groups * tile.panel_blocks * tile.blocks
    work = 2 * shares.size // tile.shares * n * out_h * out_w
    arrays = grad_output.reshape(-1), x.reshape(-1), shares.reshape(-1)
    scratch, windows = (sum(lengths_of(tile, lanes)), x.dtype), (padding, stride)
    launch(sum_weights, tasks, *arrays, sizes, windows, groups, tile, places, work=work, scratch=scratch)
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
