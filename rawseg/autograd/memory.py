"""NumPy's own operations with their results on reused memory; CuPy has pools of its own."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from rawseg_kernels._arena import SMALLEST, empty
from rawseg_kernels._arrays import FLOATING

from ..device import array_module


def computed(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """Return ``ufunc(a, b)`` of two arrays of one dtype, which must be the result's too; of inf and NaN NumPy does not warn."""
    if not isinstance(a, np.ndarray):
        return getattr(array_module(a), ufunc.__name__)(a, b)
    large = (a.nbytes >= SMALLEST or b.nbytes >= SMALLEST) and a.dtype == b.dtype and a.dtype.kind == "f"
    if large and a.shape == b.shape and _are_for_kernels(a, b):
        return _arithmetic().combined(ufunc, a, b)
    with np.errstate(all="ignore"):
        if not large:
            return ufunc(a, b)
        shape = a.shape if a.shape == b.shape else np.broadcast_shapes(a.shape, b.shape)
        return ufunc(a, b, out=empty(shape, a.dtype))


@cache
def _arithmetic() -> Any:
    from rawseg_kernels import _arithmetic  # numba; and a statement that takes its time each time

    return _arithmetic


def taken(x: Any, axis: int, start: int, size: int) -> Any:
    """Return a fresh C-contiguous copy of some places of an axis."""
    part = x[(slice(None),) * axis + (slice(start, start + size),)]
    if part.nbytes >= SMALLEST and _are_for_kernels(x):
        from rawseg_kernels import _stretches  # numba

        if size * math.prod(x.shape[axis + 1 :]) >= _stretches.SHORTEST:
            return _stretches.taken(x, axis, start, size)
    return copied(part)


def _are_for_kernels(*arrays: Any) -> bool:
    """Return whether all are NumPy's, of one floating dtype, and lie as kernels read them."""
    dtype = arrays[0].dtype
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype != dtype or not array.flags.carray:
            return False
    return dtype in FLOATING


def copied(x: Any, dtype: Any = None) -> Any:
    """Return a fresh C-contiguous copy, in a dtype if one is given."""
    dtype = x.dtype if dtype is None else dtype
    if not isinstance(x, np.ndarray) or x.size * dtype.itemsize < SMALLEST:
        return x.astype(dtype, order="C")
    out = empty(x.shape, dtype)
    np.copyto(out, x, casting="unsafe")
    return out


def reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    """Return a C-contiguous array in another shape: the array that it is a view of, if that is just this.

    A small array that is nobody's view need not be copied by who keeps it as a gradient.
    """
    whole = x.base
    if type(whole) is np.ndarray and whole.shape == shape and whole.dtype == x.dtype and whole.size == x.size:
        return whole if whole.flags.carray and x.flags.carray else x.reshape(shape)
    return x.reshape(shape)


def joined(arrays: tuple, axis: int) -> Any:
    """Return arrays of one dtype joined along an axis."""
    first = arrays[0]
    if sum(array.nbytes for array in arrays) >= SMALLEST and _are_for_kernels(*arrays):
        from rawseg_kernels import _stretches  # numba

        if min(array.shape[axis] for array in arrays) * math.prod(first.shape[axis + 1 :]) >= _stretches.SHORTEST:
            return _stretches.joined(arrays, axis)
    if not isinstance(first, np.ndarray) or any(array.dtype != first.dtype for array in arrays):
        return array_module(first).concatenate(arrays, axis=axis)
    shape = list(first.shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    return np.concatenate(arrays, axis=axis, out=empty(tuple(shape), first.dtype))
