"""Whether an array holds neither infinities nor NaN, in one pass over it: only then may it be multiplied with padded zeros.

Without their sign, the bits of floats have the order of their magnitudes, and those of infinity and of NaN are the largest.
"""

from __future__ import annotations

import numpy as np

from .._jit import inlined, kernel
from .._threads import launch

PORTION = 1 << 16  # elements of a task
INTEGERS = {4: (np.int32, 0x7F800000), 8: (np.int64, 0x7FF0000000000000)}  # of an itemsize, and what infinity is as one


def as_bits(array: np.ndarray) -> np.ndarray:
    """Return the bits of a contiguous array as flat integers."""
    return array.reshape(-1).view(INTEGERS[array.itemsize][0])


def are_finite(largest: np.ndarray) -> bool:
    """Return whether the magnitudes that `largest_magnitude` found are below infinity."""
    return bool(largest.max(initial=0) < INTEGERS[largest.itemsize][1])


@inlined
def largest_magnitude(bits, first, last):
    """Return the largest of ``bits[first:last]`` without their signs, 0 of none."""
    row, without_sign, found = bits[first:last], (1 << (8 * bits.itemsize - 1)) - 1, 0
    for i in range(row.size):
        found = max(found, row[i] & without_sign)
    return found


@kernel
def _find_largest(first, last, bits, largest):
    for task in range(first, last):
        largest[task] = largest_magnitude(bits, task * PORTION, min((task + 1) * PORTION, bits.size))


def finite(array: np.ndarray) -> bool:
    """Return whether all elements of a contiguous array are finite."""
    bits = as_bits(array)
    largest = np.empty(-(-bits.size // PORTION), bits.dtype)
    launch(_find_largest, largest.size, bits, largest, work=bits.size)
    return are_finite(largest)
