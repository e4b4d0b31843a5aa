"""How convolutions lay their weights out for the micro-kernel."""

from __future__ import annotations

from .._jit import kernel
from .._panels import pack_rows
from .._simd import ROWS, copy


@kernel
def pack_weights(
    first, last, weight, packed, phases, taps, panels, depth, channels, group_weights, group_size, row_step, depth_step
):
    """Lay the weights out in panels, ``[group][phase][panel][channel][tap][ROWS]``; missing rows stay zero. A task is a panel.

    A group has ``panels`` of them for ``channels`` output and ``depth`` source channels: ``group_weights`` elements. The weight
    of output channel ``row`` and source channel ``c`` of a group begins at ``row * row_step + c * depth_step`` from the group's
    first, which makes the same loop serve both directions.
    """
    for task in range(first, last):
        group, panel = task // panels, task % panels
        rows = min(ROWS, channels - panel * ROWS)
        source_at = group * group_size + panel * ROWS * row_step
        source = weight[source_at:]
        taps_at = 0
        for phase in phases:
            count = phase[4]
            to_at = group * group_weights + phase[6] + panel * depth * count * ROWS
            if depth_step == count:  # all taps in order, all source channels in a row
                pack_rows(weight, source_at, row_step, rows, depth * count, packed, to_at, ROWS)
                continue
            if row_step == 1:  # a kernel of one tap, seen by its adjoint: the rows are neighbours
                for c in range(depth):
                    copy(weight, source_at + c * depth_step, 1, packed, to_at + c * ROWS, 1, rows)
                continue
            to = packed[to_at:]
            for c in range(depth):
                for t in range(count):
                    place = c * depth_step + taps[taps_at + t]
                    for r in range(rows):
                        to[(c * count + t) * ROWS + r] = source[place + r * row_step]
            taps_at += count
