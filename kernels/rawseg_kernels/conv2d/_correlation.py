"""The matrix product that forward and backward_input share: im2col whose columns are never written.

A task fills its strip (see `_tiles`), block of channels after block, and multiplies the packed weights with the strip's
shifted vectors. Every output is one chain of fused multiply-adds, started at the bias, in order of (channel, tap): tiles and
blocks only say when a step is taken, never in which order, so they do not reach the bits.
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from .._panels import multiply
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import launch
from ._phases import Phase
from ._tiles import plan

POINT = ((0, 0, 0),)  # the taps of a 1 x 1 kernel that reads the pixel it is written to


@kernel
def pack_weights(first, last, weight, packed, phases, taps, tile, groups, row_step, depth_step):
    """Lay the weights out in panels, ``[group][phase][panel][channel][tap][ROWS]``; missing rows stay zero. A task is a panel.

    The weight of output channel ``row`` and source channel ``c`` of a group begins at ``row * row_step + c * depth_step``
    from the group's first, which makes the same loop serve both directions.
    """
    for task in range(first, last):
        group, panel = task // tile.all_panels, task % tile.all_panels
        rows = min(ROWS, tile.channels - panel * ROWS)
        source = weight[group * (weight.size // groups) + panel * ROWS * row_step :]
        taps_at = 0
        for phase in phases:
            count = phase[4]
            to_at = group * tile.group_weights + phase[6] + panel * tile.depth * count * ROWS
            to = packed[to_at:]
            for c in range(tile.depth):
                for t in range(count):
                    place = c * depth_step + taps[taps_at + t]
                    for r in range(rows):
                        to[(c * count + t) * ROWS + r] = source[place + r * row_step]
            taps_at += count


@kernel
def fill_strip(strip, x, plane_at, channels, h, w, sources, tile, i0, j0, rows, columns):
    """Copy what output pixels ``i0 .. i0 + rows``, ``j0 .. j0 + columns`` see of ``channels`` planes of ``x``, zero outside.

    The strip arrives zeroed; where one tile covers every plane, its zeros stay where they are from task to task.
    """
    moved = tile.down > 1 or tile.across > 1
    strip_rows = rows + tile.strip_h - tile.rows
    strip_columns = columns + tile.strip_w - tile.columns
    to = 0
    for c in range(channels):
        for s in range(sources.shape[0]):
            left = (j0 + tile.low_w) * tile.step_w + sources[s, 1]
            begin = min(strip_columns, max(0, -(left // tile.step_w)))
            end = max(begin, min(strip_columns, (w - 1 - left) // tile.step_w + 1))
            for row in range(strip_rows):
                ih = (i0 + tile.low_h + row) * tile.step_h + sources[s, 0]
                at = to + row * tile.strip_w
                inside = 0 <= ih < h and begin < end
                if inside:
                    copy(
                        x,
                        plane_at + (c * h + ih) * w + left + begin * tile.step_w,
                        tile.step_w,
                        strip,
                        at + begin,
                        1,
                        end - begin,
                    )
                if moved:
                    fill(strip, at, at + (begin if inside else strip_columns), 0)
                    fill(strip, at + end, at + strip_columns, 0)
            to += tile.strip_h * tile.strip_w


@kernel
def store(result, result_at, out, plane_at, out_w, phase, tile, i0, j0, rows, columns):
    """Write one channel's tile of results to its place in the output."""
    for row in range(rows):
        oh = phase[0] + (i0 + row) * tile.stride_h
        ow = phase[1] + j0 * tile.stride_w
        copy(result, result_at + row * tile.pitch, 1, out, plane_at + oh * out_w + ow, tile.stride_w, columns)


@kernel
def correlate_tiles(first, last, x, packed, bias, out, sizes, groups, tile, phases, steps, plane_steps, starts, sources):
    """Compute the tasks ``first <= task < last``, each one tile of pixels of one image, group and block of output channels."""
    h, w, out_h, out_w = sizes
    lanes = VECTOR_BYTES // x.itemsize
    cells = starts.size * lanes  # of a channel's results
    results = np.empty(phases.shape[0] * tile.panels * ROWS * cells, x.dtype)
    strip = np.zeros(tile.block * sources.shape[0] * tile.strip_h * tile.strip_w + lanes, x.dtype)
    for task in range(first, last):
        rest, across = task // tile.across, task % tile.across
        rest, down = rest // tile.down, rest % tile.down
        blocks = -(-tile.all_panels // tile.panels)
        image, panel = rest // blocks, rest % blocks * tile.panels
        group = image % groups
        i0, j0 = down * tile.rows, across * tile.columns
        channel = group * tile.channels + panel * ROWS
        channels = min(tile.panels * ROWS, tile.channels - panel * ROWS)

        for p in range(phases.shape[0]):
            for k in range(channels):
                at = (p * tile.panels * ROWS + k) * cells
                fill(results, at, at + cells, bias[channel + k] if bias.size else 0)
        for c in range(0, tile.depth, tile.block):
            block = min(tile.block, tile.depth - c)
            source, source_at, tables = strip, 0, steps
            plane_at = (image * tile.depth + c) * h * w
            if plane_steps.size and plane_at + (block - 1) * h * w + j0 + cells <= x.size:
                source, source_at, tables = x, plane_at + j0, plane_steps  # no vector ends behind the last element
            else:
                rows, columns = min(tile.rows, tile.count_h - i0), min(tile.columns, tile.count_w - j0)
                fill_strip(strip, x, plane_at, block, h, w, sources, tile, i0, j0, rows, columns)
            for p in range(phases.shape[0]):
                rows, columns, taps = min(tile.rows, phases[p, 2] - i0), min(tile.columns, phases[p, 3] - j0), phases[p, 4]
                if rows <= 0 or columns <= 0:
                    continue
                vectors = ((rows - 1) * tile.pitch + columns + lanes - 1) // lanes
                panel_step = tile.depth * taps * ROWS
                weights_at = group * tile.group_weights + phases[p, 6] + panel * panel_step + c * taps * ROWS
                at = p * tile.panels * ROWS * cells
                multiply(
                    channels,
                    block * taps,
                    packed,
                    weights_at,
                    panel_step,
                    source,
                    source_at,
                    tables,
                    phases[p, 5],
                    starts,
                    vectors,
                    results,
                    at,
                    cells,
                )
        for p in range(phases.shape[0]):
            rows, columns = min(tile.rows, phases[p, 2] - i0), min(tile.columns, phases[p, 3] - j0)
            for k in range(channels):
                plane_at = ((image // groups) * groups * tile.channels + channel + k) * out_h * out_w
                store(
                    results, (p * tile.panels * ROWS + k) * cells, out, plane_at, out_w, phases[p], tile, i0, j0, rows, columns
                )


def correlate(x, weight, bias, out, phases, step, stride, groups, transposed):
    """Write the phases of a correlation of ``x`` with ``weight`` into ``out``.

    ``transposed`` weights have the source channels first, as the adjoint's do.
    """
    if x.shape[2:] == out.shape[2:] and phases == (Phase((0, 0), out.shape[2:], POINT),):
        flat = 1, out.shape[2] * out.shape[3]  # without neighbours, a plane is one long row and needs no strip
        x, out = (array.reshape(*array.shape[:2], *flat) for array in (x, out))
        phases = (Phase((0, 0), flat, POINT),)
    n, source_channels, h, w = x.shape
    kernel_area = weight.shape[2] * weight.shape[3]
    depth, channels = source_channels // groups, out.shape[1] // groups
    made = plan(phases, step, stride, n, groups, depth, channels, (h, w), x.itemsize)
    tile = made.tile
    packed = (np.empty if channels % ROWS == 0 else np.zeros)(groups * tile.group_weights, x.dtype)
    steps = (kernel_area, channels * kernel_area) if transposed else (depth * kernel_area, kernel_area)
    launch(
        pack_weights,
        groups * tile.all_panels,
        weight.reshape(-1),
        packed,
        made.phases,
        made.taps,
        tile,
        groups,
        *steps,
        work=packed.size,
    )
    bias = np.empty(0, x.dtype) if bias is None else bias
    tables = made.phases, made.steps, made.plane_steps, made.starts, made.sources
    work = (
        2 * n * groups * tile.depth * tile.channels * sum(len(phase.taps) * phase.count[0] * phase.count[1] for phase in phases)
    )
    launch(
        correlate_tiles,
        made.tasks,
        x.reshape(-1),
        packed,
        bias,
        out.reshape(-1),
        (h, w, *out.shape[2:]),
        groups,
        tile,
        *tables,
        work=work,
    )
