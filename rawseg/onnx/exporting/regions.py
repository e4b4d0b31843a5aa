"""Features of regions as ONNX nodes: RoIAlign, RoIWarp and RoIPool."""

from __future__ import annotations

from typing import Any

from .model_builder import ModelBuilder

__all__ = ["align", "align_largest", "pool", "rounded", "warp"]


def align(
    b: ModelBuilder, x: str, batch: str, boxes: str, size: tuple[int, int], scale: float, samples: int, aligned: bool
) -> str:
    """Add RoIAlign.

    Parameters
    ----------
    b : ModelBuilder
        Receives the nodes.
    x, batch, boxes : str
        Names of the maps (N, C, h, w), of the boxes' images (K,), int64, and of the boxes (K, 4).
    size : (int, int)
        Cells of a region.
    scale, samples, aligned
        ``spatial_scale``, ``sampling_ratio`` and ``aligned`` of `rawseg.ops.roi_align`.
    """
    # before opset 16 there is only the mode that is not aligned, and no word for it
    mode = None if b.opset < 16 else "half_pixel" if aligned else "output_half_pixel"
    return b.node(
        "RoiAlign",
        x,
        boxes,
        batch,
        output_height=size[0],
        output_width=size[1],
        sampling_ratio=max(samples, 0),
        spatial_scale=float(scale),
        mode="avg",
        coordinate_transformation_mode=mode,
    )


def align_largest(
    b: ModelBuilder, x: str, batch: str, boxes: str, size: tuple[int, int], scale: float, samples: int, aligned: bool
) -> str:
    """Add RoIAlign that takes the largest sample of a cell: each sample as a cell of its own, and a pooling of them.

    ONNX's mode "max" takes the largest of a sample's four weighted pixels instead.
    """
    finer = size[0] * samples, size[1] * samples
    cells = align(b, x, batch, boxes, finer, scale, 1, aligned)
    return b.node("MaxPool", cells, kernel_shape=[samples, samples], strides=[samples, samples])


def rounded(b: ModelBuilder, value: str, dtype: Any) -> str:
    """Add the nearest whole numbers, halves away from zero (``Round`` takes the even one)."""
    size = b.node("Abs", value)
    below = b.node("Floor", size)
    half = b.node("Less", b.node("Sub", size, below), b.constant(0.5, dtype))
    nearest = b.node("Where", half, below, b.node("Add", below, b.constant(1, dtype)))
    return b.node("Mul", b.node("Sign", value), nearest)


def warp(b: ModelBuilder, x: str, batch: str, boxes: str, size: tuple[int, int], scale: float, samples: int, dtype: Any) -> str:
    """Add RoIWarp: RoIAlign of boxes, whose dtype is given, in whole pixels of the map."""
    corners = rounded(b, b.node("Mul", boxes, b.constant(scale, dtype)), dtype)
    first = b.node("Slice", corners, b.ints(0), b.ints(2), b.ints(1))
    last = b.node("Slice", corners, b.ints(2), b.ints(4), b.ints(1))
    extent = b.node("Max", b.node("Add", b.node("Sub", last, first), b.constant(1, dtype)), b.constant(1, dtype))
    whole = b.node("Concat", first, b.node("Add", first, extent), axis=1)
    return align(b, x, batch, whole, size, 1.0, samples, False)


def pool(b: ModelBuilder, x: str, batch: str, boxes: str, size: tuple[int, int], scale: float, dtype: Any) -> str:
    """Add RoIPool of boxes, whose dtype is given."""
    column = b.node("Reshape", b.cast(batch, dtype), b.ints(-1, 1))
    rois = b.node("Concat", column, boxes, axis=1)
    return b.node("MaxRoiPool", x, rois, pooled_shape=list(size), spatial_scale=float(scale))
