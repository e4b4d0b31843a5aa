"""Rounding bounds: the only tolerances that a test may use, each derived, none tuned (Higham 2002, chapter 3)."""

from __future__ import annotations

import numpy as np
from evidence import record_ratio


def unit_roundoff(dtype) -> float:
    """Largest relative error of one rounded operation: 2**-24 for float32, 2**-53 for float64."""
    return float(np.finfo(dtype).eps) / 2


def gamma(terms: int, dtype) -> float:
    """Relative error bound of a sum of ``terms`` products in any order, with or without fused multiply-adds."""
    u = unit_roundoff(dtype)
    return terms * u / (1 - terms * u)


def smallest(terms: int, dtype) -> float:
    """What underflow can add to such a sum."""
    return terms * float(np.finfo(dtype).smallest_subnormal)


def assert_within(got: np.ndarray, want: np.ndarray, bound: np.ndarray | float, what: str = "") -> None:
    """Assert ``|got - want| <= bound`` elementwise; the message tells the worst ratio and where it is."""
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    error = np.abs(np.asarray(got, np.float64) - np.asarray(want, np.float64))
    bound = np.broadcast_to(np.asarray(bound, np.float64), error.shape)
    bad = ~(error <= bound)  # NaN is bad
    if error.size:
        record_ratio(float(np.max(np.divide(error, bound, out=np.zeros_like(error), where=bound > 0))))
    if bad.any():
        ratio = np.where(bad, error / np.maximum(bound, np.finfo(np.float64).tiny), 0)
        at = np.unravel_index(int(np.nanargmax(np.where(np.isnan(ratio), np.inf, ratio))), error.shape)
        at = tuple(int(i) for i in at)
        raise AssertionError(
            f"{what}: error {error[at]:.3g} exceeds its bound {bound[at]:.3g} at {at}: got {got[at]}, want {want[at]}"
        )
