"""Suppression block by block, in the order of the scores: only the boxes of one block have to wait for each other.

The boxes of a block are settled one after another; those that survive are final, and every later box meets them in parallel.
// per pair: some 15 float64 operations with one division, in vectors; N K / 2 pairs for N boxes of which K survive
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel, piece
from .._threads import launch

BLOCK = 256  # boxes settled at a time
TILE = 1024  # later boxes that one task owns
PAIR_WORK = 8  # scalar operations a pair, in units of `launch`


def forward(boxes, scores, iou_threshold, groups):
    """See ``reference.forward``: the same comparisons, of which it leaves out those that no longer matter."""
    n = scores.size
    order = np.lexsort((-scores, groups))  # group by group, each from its best score down; stable, so ties keep their order
    corners = boxes[order].T.astype(np.float64, order="C")  # (4, N)
    ends = np.searchsorted(groups[order], groups[order], side="right")  # where each box's group ends
    areas = (corners[2] - corners[0]) * (corners[3] - corners[1])
    left = np.ones(n, np.bool_)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        later = int(ends[stop - 1]) - stop
        arrays = corners, areas, ends, left, iou_threshold, start, stop
        _settle(*arrays)
        if later > 0:
            launch(_suppress, -(-later // TILE), *arrays, work=PAIR_WORK * later * int(left[start:stop].sum()))
    kept = np.sort(order[left])
    return kept[np.argsort(-scores[kept], kind="stable")]


@kernel
def _settle(corners, areas, ends, left, iou_threshold, start, stop):
    """Let the boxes of one block suppress each other, the best first."""
    for best in range(start, stop):
        if left[best]:
            _drop(corners, areas, left, iou_threshold, best, best + 1, min(stop, ends[best]))


@kernel
def _suppress(first, last, corners, areas, ends, left, iou_threshold, start, stop):
    """Let the survivors of a block suppress later boxes; one task is one tile of these."""
    for task in range(first, last):
        low = stop + task * TILE
        for best in range(start, stop):
            if left[best]:
                _drop(corners, areas, left, iou_threshold, best, low, min(low + TILE, ends[best]))


@piece
def _drop(corners, areas, left, iou_threshold, best, low, high):
    """Drop the boxes from ``low`` to ``high`` that overlap one box by more than the threshold; 0/0 is NaN and drops nothing."""
    if high <= low:
        return
    x1, y1, x2, y2 = corners[0, low:high], corners[1, low:high], corners[2, low:high], corners[3, low:high]
    area, stays = areas[low:high], left[low:high]
    best_x1, best_y1, best_x2, best_y2 = corners[0, best], corners[1, best], corners[2, best], corners[3, best]
    best_area = areas[best]
    for i in range(stays.size):
        w = max(min(best_x2, x2[i]) - max(best_x1, x1[i]), 0.0)
        h = max(min(best_y2, y2[i]) - max(best_y1, y1[i]), 0.0)
        inter = w * h
        stays[i] = stays[i] and not inter / (best_area + area[i] - inter) > iou_threshold
