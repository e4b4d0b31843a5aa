"""Masks of boxes put into the image: for each axis a matrix of bilinear weights, made while the file runs."""

from __future__ import annotations

import numpy as np

from ..model_builder import ModelBuilder
from ..versions import unsqueezed
from .selection import columns

__all__ = ["write_pasting"]

PADDING = 1  # cells of zeros around a mask, as `rawseg.ops.paste_masks` has it


def write_pasting(b: ModelBuilder, masks: str, boxes: str, side: int, size: tuple[int, int], dtype: np.dtype) -> str:
    """Add pasting (`rawseg.ops.paste_masks`).

    Parameters
    ----------
    b : ModelBuilder
        Receives the nodes.
    masks : str
        Name of the probabilities (D, side, side).
    boxes : str
        Name of the boxes (D, 4), in pixels of the image.
    side : int
        Cells of a mask along each axis.
    size : (int, int)
        Height and width of the image.
    dtype : dtype
        Of the network.

    Returns
    -------
    str
        Name of the masks (D, 1, H, W).
    """
    b.path = "/pasting"
    cells = side + 2 * PADDING
    low, high = columns(b, boxes, 0, 2, 1), columns(b, boxes, 2, 4, 1)
    half, centre = (b.node("Mul", b.node(op, high, low), b.constant(0.5, dtype)) for op in ("Sub", "Add"))
    half = b.node("Mul", half, b.constant(cells / side, dtype))
    first, last = (b.cast(_towards_zero(b, b.node(op, centre, half)), np.float64) for op in ("Sub", "Add"))  # (D, 2): x, y
    rows, across = (_weights(b, first, last, axis, cells, pixels) for axis, pixels in ((1, size[0]), (0, size[1])))
    rows, across = b.cast(rows, b.dtype(dtype)), b.cast(b.node("Transpose", across, perm=[0, 2, 1]), b.dtype(dtype))
    ends = b.ints(0, PADDING, PADDING, 0, PADDING, PADDING)
    framed = b.node("Pad", masks, ends, b.constant(0, dtype), mode="constant")
    return unsqueezed(b, b.node("MatMul", b.node("MatMul", rows, framed), across), 1)


def _towards_zero(b: ModelBuilder, value: str) -> str:
    return b.node("Mul", b.node("Sign", value), b.node("Floor", b.node("Abs", value)))


def _weights(b: ModelBuilder, first: str, last: str, axis: int, cells: int, pixels: int) -> str:
    """Add (D, pixels, cells): how much each cell counts for each pixel of an axis.

    Pixel p of a box reads at ``source = (p + 1/2) * cells / length - 1/2``, and cell i weighs ``max(0, 1 - |source - i|)``.
    Pixels outside the box read the nearest cell of the frame, which is 0.
    """
    low, high = (columns(b, corner, axis, axis + 1, 1) for corner in (first, last))  # (D, 1)
    place = b.double(np.arange(pixels))  # (pixels,)
    length = b.node("Add", b.node("Sub", high, low), b.double(1))
    inside = b.node("Add", b.node("Sub", place, low), b.double(0.5))  # (D, pixels)
    source = b.node("Sub", b.node("Mul", inside, b.node("Div", b.double(cells), length)), b.double(0.5))
    source = b.node("Min", b.node("Max", source, b.double(0)), b.double(cells - 1))
    apart = b.node("Abs", b.node("Sub", unsqueezed(b, source, 2), b.double(np.arange(cells))))
    return b.node("Max", b.node("Sub", b.double(1), apart), b.double(0))
