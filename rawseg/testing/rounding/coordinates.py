r"""Sums of pixels whose weights come of coordinates that are rounded themselves.

As in a multilinear form, a sum with weights of at least 0 is off by :math:`\gamma_K A |x|`, where A is the operation.
Beside that a coordinate is off by :math:`\delta` pixels, and with it a sample by :math:`\delta` times what the pixels around it
differ by: at most a multiple of :math:`A S |x|`, where S takes every pixel and its eight neighbours together, for a coordinate
may round across a pixel. So :math:`|\hat y - y| \le \gamma_K A |x| + c \delta A S |x|`, and for the adjoint :math:`\gamma_K A^T
|g| + c \delta S A^T |g|`.

All of this holds where rounding does not decide whether a sample counts, or how many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .bounds import gamma, sum_bound
from .moved import Moved
from .multilinear import Multilinear
from .rule import Arrays, Case, Exact, largest, magnitudes
from .terms import Stated

STEPS = 24  # roundings, in units of the reach, of one coordinate
OWN = 16  # roundings of a term before it is added up: of weights, their product, and the share of a mean
RESIZED = 5  # roundings of a resized image's: in / out, or 1 / factor and the factor itself; o + 1/2; their product; - 1/2


class Resampled(NamedTuple):
    r"""Means of samples of the array ``input``, with weights that add up to 1 at most.

    A coordinate of at most ``reach`` pixels, computed in a dozen operations on numbers that are not twice as large, is off by
    :math:`\delta = \gamma_{24}\,reach`. A pixel further along an axis a sample differs by twice the largest of the pixels
    around it, :math:`\hat x`, and so by :math:`4 \delta \hat x` along both; the weight of a pixel by :math:`2 \delta`. The
    gradient of a coordinate adds up differences of two pixels times ``slope``, the pixels that a unit of it is long; weights
    of the other axis are off by :math:`2 \delta` in each.

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

    def of_values(self, exact: Exact, case: Case, results: Arrays, dtype: Any, got: Arrays | None = None) -> Arrays:
        """Return gamma_K times the operation on magnitudes, and what the coordinates' rounding does."""
        (size,) = exact.values(case.having(input=np.abs(case.arrays["input"])))
        return [sum_bound(4 * self.samples(case) + OWN, size, dtype) + 4 * self._off(case, dtype) * self._around(exact, case)]

    def of_gradients(
        self, exact: Exact, case: Case, directions: Arrays, results: Arrays, dtype: Any, got: Arrays | None = None
    ) -> Arrays:
        """Return the same for the gradient of the input, and for that of the coordinates."""
        terms, off = self._terms(case, directions), self._off(case, dtype)
        sizes = exact.gradients(case, magnitudes(directions))
        bounds = [sum_bound(terms, sizes[0], dtype) + 2 * off * neighbours(sizes[0], np.add)]
        if len(results) > 1:
            terms *= max(1, directions[0].shape[1])
            moved = (np.abs(directions[0]) * self._around(exact, case)).sum(1)
            axes = tuple(range(self.points, moved.ndim))
            moved = self.slope(case) * moved.sum(axes).reshape(*moved.shape[: self.points], 1)
            bound = 2 * sum_bound(terms, moved, dtype) + 8 * off * moved
            bounds.append(np.broadcast_to(bound, results[1].shape))
        return bounds

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return as many roundings of the largest result."""
        bound = gamma(self._terms(case, directions), dtype) + 8 * self._off(case, dtype)
        return [np.full(result.shape, bound * largest(results, directions, seeds)) for result in results]

    def _terms(self, case: Case, directions: Arrays) -> int:
        outputs = directions[0].size // max(1, directions[0].shape[1])  # of one channel
        return 4 * self.samples(case) * max(1, outputs) + OWN

    def _off(self, case: Case, dtype: Any) -> float:
        return gamma(STEPS, dtype) * self.reach(case)

    def _around(self, exact: Exact, case: Case) -> np.ndarray:
        """Return, for each output, what its samples are at most, and what they would be a pixel further."""
        inside = self.within(case)
        return exact.values(inside.having(input=neighbours(inside.arrays["input"], np.maximum)))[0]


class Resized:
    r"""Images resized: copied by the nearest modes; "bilinear" is a sum of products of three factors, two of them weights.

    A weight is the distance of a coordinate from a pixel. Coordinates are numbers up to the size n of their axis, and come
    with five roundings, so that they are off by :math:`\delta = \gamma_5 (H + W + 2)` at most, both axes together. A value
    that lies between two pixels changes by at most the sum of their magnitudes times that.
    """

    def of_values(self, exact: Exact, case: Case, results: Arrays, dtype: Any, got: Arrays | None = None) -> Arrays:
        """Return the bound on the images."""
        if not _between(case):
            return MOVED.of_values(exact, case, results, dtype)
        (around,) = exact.values(case.map(lambda x: neighbours(x, np.add)))
        (plain,) = BILINEAR.of_values(exact, case, results, dtype)
        return [plain + _shift(case, dtype) * around]

    def of_gradients(
        self, exact: Exact, case: Case, directions: Arrays, results: Arrays, dtype: Any, got: Arrays | None = None
    ) -> Arrays:
        """Return that on the adjoint."""
        if not _between(case):
            return MOVED.of_gradients(exact, case, directions, results, dtype)
        (around,) = exact.gradients(case, magnitudes(directions))
        (plain,) = BILINEAR.of_gradients(exact, case, directions, results, dtype)
        return [plain + _shift(case, dtype) * neighbours(around, np.add)]

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return that on the adjoint's adjoint, the map itself: seeds are resized, and nothing depends on the image."""
        if not _between(case):
            return MOVED.of_second(exact, case, directions, seeds, results, dtype)
        plain = BILINEAR.of_second(exact, case, directions, seeds, results, dtype)
        around = exact.second(case, directions, [neighbours(seed, np.add) for seed in seeds])
        return [one + _shift(case, dtype) * abs(other) for one, other in zip(plain, around)]


def neighbours(x: np.ndarray, together: np.ufunc) -> np.ndarray:
    """Return, of every pixel and its eight neighbours, the magnitudes added up or the largest of them.

    What is no number is nothing: no result that is one read it.

    Examples
    --------
    >>> neighbours(np.array([[1.0, -2.0, 4.0]]), np.add)
    array([[3., 7., 6.]])
    """
    wide = np.pad(np.where(np.isfinite(x), np.abs(x), 0), [(0, 0)] * (x.ndim - 2) + [(1, 1)] * 2)
    rows, columns = x.shape[-2:]
    out = np.zeros(x.shape)
    for i, j in np.ndindex(3, 3):
        together(out, wide[..., i : i + rows, j : j + columns], out=out)
    return out


def _between(case: Case) -> bool:
    return case.options.get("mode", "nearest") == "bilinear"


def _shift(case: Case, dtype: Any) -> float:
    return gamma(RESIZED, dtype) * (sum(case.arrays["input"].shape[2:]) + 2)


def _reaching(case: Case, out: tuple[int, ...]) -> int:
    """Return how many outputs a pixel may take part in: along an axis those within a pixel of it, held ones included.

    They lie 1 / factor apart, where out + 1 is above in * factor, or with aligned corners (in - 1) / (out - 1).
    """
    counts = [min(many, 2 * (many + 1) // max(1, few - 1) + 2) for few, many in zip(case.arrays["input"].shape[2:], out[2:])]
    return int(np.prod(counts))


MOVED, BILINEAR = Moved(), Multilinear(3, Stated(lambda case, out: 4, _reaching))
