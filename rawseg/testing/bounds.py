"""Rounding bounds: the only tolerances that a comparison may use, each derived, none tuned (Higham 2002, chapter 3)."""

from __future__ import annotations

from typing import Any

import numpy as np


def unit_roundoff(dtype: Any) -> float:
    """Return the largest relative error of one rounded operation: 2**-24 for float32, 2**-53 for float64."""
    return float(np.finfo(dtype).eps) / 2


def gamma(terms: int, dtype: Any) -> float:
    """Return the relative error bound of a sum of ``terms`` products in any order, with or without fused multiply-adds."""
    u = unit_roundoff(dtype)
    return terms * u / (1 - terms * u)


def smallest(terms: int, dtype: Any) -> float:
    """Return what underflow can add to such a sum."""
    return terms * float(np.finfo(dtype).smallest_subnormal)
