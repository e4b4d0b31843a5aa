"""The limit on one array: an output that cannot fit is refused before anything is allocated, and so are tables.

And what is done where a GPU has no room.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

LARGEST_SPAN = 2**63 - 1  # bytes, in NumPy's own arithmetic
TABLE_COPIES = 12  # arrays of 8 bytes an entry that exist at once while a table of positions and weights is made, at most


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
    """Raise MemoryError if one array of this shape cannot fit into this machine, or, though empty, into NumPy's 64 bits."""
    filled = math.prod(shape)  # of Python ints: cannot overflow
    spanned = (filled or math.prod([length for length in shape if length])) * np.dtype(dtype).itemsize
    if (filled and spanned > limit_bytes()) or spanned > LARGEST_SPAN:
        raise MemoryError(f"{op}: out: expected at most {limit_bytes()} bytes, got {spanned} bytes for shape {shape}")


def check_tables(op: str, entries: int) -> None:
    """Raise MemoryError if tables of so many entries cannot be made: a side may be long where the output is empty or thin."""
    check_size(op, (entries, TABLE_COPIES), np.dtype(np.int64))


def with_room(op: str, cupy: Any, shape: tuple[int, ...], dtype: np.dtype, make: Callable[[], Any]) -> Any:
    """Return the array of this shape and dtype that ``make`` makes on CuPy's current device.

    Raises
    ------
    MemoryError
        If the GPU has no room, even after CuPy's free blocks have been given back.
    """
    for blocks_are_kept in (True, False):
        try:
            return make()
        except cupy.cuda.memory.OutOfMemoryError:
            if blocks_are_kept:  # a free block of another size is of no use here, and may make room as memory of the device
                cupy.get_default_memory_pool().free_all_blocks()
    free, total = cupy.cuda.runtime.memGetInfo()
    wanted = f"{math.prod(shape) * dtype.itemsize} bytes for shape {shape}"
    raise MemoryError(f"{op}: out: expected room for {wanted}, got {free} free of {total} on {cupy.cuda.Device()}")
