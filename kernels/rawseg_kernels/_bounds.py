"""Whether all numbers of a large array are where they should be, asked by all threads: checks are passes over memory, too."""

from __future__ import annotations

import numpy as np

from ._jit import kernel
from ._threads import launch

PIECE = 1 << 14  # numbers of a task


@kernel
def _find_outside(first, last, array, least, room, outside):
    """Tell of every piece whether a number is not in ``least <= number < least + room``."""
    for task in range(first, last):
        part, most = array[task * PIECE : (task + 1) * PIECE], np.uint64(0)
        for i in range(part.size):
            most = max(most, np.uint64(part[i] - least))  # a number below it is huge, then
        outside[task] = most >= room


def lie_within(array: np.ndarray, least: int, end: int) -> bool:
    """Return whether ``least <= number < end`` for every number of a C-contiguous int64 array."""
    outside = np.ones(-(-array.size // PIECE), np.bool_)
    launch(_find_outside, outside.size, array.reshape(-1), least, np.uint64(max(0, end - least)), outside, work=array.size)
    return not outside.any()
