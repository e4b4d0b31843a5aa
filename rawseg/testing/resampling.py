r"""How far samples of a map may be from the exact ones: a rule beside those of `rounding`, where weights depend on coordinates.

*Resampled*: an output is the mean of samples, each a sum of an input's elements with weights :math:`w \ge 0` that add up to 1
at most. As in a multilinear form, the sums are off by :math:`\gamma_K \sum w |x|`. Beside that, a coordinate of at most
``reach`` pixels, computed in a dozen operations on numbers that are not twice as large, is off by :math:`\delta =
\gamma_{24}\,reach`. A pixel further along an axis a sample differs by twice the largest of the pixels around it,
:math:`\hat x`, and so by :math:`4 \delta \hat x` along both; the weight of a pixel by :math:`2 \delta`.

The gradient of a coordinate adds up differences of two pixels times ``slope``, the pixels that a unit of it is long; weights of
the other axis are off by :math:`2 \delta` in each.

All of this holds where rounding does not decide whether a sample counts, or how many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .bounds import gamma, smallest
from .case import Case
from .rounding import Arrays, Definition

STEPS = 24  # roundings, in units of the reach, of one coordinate
OWN = 16  # roundings of a term before it is added up: of weights, their product, and the share of a mean


class Resampled(NamedTuple):
    """Means of samples of the array ``input``.

    Parameters
    ----------
    reach : callable
        From a case, the largest coordinate in pixels.
    slope : callable
        From a case, pixels per unit of a coordinate.
    samples : callable
        From a case, the samples of one output, at most.
    within : callable
        From a case, the same one with every sample inside of the map: with nothing but weights that add up to 1.
    points : int
        Axes of the outputs that a coordinate's array begins with as well, but for the channels'; the others depend on it.
    """

    reach: Callable[[Case], float]
    slope: Callable[[Case], float]
    samples: Callable[[Case], int]
    within: Callable[[Case], Case]
    points: int

    def of_values(self, exact: Definition, case: Case, results: Arrays, dtype: Any) -> Arrays:
        """Return gamma_K times the operation on magnitudes, and what the coordinates' rounding does."""
        terms = 4 * self.samples(case) + OWN
        (size,), around = exact.values(_with(case, np.abs)), self._around(exact, case)
        return [gamma(terms, dtype) * size + 4 * self._off(case, dtype) * around + smallest(terms, dtype)]

    def of_gradients(self, exact: Definition, case: Case, directions: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return the same for the gradient of the input, and for that of the coordinates."""
        terms, off = self._terms(case, directions), self._off(case, dtype)
        sizes = exact.gradients(case, [abs(d) for d in directions])
        bounds = [gamma(terms, dtype) * sizes[0] + 2 * off * _neighbours(sizes[0], np.sum) + smallest(terms, dtype)]
        if len(results) > 1:
            terms *= max(1, directions[0].shape[1])
            moved = (np.abs(directions[0]) * self._around(exact, case)).sum(1)
            axes = tuple(range(self.points, moved.ndim))
            moved = moved.sum(axes).reshape(*moved.shape[: self.points], 1)
            bound = (2 * gamma(terms, dtype) + 8 * off) * self.slope(case) * moved + smallest(terms, dtype)
            bounds.append(np.broadcast_to(bound, results[1].shape))
        return bounds

    def of_second(
        self, exact: Definition, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any
    ) -> Arrays:
        """Return as many roundings of the largest result."""
        largest = max((float(np.abs(r).max(initial=0)) for r in [*results, *directions, *seeds]), default=0.0)
        bound = gamma(self._terms(case, directions), dtype) + 8 * self._off(case, dtype)
        return [np.full(result.shape, bound * largest) for result in results]

    def _terms(self, case: Case, directions: Arrays) -> int:
        outputs = directions[0].size // max(1, directions[0].shape[1])  # of one channel
        return 4 * self.samples(case) * max(1, outputs) + OWN

    def _off(self, case: Case, dtype: Any) -> float:
        return gamma(STEPS, dtype) * self.reach(case)

    def _around(self, exact: Definition, case: Case) -> np.ndarray:
        """Return, for each output, what its samples are at most, and what they would be a pixel further."""

        def largest(x: np.ndarray) -> np.ndarray:
            return _neighbours(np.where(np.isfinite(x), abs(x), 0), np.max)

        return exact.values(_with(self.within(case), largest))[0]


def _with(case: Case, change: Callable[[np.ndarray], np.ndarray]) -> Case:
    """Return the case with its map changed."""
    return replace(case, arrays={**case.arrays, "input": change(case.arrays["input"])})


def _neighbours(x: np.ndarray, reduce: Callable[..., Any]) -> np.ndarray:
    """Return the sum, or the largest, of every pixel and the eight around it; all of at least 0."""
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return reduce(np.lib.stride_tricks.sliding_window_view(wide, (3, 3), (2, 3)), (4, 5)) if x.size else x
