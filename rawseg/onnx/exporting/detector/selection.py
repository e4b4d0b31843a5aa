"""What both choices of boxes share: which are large enough, suppression, the best of what is left."""

from __future__ import annotations

import numpy as np

from ..model_builder import ModelBuilder
from ..versions import reduced, smaller

__all__ = ["best", "columns", "held_back", "suppressed"]


def columns(b: ModelBuilder, x: str, start: int, end: int, axis: int) -> str:
    """Add a slice of one axis."""
    return b.node("Slice", x, b.ints(start), b.ints(end), b.ints(axis))


def held_back(b: ModelBuilder, boxes: str, scores: str, smallest: float, dtype: np.dtype) -> str:
    """Add scores that are -inf where a box (..., 4), given by its corners, is narrower or lower than ``smallest``."""
    sides = b.node("Sub", columns(b, boxes, 2, 4, -1), columns(b, boxes, 0, 2, -1))
    small = b.node("Less", reduced(b, "ReduceMin", sides, [-1], False), b.constant(smallest, dtype))
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
    count = smaller(b, b.ints(most), b.node("Shape", scores))
    return b.node("TopK", scores, count, outputs=2, axis=0, largest=1, sorted=1)[1]
