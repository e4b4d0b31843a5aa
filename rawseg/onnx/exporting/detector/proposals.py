"""Where objects could be: the best anchors of each level, moved, suppressed and joined."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....autograd import Tensor
from ....ops import clip_boxes_to_image
from ..model_builder import ModelBuilder
from ..versions import unsqueezed
from .sections import ROWS, some_boxes, write_section
from .selection import best, columns, held_back, suppressed

__all__ = ["write_proposals"]


def write_proposals(
    b: ModelBuilder, model: Any, objectness: str, deltas: str, anchors: list[np.ndarray], size: tuple[int, int]
) -> str:
    """Add the choice of proposals (`rawseg.models.mask_rcnn.rpn.RegionProposals.propose`).

    Parameters
    ----------
    b : ModelBuilder
        Receives the nodes.
    model : MaskRCNN
        In eval mode.
    objectness, deltas : str
        Names of the logits (K,) and the codes (K, 4) of all anchors.
    anchors : list of ndarray
        Those of each level.
    size : (int, int)
        Height and width of the image in the batch.

    Returns
    -------
    str
        Name of the boxes (P, 4), the best first.
    """
    rpn, dtype = model.rpn, anchors[0].dtype
    b.path = "/rpn/proposals"
    most, start, places, counts = rpn.proposals[1], 0, [], []
    for level in anchors:
        count = min(most, len(level))
        own = columns(b, objectness, start, start + len(level), 0)
        found = b.node("TopK", own, b.ints(count), outputs=2, axis=0, largest=1, sorted=1)[1]
        places.append(b.node("Add", found, b.ints(start)))
        counts.append(count)
        start += len(level)
    chosen = b.node("Concat", *places, axis=0) if len(places) > 1 else places[0]
    logits, codes = (b.node("Gather", name, chosen, axis=0) for name in (objectness, deltas))
    moved = b.node("Gather", b.constant(np.concatenate(anchors)), chosen, axis=0)

    def inside(own_codes: Tensor, own_anchors: Tensor) -> Tensor:
        return clip_boxes_to_image(rpn.coder.decode_single(own_codes, own_anchors), size)

    examples = [(np.ones((rows, 4), dtype) / rows, some_boxes(rows, dtype)) for rows in ROWS]
    (boxes,) = write_section(b, model, inside, examples, [codes, moved])
    b.path = "/rpn/proposals"
    scores = b.cast(b.node("Sigmoid", b.cast(logits, np.float64)), b.dtype(dtype))  # rounded once, as rawseg ranks them
    usable = held_back(b, boxes, scores, rpn.smallest, dtype)
    kept = _survivors(b, boxes, usable, counts, most, rpn.overlap)
    order = best(b, b.node("Gather", scores, kept, axis=0), most)
    return b.node("Gather", boxes, b.node("Gather", kept, order, axis=0), axis=0)


def _survivors(b: ModelBuilder, boxes: str, scores: str, counts: list[int], most: int, overlap: float) -> str:
    """Add the places of what no better box of its level overlaps."""
    kept, start = [], 0
    for count in counts:
        own_boxes = unsqueezed(b, columns(b, boxes, start, start + count, 0), 0)
        own_scores = unsqueezed(b, unsqueezed(b, columns(b, scores, start, start + count, 0), 0), 0)
        found = suppressed(b, own_boxes, own_scores, most, overlap, -1.0)  # a probability is never below 0
        kept.append(b.node("Add", b.node("Reshape", columns(b, found, 2, 3, 1), b.ints(-1)), b.ints(start)))
        start += count
    return b.node("Concat", *kept, axis=0) if len(kept) > 1 else kept[0]
