"""RoIWarp: the grid of RoIAlign on a box that was first rounded to whole pixels of the map, as RoIPool rounds it.

A box reaches from ``s = round(x1 * spatial_scale)`` over ``max(round(x2 * spatial_scale) - s + 1, 1)`` pixels, halves rounded
away from zero, and the same down. Samples lie at ``s + (p + (i + 1/2) / g) * extent / out_w`` for sample i of g in bin p, with
the centre of pixel j at j: the interpolation ``max(0, 1 - |x + u' w / W' - u|)`` of Dai, He and Sun, "Instance-aware semantic
segmentation via multi-task network cascades" (arXiv 1512.04412, section 3.2), taken in the middle of each sample's share of the
bin. This is the quantised rival of RoIAlign in table 2c of "Mask R-CNN" (arXiv 1703.06870).

Only the grid is RoIWarp's own: its tables go to ``roi_align.forward`` and its adjoints. Rounding has no derivative, so neither
do the boxes.
"""

from __future__ import annotations

from typing import Any

from .. import _roi, _roi_grid

OP = "roi_warp"


def warp_grid(x: Any, boxes: Any, output_size: Any, spatial_scale: Any = 1.0, sampling_ratio: Any = -1) -> _roi_grid.Grid:
    """Check boxes, round them and lay the sampling grid over them; parameters and errors as in ``sample_grid``."""
    boxes, _, scale = _roi.checked(OP, x, boxes, spatial_scale)
    (top, rows), (left, columns) = _roi.rounded(boxes, scale)
    starts = top.astype(boxes.dtype), left.astype(boxes.dtype)
    extents = rows.astype(boxes.dtype), columns.astype(boxes.dtype)
    return _roi_grid.sample_grid(OP, x, boxes, starts, extents, output_size, sampling_ratio)
