"""How the pixels of a correlation are dealt out to tasks, and the tables that turn taps into places in memory.

A task computes ``rows x columns`` pixels of every phase for some panels of output channels. It sees the source through a
*strip*: for every channel of a block, and every residue that a tap has modulo the step, the rows that the tile needs, padded
with zeros and de-interleaved. Each tap is then the same strip read at another place, so what would be a row of an im2col
matrix is one number of a table.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._panels import DEPTH_BLOCK
from .._simd import ROWS, VECTOR_BYTES
from ._phases import Pair, Phase

RESULT_BYTES = 384 * 1024  # of a task's results, and
STRIP_BYTES = 192 * 1024  # of its strip: with the weights of a block they fit a second-level cache of 1 MB
MOST_CELLS = 1024  # pixels of a task and phase
MOST_PANELS = 128 // ROWS  # panels of a task
ENOUGH_TASKS = 16  # tiles shrink until there are as many, for the threads


class Tile(NamedTuple):
    """The numbers that the kernel computes with."""

    rows: int  # of output pixels, in a phase
    columns: int
    count_h: int  # pixels of the largest phase
    count_w: int
    down: int  # tiles that cover it, top to bottom
    across: int
    panels: int  # of a task
    all_panels: int  # of a group
    depth: int  # source channels of a group
    channels: int  # output channels of a group
    block: int  # source channels in the strip at once
    low_h: int  # smallest offset of a tap, in whole steps
    low_w: int
    strip_h: int  # size of a plane of the strip
    strip_w: int
    pitch: int  # from a row of results to the next
    step_h: int  # of the source, a pixel
    step_w: int
    stride_h: int  # of the output, a pixel of a phase
    stride_w: int
    group_weights: int  # packed elements of a group


class Plan(NamedTuple):
    """Tiles and tables of one geometry."""

    tasks: int
    tile: Tile
    phases: np.ndarray  # (phases, 7): origin, count, number of taps, first place in steps, first place in packed weights
    taps: np.ndarray  # place in the kernel of every tap, phase after phase
    steps: np.ndarray  # place in the strip of every (channel of the block, tap), phase after phase
    starts: np.ndarray  # place in the strip of every vector of pixels
    sources: np.ndarray  # (planes of the strip a channel, 2): residues of the row and the column


def _task_size(count: Pair, phases: int, all_panels: int, images: int, itemsize: int) -> tuple[int, int, int]:
    """Return ``(rows, columns, panels)`` of a task: as large as the caches allow, but enough of them for all threads."""
    panels = min(all_panels, MOST_PANELS)
    cells = RESULT_BYTES // (itemsize * phases * panels * ROWS)
    cells = max(4 * VECTOR_BYTES // itemsize, min(MOST_CELLS, cells))
    across = -(-count[1] // cells)
    rows = max(1, min(count[0], cells // -(-count[1] // across)))
    while images * across * -(-count[0] // rows) * -(-all_panels // panels) < ENOUGH_TASKS:
        columns = -(-count[1] // across)
        if rows > 3 and rows * columns > 128:
            rows = -(-rows // 2)
        elif columns > 256:
            across *= 2
        elif panels > 2:
            panels = -(-panels // 2)
        else:
            break
    equal = [-(-total // -(-total // part)) for total, part in ((count[0], rows), (all_panels, panels))]
    return equal[0], -(-count[1] // across), equal[1]


def _vectors(rows: int, columns: int, strip_w: int, lanes: int) -> tuple[int, list[int]]:
    """Return the pitch of the results and where vectors start: anew in each row, or running on across the gaps."""
    by_row = -(-columns // lanes)
    flat = -(-((rows - 1) * strip_w + columns) // lanes)
    if flat < rows * by_row:
        return strip_w, [v * lanes for v in range(flat)]
    return by_row * lanes, [r * strip_w + v * lanes for r in range(rows) for v in range(by_row)]


def _phase_table(phases: tuple[Phase, ...], block: int, panel_weights: int) -> tuple[list[tuple[int, ...]], int]:
    """Return the rows of `Plan.phases` and the number of packed weights; a tap has ``panel_weights`` of them."""
    table, steps_at, weights_at = [], 0, 0
    for phase in phases:
        table.append((*phase.origin, *phase.count, len(phase.taps), steps_at, weights_at))
        steps_at += block * len(phase.taps)
        weights_at += panel_weights * len(phase.taps)
    return table, weights_at


@lru_cache(maxsize=1024)
def plan(
    phases: tuple[Phase, ...],
    step: Pair,
    stride: Pair,
    images: int,
    groups: int,
    depth: int,
    channels: int,
    size: Pair,
    itemsize: int,
) -> Plan:
    """Lay out one geometry: ``depth`` source channels a group of planes of ``size``, ``channels`` output channels a group."""
    places = [[(h // step[0], w // step[1], (h % step[0], w % step[1])) for _, h, w in phase.taps] for phase in phases]
    every = [place for phase in places for place in phase]
    sources = sorted({source for _, _, source in every})
    low = min(h for h, _, _ in every), min(w for _, w, _ in every)
    span = max(h for h, _, _ in every) - low[0], max(w for _, w, _ in every) - low[1]
    count = max(phase.count[0] for phase in phases), max(phase.count[1] for phase in phases)
    all_panels = -(-channels // ROWS)
    rows, columns, panels = _task_size(count, len(phases), all_panels, images * groups, itemsize)
    tiles = -(-count[0] // rows), -(-count[1] // columns)
    strip = rows + span[0], columns + span[1]
    plane = strip[0] * strip[1]
    block = min(depth, DEPTH_BLOCK // max(map(len, places)), STRIP_BYTES // (itemsize * len(sources) * plane))
    block = -(-depth // -(-depth // max(1, block)))
    steps = [
        (c * len(sources) + sources.index(source)) * plane + (h - low[0]) * strip[1] + w - low[1]
        for phase in places
        for c in range(block)
        for h, w, source in phase
    ]
    table, weights = _phase_table(phases, block, all_panels * depth * ROWS)
    pitch, starts = _vectors(rows, columns, strip[1], VECTOR_BYTES // itemsize)
    counts = panels, all_panels, depth, channels, block
    return Plan(
        tasks=images * groups * -(-all_panels // panels) * tiles[0] * tiles[1],
        tile=Tile(
            rows,
            columns,
            *count,
            *tiles,
            *counts,
            *low,
            *strip,
            pitch,
            *step,
            *stride,
            weights,
        ),
        phases=np.array(table, np.int64),
        taps=np.array([index for phase in phases for index, _, _ in phase.taps], np.int64),
        steps=np.array(steps, np.int64),
        starts=np.array(starts, np.int64),
        sources=np.array(sources, np.int64),
    )
