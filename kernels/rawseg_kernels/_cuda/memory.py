"""Arrays for the results of CUDA kernels, on the device of another array."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _arena
from .._arrays import module_of
from .._memory import with_room


def empty(like: Any, shape: Any, dtype: Any = None) -> Any:
    """Return an uninitialised array beside ``like``, in its dtype unless another is given.

    Raises
    ------
    MemoryError
        If the GPU has no room, even after CuPy's free blocks have been given back.
    """
    dtype, shape = np.dtype(like.dtype if dtype is None else dtype), tuple(map(int, shape))
    if isinstance(like, np.ndarray):
        return _arena.empty(shape, dtype)
    cupy = module_of(like)
    with like.device:
        return with_room("cuda", cupy, shape, dtype, lambda: cupy.empty(shape, dtype))


def zeros(like: Any, shape: Any, dtype: Any = None) -> Any:
    """Do as `empty`, filled with 0."""
    out = empty(like, shape, dtype)
    out.fill(0)
    return out
