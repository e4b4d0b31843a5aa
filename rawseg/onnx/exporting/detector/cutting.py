"""Features of regions, each cut from the level of the pyramid that fits its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import regions
from ..counting import numbers_below
from ..model_builder import ModelBuilder
from ..versions import reduced
from .selection import columns

__all__ = ["write_cutting"]

SCALE, LEVEL, EPSILON = 224, 4, 1e-6  # of `rawseg.ops.roi_levels`


def write_cutting(b: ModelBuilder, pooling: Any, maps: Sequence[str], boxes: str, dtype: np.dtype, path: str) -> str:
    """Add what cuts regions out of maps (`rawseg.models.mask_rcnn.regions.RegionPooling`).

    Parameters
    ----------
    b : ModelBuilder
        Receives the nodes.
    pooling : RegionPooling
        Which layer, how many cells, and the maps' strides.
    maps : sequence of str
        Names of the maps (1, C, h, w).
    boxes : str
        Name of the regions (K, 4), in pixels of the batch.
    dtype : dtype
        Of the network.
    path : str
        What the nodes' names begin with.

    Returns
    -------
    str
        Name of the features (K, C, size, size).
    """
    b.path = path
    if len(pooling.strides) == 1:
        return _cut(b, pooling, maps[0], boxes, pooling.strides[0], dtype)
    levels = _levels(b, boxes, pooling.strides)
    cut, places = [], []
    for level, stride in enumerate(pooling.strides):
        own = b.node("Reshape", b.node("NonZero", b.node("Equal", levels, b.ints(level))), b.ints(-1))
        cut.append(_cut(b, pooling, maps[level], b.node("Gather", boxes, own, axis=0), stride, dtype))
        places.append(own)
    joined, order = b.node("Concat", *cut, axis=0), b.node("Concat", *places, axis=0)
    counted = numbers_below(b, b.node("Shape", order))
    back = b.node("ScatterElements", order, order, counted, axis=0)  # back[order[i]] = i
    return b.node("Gather", joined, back, axis=0)


def _levels(b: ModelBuilder, boxes: str, strides: Sequence[int]) -> str:
    """Add the number of each region's level: how many of the areas that a level begins at it reaches.

    ``floor(4 + log2(sqrt(w h) / 224) + eps) >= k`` where ``w h >= (224 * 2**(k - 4 - eps))**2``.
    """
    wide = b.cast(boxes, np.float64)
    sides = b.node("Sub", columns(b, wide, 2, 4, 1), columns(b, wide, 0, 2, 1))
    area = b.node("Mul", columns(b, sides, 0, 1, 1), columns(b, sides, 1, 2, 1))  # (K, 1)
    first = strides[0].bit_length() - 1
    begins = [(SCALE * 2.0 ** (first + i - LEVEL - EPSILON)) ** 2 for i in range(1, len(strides))]
    below = b.node("Less", area, b.double(begins))  # (K, levels - 1)
    reached = b.cast(b.node("Not", below), np.int64)
    return reduced(b, "ReduceSum", reached, [1], False)


def _cut(b: ModelBuilder, pooling: Any, x: str, boxes: str, stride: int, dtype: np.dtype) -> str:
    batch = b.node("Expand", b.constant(0, np.int64), b.length(boxes, 0))  # all are of the only image
    size, scale, samples = (pooling.size, pooling.size), 1 / stride, pooling.samples
    if pooling.layer == "roi_pool":
        return regions.pool(b, x, batch, boxes, size, scale, dtype)
    if pooling.layer == "roi_warp":
        return regions.warp(b, x, batch, boxes, size, scale, samples, dtype)
    cut = regions.align if pooling.layer == "roi_align" else regions.align_largest
    return cut(b, x, batch, boxes, size, scale, samples, False)
