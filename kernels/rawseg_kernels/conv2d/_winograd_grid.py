"""How the output pixels of a 3x3 convolution are cut into Winograd's tiles, and the tiles into blocks.

Images and tiles from top to bottom are counted by one number, the *tile row*: a block is some tile rows times some tile
columns, and its tiles follow one another row by row.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .._desk import PORTIONS_PER_THREAD
from .._simd import ROWS, VECTOR_BYTES

NEAR_PANELS, FAR_PANELS = 2, 16  # of output channels, for which what is read of tiles serves: few, if the weights stay near
BLOCK_BYTES = 1024 * 1024  # of a block's transformed tiles and of so many products: they stay near a core
FEWEST_TILES, MOST_TILES = 32, 256  # of a block: the transformed weights are read once a block
LINE = 64  # bytes that the caches move at once

Pair = tuple[int, int]


class Grid(NamedTuple):
    """The numbers that the kernels compute with."""

    size: int  # m: a tile makes m x m outputs from (m + 2) x (m + 2) inputs
    points: int  # (m + 2) ** 2
    h: int  # of a plane of x
    w: int
    out_h: int
    out_w: int
    top: int  # padding
    left: int
    tiles_h: int  # that cover an image
    tiles_w: int
    rows: int  # tile rows of all images
    block_rows: int  # of a block
    block_columns: int
    across: int  # blocks
    blocks: int
    together: int  # tile rows that a vector holds
    vectors: int  # of tiles of a block
    pitch: int  # tiles from a channel of transformed data to the next
    depth: int  # source channels of a group
    channels: int  # output channels of a group
    panels: int  # of output channels
    at_once: int  # of them, whose products lie beside one another
    seen_step: int  # elements from a point of the transformed source to the next
    product_step: int  # the same of the products
    weight_step: int  # and of the transformed weights of a group


def apart(elements: int, itemsize: int) -> int:
    """Return a step of at least so many elements that does not lead to the same place of a cache again and again."""
    lines = -(-elements * itemsize // LINE)
    return (lines + 1 - lines % 2) * LINE // itemsize


@lru_cache(maxsize=1024)
def grid(
    size: int,
    n: int,
    plane: Pair,
    out_size: Pair,
    padding: Pair,
    depth: int,
    channels: int,
    itemsize: int,
    threads: int,
) -> Grid:
    """Lay out a convolution of ``n`` images with ``depth`` channels to ``channels``, those of one group."""
    lanes, points = VECTOR_BYTES // itemsize, (size + 2) ** 2
    tiles_h, tiles_w = (-(-out_size[i] // size) for i in (0, 1))
    rows, panels = n * tiles_h, -(-channels // ROWS)
    near = points * depth * channels * itemsize <= BLOCK_BYTES
    at_once = min(panels, NEAR_PANELS if near else FAR_PANELS)
    tiles = max(FEWEST_TILES, min(MOST_TILES, BLOCK_BYTES // (points * (depth + at_once * ROWS) * itemsize)))
    if rows * tiles_w <= MOST_TILES:  # few enough to transform them once for all output channels, which are then shared out
        tiles = MOST_TILES
        if threads > 1:
            at_once = max(1, min(at_once, panels // (PORTIONS_PER_THREAD * threads)))
    across = -(-tiles_w // tiles)
    columns = -(-tiles_w // across)
    block_rows = max(1, min(rows, tiles // columns))
    vectors = -(-block_rows * columns // lanes)
    pitch = -(-((block_rows - 1) * columns + -(-columns // lanes) * lanes) // lanes) * lanes
    return Grid(
        size,
        points,
        *plane,
        *out_size,
        *padding,
        tiles_h,
        tiles_w,
        rows,
        block_rows,
        columns,
        across,
        across * -(-rows // block_rows),
        max(1, lanes // columns) if across == 1 else 1,
        vectors,
        pitch,
        depth,
        channels,
        panels,
        at_once,
        apart(depth * pitch, itemsize),
        apart(at_once * ROWS * pitch, itemsize),
        apart(panels * depth * ROWS, itemsize),
    )
