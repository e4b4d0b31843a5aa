"""The comparison of every test, and the bounds it may use."""

from __future__ import annotations

import numpy as np
from evidence import record_ratio

from rawseg.testing.rounding.bounds import gamma, product_gamma, smallest, unit_roundoff

__all__ = ["assert_within", "gamma", "product_gamma", "smallest", "unit_roundoff"]


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
