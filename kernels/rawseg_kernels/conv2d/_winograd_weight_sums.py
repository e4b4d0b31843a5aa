r"""Winograd's form of backward_weight: tiles are what is summed, point by point of the transformed planes.

.. math:: \partial g = G^T \Big[ \sum_{tiles} (A\, \partial Y A^T) \odot (B^T d\, B) \Big] G

the adjoint in g of `_simd_winograd`'s convolution. A task owns some output and input channels and a share of the tiles. Block
of tiles after block it lays the pixels out with the channels innermost, transforms them, a vector of channels at a time, and
adds the products over the block's tiles, one chain of fused multiply-adds a point and pair of channels. The shares are added in
order. All of this follows from the shape alone, so neither threads nor vector widths reach the bits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._arena import empty
from .._jit import inlined, kernel, piece
from .._panels import multiply, pack_rows
from .._simd import ROWS, VECTOR_BYTES, fill
from .._simd_winograd import map_gradients, map_input, map_total
from .._threads import get_num_threads, launch
from ._weight_sums import added, begun
from ._winograd_grid import apart

RESULTS = 256 * 256, 128 * 128, 96 * 96  # output times input channels of a task: of more, fewer transform the same tiles
BLOCK_TILES = 64  # so many steps of a sum for each load and store of the results
SPAN_TILES = 512  # of a share, at least
ENOUGH_TASKS = 8  # shares are so many, if there are fewer blocks of the fewest channels,
TASKS_PER_THREAD = 2  # and blocks are of the most channels that leave so many tasks, where threads share them

Pair = tuple[int, int]


class Sums(NamedTuple):
    """The numbers that the kernels compute with."""

    size: int  # m
    points: int  # (m + 2) ** 2
    h: int  # of a plane of x
    w: int
    out_h: int
    out_w: int
    top: int  # padding
    left: int
    tiles_h: int
    tiles_w: int
    rows: int  # tile rows of all images
    block_rows: int
    block_columns: int
    across: int
    blocks: int
    shares: int  # of the blocks
    groups: int
    channels: int  # output channels of a group
    depth: int  # input channels of a group
    panels: int  # of a task
    panel_blocks: int
    block: int  # input channels of a task
    depth_blocks: int
    pitch: int  # the same with the lanes that no channel fills
    seen_step: int  # elements from a point of the transformed pixels to the next
    given_step: int  # of the transformed gradients
    result_step: int  # and of the results


def _equal(total: int, most: int) -> tuple[int, int]:
    """Return the size of equal parts of at most ``most``, and their number."""
    parts = -(-total // most)
    return -(-total // parts), parts


def _blocks(depth: int, channels: int, results: int) -> tuple[int, int, int, int]:
    """Return panels of a task and their blocks, input channels of a task and theirs, for about so many ``results``."""
    side = max(ROWS, int(results**0.5))
    into = min(depth, max(side, results // max(1, channels)))
    out = min(channels, max(side, results // into))
    panels, _ = _equal(-(-channels // 8), max(1, out // 8))
    panels = -(-panels * 8 // ROWS)
    return panels, -(-channels // (panels * ROWS)), *_equal(depth, into)


@lru_cache(maxsize=1024)
def layout(
    size: int,
    n: int,
    plane: Pair,
    out_size: Pair,
    padding: Pair,
    groups: int,
    depth: int,
    channels: int,
    itemsize: int,
    threads: int,
) -> Sums:
    """Lay out one geometry; ``pitch`` depends on the width of a vector, and the blocks of channels on threads."""
    lanes = VECTOR_BYTES // itemsize
    tiles_h, tiles_w = -(-out_size[0] // size), -(-out_size[1] // size)
    columns, across = _equal(tiles_w, BLOCK_TILES)
    rows = n * tiles_h
    block_rows = max(1, min(rows, BLOCK_TILES // columns))
    blocks = across * -(-rows // block_rows)
    choices = [_blocks(depth, channels, results) for results in RESULTS]
    tasks = [groups * panel_blocks * depth_blocks for _, panel_blocks, _, depth_blocks in choices]
    few = min(-(-n * tiles_h * tiles_w // SPAN_TILES), blocks)
    shares = max(1, min(few, ENOUGH_TASKS // tasks[-1]))
    enough = [shares * count >= TASKS_PER_THREAD * threads or threads == 1 for count in tasks[:-1]]
    panels, panel_blocks, block, depth_blocks = choices[[*enough, True].index(True)]
    pitch, tiles = -(-block // lanes) * lanes, block_rows * columns
    return Sums(
        size,
        (size + 2) ** 2,
        *plane,
        *out_size,
        *padding,
        tiles_h,
        tiles_w,
        rows,
        block_rows,
        columns,
        across,
        blocks,
        shares,
        groups,
        channels,
        depth,
        panels,
        panel_blocks,
        block,
        depth_blocks,
        pitch,
        apart(tiles * pitch, itemsize),
        apart(panels * tiles * ROWS, itemsize),
        apart(panels * ROWS * pitch, itemsize),
    )


@inlined
def lengths_of(sums, lanes):
    """Return how many elements a task's results take, pixels and gradients transformed and then laid out, and a half map."""
    width, columns = sums.size + 2, sums.block_columns * sums.size
    seen, given = width * (columns + 2) * sums.pitch, sums.panels * sums.size * columns * ROWS
    results, pixels, gradients = sums.points * sums.result_step, sums.points * sums.seen_step, sums.points * sums.given_step
    return results, pixels, gradients, seen, given, width * width * lanes


@piece
def lay_out_row(strip, strip_at, width, x, plane_at, plane, ih, h, w, left, channels, pitch):
    """``strip[column][channel] = x[channel, ih, left + column]``, zero outside, for one row of ``width`` columns."""
    begin, end = min(width, max(0, -left)), min(width, w - left)
    if not (0 <= ih < h and begin < end):
        fill(strip, strip_at, strip_at + width * pitch, 0)
        return
    fill(strip, strip_at, strip_at + begin * pitch, 0)
    fill(strip, strip_at + end * pitch, strip_at + width * pitch, 0)
    for c in range(0, channels, ROWS):
        source_at = plane_at + c * plane + ih * w + left + begin
        pack_rows(x, source_at, plane, min(ROWS, channels - c), end - begin, strip, strip_at + begin * pitch + c, pitch)


@piece
def transform_pixels(v, strip, half, tiles, tile, sums):
    """Write ``B^T d B`` of a row of tiles, ``[point][tile][channel]``."""
    lanes, width = VECTOR_BYTES // v.itemsize, sums.size + 2
    row = (tiles * sums.size + 2) * sums.pitch
    for t in range(tiles):
        for c in range(0, sums.pitch, lanes):
            for j in range(width):
                at = (t * sums.size + j) * sums.pitch + c
                map_input(sums.size, strip, at, row, half, j * lanes, width * lanes)
            for i in range(width):
                at = i * width * sums.seen_step + (tile + t) * sums.pitch + c
                map_input(sums.size, half, i * width * lanes, lanes, v, at, sums.seen_step)


@piece
def transform_gradients(y, strip, panels, tiles, tile, tiles_of_block, sums):
    """Write ``A g A^T`` of a row of tiles, ``[point][panel][tile][ROWS]``."""
    row, beside = tiles * sums.size * ROWS, sums.size * ROWS
    for p in range(panels):
        for t in range(0, tiles, 2):
            at, to = p * sums.size * row + t * beside, (p * tiles_of_block + tile + t) * ROWS
            map_gradients(sums.size, min(2, tiles - t), strip, at, row, ROWS, beside, y, to, sums.given_step)


@piece
def add_block(m, resume, v, y, seen, given, half, x, grad_output, number, task, steps, starts, sums):
    """Add what one block of tiles gives for a task's channels; the first one, if ``resume`` is 0."""
    group, panel, c, panels, block = task
    first_row, t0 = number // sums.across * sums.block_rows, number % sums.across * sums.block_columns
    tiles = min(sums.block_columns, sums.tiles_w - t0)
    block_rows = min(sums.block_rows, sums.rows - first_row)
    total, width = tiles * block_rows, tiles * sums.size + 2
    plane, out_plane = sums.h * sums.w, sums.out_h * sums.out_w
    out_channels = min(panels * ROWS, sums.channels - panel * ROWS)
    for k in range(block_rows):
        image, i = (first_row + k) // sums.tiles_h, (first_row + k) % sums.tiles_h
        x_at = ((image * sums.groups + group) * sums.depth + c) * plane
        for r in range(sums.size + 2):
            ih, left = i * sums.size + r - sums.top, t0 * sums.size - sums.left
            lay_out_row(seen, r * width * sums.pitch, width, x, x_at, plane, ih, sums.h, sums.w, left, block, sums.pitch)
        transform_pixels(v, seen, half, tiles, k * tiles, sums)
        for p in range(panels):
            place = (image * sums.groups + group) * sums.channels + (panel + p) * ROWS
            count = min(ROWS, out_channels - p * ROWS)
            for r in range(sums.size):
                at, oh = (p * sums.size + r) * tiles * sums.size * ROWS, i * sums.size + r
                lay_out_row(
                    given,
                    at,
                    tiles * sums.size,
                    grad_output,
                    place * out_plane,
                    out_plane,
                    oh,
                    sums.out_h,
                    sums.out_w,
                    t0 * sums.size,
                    count,
                    ROWS,
                )
        transform_gradients(y, given, panels, tiles, k * tiles, total, sums)
    for point in range(sums.points):
        y_at, v_at, m_at = point * sums.given_step, point * sums.seen_step, point * sums.result_step
        left, right = (y, y_at, total * ROWS), (v, v_at, steps, 0, starts, starts.size)
        after = sums.given_step - (-(-out_channels // ROWS) - 1) * total * ROWS
        soon = v.ctypes.data + (v_at + sums.seen_step) * v.itemsize, sums.pitch * v.itemsize
        multiply(out_channels, total, resume, *left, *right, m, m_at, sums.pitch, after, soon)


@piece
def store_weights(m, half, taps, total, share, task, sums):
    """``G^T m G`` of a task's sums into its share of the gradient."""
    lanes, width = VECTOR_BYTES // m.itemsize, sums.size + 2
    group, panel, c, panels, block = task
    point = sums.result_step
    for k in range(min(panels * ROWS, sums.channels - panel * ROWS)):
        out = ((share * sums.groups + group) * sums.channels + panel * ROWS + k) * sums.depth + c
        for first in range(0, block, lanes):
            for j in range(width):
                at = j * point + k * sums.pitch + first
                map_total(sums.size, m, at, width * point, half, j * lanes, width * lanes)
            for kh in range(3):
                map_total(sums.size, half, kh * width * lanes, lanes, taps, kh * 3 * lanes, lanes)
            target = total[(out + first) * 9 :]
            for i in range(min(lanes, block - first)):
                for tap in range(9):
                    target[i * 9 + tap] = taps[tap * lanes + i]


@kernel
def sum_tiles(first, last, scratch, grad_output, x, total, steps, starts, sums):
    """Compute the tasks ``first <= task < last``, each a share of the tiles for some channels of one group."""
    lengths = lengths_of(sums, VECTOR_BYTES // x.itemsize)
    m, rest = scratch[: lengths[0]], scratch[lengths[0] :]
    v, rest = rest[: lengths[1]], rest[lengths[1] :]
    y, rest = rest[: lengths[2]], rest[lengths[2] :]
    fill(rest, 0, rest.size, 0)  # channels that are not there are multiplied, too
    seen, rest = rest[: lengths[3]], rest[lengths[3] :]
    given, half = rest[: lengths[4]], rest[lengths[4] :]
    for number in range(first, last):
        rest, c = number // sums.depth_blocks, number % sums.depth_blocks * sums.block
        rest, panel = rest // sums.panel_blocks, rest % sums.panel_blocks * sums.panels
        share, group = rest // sums.groups, rest % sums.groups
        panels = min(sums.panels, (sums.channels - panel * ROWS + ROWS - 1) // ROWS)
        task = group, panel, c, panels, min(sums.block, sums.depth - c)
        first_block = share * sums.blocks // sums.shares
        for block in range(first_block, (share + 1) * sums.blocks // sums.shares):
            add_block(m, block - first_block, v, y, seen, given, half, x, grad_output, block, task, steps, starts, sums)
        store_weights(m, half, seen, total, share, task, sums)  # where pixels lay is room for taps


def sum_over_tiles(size, grad_output, x, weight_shape, padding, groups):
    """Return ``grad_weight`` of a 3x3 convolution of stride and dilation 1; infinite or NaN where a pixel or a sum is."""
    lanes = VECTOR_BYTES // x.itemsize
    depth, channels = weight_shape[1], weight_shape[0] // groups
    sizes = x.shape[2:], grad_output.shape[2:], padding, groups, depth, channels, x.itemsize
    made = layout(size, x.shape[0], *sizes, get_num_threads())
    steps = np.arange(made.block_rows * made.block_columns, dtype=np.int64) * made.pitch
    starts = np.arange(0, made.pitch, lanes, dtype=np.int64)
    shares = begun(empty, made.shares, weight_shape, x.dtype)
    tasks = made.shares * groups * made.panel_blocks * made.depth_blocks
    work = 2 * made.points * made.rows * made.tiles_w * shares.size // (9 * made.shares)
    arrays = grad_output.reshape(-1), x.reshape(-1), shares.reshape(-1)
    launch(sum_tiles, tasks, *arrays, steps, starts, made, work=work, scratch=(sum(lengths_of(made, lanes)), x.dtype))
    return added(shares, made.shares)
