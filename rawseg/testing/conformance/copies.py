"""Copies of arrays that an implementation may do with as it likes."""

from __future__ import annotations

import numpy as np


def copied(array: np.ndarray, writeable: bool = False) -> np.ndarray:
    """Return an array of the same elements in memory of its own, with the same strides and the same leave to write.

    Parameters
    ----------
    array : ndarray
        Whatever it is a view of is not copied.
    writeable : bool
        Let the copy be written to in any case.

    Examples
    --------
    >>> wide = np.arange(6.0)
    >>> copied(wide[::-2]).strides, copied(wide[::-2]).tolist()
    ((-16,), [5.0, 3.0, 1.0])
    """
    if not array.size:
        return array.copy()
    reach = [(length - 1) * stride for length, stride in zip(array.shape, array.strides)]
    first = -sum(min(step, 0) for step in reach)
    memory = np.zeros(first + sum(max(step, 0) for step in reach) + array.itemsize, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, memory, first, array.strides)
    copy[...] = array
    copy.flags.writeable = writeable or array.flags.writeable
    return copy
