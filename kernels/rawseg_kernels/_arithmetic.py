"""Sums, differences, products and quotients of two arrays of one shape, by all threads: NumPy's own have one.

IEEE arithmetic, element by element, so these are the bits that NumPy gives.
    // per element: 2 reads and 1 write; memory is what takes the time
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arena import empty
from ._jit import kernel
from ._threads import launch


@kernel
def _add(first, last, a, b, out):
    left, right, target = a[first:last], b[first:last], out[first:last]
    for i in range(target.size):
        target[i] = left[i] + right[i]


@kernel
def _subtract(first, last, a, b, out):
    left, right, target = a[first:last], b[first:last], out[first:last]
    for i in range(target.size):
        target[i] = left[i] - right[i]


@kernel
def _multiply(first, last, a, b, out):
    left, right, target = a[first:last], b[first:last], out[first:last]
    for i in range(target.size):
        target[i] = left[i] * right[i]


@kernel
def _divide(first, last, a, b, out):
    left, right, target = a[first:last], b[first:last], out[first:last]
    for i in range(target.size):
        target[i] = left[i] / right[i]


KERNELS: dict[np.ufunc, Any] = {np.add: _add, np.subtract: _subtract, np.multiply: _multiply, np.true_divide: _divide}


def combined(ufunc: np.ufunc, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``ufunc(a, b)``, one of `KERNELS`, of C-contiguous arrays of one shape and one floating dtype."""
    out = empty(a.shape, a.dtype)
    launch(KERNELS[ufunc], a.size, a.reshape(-1), b.reshape(-1), out.reshape(-1), work=2 * a.size)
    return out
