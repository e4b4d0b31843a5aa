"""What every operation on boxes asks of them: shape (N, 4), finite corners (x1, y1, x2, y2), none inverted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._arrays import check_rank
from ._errors import ArgumentError, ShapeError

LARGEST = 2.0**500  # of a corner in float64: areas and their sums stay finite (float32 corners are all smaller)


def check_boxes(op: str, argument: str, boxes: Any, positive: bool = False) -> None:
    """Check boxes for shape and contents; the message tells the first that is at fault.

    Parameters
    ----------
    op, argument : str
        What the message begins with.
    boxes : ndarray, shape (N, 4)
        float32 or float64, already checked for that.
    positive : bool
        Refuse boxes without an area too.
    """
    check_rank(op, argument, boxes, "(N, 4)")
    if boxes.shape[1] != 4:
        raise ShapeError(op, argument, "shape (N, 4)", f"shape {boxes.shape}")
    bad = ~(abs(boxes) <= min(LARGEST, float(np.finfo(boxes.dtype).max)))  # NaN is bad
    if bad.any():
        row, column = divmod(int(bad.argmax()), 4)
        expected = f"corners of at most {LARGEST}" if abs(float(boxes[row, column])) < math.inf else "finite corners"
        raise ArgumentError(op, argument, expected, f"{boxes[row, column]} at {(row, column)}")
    low, high = boxes[:, :2], boxes[:, 2:]
    bad = ~((high > low) if positive else (high >= low)).all(1)
    if bad.any():
        row = int(bad.argmax())
        sign = "<" if positive else "<="
        corners = tuple(float(corner) for corner in boxes[row])
        raise ArgumentError(op, argument, f"x1 {sign} x2 and y1 {sign} y2", f"{corners} at {row}")
