"""How the pixels and channels of a 1 x 1 convolution are dealt out to the tasks of `_points`, and where they find them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._panels import DEPTH_BLOCK
from .._simd import ROWS, VECTOR_BYTES
from .._simd_rows import BLOCK

MOST_PIXELS = 1024  # of a task
LEAST_GATHERED, MOST_GATHERED = 128, 768  # pixels of a task that gathers them, where
GATHERED_BYTES = 512 * 1024  # of them and of their sums stay in the second-level cache
WAY, WAYS = 64 * 1024, 8  # bytes of a second-level cache that share no place, and lines that may share one
SELDOM = 2  # panels that read a task's pixels so seldom that it does not matter how
MOST_PANELS = 512 // ROWS  # panels of a task
TASKS_PER_THREAD = 4  # tasks shrink until there are as many; a single thread is better off with large ones


class Patch(NamedTuple):
    """Pixels whose place in the patch is part of their channel: channels are counted in order of (channel, row, column)."""

    rows: int = 1
    columns: int = 1
    line: int = 1  # patches side by side in a plane
    of_output: int = 0  # 1: the output's, or else the input's


PIXEL = Patch()  # a patch of one


class Points(NamedTuple):
    """The numbers that the kernel computes with."""

    depth: int  # source channels of a group, and
    block: int  # of them at once, in equal parts
    channels: int  # output channels of a group
    groups: int
    pairs: int  # of image and group
    plane: int  # pixels of a plane
    whole: int  # of them, those that fill vectors
    loose: int  # and those behind, which the last task of a plane sums one by one; both 0: all are gathered
    columns: int  # pixels of a task
    across: int  # tasks that cover the whole vectors of a plane
    panels: int  # of a task
    blocks: int  # tasks that cover a group's output channels
    all_panels: int  # of a group
    sides: int  # equal parts of the pairs, a thread's each: what a thread wrote of an image it reads in the next layer
    weights_stay: int  # 1: all pairs of a side meet the weights of a task before the next are read
    weights_alone: int  # 1: no other task reads them, and it packs them itself
    pixels: int  # of a plane that are gathered for a task, from
    images: int  # at once
    pieces: int  # gatherings that cover a plane
    gatherings: int  # that cover all images
    width: int  # of the strip that they are gathered in
    patch: Patch  # of pixels that are as many channels


def _clash(depth: int, plane: int, panels: int, itemsize: int) -> bool:
    """Return whether planes are so many and so far apart that lines push each other out before all panels read them."""
    return panels > SELDOM and depth * math.gcd(plane * itemsize, WAY) >= WAYS * WAY


def plan(
    images: int, groups: int, depth: int, channels: int, plane: int, itemsize: int, threads: int, patch: Patch = PIXEL
) -> Points:
    """Deal out one geometry; sums do not depend on the number of threads."""
    lanes, block = VECTOR_BYTES // itemsize, -(-depth // -(-depth // DEPTH_BLOCK))
    all_panels = -(-channels // ROWS)
    gathered = patch != PIXEL or _clash(block, plane, all_panels, itemsize) or (plane < lanes and images > 1)
    whole, blocks = 0 if gathered else plane // lanes * lanes, -(-all_panels // MOST_PANELS)
    fitting = GATHERED_BYTES // (itemsize * (block + min(all_panels, MOST_PANELS) * ROWS))
    most = max(LEAST_GATHERED, min(MOST_GATHERED, fitting))
    pieces, across = (-(-plane // most), 0) if gathered else (0, max(1, -(-whole // MOST_PIXELS)))
    while threads > 1 and images * groups * max(across, pieces) * blocks < TASKS_PER_THREAD * threads:
        if whole > 256 * across:
            across *= 2
        elif all_panels > 2 * blocks:
            blocks *= 2
        else:
            break
    columns = -(-whole // (lanes * max(across, 1))) * lanes
    unit = lanes if patch == PIXEL else patch.line
    pixels = -(-plane // (unit * pieces)) * unit if pieces > 1 else plane
    panels = -(-all_panels // blocks)
    together = min(images, max(1, most // max(pixels, 1)))
    vectors, gatherings = -(-together * pixels // lanes), -(-images // together)
    across, pieces = -(-whole // columns) if whole else across, -(-plane // pixels) if gathered else 0
    return Points(
        depth=depth,
        block=block,
        channels=channels,
        groups=groups,
        pairs=images * groups,
        plane=plane,
        whole=whole,
        loose=0 if gathered else plane - whole,
        columns=columns,
        across=across,
        panels=panels,
        blocks=-(-all_panels // panels),
        all_panels=all_panels,
        sides=threads if images * groups % threads == 0 else 1,
        weights_stay=int(plane * blocks < channels),
        weights_alone=int(gatherings * pieces == 1 or images * across == 1),
        pixels=pixels if gathered else 0,
        images=together if gathered else 0,
        pieces=pieces,
        gatherings=gatherings if gathered else 0,
        width=(vectors + 1 - vectors % 2) * lanes if gathered else 0,  # an odd number of vectors: rows do not clash
        patch=patch,
    )


class Layout(NamedTuple):
    """What one geometry asks for: the tasks of both kernels and their tables."""

    points: Points
    tasks: int
    steps: np.ndarray  # where a step of the sum is, in a strip or in planes, and
    starts: np.ndarray  # where a vector is
    scratch: int  # elements that a thread needs
    packed: int  # elements of the packed weights
    packing: tuple[int, ...]  # numbers of `pack_points`


@lru_cache(maxsize=1024)
def laid_out(
    images: int, groups: int, depth: int, channels: int, plane: int, itemsize: int, transposed: bool, threads: int, patch: Patch
) -> Layout:
    """Lay out one geometry and, whichever way they lie, its weights."""
    points = plan(images, groups, depth, channels, plane, itemsize, threads, patch)
    k, rows, panels = np.arange(points.block, dtype=np.int64), points.panels * ROWS, points.all_panels
    if points.pieces:
        tasks, step, columns = points.gatherings * groups * points.pieces, points.width, points.width
        scratch = (rows + points.block) * points.width + BLOCK  # whole vectors are read
    else:
        tasks, step, columns = points.pairs * points.across, plane, points.columns
        scratch = rows * points.loose + (ROWS * points.columns if channels % ROWS else 0)
    steps, starts = k * step, np.arange(0, columns, VECTOR_BYTES // itemsize, dtype=np.int64)
    packing = panels, depth, channels, *((1, channels) if transposed else (depth, 1))
    return Layout(points, points.blocks * tasks, steps, starts, scratch, groups * panels * depth * ROWS, packing)
