"""RoiAlign, MaxRoiPool and NonMaxSuppression."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...autograd import Tensor
from ...autograd.shaping import cat
from ...device import array_module
from ..node import Node
from .registry import operator


@operator("RoiAlign", since=10, widens=True)
def roi_align(node: Node, x: Tensor, rois: Tensor, batch_indices: Tensor) -> Tensor:
    """Resample boxes to one size; until version 16 of the set half a pixel off, as the original."""
    if rois.ndim != 2 or batch_indices.ndim != 1 or len(batch_indices) != len(rois):
        node.refuse("batch_indices", f"one number for each of rois {rois.shape}", f"shape {batch_indices.shape}")
    mode = node.attribute("mode", "avg")
    if mode not in ("avg", "max"):
        node.refuse("mode", "avg or max", repr(mode))
    shift = node.attribute("coordinate_transformation_mode", "half_pixel" if node.version >= 16 else "output_half_pixel")
    if shift not in ("half_pixel", "output_half_pixel"):
        node.refuse("coordinate_transformation_mode", "half_pixel or output_half_pixel", repr(shift))
    boxes = cat([batch_indices.astype(rois.dtype).unsqueeze(1), rois], 1)
    size = node.attribute("output_height", 1), node.attribute("output_width", 1)
    options: dict[str, Any] = {
        "spatial_scale": node.attribute("spatial_scale", 1.0),
        "sampling_ratio": node.attribute("sampling_ratio", 0),
    }
    return ops.roi_align(x, boxes, size, **options, aligned=shift == "half_pixel", mode=mode)


@operator("MaxRoiPool", widens=True)
def max_roi_pool(node: Node, x: Tensor, rois: Tensor) -> Tensor:
    """Return the largest pixel in every bin of rounded boxes."""
    return ops.roi_pool(x, rois, tuple(node.attributes["pooled_shape"]), node.attribute("spatial_scale", 1.0))


@operator("NonMaxSuppression", since=10, widens=True)
def non_max_suppression(
    node: Node, boxes: Tensor, scores: Tensor, most: Any = None, iou_threshold: Any = None, score_threshold: Any = None
) -> Tensor:
    """Return (image, class, box) of the kept boxes, in the order of images, classes and falling scores."""
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.ndim != 3 or scores.shape[::2] != boxes.shape[:2]:
        node.refuse("scores", f"(N, classes, boxes) for boxes {boxes.shape} of shape (N, boxes, 4)", f"shape {scores.shape}")
    most = 0 if most is None else max(0, int(most))
    overlap = 0.0 if iou_threshold is None else float(iou_threshold)
    corners = _corners(node, boxes.array)
    found = []
    for image, of_image in enumerate(scores.array):
        for kind, rating in enumerate(of_image):
            places = array_module(rating).arange(len(rating))
            if score_threshold is not None:
                places = places[rating > float(score_threshold)]
            kept = places[ops.nms(corners[image][places], rating[places], overlap).array[:most]]
            found += [(image, kind, int(box)) for box in kept]
    return Tensor(array_module(boxes.array).asarray(np.array(found, np.int64).reshape(-1, 3)))


def _corners(node: Node, boxes: Any) -> Any:
    """Return boxes as (low, low, high, high); any two opposite corners are allowed."""
    xp = array_module(boxes)
    if node.attribute("center_point_box", 0):
        centre, half = boxes[..., :2], boxes[..., 2:] / 2
        first, second = centre - half, centre + half
    else:
        first, second = boxes[..., :2], boxes[..., 2:]
    return xp.concatenate([xp.minimum(first, second), xp.maximum(first, second)], -1)
