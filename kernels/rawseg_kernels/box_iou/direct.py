"""Overlaps row by row: one box against all of the other set, corner by corner, so that the pairs run in vectors.

// per pair: some 15 float64 operations with one division; 4 or 8 bytes written
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._threads import launch

PAIR_WORK = 8  # scalar operations a pair, in units of `launch`


def forward(boxes1, boxes2):
    """See ``reference.forward``: the same operations, so the same bits."""
    out = empty((boxes1.shape[0], boxes2.shape[0]), boxes1.dtype)
    one, other = (boxes.T.astype(np.float64, order="C") for boxes in (boxes1, boxes2))  # (4, N), (4, M)
    launch(_pairs, boxes1.shape[0], one, _areas(one), other, _areas(other), out, work=PAIR_WORK * out.size)
    return out


def _areas(corners):
    return (corners[2] - corners[0]) * (corners[3] - corners[1])


@kernel
def _pairs(first, last, one, one_areas, other, other_areas, out):
    """One task is one row of the output."""
    x1, y1, x2, y2 = other[0], other[1], other[2], other[3]
    for task in range(first, last):
        left, top, right, bottom, area = one[0, task], one[1, task], one[2, task], one[3, task], one_areas[task]
        row = out[task]
        for i in range(row.size):
            w = max(min(right, x2[i]) - max(left, x1[i]), 0.0)
            h = max(min(bottom, y2[i]) - max(top, y1[i]), 0.0)
            union = area + other_areas[i] - w * h
            row[i] = w * h / union if union > 0 else 0.0
