"""Calls on images for edges and refusals: shuffled whole numbers, or a plane that is written out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import Case


def shuffled(op: str, shape: tuple[int, ...], dtype: Any = np.float64, /, **options: Any) -> Case:
    """Return a call on whole numbers around 0, no two of them equal, in a random order."""
    count = int(np.prod(shape))
    numbers = np.random.default_rng(count).permutation(count) - count // 2
    return Case(op, {"input": numbers.reshape(shape).astype(dtype)}, options)


def spoilt(array: np.ndarray, at: Any, number: float) -> np.ndarray:
    """Return the array with one number put somewhere."""
    changed = array.copy()
    changed[at] = number
    return changed


def plane(op: str, rows: Any, dtype: Any = np.float64, /, **options: Any) -> Case:
    """Return a call on one image of one channel."""
    return Case(op, {"input": np.array(rows, dtype)[None, None]}, options)
