"""A result beside the exact one: the largest error in parts of what rounding can explain, and where it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Comparison(NamedTuple):
    """The element of a result that is furthest beyond its bound.

    Parameters
    ----------
    ratio : float
        Its error in parts of the bound: up to 1 is rounding; inf where nothing is allowed, or no number came.
    at : tuple of int
        The element; () for a scalar or an empty result.
    got, want, bound : float
        What came, what is exact, and by how much it may differ.
    wrong, size : int
        How many elements are beyond their bounds, of how many.
    unbounded : int
        How many have no bound: they were not looked at, or are sums of so many terms that rounding may do anything.
    """

    ratio: float
    at: tuple[int, ...]
    got: float
    want: float
    bound: float
    wrong: int
    size: int
    unbounded: int = 0

    @property
    def explained(self) -> bool:
        """Whether rounding explains every difference."""
        return not self.wrong

    def __str__(self) -> str:
        compared = f" ({self.size - self.unbounded} of {self.size} elements were compared)" if self.unbounded else ""
        if self.explained:
            return f"inside the provable bound (ratio {self.ratio:.2g}){compared}"
        where = f" at {self.at}" if self.at else ""
        share = f"; {self.wrong} of {self.size} elements are wrong" if self.size > 1 else ""
        if np.isfinite(self.got) and np.isfinite(self.want) and self.bound > 0:
            off = f"ratio {self.ratio:.2g}{where}: {self.got:.9g}, exactly {self.want:.9g}"
        else:
            off = f"{self.got:.9g}{where}, exactly {self.want:.9g}"
        return f"cannot be rounding: {off}{share}{compared}"


def compare(got: np.ndarray, want: np.ndarray, bound: np.ndarray) -> Comparison:
    """Compare arrays of one shape; where the exact result is no number, or infinite, the other must be the same."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if not got.size:
        return Comparison(0.0, (), 0.0, 0.0, 0.0, 0, 0)
    with np.errstate(invalid="ignore", over="ignore"):
        error, bound = np.abs(got - want), np.broadcast_to(bound, got.shape)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        wrong = ~same & ~(np.isfinite(want) & (error <= bound))
        ratio = np.divide(error, bound, out=np.full(got.shape, np.inf), where=(bound > 0) & np.isfinite(error))
    ratio[same] = 0
    ratio[wrong & ~np.isfinite(ratio)] = np.inf
    at = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.where(wrong, ratio + 1, ratio))), got.shape))
    counts = int(np.count_nonzero(wrong)), got.size, int(np.count_nonzero(np.isinf(bound) & ~same & ~wrong))
    return Comparison(float(ratio[at]), at, float(got[at]), float(want[at]), float(bound[at]), *counts)
