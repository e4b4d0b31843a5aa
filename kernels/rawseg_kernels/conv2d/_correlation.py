"""The matrix product that forward and backward_input share: im2col whose columns are never written.

A task fills its strip (see `_tiles`), block of channels after block, and multiplies the packed weights with the strip's
shifted vectors. Every output is one chain of fused multiply-adds, started at the bias, in order of (channel, tap): tiles and
blocks only say when a step is taken, never in which order, so they do not reach the bits.
"""

from __future__ import annotations

from .._arena import borrowed, empty
from .._epilogue import NOTHING
from .._finishing import does_something, finish
from .._jit import kernel, piece
from .._panels import NOWHERE, multiply
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import get_num_threads, launch
from ._packing import Shape, pack_weights
from ._tiles import plan


@piece
def fill_strip(strip, x, plane_at, channels, h, w, sources, tile, i0, j0):
    """Copy what the output pixels from (i0, j0) on see of ``channels`` planes of ``x``, with zeros outside.

    The strip arrives zeroed; where one tile covers every plane, its zeros stay where they are from task to task.
    """
    strip_rows = min(tile.rows, tile.count_h - i0) + tile.strip_h - tile.rows
    strip_columns = min(tile.columns, tile.count_w - j0) + tile.strip_w - tile.columns
    planes = sources.shape[0]
    for c in range(channels):  # whose rows are in a near cache for the next source, too
        for s in range(planes):
            left = (j0 + tile.low_w) * tile.step_w + sources[s, 1]
            begin = min(strip_columns, max(0, -(left // tile.step_w)))
            end = max(begin, min(strip_columns, (w - 1 - left) // tile.step_w + 1))
            top = (i0 + tile.low_h) * tile.step_h + sources[s, 0]
            at, seen = (c * planes + s) * tile.strip_plane, plane_at + c * h * w + left + begin * tile.step_w
            for row in range(strip_rows):
                ih = top + row * tile.step_h
                outside = ih < 0 or ih >= h
                first, last = (strip_columns, strip_columns) if outside else (begin, end)
                copy(x, seen + ih * w, tile.step_w, strip, at + first, 1, last - first)
                if tile.across > 1 or (outside and tile.down > 1):
                    fill(strip, at, at + first, 0)
                    fill(strip, at + last, at + strip_columns, 0)
                at += tile.strip_w


@piece
def add_block(sums, strip, packed, c, block, task, phases, steps, starts, tile, channels, resume):
    """Add to a task's sums, or to zero, what a block of source channels gives: one product a phase."""
    target, to, step = sums
    group, panel, i0, j0 = task
    lanes = VECTOR_BYTES // target.itemsize
    for p in range(phases.shape[0]):
        rows, columns, taps = min(tile.rows, phases[p, 2] - i0), min(tile.columns, phases[p, 3] - j0), phases[p, 4]
        if rows > 0 and columns > 0:
            vectors = ((rows - 1) * tile.pitch + columns + lanes - 1) // lanes
            size = block * taps * ROWS  # from panel to panel
            at = group * tile.group_weights + phases[p, 6] + panel * size + c * tile.all_panels * taps * ROWS
            a, b = (packed, at, size), (strip, 0, steps, phases[p, 5], starts)
            place = to + p * tile.panels * ROWS * step
            multiply(channels, block * taps, resume, *a, *b, vectors, target, place, step, 0, NOWHERE)


@piece
def begin_sums(sums, count, bias, first, channels, phases, tile):
    """Put the bias where the sums of a task start, and zero where those of a panel's missing channels do."""
    target, to, step = sums
    for k in range(-(-channels // ROWS) * ROWS):
        for p in range(phases.shape[0]):
            at = to + (p * tile.panels * ROWS + k) * step
            fill(target, at, at + count, bias[first + k] if k < channels else 0)


@piece
def store(results, cells, out, plane_at, out_h, out_w, phases, task, channels, tile):
    """Write a task's results to their places in the output."""
    _, _, i0, j0 = task
    for p in range(phases.shape[0]):
        rows, columns = min(tile.rows, phases[p, 2] - i0), min(tile.columns, phases[p, 3] - j0)
        ow = phases[p, 1] + j0 * tile.stride_w
        for k in range(channels):
            for row in range(rows):
                oh = phases[p, 0] + (i0 + row) * tile.stride_h
                at = (p * tile.panels * ROWS + k) * cells + row * tile.pitch
                copy(results, at, 1, out, plane_at + (k * out_h + oh) * out_w + ow, tile.stride_w, columns)


@kernel
def correlate_tiles(first, last, scratch, x, packed, bias, out, sizes, groups, tile, phases, steps, starts, sources, after):
    """Compute the tasks ``first <= task < last``, each one tile of pixels of one image, group and block of output channels."""
    h, w, out_h, out_w = sizes
    lanes = VECTOR_BYTES // x.itemsize
    cells = starts.size * lanes  # of a channel's results
    size = phases.shape[0] * tile.panels * ROWS * cells
    results, strip = scratch[:size], scratch[size:]
    fill(strip, 0, strip.size, 0)
    blocks = -(-tile.all_panels // tile.panels)
    for number in range(first, last):
        rest, j0 = number // tile.across, number % tile.across * tile.columns
        rest, i0 = rest // tile.down, rest % tile.down * tile.rows
        pair, panel = rest // blocks, rest % blocks * tile.panels  # of image and group
        group = pair % groups
        task = group, panel, i0, j0
        channels, channel = min(tile.panels * ROWS, tile.channels - panel * ROWS), group * tile.channels + panel * ROWS
        plane_at = (pair * tile.channels + panel * ROWS) * out_h * out_w
        count = min(tile.rows, tile.count_h - i0) * out_w  # of a channel's sums, if they can be added up in the output itself
        direct = tile.in_place and count % lanes == 0 and channels % ROWS == 0
        count = count if direct else cells
        sums = (out, plane_at + i0 * out_w, out_h * out_w) if direct else (results, 0, cells)
        if bias.size:
            begin_sums(sums, count, bias, channel, channels, phases, tile)
        for c in range(0, tile.depth, tile.block):
            block = min(tile.block, tile.depth - c)
            fill_strip(strip, x, (pair * tile.depth + c) * h * w, block, h, w, sources, tile, i0, j0)
            add_block(sums, strip, packed, c, block, task, phases, steps, starts, tile, channels, c + bias.size)
        if does_something(after):
            target, to, step = sums
            for p in range(phases.shape[0]):
                for k in range(channels):
                    finish(target, to + (p * tile.panels * ROWS + k) * step, count, channel + k, after)
        if not direct:
            store(results, cells, out, plane_at, out_h, out_w, phases, task, channels, tile)


def correlate(x, weight, bias, out, phases, step, stride, groups, transposed, padded, after=NOTHING) -> bool:
    """Write the phases of a correlation of ``x`` with ``weight`` into ``out``; return whether that could be done.

    It cannot if zeros of the padding would meet a weight that is not finite. ``transposed`` weights have the source channels
    first, as the adjoint's do; ``after`` is an `Epilogue`.
    """
    n, source_channels, h, w = x.shape
    area = weight.shape[2] * weight.shape[3]
    depth, channels = source_channels // groups, out.shape[1] // groups
    made = plan(phases, step, stride, n, groups, depth, channels, (h, w), x.itemsize, get_num_threads())
    steps = (area, channels * area) if transposed else (depth * area, area)
    shape = Shape(
        made.tile.all_panels, depth, made.tile.block, channels, made.tile.group_weights, weight.size // groups, *steps
    )
    products = sum(len(phase.taps) * phase.count[0] * phase.count[1] for phase in phases)
    lanes = VECTOR_BYTES // x.itemsize
    results = len(phases) * made.tile.panels * ROWS * len(made.starts) * lanes
    strip = made.tile.block * len(made.sources) * made.tile.strip_plane + lanes
    scratch, work = (results + strip, x.dtype), 2 * n * groups * depth * channels * products
    size = groups * made.tile.group_weights
    with borrowed(size, x.dtype) as packed:
        if channels % ROWS:
            packed[:size].fill(0)
        if not pack_weights(weight, packed, groups, made.phases, made.taps, shape) and padded:
            return False
        arrays = x.reshape(-1), packed, empty(0, x.dtype) if bias is None else bias, out.reshape(-1)
        tables = made.tile, made.phases, made.steps, made.starts, made.sources, after
        launch(correlate_tiles, made.tasks, *arrays, (h, w, *out.shape[2:]), groups, *tables, work=work, scratch=scratch)
    return True
