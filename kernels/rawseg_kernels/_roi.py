"""What every operation on regions of interest asks of its boxes, and the arithmetic that they share."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arrays
from ._arena import zeros
from ._errors import ArgumentError, IndexRangeError, ShapeError

PLANES = "(N, C, H, W)"
OUTPUTS = "(K, C, out_h, out_w)"
FIELDS = "(batch index, x1, y1, x2, y2)"
COLUMNS = ((2, 4), (1, 3))  # of the low and the high end of a box, along the height and along the width
SIDES = (("y1", "y2"), ("x1", "x2"))


def checked(op: str, x: Any, boxes: Any, spatial_scale: Any) -> tuple[Any, Any, Any]:
    """Check boxes against the feature maps that they lie on.

    Returns
    -------
    boxes : ndarray, shape (K, 5)
        C-contiguous.
    batch : ndarray of int64, shape (K,)
        The map of each box, 0 up to N - 1.
    scale : float32 or float64
        ``spatial_scale`` in the dtype of the boxes, in which all coordinates are computed.

    Raises
    ------
    ArgumentError
        If ``spatial_scale`` is not greater than 0, a number is not finite, before or after scaling, or a box is inverted.
    IndexRangeError
        If a batch index is not one of the maps.
    """
    _arrays.check_rank(op, "x", x, PLANES)
    _arrays.check_not_empty(op, "x", x, "HW")  # zero channels are as legal as zero boxes
    _arrays.check_array(op, "boxes", boxes)
    _arrays.check_floating(op, x=x, boxes=boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ShapeError(op, "boxes", f"shape (K, 5), {FIELDS}", f"shape {boxes.shape}")
    factor = _arrays.real(op, "spatial_scale", spatial_scale)
    with np.errstate(over="ignore"):
        scale = boxes.dtype.type(factor)
    if not scale > 0:
        raise ArgumentError(op, "spatial_scale", "greater than 0", factor)
    if not np.isfinite(scale):
        raise ArgumentError(op, "spatial_scale", f"a number that {boxes.dtype} holds", factor)
    boxes = _arrays.contiguous(boxes)
    xp = _arrays.module_of(boxes)
    _refuse(ArgumentError, op, boxes, ~xp.isfinite(boxes).all(1), "finite numbers")
    batch, images = boxes[:, 0], x.shape[0]
    wrong = (batch != xp.floor(batch)) | (batch < 0) | (batch >= images)
    _refuse(IndexRangeError, op, boxes, wrong, f"an integral batch index, 0 <= index < {images}")
    for (low, high), names in zip(COLUMNS, SIDES):
        _refuse(ArgumentError, op, boxes, boxes[:, high] < boxes[:, low], f"{names[1]} >= {names[0]}")
    with np.errstate(all="ignore"):
        scaled = boxes[:, 1:] * scale
        sound = xp.isfinite(scaled[:, 2:] - scaled[:, :2]).all(1)  # an extent is finite only if both of its ends are
    _refuse(ArgumentError, op, boxes, ~sound, f"finite numbers after scaling by {factor}")
    return boxes, batch.astype(np.int64), scale


def _refuse(error: Any, op: str, boxes: Any, wrong: Any, expected: str) -> None:
    """Raise for the first box that is wrong."""
    if wrong.any():
        k = int(wrong.argmax())
        raise error(op, "boxes", expected, f"{tuple(float(number) for number in boxes[k])} in row {k}, {FIELDS}")


def round_half_away(values: Any) -> Any:
    """Return the nearest integers, halves away from zero, as C's ``round``: NumPy's own rounds halves to even."""
    xp = _arrays.module_of(values)
    whole = xp.trunc(values)
    return whole + xp.where(abs(values - whole) >= 0.5, xp.sign(values), 0).astype(values.dtype)


def by_image(batch: Any, images: int) -> tuple[Any, Any]:
    """Group boxes by image: image b owns ``order[starts[b]:starts[b + 1]]``, its boxes in the order given."""
    starts = zeros(images + 1, np.int64)
    np.cumsum(np.bincount(batch, minlength=images), out=starts[1:])
    return np.argsort(batch, kind="stable"), starts


def rounded(boxes: Any, scale: Any) -> list[tuple[Any, Any]]:
    """Return ``(start, extent)`` of every box in whole pixels of the map, down and across; both ends belong to the box.

    Whole numbers, but in float64: they may lie far outside the range of an integer.
    """
    sides = []
    for low, high in COLUMNS:
        start, end = (round_half_away(boxes[:, column] * scale).astype(np.float64) for column in (low, high))
        sides.append((start, (end - start + 1).clip(1)))
    return sides
