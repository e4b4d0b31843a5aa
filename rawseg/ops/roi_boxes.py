"""Boxes as the operations on regions take them: (K, 5) with the batch index first, or a list with one entry an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..autograd.shaping import cat
from ..device import array_module
from ..errors import ArgumentTypeError, DTypeError, ShapeError

__all__ = ["as_rois"]


def as_rois(op: str, x: Tensor, boxes: Any) -> Tensor:
    """Return boxes as a Tensor (K, 5); gradients flow back to the boxes as they were given, 0 to the batch indices."""
    if not isinstance(boxes, (list, tuple)):
        return as_tensor(op, "boxes", boxes)
    if x.ndim == 4 and len(boxes) != x.shape[0]:
        raise ShapeError(op, "boxes", f"{x.shape[0]} entries, one for each image of input", len(boxes))
    parts = []
    for image, entry in enumerate(boxes):
        name = f"boxes[{image}]"
        if isinstance(entry, (bool, int, float)):
            raise ArgumentTypeError(op, name, "a Tensor or an array", type(entry).__name__)
        entry = as_tensor(op, name, entry)
        if entry.ndim != 2 or entry.shape[1] != 4:
            raise ShapeError(op, name, "shape (L, 4), (x1, y1, x2, y2)", f"shape {entry.shape}")
        if entry.dtype != x.dtype:
            raise DTypeError(op, name, f"{x.dtype}, the dtype of input", entry.dtype)
        index = array_module(entry.array).full((entry.shape[0], 1), image, entry.dtype)
        parts.append(cat([Tensor(index), entry], 1))
    return cat(parts, 0) if parts else Tensor(np.zeros((0, 5), x.dtype))
