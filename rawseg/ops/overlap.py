"""How much boxes overlap: every box of one set with every box of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels import box_iou as box_iou_room
from rawseg_kernels._arrays import check_floating
from rawseg_kernels._memory import check_size

from ..autograd import Tensor, is_grad_enabled
from ..autograd.arithmetic import maximum, minimum, where
from ..functional.naming import operation
from .boxes import box_convert, checked_boxes, checked_format, coordinates

__all__ = ["box_iou", "generalized_box_iou"]


@operation
def box_iou(boxes1: Any, boxes2: Any, fmt: str = "xyxy") -> Tensor:
    """Return the intersection over union of every pair of boxes.

    Parameters
    ----------
    boxes1, boxes2 : Tensor or ndarray, shape (N, 4) and (M, 4)
        float32 or float64.
    fmt : {"xyxy", "xywh", "cxcywh"}
        What the four numbers are; see `box_convert`.

    Returns
    -------
    Tensor, shape (N, M)
        0 to 1.

    Raises
    ------
    ArgumentError
        If a corner is not finite or a box is inverted.

    Notes
    -----
    Computed in float64 and rounded once; 0 where both boxes have no area (PyTorch: NaN). Differentiable to every order; where
    two boxes share an edge, the gradient of the corner is split as that of `rawseg.maximum`.

    Examples
    --------
    >>> import numpy as np
    >>> box_iou(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0], [2.0, 2.0, 3.0, 3.0]]))
    tensor([[0.3333, 0.    ]], dtype=float64)
    """
    one, other = _checked("box_iou", boxes1, boxes2, fmt)
    if is_grad_enabled() and (one.requires_grad or other.requires_grad):
        intersection, union = _intersection_and_union("box_iou", _corners(one, fmt), _corners(other, fmt))
        return _ratio(intersection, union).astype(one.dtype)
    if fmt == "xyxy":
        return Tensor(box_iou_room.forward(one.array, other.array))
    return Tensor(box_iou_room.forward(_corners(one, fmt).array, _corners(other, fmt).array)).astype(one.dtype)


@operation
def generalized_box_iou(boxes1: Any, boxes2: Any) -> Tensor:
    """Return the generalized intersection over union of every pair of boxes, which tells distances apart too.

    Parameters
    ----------
    boxes1, boxes2 : Tensor or ndarray, shape (N, 4) and (M, 4)
        ``(x1, y1, x2, y2)``, float32 or float64.

    Returns
    -------
    Tensor, shape (N, M)
        ``IoU - (hull - union) / hull``, -1 to 1, where hull is the area of the smallest box around both.

    Raises
    ------
    ArgumentError
        If a corner is not finite or a box is inverted.

    Notes
    -----
    Rezatofighi et al., arXiv 1902.09630. Computed in float64 and rounded once; a fraction whose denominator is 0 counts as 0
    (PyTorch: NaN). Differentiable to every order.
    """
    one, other = _checked("generalized_box_iou", boxes1, boxes2, "xyxy")
    dtype, one, other = one.dtype, _corners(one, "xyxy"), _corners(other, "xyxy")
    intersection, union = _intersection_and_union("generalized_box_iou", one, other)
    sides = maximum(one[:, None, 2:], other[None, :, 2:]) - minimum(one[:, None, :2], other[None, :, :2])  # (N, M, 2)
    hull = sides[..., 0] * sides[..., 1]
    return (_ratio(intersection, union) - _ratio(hull - union, hull)).astype(dtype)


def _checked(op: str, boxes1: Any, boxes2: Any, fmt: str) -> tuple[Tensor, Tensor]:
    """Return both sets as Tensors, in the format in which they came."""
    checked_format(op, "fmt", fmt)
    tensors = []
    for name, boxes in (("boxes1", boxes1), ("boxes2", boxes2)):
        if fmt == "xyxy":
            tensors.append(checked_boxes(op, name, boxes))
        else:
            tensors.append(coordinates(op, boxes, name))
            checked_boxes(op, name, _corners(tensors[-1].detach(), fmt))
    check_floating(op, boxes1=tensors[0].array, boxes2=tensors[1].array)
    return tensors[0], tensors[1]


def _corners(boxes: Tensor, fmt: str) -> Tensor:
    """Return corners in float64."""
    wide = boxes.astype(np.float64)
    return wide if fmt == "xyxy" else box_convert(wide, fmt, "xyxy")


def _intersection_and_union(op: str, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return two areas of every pair, (N, M) each, in the order of the kernel's operations."""
    check_size(op, (one.shape[0], other.shape[0], 2), one.dtype)
    low = maximum(one[:, None, :2], other[None, :, :2])  # (N, M, 2)
    sides = (minimum(one[:, None, 2:], other[None, :, 2:]) - low).clamp(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    area, other_area = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (one, other))
    return intersection, area[:, None] + other_area[None] - intersection


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Return ``part / whole``; 0, with a gradient of 0, where the whole is 0."""
    nothing = whole == 0
    return where(nothing, 0.0, part / where(nothing, 1.0, whole))
