"""Whether two calls with the same inputs gave the same bits, and where they did not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def unequal_bits(names: Sequence[str], first: Sequence[np.ndarray], again: Sequence[np.ndarray]) -> str:
    """Say where the results of two calls differ in a bit, "" where they do not.

    Parameters
    ----------
    names : sequence of str
        What the results are called.
    first, again : sequence of ndarray
        Those of one call and of the next; 0.0 and -0.0 differ, and NaNs are equal where their bits are.

    Examples
    --------
    >>> unequal_bits(["output"], [np.array([np.nan, 0.0])], [np.array([np.nan, -0.0])])
    'output at (1,) is 0 in one call and -0 in the next, with the same inputs'
    """
    if len(first) != len(again):
        return f"one call gives {len(first)} results, the next {len(again)}, with the same inputs"
    for name, one, other in zip(names, first, again, strict=True):
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            return f"{name} is {one.dtype} {one.shape} in one call and {other.dtype} {other.shape} in the next"
        bits = [np.ascontiguousarray(a).reshape(-1, 1).view(np.uint8).reshape(*a.shape, a.itemsize) for a in (one, other)]
        if not np.array_equal(bits[0], bits[1]):
            at = tuple(int(i) for i in np.argwhere((bits[0] != bits[1]).any(-1))[0])
            values = f"{_written(one[at])} in one call and {_written(other[at])} in the next"
            return f"{name} at {at} is {values}, with the same inputs"
    return ""


def _written(number: np.generic) -> str:
    """Return a number with as many digits as its bits need."""
    digits = 17 if number.itemsize == 8 else 9
    return f"{number:.{digits}g}" if number.dtype.kind == "f" else str(number)
