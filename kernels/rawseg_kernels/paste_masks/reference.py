"""Plain loops that define pasting, over a table for the height (``rows``) and one for the width (``columns``) of each mask."""

from __future__ import annotations

import numpy as np


def forward(masks, rows, columns):
    """Interpolate along x in both rows, then between them, inside each box; in the dtype of the masks."""
    row_inside, top, bottom, top_weight, bottom_weight = rows
    column_inside, left, right, left_weight, right_weight = columns
    n, h, w = masks.shape[0], top.shape[1], left.shape[1]
    out = np.zeros((n, h, w), masks.dtype)
    for k in range(n):
        for oh in range(row_inside[k, 0], row_inside[k, 1]):
            above, below = masks[k, top[k, oh]], masks[k, bottom[k, oh]]
            for ow in range(column_inside[k, 0], column_inside[k, 1]):
                upper = left_weight[k, ow] * above[left[k, ow]] + right_weight[k, ow] * above[right[k, ow]]
                lower = left_weight[k, ow] * below[left[k, ow]] + right_weight[k, ow] * below[right[k, ow]]
                out[k, oh, ow] = top_weight[k, oh] * upper + bottom_weight[k, oh] * lower
    return out
