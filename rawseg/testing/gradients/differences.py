"""Difference quotients of a function along a direction of its outputs, and how far rounding can put them off.

With D(h) = (phi(x + h) - phi(x - h)) / 2h, D(h) = phi'(x) + c h^2 + O(h^4), so that two steps in the ratio r give
R = D(h) + (D(h) - D(rh)) / (r^2 - 1), off by O(h^4) (Richardson). What is left out is bounded by errors of what is less exact:
|D(h) - D(rh)|, or |R - R'| of the pair of larger steps. One-sided quotients have a term in h, and r in the place of r^2.

phi = sum_k d_k v_k adds up the outputs v along random signs and magnitudes d. It is never formed: (v_k(x + h) - v_k(x - h)) d_k
is exact up to the rounding of v, which an output that does not depend on x does not have, and float32 outputs are added in
float64. If every v_k is off by at most e |v_k|, then by Hoeffding's inequality the sum is off by more than 6 e |d v| (the
Euclidean norm) with a chance of 3e-8, since the signs of d were drawn without looking. An output that stays the same
to the last bit counts with a fifth, for it may have swallowed half a unit in its last place: of the largest step with which it
did.

What e is depends on how many roundings the function adds up. `ROUNDINGS` u stands for 6 e at first, five roundings; where this
does not explain a difference, it is measured (`Probe.grain`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..adapters.adapter import Adapter, Arrays, Options
from ..rounding.bounds import unit_roundoff

# Relative to max(1, |x|): what rounding leaves, ROUNDINGS u / h, and h^2 are both small there; kinks are seldom so near.
STEPS = {"float64": 1e-4, "float32": 2.0**-6}
RANGES = {"float64": (1e-1, 1e-9), "float32": (10**-0.5, 1e-5)}  # of a ladder, relative to max(1, |x|)
ROUNDINGS = 32  # 6 standard deviations of 5 roundings, in units u |d v|
SWALLOWED = 0.2
POINTS = (0.73, 2.19, 2.84, 4.31, 4.92, 6.17, 7.38)  # on either side, in units of a spacing


class Difference(NamedTuple):
    """What phi does between x - h and x + h.

    ``value`` is the central quotient, ``left`` and ``right`` are the one-sided ones, ``bend`` is the sum of the magnitudes by
    which the one-sided quotients of the single outputs differ. ``total`` is the sum of the magnitudes of the outputs' shares in
    the value, ``typical`` the root of the sum of their squares: what a sum with random signs comes to. ``size`` is |d v| of the
    function's values, ``moved`` the number of outputs that changed.
    """

    h: float
    value: float
    left: float
    right: float
    bend: float
    total: float
    typical: float
    size: float
    moved: int

    @property
    def finite(self) -> bool:
        """Whether the function has values on both sides."""
        return math.isfinite(self.left) and math.isfinite(self.right) and math.isfinite(self.bend)


class Probe:
    """A function near a point.

    Parameters
    ----------
    adapter : Adapter
        The function.
    arrays, options
        The point.
    outputs : list of ndarray
        The floating outputs there.
    directions : list of ndarray
        Of the sum phi.
    """

    def __init__(self, adapter: Adapter, arrays: Sequence[Any], options: Options, outputs: Arrays, directions: Arrays) -> None:
        self.adapter, self.options = adapter, options
        self.arrays = [None if array is None else np.array(array) for array in arrays]
        self.base, self.direction = _flat(outputs), _flat(directions)
        self.weight = np.abs(self.direction)
        self.refusal: BaseException | None = None  # the last one of a point beside x
        self.dtypes = [out.dtype for out in outputs]

    def roundoff(self, position: int) -> float:
        """Return the unit roundoff of the coarsest dtype between an input and the outputs."""
        array = self.arrays[position]
        return max(unit_roundoff(dtype) for dtype in (array.dtype, *self.dtypes))  # type: ignore[union-attr]

    def dtype(self, position: int) -> str:
        """Return the name of the coarsest dtype between an input and the outputs."""
        return "float64" if self.roundoff(position) == unit_roundoff(np.float64) else "float32"

    def values(self, position: int, at: tuple[int, ...], x: Any) -> np.ndarray:
        """Return the outputs with another number in an element's place; NaN where the function refuses it."""
        array: Any = self.arrays[position]
        middle = array[at]
        array[at] = x
        try:
            with np.errstate(all="ignore"):
                given = [None if one is None else one.copy() for one in self.arrays]  # a function may write to what it gets
                out = _flat([v for v in self.adapter.values(given, self.options) if v.dtype.kind == "f"])
        except (Exception, SystemExit) as error:  # outside of its domain, perhaps: that is for the caller to say
            self.refusal = error
            out = np.full(self.base.shape, np.nan)
        finally:
            array[at] = middle
        return out if out.shape == self.base.shape else np.full(self.base.shape, np.nan)

    def scale(self, position: int, at: tuple[int, ...]) -> float:
        """Return max(1, |x|), to which steps are relative."""
        return max(1.0, abs(float(self.arrays[position][at])))  # type: ignore[index]

    def difference(
        self, position: int, at: tuple[int, ...], h: float, still: np.ndarray | None = None, share: float = 1.0
    ) -> Difference:
        """Return the difference quotients of one element, for the points of its dtype that are nearest to x - h and x + h.

        ``still`` marks outputs that did not change with larger steps either, the largest h / share; it loses those that do now.
        """
        array: Any = self.arrays[position]
        middle = float(array[at])
        above, below = array.dtype.type(middle + h), array.dtype.type(middle - h)
        up, down = float(above) - middle, middle - float(below)
        high, low = self.values(position, at, above), self.values(position, at, below)
        with np.errstate(all="ignore"):
            shares = (high - low) * self.direction / (up + down)
            right, left = (high - self.base) * self.direction / up, (self.base - low) * self.direction / down
            moved = high != low
            size = np.maximum(np.abs(high), np.abs(low)) * self.weight
            size = np.where(moved, size, SWALLOWED * size)
            if still is not None:
                still &= ~moved
                size[still] *= share
            return Difference(
                (up + down) / 2,
                float(shares.sum()),
                float(left.sum()),
                float(right.sum()),
                float(np.abs(right - left).sum()),
                float(np.abs(shares).sum()),
                math.sqrt(float(shares @ shares)),
                math.sqrt(float(size @ size)),
                int(np.count_nonzero(moved)),
            )

    def ladder(self, position: int, at: tuple[int, ...]) -> list[Difference]:
        """Return differences with smaller and smaller steps, two in every factor of ten, where the function has values.

        They go from a tenth of max(1, |x|) to 1e-9 of it or, where that is less, a thousandth of |x|; in float32 from a third
        to 1e-5. Beside 0 they go on to 1e-13, and 1e-9 in float32.
        """
        first, last = (limit * self.scale(position, at) for limit in RANGES[self.dtype(position)])
        x = abs(float(self.arrays[position][at]))  # type: ignore[index]
        last = min(last, 1e-3 * x) if x else 1e-4 * last  # beside 0 numbers lie close
        steps = first * 10 ** (-0.5 * np.arange(round(2 * math.log10(first / last)) + 1))
        spacing = _spacing(self.arrays[position], at)
        still = np.ones(self.base.shape, bool)
        found = [self.difference(position, at, float(h), still, float(h / first)) for h in steps if h >= 4 * spacing]
        return [difference for difference in found if difference.finite]

    def grain(self, position: int, at: tuple[int, ...]) -> tuple[float, float]:
        """Return how far off phi is by rounding, a standard deviation, and the spacing of the points where that was seen.

        Seven points on one side of x lie so close together that a parabola goes through everything smooth, and no kink at x is
        between them: what the best one leaves over is rounding. The spacing is the smallest at which neighbouring points have
        other values, so that the grain of large intermediate results is seen; it is irregular, or grains of its own size would
        hide in it. Of both sides the calmer one counts.
        """
        array: Any = self.arrays[position]
        x, u = float(array[at]), self.roundoff(position)
        limit = 64 * math.sqrt(u) * max(1.0, abs(x))
        spacing = 4 * _spacing(array, at) if x else 1e-6 * u
        while True:
            sides = [self._side(position, at, sign * spacing) for sign in (1.0, -1.0)]
            sides = [side for side in sides if np.isfinite(side).all()]
            seen = [side for side in sides if np.count_nonzero(np.diff(side[1])) >= len(POINTS) - 2]
            if seen or 8 * spacing > limit:
                break
            spacing *= 8
        return min((_beside_parabola(spacing, *side) for side in seen or sides), default=0.0), spacing

    def _side(self, position: int, at: tuple[int, ...], spacing: float) -> np.ndarray:
        """Return how far away the points on one side are, and phi there."""
        array: Any = self.arrays[position]
        x = float(array[at])
        points = [array.dtype.type(x + place * spacing) for place in POINTS]
        values = [self.values(position, at, point) for point in points]
        with np.errstate(all="ignore"):
            sums = [float(((value - self.base) * self.direction).sum()) for value in values]
        return np.array([[float(point) - x for point in points], sums])


def _beside_parabola(spacing: float, places: np.ndarray, values: np.ndarray) -> float:
    """Return the standard deviation of values from the parabola that fits them best."""
    powers = np.vander(places / spacing, 3)
    left = values - powers @ np.linalg.lstsq(powers, values, rcond=None)[0]
    return math.sqrt(float(left @ left) / (len(POINTS) - 3))


def _spacing(array: Any, at: tuple[int, ...]) -> float:
    return float(np.spacing(np.abs(array[at])))


def _flat(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return all elements of some arrays as one vector of float64."""
    if len(arrays) == 1:
        return arrays[0].astype(np.float64).ravel()
    return np.concatenate([array.ravel() for array in arrays]).astype(np.float64) if arrays else np.zeros(0)
