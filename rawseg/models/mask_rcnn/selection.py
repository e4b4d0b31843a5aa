"""Which boxes go on, and why the others do not: plain arrays on the CPU, no gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...ops import batched_nms, clip_boxes_to_image, remove_small_boxes

__all__ = ["FATES", "KEPT", "Selection", "select"]

# What can become of a box, in the order of the tests; the first that it fails is its fate.
FATES = ("kept", "not among the best of its level", "score too low", "too small", "overlaps a better one", "too many")
KEPT, LOW_RANK, LOW_SCORE, SMALL, OVERLAPPING, SURPLUS = range(len(FATES))


class Selection(NamedTuple):
    """Boxes of one image.

    Parameters
    ----------
    boxes : ndarray, shape (K, 4)
        The chosen ones, clipped to the image, best first.
    scores : ndarray, shape (K,)
        Theirs.
    indices : ndarray of int64, shape (K,)
        Where they were among all boxes.
    fates : ndarray of uint8, shape (all,)
        What became of every box; `FATES` names it.
    """

    boxes: np.ndarray
    scores: np.ndarray
    indices: np.ndarray
    fates: np.ndarray


def best_of_groups(ranks: np.ndarray, groups: list[int], most: int) -> np.ndarray:
    """Return the indices of the ``most`` highest numbers of each of some groups that lie one after the other.

    Equal numbers go in the order of their indices, NaN last.
    """
    found, start = [], 0
    for length in groups:
        found.append(start + np.argsort(-ranks[start : start + length], kind="stable")[:most])
        start += length
    return np.concatenate(found)


def select(
    boxes: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    candidates: np.ndarray,
    size: tuple[int, int],
    *,
    smallest: float,
    overlap: float,
    most: int,
) -> Selection:
    """Clip boxes to the image, drop small ones, suppress those that overlap a better one of their group, keep the best.

    Parameters
    ----------
    boxes : ndarray, shape (K, 4)
        ``(x1, y1, x2, y2)``.
    scores : ndarray, shape (K,)
        Of the same dtype.
    groups : ndarray of int64, shape (K,)
        Only boxes of one group (a level, a class) suppress each other.
    candidates : ndarray of int64
        The boxes that are looked at, in the order in which equal scores are ranked; all others keep the fate `LOW_RANK`.
    size : (int, int)
        Height and width of the image.
    smallest : float
        Least width and height, in pixels.
    overlap : float
        Intersection over union above which a box is suppressed.
    most : int
        How many go on.
    """
    fates = np.full(len(boxes), LOW_RANK, np.uint8)
    fates[candidates] = SMALL
    inside = clip_boxes_to_image(boxes[candidates], size).array
    large = remove_small_boxes(inside, smallest).array
    inside, candidates = inside[large], candidates[large]
    fates[candidates] = OVERLAPPING
    kept = batched_nms(inside, scores[candidates], groups[candidates], overlap).array
    fates[candidates[kept]] = SURPLUS
    kept = kept[:most]
    fates[candidates[kept]] = KEPT
    indices = candidates[kept]
    return Selection(inside[kept], scores[indices], indices, fates)
