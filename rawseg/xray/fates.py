"""Why boxes died: by which better box each suppressed one was suppressed, and by how much the two overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..autograd import Tensor, no_grad
from ..functional import softmax
from ..models.mask_rcnn import FATES, MaskRCNN
from ..models.mask_rcnn.selection import KEPT, LOW_RANK, OVERLAPPING, SURPLUS
from ..ops import box_iou, clip_boxes_to_image

__all__ = ["Candidates", "Suppressed", "candidates_of_detections", "candidates_of_proposals", "counts", "suppressed"]


class Candidates(NamedTuple):
    """The boxes among which a stage chose.

    Parameters
    ----------
    boxes : ndarray, shape (K, 4)
        In pixels of the batch, clipped to the image; zeros for those that were never made.
    ranks : ndarray, shape (K,)
        By which they were sorted, highest first.
    groups : ndarray of int64, shape (K,)
        Levels or classes: only boxes of one group suppress each other.
    fates : ndarray of uint8, shape (K,)
        What became of each, an index of `rawseg.models.mask_rcnn.FATES`.
    overlap : float
        Intersection over union above which the worse was suppressed.
    """

    boxes: np.ndarray
    ranks: np.ndarray
    groups: np.ndarray
    fates: np.ndarray
    overlap: float


class Suppressed(NamedTuple):
    """The suppressed boxes, best first.

    Parameters
    ----------
    indices, by : ndarray of int64, shape (S,)
        A suppressed box and the kept one that suppressed it.
    overlaps : ndarray, shape (S,)
        Their intersection over union.
    """

    indices: np.ndarray
    by: np.ndarray
    overlaps: np.ndarray


def candidates_of_proposals(model: MaskRCNN, arrays: Mapping[str, np.ndarray]) -> Candidates:
    """Return the boxes of all anchors of a dump, with the logits of an object as ranks and levels as groups."""
    levels = levels_of(arrays, "anchors")
    anchors, fates, logits = np.concatenate(levels), arrays["anchor_fates.0"], arrays["objectness"][0]
    made = np.flatnonzero(fates != LOW_RANK)
    boxes = np.zeros_like(anchors)
    with no_grad():
        decoded = model.rpn.coder.decode_single(arrays["deltas"][0, made], anchors[made])
        boxes[made] = clip_boxes_to_image(decoded, size_of(arrays)).array
    groups = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
    return Candidates(boxes, logits, groups, fates, model.rpn.overlap)


def candidates_of_detections(model: MaskRCNN, arrays: Mapping[str, np.ndarray]) -> Candidates:
    """Return the boxes of all regions as all classes but the background, with probabilities as ranks and classes as groups."""
    heads, proposals = model.roi_heads, arrays["proposals.0"]
    classes = arrays["class_logits"].shape[1]
    with no_grad():
        decoded = heads.coder.decode(Tensor(arrays["box_codes"]), [Tensor(proposals)])[:, 1:].reshape(-1, 4)
        boxes = clip_boxes_to_image(decoded, size_of(arrays)).array
    ranks = probabilities(arrays)[:, 1:].ravel()
    groups = np.tile(np.arange(1, classes), len(proposals))
    return Candidates(boxes, ranks, groups, arrays["detection_fates.0"].ravel(), heads.overlap)


def suppressed(candidates: Candidates) -> Suppressed:
    """Tell for every suppressed box which kept one suppressed it: the best of its group that overlaps it too much.

    A kept box that was one too many for the list suppresses as well.
    """
    boxes, ranks, groups, fates, overlap = candidates
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for group in np.unique(groups[fates == OVERLAPPING]):
        own = np.flatnonzero((groups == group) & np.isin(fates, (KEPT, OVERLAPPING, SURPLUS)))
        own = own[np.argsort(-ranks[own], kind="stable")]  # equal ranks in the order of the boxes, as they were chosen
        dead = fates[own] == OVERLAPPING
        overlaps = box_iou(boxes[own[dead]], boxes[own[~dead]]).array  # (dead, kept)
        guilty = overlaps > overlap  # best first, and a dead box has a guilty one before it
        by = np.where(guilty.any(1), guilty.argmax(1), overlaps.argmax(1))  # the suppression did not round the overlap
        found.append((own[dead], own[~dead][by], overlaps[np.arange(len(by)), by]))
    if not found:
        return Suppressed(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, boxes.dtype))
    indices, by, overlaps = (np.concatenate(parts) for parts in zip(*found))
    order = np.argsort(-ranks[indices], kind="stable")
    return Suppressed(indices[order], by[order], overlaps[order])


def counts(fates: np.ndarray) -> dict[str, int]:
    """Return how many boxes had each fate, in the order of `rawseg.models.mask_rcnn.FATES`."""
    return dict(zip(FATES, np.bincount(fates.ravel(), minlength=len(FATES)).tolist()))


def probabilities(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the probabilities of the classes of all regions of a dump, shape (K, classes)."""
    return softmax(Tensor(arrays["class_logits"]), 1).array


def levels_of(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Return a value's arrays, one for each level."""
    return [array for key, array in arrays.items() if key.startswith(f"{name}.")]


def size_of(arrays: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """Return height and width of the image in the batch, without padding."""
    height, width = arrays["sizes.0"].tolist()
    return height, width
