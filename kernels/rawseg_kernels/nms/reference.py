"""Plain loops that define non-maximum suppression: take the best box that is left, drop what overlaps it, and again."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: overlaps are computed in double


def forward(boxes, scores, iou_threshold, groups):
    """Return the indices of the kept boxes in the order in which they were taken; of equal scores the first is best."""
    n = scores.size
    left = np.ones(n, np.bool_)
    kept = np.empty(n, np.int64)
    count = 0
    while left.any():
        best = -1
        for i in range(n):
            if left[i] and (best < 0 or scores[i] > scores[best]):
                best = i
        kept[count] = best
        count += 1
        left[best] = False
        x1, y1, x2, y2 = ONE * boxes[best, 0], ONE * boxes[best, 1], ONE * boxes[best, 2], ONE * boxes[best, 3]
        for i in range(n):
            if left[i] and groups[i] == groups[best]:
                w = max(min(x2, ONE * boxes[i, 2]) - max(x1, ONE * boxes[i, 0]), 0.0)
                h = max(min(y2, ONE * boxes[i, 3]) - max(y1, ONE * boxes[i, 1]), 0.0)
                area = (ONE * boxes[i, 2] - ONE * boxes[i, 0]) * (ONE * boxes[i, 3] - ONE * boxes[i, 1])
                union = (x2 - x1) * (y2 - y1) + area - w * h
                if union > 0 and w * h / union > iou_threshold:
                    left[i] = False
    return kept[:count].copy()
