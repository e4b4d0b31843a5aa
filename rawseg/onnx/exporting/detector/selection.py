"""What both choices of boxes share: which are large enough, suppression, the best of what is left."""

from __future__ import annotations

import numpy as np

from ..model_builder import ModelBuilder

__all__ = ["best", "columns", "held_back", "suppressed", "unsqueezed"]


def columns(b: ModelBuilder, x: str, start: int, end: int, axis: int) -> str:
    """Add a slice of one axis."""
    return b.node("Slice", x, b.ints(start), b.ints(end), b.ints(axis))


def unsqueezed(b: ModelBuilder, x: str, axis: int) -> str:
    """Add a new axis; which one became an input with opset 13."""
    return b.node("Unsqueeze", x, b.ints(axis)) if b.opset >= 13 else b.node("Unsqueeze", x, axes=[axis])


def held_back(b: ModelBuilder, boxes: str, scores: str, smallest: float, dtype: np.dtype) -> str:
    """Add scores that are -inf where a box (..., 4), given by its corners, is narrower or lower than ``smallest``."""
    sides = b.node("Sub", columns(b, boxes, 2, 4, -1), columns(b, boxes, 0, 2, -1))
    axes = {"axes": [-1]} if b.opset < 18 else {}
    least = b.node("ReduceMin", sides, *([] if axes else [b.ints(-1)]), keepdims=0, **axes)
    small = b.node("Less", least, b.constant(smallest, dtype))
    return b.node("Where", small, b.constant(-np.inf, dtype), scores)


def suppressed(b: ModelBuilder, boxes: str, scores: str, most: int, overlap: float, score_from: float) -> str:
    """Add non-maximum suppression of boxes (groups, K, 4) with scores (groups, 1, K), group by group.

    Returns
    -------
    str
        Name of (group, 0, place) of each box that is kept, group after group, the best first, equal ones by their places.
    """
    limits = b.ints(most), b.constant([overlap], np.float32), b.constant([score_from], np.float32)
    return b.node("NonMaxSuppression", boxes, scores, *limits)


def best(b: ModelBuilder, scores: str, most: int) -> str:
    """Add the places of the ``most`` highest of any number of scores, the highest first, equal ones by their places."""
    count = b.node("Min", b.ints(most), b.node("Shape", scores)) if b.opset >= 12 else _smaller(b, most, scores)
    return b.node("TopK", scores, count, outputs=2, axis=0, largest=1, sorted=1)[1]


def _smaller(b: ModelBuilder, most: int, scores: str) -> str:
    """Add the smaller of a number and a length: ``Min`` takes int64 only from opset 12 on."""
    length, limit = b.node("Shape", scores), b.ints(most)
    return b.node("Where", b.node("Less", length, limit), length, limit)
