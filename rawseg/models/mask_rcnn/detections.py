"""From class probabilities and boxes to a list of objects: plain arrays, no gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .selection import LOW_SCORE, select

__all__ = ["Detections", "detect"]


class Detections(NamedTuple):
    """The objects of an image.

    Parameters
    ----------
    boxes : ndarray, shape (D, 4)
        In pixels of the batch, best first.
    scores : ndarray, shape (D,)
        Probabilities.
    labels : ndarray of int64, shape (D,)
        Classes, from 1 on.
    regions : ndarray of int64, shape (D,)
        The proposal that each is made of.
    fates : ndarray of uint8, shape (K, classes - 1)
        What became of every proposal as every class (`rawseg.models.mask_rcnn.FATES`).
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    regions: np.ndarray
    fates: np.ndarray


def detect(
    boxes: np.ndarray,
    scores: np.ndarray,
    size: tuple[int, int],
    *,
    score_from: float,
    smallest: float,
    overlap: float,
    most: int,
) -> Detections:
    """Choose the objects of an image; a region may show one of each class.

    Parameters
    ----------
    boxes : ndarray, shape (K, classes, 4)
        Of every region, as every class.
    scores : ndarray, shape (K, classes)
        Probabilities; class 0 is the background.
    size : (int, int)
        Height and width of the image in the batch.
    score_from : float
        Only probabilities above it count.
    smallest : float
        Least width and height, in pixels.
    overlap : float
        Intersection over union above which the worse of two boxes of one class is suppressed.
    most : int
        Objects of an image.
    """
    regions, classes = scores.shape[0], scores.shape[1] - 1
    boxes, flat = boxes[:, 1:].reshape(-1, 4), scores[:, 1:].ravel()
    labels = np.tile(np.arange(1, classes + 1), regions)
    limits = {"smallest": smallest, "overlap": overlap, "most": most}
    chosen = select(boxes, flat, labels, np.flatnonzero(flat > score_from), size, **limits)
    fates = np.where(flat > score_from, chosen.fates, LOW_SCORE).reshape(regions, classes)
    found = chosen.indices
    return Detections(chosen.boxes, chosen.scores, labels[found], found // max(classes, 1), fates)
