"""NumPy's own operations with their results on reused memory; CuPy has pools of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arena import SMALLEST, empty

from ..device import array_module


def computed(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """Return ``ufunc(a, b)`` of two arrays of one dtype, which must be the result's too."""
    if isinstance(a, np.ndarray) and max(a.nbytes, b.nbytes) >= SMALLEST and a.dtype == b.dtype and a.dtype.kind == "f":
        if a.shape == b.shape and a.flags.c_contiguous and b.flags.c_contiguous and a.dtype.isnative:
            from rawseg_kernels._arithmetic import combined  # numba

            return combined(ufunc, a, b)
        shape = a.shape if a.shape == b.shape else np.broadcast_shapes(a.shape, b.shape)
        return ufunc(a, b, out=empty(shape, a.dtype))
    return getattr(array_module(a), ufunc.__name__)(a, b)


def copied(x: Any) -> Any:
    """Return a fresh C-contiguous copy."""
    if not isinstance(x, np.ndarray) or x.nbytes < SMALLEST:
        return x.copy(order="C")
    out = empty(x.shape, x.dtype)
    np.copyto(out, x)
    return out


def joined(arrays: tuple, axis: int) -> Any:
    """Return arrays of one dtype joined along an axis."""
    first = arrays[0]
    if not isinstance(first, np.ndarray) or any(array.dtype != first.dtype for array in arrays):
        return array_module(first).concatenate(arrays, axis=axis)
    shape = list(first.shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    return np.concatenate(arrays, axis=axis, out=empty(tuple(shape), first.dtype))
