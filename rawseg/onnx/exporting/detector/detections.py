"""From class probabilities and boxes to a list of objects."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ....autograd import Tensor
from ....ops import clip_boxes_to_image
from ..model_builder import ModelBuilder
from ..versions import unsqueezed
from .sections import ROWS, some_boxes, write_section
from .selection import best, columns, held_back, suppressed

__all__ = ["Found", "write_detections"]


class Found(NamedTuple):
    """Names of what was found: boxes (D, 4) in pixels of the batch, labels (D,) and scores (D,)."""

    boxes: str
    labels: str
    scores: str


def write_detections(
    b: ModelBuilder, model: Any, logits: str, codes: str, proposals: str, size: tuple[int, int], dtype: np.dtype
) -> Found:
    """Add the choice of objects (`rawseg.models.mask_rcnn.detections.detect`).

    Parameters
    ----------
    b : ModelBuilder
        Receives the nodes.
    model : MaskRCNN
        In eval mode.
    logits, codes, proposals : str
        Names of (K, classes), (K, 4 * classes) and (K, 4).
    size : (int, int)
        Height and width of the image in the batch.
    dtype : dtype
        Of the network.
    """
    heads, objects = model.roi_heads, model.config["classes"] - 1  # without the background

    def inside(own_codes: Tensor, own_proposals: Tensor) -> Tensor:
        return clip_boxes_to_image(heads.coder.decode(own_codes, [own_proposals])[:, 1:], size)  # (K, objects, 4)

    examples = [(np.ones((rows, 4 * objects + 4), dtype) / rows, some_boxes(rows, dtype)) for rows in ROWS]
    (boxes,) = write_section(b, model, inside, examples, [codes, proposals])
    b.path = "/roi_heads/detections"
    likely = b.cast(b.node("Softmax", b.cast(logits, np.float64), axis=1), b.dtype(dtype))  # rounded once, as rawseg ranks them
    scores = columns(b, likely, 1, objects + 1, 1)  # (K, objects)
    usable = b.node("Transpose", held_back(b, boxes, scores, heads.smallest, dtype), perm=[1, 0])
    by_class = b.node("Transpose", boxes, perm=[1, 0, 2])  # (objects, K, 4)
    found = suppressed(b, by_class, unsqueezed(b, usable, 1), heads.most, heads.overlap, heads.score_from)
    place = b.node("Mul", columns(b, found, 2, 3, 1), b.ints(objects))
    flat = b.node("Reshape", b.node("Add", place, columns(b, found, 0, 1, 1)), b.ints(-1))  # region after region
    every = b.node("Shape", flat)
    flat = b.node("TopK", flat, every, outputs=2, axis=0, largest=0, sorted=1)[0]  # equal scores are ranked in this order
    flat_scores = b.node("Reshape", scores, b.ints(-1))
    flat = b.node("Gather", flat, best(b, b.node("Gather", flat_scores, flat, axis=0), heads.most), axis=0)
    labels = b.node("Add", b.node("Mod", flat, b.ints(objects)), b.ints(1))
    own_boxes = b.node("Gather", b.node("Reshape", boxes, b.ints(-1, 4)), flat, axis=0)
    return Found(own_boxes, labels, b.node("Gather", flat_scores, flat, axis=0))
