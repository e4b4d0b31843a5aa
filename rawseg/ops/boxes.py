"""Boxes one by one: their area, their format, the image's edges, the box of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import check_floating, pair, real
from rawseg_kernels._boxes import check_boxes

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..autograd.shaping import stack
from ..device import array_module
from ..errors import ArgumentError, ShapeError
from ..functional.naming import operation

__all__ = ["box_area", "box_convert", "clip_boxes_to_image", "masks_to_boxes", "remove_small_boxes"]

FORMATS = ("xyxy", "xywh", "cxcywh")


def checked_boxes(op: str, argument: str, boxes: Any, positive: bool = False) -> Tensor:
    """Return boxes as a Tensor of shape (N, 4), checked: finite and not inverted (``positive``: nor without an area)."""
    tensor = as_tensor(op, argument, boxes)
    check_floating(op, **{argument: tensor.array})
    check_boxes(op, argument, tensor.array, positive)
    return tensor


def checked_format(op: str, argument: str, value: Any) -> str:
    """Return the name of a box format."""
    if not isinstance(value, str) or value not in FORMATS:
        raise ArgumentError(op, argument, f"one of {FORMATS}", repr(value))
    return value


def coordinates(op: str, boxes: Any, argument: str = "boxes") -> Tensor:
    """Return a Tensor of shape (..., 4), whatever its numbers mean."""
    tensor = as_tensor(op, argument, boxes)
    check_floating(op, **{argument: tensor.array})
    if tensor.ndim < 1 or tensor.shape[-1] != 4:
        raise ShapeError(op, argument, "shape (..., 4)", f"shape {tensor.shape}")
    return tensor


@operation
def box_area(boxes: Any, fmt: str = "xyxy") -> Tensor:
    """Return the area of each box.

    Parameters
    ----------
    boxes : Tensor or ndarray, shape (N, 4)
        float32 or float64.
    fmt : {"xyxy", "xywh", "cxcywh"}
        What the four numbers are; see `box_convert`.

    Returns
    -------
    Tensor, shape (N,)
        Width times height. Differentiable.

    Raises
    ------
    ArgumentError
        If a number is not finite or a box is inverted (PyTorch returns a product of either sign).

    Examples
    --------
    >>> import numpy as np
    >>> box_area(np.array([[1, 2, 4, 4]], np.float32))
    tensor([6.])
    """
    if checked_format("box_area", "fmt", fmt) == "xyxy":
        boxes = checked_boxes("box_area", "boxes", boxes)
        return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    boxes = coordinates("box_area", boxes)
    checked_boxes("box_area", "boxes", box_convert(boxes.detach(), fmt, "xyxy"))
    return boxes[:, 2] * boxes[:, 3]


@operation
def box_convert(boxes: Any, in_fmt: str, out_fmt: str) -> Tensor:
    """Return boxes in another format.

    Parameters
    ----------
    boxes : Tensor or ndarray, shape (..., 4)
        float32 or float64; the numbers are not looked at.
    in_fmt, out_fmt : {"xyxy", "xywh", "cxcywh"}
        Two corners; a corner, width and height; or the centre, width and height.

    Returns
    -------
    Tensor, shape (..., 4)
        A fresh one even if both formats are the same. Linear; differentiable to every order.

    Examples
    --------
    >>> import numpy as np
    >>> box_convert(np.array([1, 2, 4, 4], np.float32), "xyxy", "cxcywh")
    tensor([2.5, 3. , 3. , 2. ])
    """
    tensor = coordinates("box_convert", boxes)
    checked_format("box_convert", "in_fmt", in_fmt)
    checked_format("box_convert", "out_fmt", out_fmt)
    if in_fmt == out_fmt:
        return tensor.clone()
    first, second = tensor[..., :2], tensor[..., 2:]
    if "xyxy" not in (in_fmt, out_fmt):  # width and height stay: as differences of corners they would lose digits
        return _joined(first + 0.5 * second if in_fmt == "xywh" else first - 0.5 * second, second)
    if in_fmt == "xywh":
        second = first + second
    elif in_fmt == "cxcywh":
        first, second = first - 0.5 * second, first + 0.5 * second
    if out_fmt == "xywh":
        second = second - first
    elif out_fmt == "cxcywh":
        first, second = (first + second) / 2, second - first
    return _joined(first, second)


@operation
def clip_boxes_to_image(boxes: Any, size: Any) -> Tensor:
    """Return boxes with their corners moved into an image.

    Parameters
    ----------
    boxes : Tensor or ndarray, shape (..., 4)
        ``(x1, y1, x2, y2)``, float32 or float64; NaN stays NaN.
    size : (int, int)
        Height and width of the image.

    Returns
    -------
    Tensor, shape (..., 4)
        x from 0 to the width, y from 0 to the height. Differentiable; the gradient is 1 at the edges and 0 outside.
    """
    tensor = coordinates("clip_boxes_to_image", boxes)
    height, width = pair("clip_boxes_to_image", "size", size, 0)
    x, y = tensor[..., 0::2].clamp(0, width), tensor[..., 1::2].clamp(0, height)
    return stack([x, y], -1).reshape(*tensor.shape)  # (..., 2 corners, 2 axes) -> (..., 4)


@operation
def remove_small_boxes(boxes: Any, min_size: float) -> Tensor:
    """Return the indices of the boxes whose width and height are both at least ``min_size``.

    Parameters
    ----------
    boxes : Tensor or ndarray, shape (N, 4)
        ``(x1, y1, x2, y2)``, float32 or float64.
    min_size : float
        In pixels; at least 0.

    Returns
    -------
    Tensor of int64, shape (K,)
        In ascending order.

    Raises
    ------
    ArgumentError
        If a corner is not finite or a box is inverted; PyTorch drops such boxes without a word.
    """
    op = "remove_small_boxes"
    tensor = checked_boxes(op, "boxes", boxes)
    smallest = real(op, "min_size", min_size)
    if smallest < 0:
        raise ArgumentError(op, "min_size", "at least 0", smallest)
    sides = tensor.array[:, 2:] - tensor.array[:, :2]
    return Tensor(array_module(sides).flatnonzero((sides >= smallest).all(1)).astype(np.int64))


@operation
def masks_to_boxes(masks: Any) -> Tensor:
    """Return the smallest box around each mask, from the first to the last pixel's index.

    Parameters
    ----------
    masks : Tensor or ndarray, shape (N, H, W)
        bool, or numbers of which all but 0 belong to the object.

    Returns
    -------
    Tensor of float32, shape (N, 4)
        ``(x1, y1, x2, y2)``; a mask of one pixel has a box without an area, as in PyTorch.

    Raises
    ------
    ArgumentError
        If a mask has no pixel.

    Examples
    --------
    >>> import numpy as np
    >>> masks_to_boxes(np.array([[[0, 0, 0], [0, 1, 1]]]))
    tensor([[1., 1., 2., 1.]])
    """
    array = as_tensor("masks_to_boxes", "masks", masks).array
    if array.ndim != 3:
        raise ShapeError("masks_to_boxes", "masks", "shape (N, H, W)", f"shape {array.shape}")
    xp, filled = array_module(array), array != 0
    columns, rows = filled.any(1), filled.any(2)  # (N, W), (N, H)
    empty = ~columns.any(1)
    if empty.any():
        raise ArgumentError("masks_to_boxes", "masks", "at least one pixel in every mask", f"none at {int(empty.argmax())}")
    if not array.shape[0]:
        return Tensor(xp.zeros((0, 4), np.float32))
    low = [axis.argmax(1) for axis in (columns, rows)]
    high = [axis.shape[1] - 1 - axis[:, ::-1].argmax(1) for axis in (columns, rows)]
    return Tensor(xp.stack([*low, *high], 1).astype(np.float32))


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Return (..., 2) and (..., 2) as (..., 4)."""
    return stack([first, second], -2).reshape(*first.shape[:-1], 4)
