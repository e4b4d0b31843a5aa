"""How the pixels of a correlation are dealt out to tasks, and the tables that turn taps into places in memory.

A task computes ``rows x columns`` pixels of every phase for some panels of output channels. It sees the source through a
*strip*: for every channel of a block, and every residue that a tap has modulo the step, the rows that the tile needs, padded
with zeros and de-interleaved. Each tap is then the same strip read at another place, so what would be a row of an im2col
matrix is one number of a table.

Where a row has few pixels, the columns that only its first and last taps see leave vectors half empty. The strip then has a
copy for every column offset of a tap instead, *apart*, with nothing between its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import gcd
from typing import NamedTuple

import numpy as np

from .._desk import PORTIONS_PER_THREAD
from .._panels import DEPTH_BLOCK
from .._simd import ROWS, VECTOR_BYTES, VECTORS
from ._phases import Pair, Phase

RESULT_BYTES = 384 * 1024  # of a task's results, and
STRIP_BYTES = 192 * 1024  # of its strip: with the weights of a block they fit a second-level cache of 1 MB
MOST_CELLS = 1024  # pixels of a task and phase
MOST_PANELS = 256 // ROWS  # panels of a task
LINE, LINES = 64, 64  # bytes of a line of the nearest cache, and how many lie side by side before places clash
UNEVEN = 2  # lines of a tile that may clash beyond those of an even share
PADDINGS = 8  # vectors, less one, that are put between planes at most
APART_CHANNELS = 64  # of a task that reads a strip without gaps between its rows, at least, and
APART_GAIN = 32  # it has less than all vectors by one part in so many


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
    strip_plane: int  # from a plane of the strip to the next
    pitch: int  # from a row of results to the next
    step_h: int  # of the source, a pixel
    step_w: int
    stride_h: int  # of the output, a pixel of a phase
    stride_w: int
    group_weights: int  # packed elements of a group
    in_place: bool  # a tile's results lie side by side as in the output


class Plan(NamedTuple):
    """Tiles and tables of one geometry."""

    tasks: int
    tile: Tile
    phases: np.ndarray  # (phases, 7): origin, count, number of taps, first place in steps, first place in packed weights
    taps: np.ndarray  # place in the kernel of every tap, phase after phase
    steps: np.ndarray  # place in the strip of every (channel of the block, tap), phase after phase
    starts: np.ndarray  # place in the strip of every vector of pixels
    sources: np.ndarray  # (planes of the strip a channel, 2): residues of the row and the column


def _task_size(count: Pair, phases: int, all_panels: int, images: int, itemsize: int, threads: int) -> tuple[int, int, int]:
    """Return ``(rows, columns, panels)`` of a task: as large as the caches allow, but enough of them for all threads.

    Small tasks fill the same strip for every few panels, so there are no more than a job has portions.
    """
    enough = PORTIONS_PER_THREAD * threads if threads > 1 else 1
    panels = min(all_panels, MOST_PANELS)
    cells = RESULT_BYTES // (itemsize * phases * panels * ROWS)
    cells = max(4 * VECTOR_BYTES // itemsize, min(MOST_CELLS, cells))
    across = -(-count[1] // cells)
    rows = max(1, min(count[0], cells // -(-count[1] // across)))
    while images * across * -(-count[0] // rows) * -(-all_panels // panels) < enough:
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
    whole = VECTOR_BYTES // gcd(VECTOR_BYTES, count[1] * itemsize)  # rows that end where a vector does
    if across == 1 and whole <= equal[0] < count[0]:
        equal[0] = -(-equal[0] // whole) * whole
    return equal[0], -(-count[1] // across), equal[1]


def _places(phases: tuple[Phase, ...], step: Pair, apart: bool) -> list[list[tuple[int, int, Pair]]]:
    """Return where each tap of each phase reads: ``(row, column, source)``; a source is a row's residue and a column's.

    ``apart``, every column offset is a source of its own.
    """

    def place(h: int, w: int) -> tuple[int, int, Pair]:
        row, column = divmod(h, step[0]), (0, w) if apart else divmod(w, step[1])
        return row[0], column[0], (row[1], column[1])

    return [[place(h, w) for _, h, w in phase.taps] for phase in phases]


def _extent(places: list[list[tuple[int, int, Pair]]]) -> tuple[Pair, Pair]:
    """Return the smallest row and column of all places, and how far the others lie from there."""
    rows, columns = [row for phase in places for row, _, _ in phase], [column for phase in places for _, column, _ in phase]
    return (min(rows), min(columns)), (max(rows) - min(rows), max(columns) - min(columns))


def _vectors(rows: int, columns: int, strip_w: int, lanes: int) -> tuple[int, list[int]]:
    """Return the pitch of the results and where vectors start: anew in each row, or running on across the gaps."""
    by_row = -(-columns // lanes)
    flat = -(-((rows - 1) * strip_w + columns) // lanes)
    if flat < rows * by_row:
        return strip_w, [v * lanes for v in range(flat)]
    return by_row * lanes, [r * strip_w + v * lanes for r in range(rows) for v in range(by_row)]


def _pay_apart(rows: int, columns: int, span: int, panels: int, lanes: int) -> bool:
    """Return whether a strip without gaps between its rows saves more products than its copies for the column offsets cost."""
    together, apart = (len(_vectors(rows, columns, columns + gap, lanes)[1]) for gap in (span, 0))
    return panels * ROWS >= APART_CHANNELS and APART_GAIN * (together - apart) >= together


def _spread(steps: Callable[[int], np.ndarray], plane: int, itemsize: int) -> int:
    """Return the size of a plane, at least the given one, at which the lines that a tile reads share out the cache's sets."""
    least = LINES, plane
    for size in range(plane, plane + PADDINGS * VECTOR_BYTES // itemsize, VECTOR_BYTES // itemsize):
        first = steps(size) * itemsize
        lines = np.unique(np.concatenate([(first + at) // LINE for at in range(0, VECTORS * VECTOR_BYTES, LINE)]))
        most = int(np.bincount(lines % LINES).max())
        if most <= lines.size // LINES + UNEVEN:
            return size
        least = min(least, (most, size))
    return least[1]


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
    threads: int,
) -> Plan:
    """Lay out one geometry: ``depth`` source channels a group of planes of ``size``, ``channels`` output channels a group."""
    count = max(phase.count[0] for phase in phases), max(phase.count[1] for phase in phases)
    all_panels = -(-channels // ROWS)
    rows, columns, panels = _task_size(count, len(phases), all_panels, images * groups, itemsize, threads)
    tiles = -(-count[0] // rows), -(-count[1] // columns)
    places = _places(phases, step, False)
    low, span = _extent(places)
    if _pay_apart(rows, columns, span[1], panels, VECTOR_BYTES // itemsize):
        places = _places(phases, step, True)
        low, span = _extent(places)
    sources = sorted({source for phase in places for _, _, source in phase})
    strip = rows + span[0], columns + span[1]
    longest = max(places, key=len)
    block = min(depth, DEPTH_BLOCK // len(longest), STRIP_BYTES // (itemsize * len(sources) * strip[0] * strip[1]))
    block = -(-depth // -(-depth // max(1, block)))

    def steps(phase: list[tuple[int, int, Pair]], plane: int) -> np.ndarray:
        planes = np.array([sources.index(source) for _, _, source in phase], np.int64)
        taps = np.array([(h - low[0]) * strip[1] + w - low[1] for h, w, _ in phase], np.int64)
        return ((np.arange(block)[:, None] * len(sources) + planes) * plane + taps).reshape(-1)

    plane = _spread(lambda plane: steps(longest, plane), strip[0] * strip[1], itemsize)
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
            plane,
            pitch,
            *step,
            *stride,
            weights,
            len(phases) == 1 and stride == (1, 1) and pitch == columns == count[1],
        ),
        phases=np.array(table, np.int64),
        taps=np.array([index for phase in phases for index, _, _ in phase.taps], np.int64),
        steps=np.concatenate([steps(phase, plane) for phase in places]),
        starts=np.array(starts, np.int64),
        sources=np.array(sources, np.int64),
    )
