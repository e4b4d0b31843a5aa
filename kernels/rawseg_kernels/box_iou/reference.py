"""Plain loops that define the overlap of boxes."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: overlaps are computed in double and rounded once


def forward(boxes1, boxes2):
    """Return intersection over union of every pair; 0 where both areas are 0."""
    n, m = boxes1.shape[0], boxes2.shape[0]
    out = np.zeros((n, m), boxes1.dtype)
    for i in range(n):
        x1, y1, x2, y2 = ONE * boxes1[i, 0], ONE * boxes1[i, 1], ONE * boxes1[i, 2], ONE * boxes1[i, 3]
        for j in range(m):
            w = max(min(x2, ONE * boxes2[j, 2]) - max(x1, ONE * boxes2[j, 0]), 0.0)
            h = max(min(y2, ONE * boxes2[j, 3]) - max(y1, ONE * boxes2[j, 1]), 0.0)
            area = (ONE * boxes2[j, 2] - ONE * boxes2[j, 0]) * (ONE * boxes2[j, 3] - ONE * boxes2[j, 1])
            union = (x2 - x1) * (y2 - y1) + area - w * h
            if union > 0:
                out[i, j] = w * h / union
    return out
