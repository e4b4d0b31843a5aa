"""Which object a box stands for, and which boxes a step learns from: plain arrays, no gradients."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

__all__ = ["BETWEEN", "NOTHING", "BalancedSampler", "Drawn", "Sampler", "match"]

NOTHING, BETWEEN = -1, -2  # in place of an object's index: background, and neither object nor background


def match(overlaps: np.ndarray, high: float, low: float, rescue: bool) -> np.ndarray:
    """Return the object of every box.

    Parameters
    ----------
    overlaps : ndarray, shape (M, K)
        Intersection over union of M objects and K boxes.
    high, low : float
        From ``high`` on a box stands for the object that it overlaps most; below ``low`` it is background.
    rescue : bool
        Boxes that overlap an object more than any other box does (all that tie) stand for the object that *they* overlap
        most, however little that is: no object is left out (Ren et al., arXiv 1506.01497, section 3.1.2).

    Returns
    -------
    ndarray of int64, shape (K,)
        An object's index, `NOTHING` or `BETWEEN`. Of equal overlaps the first object counts.
    """
    if len(overlaps) == 0:
        return np.full(overlaps.shape[1], NOTHING)
    nearest = overlaps.argmax(0)
    most = overlaps[nearest, np.arange(overlaps.shape[1])]
    found = np.where(most >= high, nearest, np.where(most < low, NOTHING, BETWEEN))
    if rescue and overlaps.shape[1]:
        best = overlaps.max(1, keepdims=True)
        best_of_object = ((overlaps == best) & (best > 0)).any(0)  # an object that no box touches has no best one
        found[best_of_object] = nearest[best_of_object]
    return found


class Drawn(NamedTuple):
    """Indices of boxes, each in ascending order: those that stand for an object, and those that are background."""

    positive: np.ndarray
    negative: np.ndarray


class Sampler(Protocol):
    """Chooses the boxes of an image that a step learns from."""

    def __call__(self, labels: np.ndarray, rng: np.random.Generator, /) -> Drawn:
        """Return which boxes are drawn of those with a label of 1 and more (an object) and of 0 (background)."""
        ...


class BalancedSampler:
    """A fixed number of boxes, of which at most a share stands for objects: else background would outvote everything.

    Parameters
    ----------
    count : int
        Boxes of an image; fewer where there are not as many.
    positive : float
        Largest share of those that stand for an object.
    """

    def __init__(self, count: int, positive: float) -> None:
        self.count, self.positive = count, positive

    def __call__(self, labels: np.ndarray, rng: np.random.Generator) -> Drawn:
        """Draw without replacement."""
        objects, background = np.flatnonzero(labels >= 1), np.flatnonzero(labels == 0)
        wanted = min(len(objects), int(self.count * self.positive))
        rest = min(len(background), self.count - wanted)
        return Drawn(*(np.sort(rng.permutation(pool)[:n]) for pool, n in ((objects, wanted), (background, rest))))
