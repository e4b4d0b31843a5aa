"""The quick check of a whole input: two differences an element, and which elements need a closer look."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .differences import ROUNDINGS, Difference, Probe
from .ladder import SHARP
from .verdicts import GRADIENT_ROUNDINGS


class Survey(NamedTuple):
    """Of every element of an input: the numeric gradient, the tolerance, the error, and whether to look closer."""

    numeric: np.ndarray
    tolerance: np.ndarray
    error: np.ndarray
    suspect: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Where the error is beyond the tolerance, or is no number."""
        return np.asarray(~(self.error <= self.tolerance))  # of a number alone NumPy makes no array

    def worst_first(self) -> list[tuple[int, ...]]:
        """Return the elements to look at, those with the largest error in parts of its tolerance first."""
        with np.errstate(all="ignore"):
            ratio = np.where(self.suspect, self.error / self.tolerance, -1.0)
        order = np.argsort(-np.nan_to_num(ratio, nan=math.inf).ravel(), kind="stable")[: np.count_nonzero(self.suspect)]
        return [tuple(int(i) for i in np.unravel_index(number, self.suspect.shape)) for number in order]


def survey(probe: Probe, position: int, analytic: np.ndarray, step: float) -> Survey:
    """Compare every element of a gradient with two differences, of the step and of half of it.

    An element is suspect if the tolerance does not cover the error, if it is so wide that an error of 0.1 % would be missed, or
    if the slopes on both sides differ by as much with half of the step: a kink.
    """
    shape = analytic.shape
    numeric, tolerance, suspect = np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
    u = probe.roundoff(position)
    for at in np.ndindex(shape):
        h = step * probe.scale(position, at)
        coarse, fine = probe.difference(position, at, h), probe.difference(position, at, h / 2)
        truncation = abs(fine.value - coarse.value)
        rounding = ROUNDINGS * u * (4 * fine.size / fine.h + coarse.size / coarse.h) / 3
        numeric[at] = (4 * fine.value - coarse.value) / 3
        tolerance[at] = truncation + rounding + GRADIENT_ROUNDINGS * u * (fine.total + abs(float(analytic[at])))
        dull = truncation > SHARP / 4 * abs(numeric[at]) + rounding or rounding > SHARP * fine.typical > 0
        suspect[at] = dull or _bent(coarse, fine, u)
    error = np.abs(numeric - analytic)
    return Survey(numeric, tolerance, error, suspect | ~(error <= tolerance))


def _bent(coarse: Difference, fine: Difference, u: float) -> bool:
    """Return whether the slopes of both sides differ, and not because the function is curved: that halves with the step."""
    slopes = max(abs(fine.left), abs(fine.right), fine.total)
    rounding = 4 * ROUNDINGS * u * fine.size / fine.h * math.sqrt(max(1, fine.moved))
    return fine.bend > 0.75 * coarse.bend and fine.bend > 10 * SHARP * slopes + rounding
