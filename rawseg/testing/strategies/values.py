"""Numbers to fill arrays with, each kind for a purpose."""

from __future__ import annotations

from typing import Any

import numpy as np


def integers(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """Return whole numbers from -8 to 8: sums of fewer than 2**18 products of two are exact in float32, in any order."""
    return rng.integers(-8, 9, shape).astype(dtype)


def normals(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """Return normal numbers whose magnitudes spread over six decades: sums that cancel, and that hide small terms."""
    return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(dtype)


def distinct(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float64, low: float = -2.0, high: float = 2.0
) -> np.ndarray:
    """Return numbers between ``low`` and ``high``, evenly spread and shuffled: no two are equal, and none is 0.

    A difference quotient then meets no kink, and a maximum is taken once.
    """
    count = int(np.prod(shape))
    values = np.linspace(low, high, count + 2)[1:-1] + (high - low) / (4 * count + 8)
    return rng.permutation(values).reshape(shape).astype(dtype)


def shares(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """Return distinct numbers between 0.1 and 0.9."""
    return distinct(rng, shape, dtype, 0.1, 0.9)
