"""How convolutions lay their weights out for the micro-kernel, and see in passing whether all are finite."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import inlined, kernel
from .._panels import pack_rows
from .._simd import ROWS, copy, gather_rows
from .._threads import launch
from ._finite import are_finite, as_bits, largest_magnitude

TOGETHER = 128 // ROWS  # panels of a task: where rows are neighbours, it reads long runs


class Shape(NamedTuple):
    """The numbers that the kernel computes with.

    The weight of output channel ``row`` and source channel ``c`` of a group begins at ``row * row_step + c * depth_step`` from
    the group's first, which makes the same loops serve both directions.
    """

    panels: int  # of a group
    depth: int  # source channels of a group
    block: int  # of them that a product reads together
    channels: int  # output channels of a group
    group_packed: int  # elements of a group, packed
    group_size: int  # and as they come
    row_step: int
    depth_step: int


@inlined
def _task(task, shape):
    """Return where the group of a task begins, as it comes and packed, its first panel, and the one behind its last."""
    chunks = -(-shape.panels // TOGETHER)
    group, begin = task // chunks, task % chunks * TOGETHER
    return group * shape.group_size, group * shape.group_packed, begin, min(begin + TOGETHER, shape.panels)


@kernel
def _pack_rows(first, last, weight, bits, largest, packed, shape):
    """Pack the panels of the tasks ``first <= task < last``, whose rows have all that belongs to them side by side.

    A task is some panels of a group; it notes the largest magnitude of their weights.
    """
    for task in range(first, last):
        (source_at, to_at, begin, end), found = _task(task, shape), 0
        for panel in range(begin, end):
            rows, place = min(ROWS, shape.channels - panel * ROWS), source_at + panel * ROWS * shape.row_step
            behind = place + (rows - 1) * shape.row_step + shape.depth * shape.depth_step
            found = max(found, largest_magnitude(bits, place, behind))
            for c in range(0, shape.depth, shape.block):
                size = min(shape.block, shape.depth - c)
                at = to_at + (c * shape.panels + panel * size) * shape.depth_step * ROWS
                source, length = place + c * shape.depth_step, size * shape.depth_step
                pack_rows(weight, source, shape.row_step, rows, length, packed, at, ROWS)
        largest[task] = found


@kernel
def _pack_channels(first, last, weight, bits, largest, packed, shape, phases, taps):
    """Do as `_pack_rows` where rows lie side by side or have their taps in another order, block of source channels after block.

    To look for the largest first also brings what a block needs into a near cache, in the order of memory.
    """
    for task in range(first, last):
        (source_at, to_at, begin, end), found = _task(task, shape), 0
        seen, behind = begin * ROWS * shape.row_step, min(end * ROWS, shape.channels) * shape.row_step
        for c in range(0, shape.depth, shape.block):
            size = min(shape.block, shape.depth - c)
            for b in range(size):
                source = source_at + (c + b) * shape.depth_step
                found = max(found, largest_magnitude(bits, source + seen, source + behind))
            for panel in range(begin, end):
                rows, number = min(ROWS, shape.channels - panel * ROWS), c * shape.panels + panel * size
                for b in range(size):
                    place = source_at + panel * ROWS * shape.row_step + (c + b) * shape.depth_step
                    _pack_taps(weight, place, shape.row_step, rows, packed, to_at, number + b, phases, taps)
        largest[task] = found


@inlined
def _pack_taps(weight, place, row_step, rows, packed, to_at, number, phases, taps):
    """Pack the taps of one panel and source channel, phase after phase: it is the channel of this number in each."""
    taps_at = 0
    for p in range(phases.shape[0]):
        count = phases[p, 4]
        at = to_at + phases[p, 6] + number * count * ROWS
        for t in range(count):
            tap = place + taps[taps_at + t]
            if rows == ROWS:
                gather_rows(weight, tap, row_step, packed, at + t * ROWS)
            else:
                copy(weight, tap, row_step, packed, at + t * ROWS, 1, rows)
        taps_at += count


@kernel
def pack_points(first, last, weight, packed, panels, depth, channels, row_step, depth_step):
    """Lay out the panels ``first <= panel < last`` of 1 x 1 kernels, counted through all groups; missing rows stay."""
    for number in range(first, last):
        group, panel = number // panels, number % panels
        rows, to = min(ROWS, channels - panel * ROWS), number * depth * ROWS
        source = group * channels * depth + panel * ROWS * row_step
        if depth_step == 1:
            pack_rows(weight, source, row_step, rows, depth, packed, to, ROWS)
        elif rows == ROWS:  # whose elements are neighbours: a vector, quicker than a memcpy
            for c in range(depth):
                gather_rows(weight, source + c * depth_step, 1, packed, to + c * ROWS)
        else:
            for c in range(depth):
                copy(weight, source + c * depth_step, 1, packed, to + c * ROWS, 1, rows)


def pack_weights(weight, packed, groups, phases, taps, shape) -> bool:
    """Lay weights out, ``[group][phase][block][panel][channel][tap][ROWS]``; return whether all are finite.

    Missing rows stay as they are. ``phases`` and ``taps`` are those of `_tiles.Plan`, ``shape`` is a `Shape`.
    """
    tasks, bits = groups * -(-shape.panels // TOGETHER), as_bits(weight)
    largest = np.empty(tasks, bits.dtype)
    arrays, work = (weight.reshape(-1), bits, largest, packed, shape), 16 * weight.size
    if len(phases) == 1 and phases[0, 4] == shape.depth_step:  # all taps, and all source channels of a row
        launch(_pack_rows, tasks, *arrays, work=work)
    else:
        launch(_pack_channels, tasks, *arrays, phases, taps, work=work)
    return are_finite(largest)
