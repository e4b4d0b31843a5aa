"""A ladder of differences: what an element does as the step falls, where its quotients lead, and how sure that is.

The quotients are extrapolated pair by pair. A pair is as good as the truncation and the rounding of its result (`differences`),
and no better than pairs of smaller steps let it be, which contradict it where steps are so large that they mean nothing and
agree by chance. The best pair gives the derivative.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from .differences import ROUNDINGS, Difference, Probe

SAFETY = 8  # standard deviations of measured rounding that may come together, from a few samples
LEAST_ROUNDINGS = 8  # as ROUNDINGS, if less was measured: every output is rounded at least once
USUAL_ROUNDINGS = 512  # roundings, in units u, that are no surprise
SHARP = 5e-4  # share of the typical gradient: what a gradient that is wrong by 0.1 % is found with, twice over
RUNGS_NEEDED = 3  # differences that have to be there


class Estimate(NamedTuple):
    """A limit of difference quotients; ``rung`` is the smaller step of the pair that gave it."""

    value: float
    truncation: float
    rounding: float
    rung: int

    @property
    def doubt(self) -> float:
        """How far off it may be."""
        return self.truncation + self.rounding


def pairs(steps: np.ndarray, quotients: np.ndarray, rounding: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what every two quotients that follow each other give for a step of 0, and how far off rounding can put that."""
    weight = 1 / ((steps[:-1] / steps[1:]) ** order - 1)
    results = quotients[1:] + (quotients[1:] - quotients[:-1]) * weight
    return results, rounding[1:] * (1 + weight) + rounding[:-1] * weight


def limit(steps: np.ndarray, quotients: np.ndarray, rounding: np.ndarray, order: int) -> Estimate:
    """Return the limit of quotients for falling steps, whose errors begin with ``h**order``.

    Parameters
    ----------
    steps, quotients, rounding : ndarray, shape (n,)
        Falling steps, the quotient of each, and how far off rounding can put it.
    order : int
        2 for central differences, 1 for one-sided ones.

    Examples
    --------
    >>> h = np.array([0.1, 0.01, 0.001])
    >>> round(limit(h, 3 + 5 * h**2, 1e-12 / h, 2).value, 9)
    3.0
    """
    results, doubt = pairs(steps, quotients, rounding, order)
    truncation = np.abs(np.diff(quotients))
    truncation[1:] = np.minimum(truncation[1:], np.abs(np.diff(results)))
    truncation *= 1.5  # enough even where errors fall like the root of h only, as beside |x|**1.5
    for pair in range(len(results) - 1):
        against = np.abs(results[pair + 1 :] - results[pair]) - doubt[pair + 1 :] - doubt[pair]
        truncation[pair] += max(0.0, float(against.max()))
    best = int(np.argmin(truncation + doubt))
    return Estimate(float(results[best]), float(truncation[best]), float(doubt[best]), best + 1)


class Ladder:
    """Differences of one element as arrays, the smallest step last, and what rounding may do to each."""

    def __init__(self, probe: Probe, position: int, at: tuple[int, ...]) -> None:
        self.rungs = probe.ladder(position, at)
        columns = zip(*self.rungs) if self.rungs else [()] * len(Difference._fields)
        self.h, self.value, self.left, self.right, self.bend, self.total, self.typical, self.size, moved = (
            np.array(column) for column in columns
        )
        self.u = probe.roundoff(position)
        self.outputs = np.sqrt(np.maximum(moved, 1))
        self.ordinary = ROUNDINGS * self.u * self.size / self.h
        self.deviation, self.spacing = probe.grain(position, at) if len(self.rungs) >= RUNGS_NEEDED else (0.0, 0.0)
        self._between = partial(probe.difference, position, at)
        self.measured = np.maximum(SAFETY * self.deviation, LEAST_ROUNDINGS * self.u * self.size) / self.h

    @property
    def noisy(self) -> bool:
        """Whether values are further off than usual roundings put them, of numbers about 1 or of their own size."""
        return SAFETY * self.deviation > USUAL_ROUNDINGS * self.u * (1 + float(self.size.min()) * float(self.outputs.max()))

    def derivative(self, rounding: np.ndarray) -> Estimate:
        """Return the limit of the central quotients, with ordinary rounding or with what was measured."""
        return limit(self.h, self.value, rounding, 2)

    def kink(self) -> tuple[float, float] | None:
        """Return the slopes to the left and to the right where they differ at the point itself."""
        rounding = self.measured * self.outputs
        clear = np.flatnonzero(rounding <= 0.05 * self.bend)
        if not len(clear) or clear[-1] < RUNGS_NEEDED - 1:
            return None
        last = self.bend[clear[-1] - RUNGS_NEEDED + 1 : clear[-1] + 1]  # of a kink the same, however small the step
        if self.bend[-1] + self.ordinary[-1] * self.outputs[-1] < 0.5 * last.max():
            return None
        bend = limit(self.h, self.bend, rounding, 1)
        slopes = max(abs(self.left[bend.rung]), abs(self.right[bend.rung]), self.total[bend.rung])
        if bend.value - 2 * bend.doubt <= SHARP * slopes or np.ptp(last) > 0.2 * last.max():
            return None
        return limit(self.h, self.left, rounding, 1).value, limit(self.h, self.right, rounding, 1).value

    def growth(self) -> float:
        """Return p where one-sided quotients drift apart like h**-p as steps fall, 0 where they do not."""
        bend, known = self.bend[-4:], 3 * (self.measured * self.outputs)[-4:]
        if len(bend) < 4 or not (bend > known).all():
            return 0.0
        powers = -np.diff(np.log(bend)) / np.diff(np.log(self.h[-4:]))
        return float(powers.mean()) if powers.min() > 0.1 and np.ptp(powers) < 0.2 else 0.0

    def settles(self, found: Estimate, error: float) -> bool:
        """Return whether a step that is hardly larger than rounding allows, if there is a smaller one, gives the same limit."""
        smallest = 10 * max(SAFETY * self.deviation, ROUNDINGS * self.u * float(self.size[-1])) / error
        return smallest >= self.h[-1] or abs(self._between(max(smallest, self.spacing)).value - found.value) < 0.5 * error

    def swallows(self, gradient: float, rung: int) -> bool:
        """Return whether nothing changes with the step of a rung, and with a larger one about what a gradient says."""
        near = abs(self.value[:rung] - gradient) <= 0.3 * abs(gradient)
        return bool(gradient != 0 and self.typical[rung] == 0 and near.any())

    def apart(self, k: int) -> bool:
        """Return whether one-sided quotients have kept their distance down to a rung, or have drifted apart."""
        slopes = max(abs(self.left[k]), abs(self.right[k]), self.total[k])
        seen = self.bend[k] > SHARP * slopes + 3 * self.measured[k] * self.outputs[k]
        return k > 1 and bool(seen and self.bend[k - 2] < 1.5 * self.bend[k - 1] < 2.25 * self.bend[k])

    def breaks(self, drop: float) -> tuple[float, float] | None:
        """Return between which distances from the point the function has a kink or a jump, if steps beyond show one.

        With steps beyond it, one-sided quotients keep their distance or drift apart; with smaller ones they come together, by
        the factor ``drop`` at least. Those of a smooth function do so in proportion to the step, by 10 in two rungs.
        """
        bend, rounding = self.bend, np.minimum(self.measured, self.ordinary) * self.outputs
        for k in range(2, len(bend) - 2):
            if self.apart(k) and drop * max(bend[k + 2], rounding[k + 2]) < bend[k]:
                return float(self.h[k + 2]), float(self.h[k])
        return None
