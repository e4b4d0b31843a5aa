"""The product behind a 1 x 1 kernel that reads the pixel it is written to: planes are long rows, and nobody has neighbours.

Pixels that fill vectors are read where they are and summed in the output itself, so that a tile's stores are on their way to
memory while the next one is computed. What is left of the planes of many images, a few pixels each, is gathered into one small
strip, multiplied together, and put back. So are all pixels where too many channels of a plane's size would fall into the same
few lines of a cache: sizes are often powers of two. Chains of fused multiply-adds as in `_correlation`: the same bits.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._arena import empty, zeros
from .._finishing import does_something, finish
from .._jit import kernel, piece
from .._panels import DEPTH_BLOCK, multiply
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import launch
from ._packing import pack_weights

MOST_PIXELS = 1024  # of a task
MOST_GATHERED = 384  # pixels of a task that gathers them
WAY, WAYS = 4096, 8  # bytes of a first-level cache that share no place, and lines that may share one
MOST_PANELS = 128 // ROWS  # panels of a task
ENOUGH_TASKS = 16  # tasks shrink until there are as many, for the threads


class Points(NamedTuple):
    """The numbers that the kernel computes with."""

    depth: int  # source channels of a group, and
    block: int  # of them at once, in equal parts
    channels: int  # output channels of a group
    groups: int
    pairs: int  # of image and group
    plane: int  # pixels of a plane
    whole: int  # of them, those that fill vectors
    columns: int  # pixels of a task
    across: int  # tasks that cover the whole vectors of a plane
    panels: int  # of a task
    blocks: int  # tasks that cover a group's output channels
    all_panels: int  # of a group
    weights_stay: int  # 1: all pairs meet the weights of a task before the next are read
    pixels: int  # of a plane that are gathered for a task, from
    images: int  # at once
    pieces: int  # gatherings that cover what whole vectors leave of a plane
    gatherings: int  # that cover all images


def _clash(depth: int, plane: int, itemsize: int) -> bool:
    """Return whether planes are so many and so far apart that lines of a tile push each other out of a first-level cache."""
    apart = math.gcd(plane * itemsize, WAY)
    return apart == WAY or depth * apart > WAYS * WAY


@lru_cache(maxsize=1024)
def plan(images: int, groups: int, depth: int, channels: int, plane: int, itemsize: int) -> Points:
    """Lay out one geometry."""
    lanes, block = VECTOR_BYTES // itemsize, -(-depth // -(-depth // DEPTH_BLOCK))
    all_panels, whole = -(-channels // ROWS), 0 if _clash(block, plane, itemsize) else plane // lanes * lanes
    rest = plane - whole
    blocks = -(-all_panels // MOST_PANELS)
    pieces, across = -(-rest // MOST_GATHERED), -(-whole // MOST_PIXELS)
    while images * groups * max(across, pieces) * blocks < ENOUGH_TASKS:
        if whole > 256 * across:
            across *= 2
        elif all_panels > 2 * blocks:
            blocks *= 2
        else:
            break
    columns = -(-whole // (lanes * max(across, 1))) * lanes
    pixels = -(-rest // (lanes * max(pieces, 1))) * lanes if pieces > 1 else rest
    panels = -(-all_panels // blocks)
    together = min(images, max(1, MOST_GATHERED // max(pixels, 1)))
    return Points(
        depth=depth,
        block=block,
        channels=channels,
        groups=groups,
        pairs=images * groups,
        plane=plane,
        whole=whole,
        columns=columns,
        across=-(-whole // columns) if whole else 0,
        panels=panels,
        blocks=-(-all_panels // panels),
        all_panels=all_panels,
        weights_stay=int(plane * blocks < channels),
        pixels=pixels,
        images=together,
        pieces=-(-rest // pixels) if rest else 0,
        gatherings=-(-images // together),
    )


@piece
def begin(out, at, step, rows, count, bias, channel):
    """Put the bias of every row's channel where its sums start."""
    for r in range(rows if bias.size else 0):
        fill(out, at + r * step, at + r * step + count, bias[channel + r])


@piece
def end(out, at, step, rows, count, channel, after):
    """Apply the epilogue to rows of sums."""
    for r in range(rows if does_something(after) else 0):
        finish(out, at + r * step, count, channel + r, after)


@piece
def sum_vectors(number, spare, x, packed, bias, out, points, steps, starts, after):
    """Sum whole vectors of one pair's planes in the output; an incomplete panel, whose rows may not be there, in ``spare``."""
    rest, column = number // points.across, number % points.across * points.columns
    if points.weights_stay:
        block, pair = rest // points.pairs, rest % points.pairs
    else:
        block, pair = rest % points.blocks, rest // points.blocks
    panel, group, lanes = block * points.panels, pair % points.groups, VECTOR_BYTES // x.itemsize
    count = min(points.columns, points.whole - column)
    rows = min(points.panels * ROWS, points.channels - panel * ROWS)
    whole, channel = rows // ROWS * ROWS, group * points.channels + panel * ROWS
    out_at = (pair * points.channels + panel * ROWS) * points.plane + column
    seen = pair * points.depth * points.plane + column
    packed_at = (group * points.all_panels + panel) * points.depth * ROWS
    begin(out, out_at, points.plane, whole, count, bias, channel)
    begin(spare, 0, points.columns, rows - whole, count, bias, channel + whole)
    for k in range(0, points.depth, points.block):
        depth, resume = min(points.block, points.depth - k), bias.size + k
        right = x, seen + k * points.plane, steps, 0, starts, count // lanes
        at, step = packed_at + k * ROWS, points.depth * ROWS
        if whole:
            multiply(whole, depth, resume, packed, at, step, *right, out, out_at, points.plane)
        if rows > whole:
            multiply(ROWS, depth, resume, packed, at + whole // ROWS * step, step, *right, spare, 0, points.columns)
    for r in range(rows - whole):
        copy(spare, r * points.columns, 1, out, out_at + (whole + r) * points.plane, 1, count)
    end(out, out_at, points.plane, rows, count, channel, after)


@piece
def sum_gathered(number, strip, results, width, x, packed, bias, out, points, steps, starts, after):
    """Sum pixels of some images' planes, side by side."""
    rest, block = number // points.blocks, number % points.blocks
    rest, start = rest // points.pieces, points.whole + rest % points.pieces * points.pixels
    group, first = rest % points.groups, rest // points.groups * points.images
    images = min(points.images, points.pairs // points.groups - first)
    pixels, panel = min(points.pixels, points.plane - start), block * points.panels
    rows, channel = min(points.panels * ROWS, points.channels - panel * ROWS), group * points.channels + panel * ROWS
    packed_at = (group * points.all_panels + panel) * points.depth * ROWS
    begin(results, 0, width, rows, images * pixels, bias, channel)
    for k in range(0, points.depth, points.block):
        depth = min(points.block, points.depth - k)
        for c in range(depth):
            for i in range(images):
                plane = ((first + i) * points.groups + group) * points.depth + k + c
                copy(x, plane * points.plane + start, 1, strip, c * width + i * pixels, 1, pixels)
        left = packed, packed_at + k * ROWS, points.depth * ROWS
        whole, vectors = -(-rows // ROWS) * ROWS, -(-images * pixels // (VECTOR_BYTES // x.itemsize))
        multiply(whole, depth, bias.size + k, *left, strip, 0, steps, 0, starts, vectors, results, 0, width)
    end(results, 0, width, rows, images * pixels, channel, after)
    for r in range(rows):
        for i in range(images):
            plane = ((first + i) * points.groups + group) * points.channels + panel * ROWS + r
            copy(results, r * width + i * pixels, 1, out, plane * points.plane + start, 1, pixels)


@kernel
def correlate_tasks(first, last, scratch, x, packed, bias, out, points, steps, starts, near_steps, near_starts, width, after):
    """Compute the tasks ``first <= task < last``: those of whole vectors, then those of pixels that are gathered."""
    size = points.panels * ROWS * width
    results, strip = scratch[:size], scratch[size : size + near_steps.size * width]
    spare = scratch[size + strip.size :]
    fill(scratch, 0, scratch.size, 0)
    tasks = points.pairs * points.blocks * points.across
    for number in range(first, last):
        if number < tasks:
            sum_vectors(number, spare, x, packed, bias, out, points, steps, starts, after)
        else:
            sum_gathered(number - tasks, strip, results, width, x, packed, bias, out, points, near_steps, near_starts, after)


def correlate_points(x, weight, bias, out, groups, transposed, after):
    """Write the correlation of ``x`` with the 1 x 1 kernels ``weight`` into ``out``; see `_correlation.correlate`."""
    images, source_channels, *_ = x.shape
    depth, channels, plane = source_channels // groups, out.shape[1] // groups, out.shape[2] * out.shape[3]
    points = plan(images, groups, depth, channels, plane, x.itemsize)
    size = points.all_panels * depth * ROWS
    packed = (empty if channels % ROWS == 0 else zeros)(groups * size, x.dtype)
    steps = (1, channels) if transposed else (depth, 1)
    tables = *_ONE_TAP, points.all_panels, depth, channels, size, depth * channels, *steps
    launch(pack_weights, groups * points.all_panels, weight.reshape(-1), packed, *tables, work=packed.size)
    steps, starts, near_steps, near_starts, width = _tables(points, VECTOR_BYTES // x.itemsize)
    scratch = (points.panels * ROWS + near_steps.size) * width + (ROWS * points.columns if channels % ROWS else 0)
    arrays = x.reshape(-1), packed, empty(0, x.dtype) if bias is None else bias, out.reshape(-1)
    tasks = points.blocks * (points.pairs * points.across + points.gatherings * groups * points.pieces)
    tables = points, steps, starts, near_steps, near_starts, width, after
    launch(correlate_tasks, tasks, *arrays, *tables, work=2 * out.size * depth, scratch=(scratch, x.dtype))


_ONE_TAP = np.array([[0, 0, 0, 0, 1, 0, 0]]), np.zeros(1, np.int64)  # see `_tiles.Plan`


@lru_cache(maxsize=1024)
def _tables(points: Points, lanes: int) -> tuple[Any, ...]:
    """Return where a step and a vector are, in planes and in a strip, and the strip's width."""
    vectors = -(-points.images * points.pixels // lanes)
    width = (vectors + 1 - vectors % 2) * lanes if points.pieces else 0  # an odd number of them: rows do not clash
    k = np.arange(points.block, dtype=np.int64)
    return (
        k * points.plane,
        np.arange(0, points.columns, lanes, dtype=np.int64),
        k[: k.size if points.pieces else 0] * width,
        np.arange(vectors, dtype=np.int64) * lanes,
        width,
    )
