"""The limit on one array: an output that cannot fit is refused before anything is allocated."""

from __future__ import annotations

import math
import os
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=1)
def limit_bytes() -> int:
    """Return the largest single array in bytes: ``RAWSEG_MEMORY_LIMIT``, else the machine's physical memory."""
    asked = os.environ.get("RAWSEG_MEMORY_LIMIT")
    if asked:
        return int(asked)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no sysconf on Windows
        return 1 << 40


def check_size(op: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise MemoryError if one array of this shape cannot fit into this machine."""
    needed = math.prod(shape) * np.dtype(dtype).itemsize  # Python ints: cannot overflow
    if needed > limit_bytes():
        raise MemoryError(f"{op}: out: expected at most {limit_bytes()} bytes, got {needed} bytes for shape {shape}")
