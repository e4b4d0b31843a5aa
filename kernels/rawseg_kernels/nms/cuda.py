"""Suppression in CUDA: a bit for every pair of boxes that overlaps too much, and one block that settles them; see ``nms.cu``.

The decisions are those of the loops. Bits are made for so many boxes at a time that their memory grows with N, not its square.
Nothing of them comes to the host, but at the end how many boxes are kept: the size of the result.
"""

from __future__ import annotations

import numpy as np

from .._arrays import module_of
from .._cuda import Source, empty, zeros

kernel = Source(__file__, "nms.cu").kernel

WORD = 64  # boxes whose bits are one number
STRIP = 8192  # boxes that are settled at a time, whole words
THREADS = 256  # of the block that settles


def forward(boxes, scores, iou_threshold, groups):
    """See ``reference.forward``."""
    count = scores.size
    order = module_of(scores).argsort(0 - scores, kind="stable")  # equal scores in the order of their indices, -0 and 0 too
    boxes, groups, words = boxes[order], groups[order], -(-count // WORD)
    mask = empty(boxes, (min(count, STRIP), words), np.int64)
    removed, keep = zeros(boxes, (words,), np.int64), empty(boxes, (count,), np.bool_)
    for first in range(0, count, STRIP):
        rows = min(STRIP, count - first)
        run = kernel("nms_overlaps", boxes.dtype)
        run(rows * words, boxes, groups, mask, first, rows, count, words, iou_threshold)
        kernel("nms_settle", boxes.dtype).launch((1,), (THREADS,), mask, removed, keep, first, rows, words)
    return order[keep].astype(np.int64, copy=False)
