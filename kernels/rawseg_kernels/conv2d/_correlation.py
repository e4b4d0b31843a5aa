"""The matrix product that forward and backward_input share: im2col whose columns are never written.

A task fills its strip (see `_tiles`), block of channels after block, and multiplies the packed weights with the strip's
shifted vectors. Every output is one chain of fused multiply-adds, started at the bias, in order of (channel, tap): tiles and
blocks only say when a step is taken, never in which order, so they do not reach the bits.
"""

from __future__ import annotations

from .._arena import empty, zeros
from .._epilogue import NOTHING
from .._finishing import does_something, finish
from .._jit import kernel, piece
from .._panels import multiply, pack_rows
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import launch
from ._phases import Phase
from ._tiles import plan

POINT = ((0, 0, 0),)  # the taps of a 1 x 1 kernel that reads the pixel it is written to


@kernel
def pack_weights(first, last, weight, packed, phases, taps, tile, group_size, row_step, depth_step):
    """Lay the weights out in panels, ``[group][phase][panel][channel][tap][ROWS]``; missing rows stay zero. A task is a panel.

    The weight of output channel ``row`` and source channel ``c`` of a group begins at ``row * row_step + c * depth_step``
    from the group's first, which makes the same loop serve both directions.
    """
    for task in range(first, last):
        group, panel = task // tile.all_panels, task % tile.all_panels
        rows = min(ROWS, tile.channels - panel * ROWS)
        source_at = group * group_size + panel * ROWS * row_step
        source = weight[source_at:]
        taps_at = 0
        for phase in phases:
            count = phase[4]
            to_at = group * tile.group_weights + phase[6] + panel * tile.depth * count * ROWS
            if depth_step == count:  # all taps in order, all source channels in a row
                pack_rows(weight, source_at, row_step, rows, tile.depth * count, packed, to_at, ROWS)
                continue
            to = packed[to_at:]
            for c in range(tile.depth):
                for t in range(count):
                    place = c * depth_step + taps[taps_at + t]
                    for r in range(rows):
                        to[(c * count + t) * ROWS + r] = source[place + r * row_step]
            taps_at += count


@piece
def fill_strip(strip, x, plane_at, channels, h, w, sources, tile, i0, j0):
    """Copy what the output pixels from (i0, j0) on see of ``channels`` planes of ``x``, with zeros outside.

    The strip arrives zeroed; where one tile covers every plane, its zeros stay where they are from task to task.
    """
    moved = tile.down > 1 or tile.across > 1
    strip_rows = min(tile.rows, tile.count_h - i0) + tile.strip_h - tile.rows
    strip_columns = min(tile.columns, tile.count_w - j0) + tile.strip_w - tile.columns
    for plane in range(channels * sources.shape[0]):
        c, s = plane // sources.shape[0], plane % sources.shape[0]
        left = (j0 + tile.low_w) * tile.step_w + sources[s, 1]
        begin = min(strip_columns, max(0, -(left // tile.step_w)))
        end = max(begin, min(strip_columns, (w - 1 - left) // tile.step_w + 1))
        for row in range(strip_rows):
            ih = (i0 + tile.low_h + row) * tile.step_h + sources[s, 0]
            at = (plane * tile.strip_h + row) * tile.strip_w
            inside = 0 <= ih < h and begin < end
            if inside:
                seen = plane_at + (c * h + ih) * w + left + begin * tile.step_w
                copy(x, seen, tile.step_w, strip, at + begin, 1, end - begin)
            if moved:
                fill(strip, at, at + (begin if inside else strip_columns), 0)
                fill(strip, at + end, at + strip_columns, 0)


@piece
def add_block(results, source, source_at, packed, c, block, task, phases, steps, starts, tile, channels, first):
    """Add to a task's results what a block of source channels gives: one product a phase.

    For the ``channels`` from one number to another of the task, and the vectors from ``first`` on.
    """
    group, panel, i0, j0 = task
    lanes = VECTOR_BYTES // results.itemsize
    cells, skipped = starts.size * lanes, channels[0]
    for p in range(phases.shape[0]):
        rows, columns, taps = min(tile.rows, phases[p, 2] - i0), min(tile.columns, phases[p, 3] - j0), phases[p, 4]
        if rows > 0 and columns > 0:
            vectors = ((rows - 1) * tile.pitch + columns + lanes - 1) // lanes - first
            step = tile.depth * taps * ROWS  # from panel to panel
            at = group * tile.group_weights + phases[p, 6] + (panel + skipped // ROWS) * step + c * taps * ROWS
            to, count = (p * tile.panels * ROWS + skipped) * cells + first * lanes, block * taps
            places = phases[p, 5], starts[first:], vectors
            arrays = packed, at, step, source, source_at, steps
            multiply(channels[1] - skipped, count, 1, *arrays, *places, results, to, cells)


@piece
def add_in_place(out, out_at, plane, source, source_at, packed, c, block, task, steps, starts, vectors, channels, resume, tile):
    """Add to the output itself what a block of source channels gives to whole panels and vectors of planes that lie alike."""
    group, panel = task[0], task[1]
    step = tile.depth * ROWS
    at = group * tile.group_weights + panel * step + c * ROWS
    places = 0, starts, vectors
    multiply(channels, block, resume, packed, at, step, source, source_at, steps, *places, out, out_at, plane)


@piece
def finish_results(results, cells, out, out_at, plane, task, phases, after, tile, whole, written):
    """Apply the epilogue to what a task has summed; ``written`` pixels of its first ``whole`` channels are in the output."""
    group, panel = task[0], task[1]
    for k in range(min(tile.panels * ROWS, tile.channels - panel * ROWS)):
        channel, done = group * tile.channels + panel * ROWS + k, written if k < whole else 0
        for p in range(phases.shape[0]):
            finish(results, (p * tile.panels * ROWS + k) * cells + done, cells - done, channel, after)
        if done:
            finish(out, out_at + k * plane, done, channel, after)


@piece
def store(results, cells, out, plane_at, out_h, out_w, phases, task, tile, whole, written):
    """Write a task's results to their places in the output; of the first ``whole`` channels, ``written`` pixels are there."""
    _, panel, i0, j0 = task
    for p in range(phases.shape[0]):
        rows, columns = min(tile.rows, phases[p, 2] - i0), min(tile.columns, phases[p, 3] - j0)
        ow = phases[p, 1] + j0 * tile.stride_w
        for k in range(min(tile.panels * ROWS, tile.channels - panel * ROWS)):
            done = written if k < whole else 0
            for row in range(rows):
                oh = phases[p, 0] + (i0 + row) * tile.stride_h
                at = (p * tile.panels * ROWS + k) * cells + row * tile.pitch + done
                copy(results, at, 1, out, plane_at + (k * out_h + oh) * out_w + ow + done, tile.stride_w, columns - done)


@piece
def begin_sums(results, cells, out, out_at, plane, bias, group, panel, whole, vectors, phases, tile):
    """Put the bias where the sums of a task start: in its results, and in the output where it is summed there."""
    lanes = VECTOR_BYTES // out.itemsize
    for k in range(min(tile.panels * ROWS, tile.channels - panel * ROWS)):
        value = bias[group * tile.channels + panel * ROWS + k] if bias.size else 0
        for p in range(phases.shape[0]):
            at = (p * tile.panels * ROWS + k) * cells
            fill(results, at + (vectors * lanes if k < whole else 0), at + cells, value)
        if bias.size and k < whole:
            fill(out, out_at + k * plane, out_at + k * plane + vectors * lanes, value)


@kernel
def correlate_tiles(
    first, last, scratch, x, packed, bias, out, sizes, groups, tile, phases, steps, plane_steps, starts, sources, after
):
    """Compute the tasks ``first <= task < last``, each one tile of pixels of one image, group and block of output channels.

    Without neighbours (``plane_steps``), whole panels and vectors are summed in the output itself: a tile's stores are on their
    way to memory while the next one is computed.
    """
    h, w, out_h, out_w = sizes
    lanes = VECTOR_BYTES // x.itemsize
    cells = starts.size * lanes  # of a channel's results
    size = phases.shape[0] * tile.panels * ROWS * cells
    results, strip = scratch[:size], scratch[size:]
    fill(scratch, 0, scratch.size, 0)
    blocks = -(-tile.all_panels // tile.panels)
    for number in range(first, last):
        rest, j0 = number // tile.across, number % tile.across * tile.columns
        rest, i0 = rest // tile.down, rest % tile.down * tile.rows
        pair, panel = rest // blocks, rest % blocks * tile.panels  # of image and group
        group = pair % groups
        task = group, panel, i0, j0
        channels = min(tile.panels * ROWS, tile.channels - panel * ROWS)
        out_at = (pair * tile.channels + panel * ROWS) * out_h * out_w
        vectors = min(tile.columns, tile.count_w - j0) // lanes * tile.in_place
        whole = channels // ROWS * ROWS if vectors else 0  # channels, in place
        begin_sums(results, cells, out, out_at + j0, out_w, bias, group, panel, whole, vectors, phases, tile)
        for c in range(0, tile.depth, tile.block):
            block = min(tile.block, tile.depth - c)
            plane_at = (pair * tile.depth + c) * h * w
            source, source_at, table = x, plane_at + j0, plane_steps
            if not plane_steps.size or plane_at + (block - 1) * h * w + j0 + cells > x.size:  # a vector would end behind x
                fill_strip(strip, x, plane_at, block, h, w, sources, tile, i0, j0)
                source, source_at, table = strip, 0, steps
            arrays = source, source_at, packed, c, block, task
            if whole:
                add_in_place(out, out_at + j0, out_w, *arrays, table, starts, vectors, whole, bias.size + c, tile)
            if whole and vectors * lanes < min(tile.columns, tile.count_w - j0):  # the pixels that fill no vector
                add_block(results, *arrays, phases, table, starts, tile, (0, whole), vectors)
            if channels > whole:
                add_block(results, *arrays, phases, table, starts, tile, (whole, channels), 0)
        if does_something(after):
            finish_results(results, cells, out, out_at + j0, out_w, task, phases, after, tile, whole, vectors * lanes)
        store(results, cells, out, out_at, out_h, out_w, phases, task, tile, whole, vectors * lanes)


def correlate(x, weight, bias, out, phases, step, stride, groups, transposed, after=NOTHING):
    """Write the phases of a correlation of ``x`` with ``weight`` into ``out``.

    ``transposed`` weights have the source channels first, as the adjoint's do; ``after`` is an `Epilogue`.
    """
    if x.shape[2:] == out.shape[2:] and phases == (Phase((0, 0), out.shape[2:], POINT),):
        flat = 1, out.shape[2] * out.shape[3]  # without neighbours, a plane is one long row and needs no strip
        x, out = (array.reshape(*array.shape[:2], *flat) for array in (x, out))
        phases = (Phase((0, 0), flat, POINT),)
        step = stride = 1, 1  # as they are, but on an axis of one pixel, which takes no step, of any length
    n, source_channels, h, w = x.shape
    area = weight.shape[2] * weight.shape[3]
    depth, channels = source_channels // groups, out.shape[1] // groups
    made = plan(phases, step, stride, n, groups, depth, channels, (h, w), x.itemsize)

    packed = (empty if channels % ROWS == 0 else zeros)(groups * made.tile.group_weights, x.dtype)
    steps = (area, channels * area) if transposed else (depth * area, area)
    tables = made.phases, made.taps, made.tile, weight.size // groups, *steps
    launch(pack_weights, groups * made.tile.all_panels, weight.reshape(-1), packed, *tables, work=packed.size)

    bias = empty(0, x.dtype) if bias is None else bias
    products = sum(len(phase.taps) * phase.count[0] * phase.count[1] for phase in phases)
    arrays = x.reshape(-1), packed, bias, out.reshape(-1)
    tables = made.tile, made.phases, made.steps, made.plane_steps, made.starts, made.sources, after
    work = 2 * n * groups * depth * channels * products
    lanes = VECTOR_BYTES // x.itemsize
    results = len(phases) * made.tile.panels * ROWS * len(made.starts) * lanes
    strip = made.tile.block * len(made.sources) * made.tile.strip_h * made.tile.strip_w + lanes
    scratch = results + strip, x.dtype
    launch(correlate_tiles, made.tasks, *arrays, (h, w, *out.shape[2:]), groups, *tables, work=work, scratch=scratch)
