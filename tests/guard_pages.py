"""Arrays that end where readable memory ends: a kernel that reads one element too many kills the process."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

_libc = ctypes.CDLL(None, use_errno=True)
_kept: list[mmap.mmap] = []


def guarded(array: np.ndarray, end: bool = True) -> np.ndarray:
    """Return a copy that lies between two unreadable pages, its last element (or its first) flush against one."""
    if array.size == 0:
        return array.copy()
    size = -(-max(array.nbytes, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + 2 * mmap.PAGESIZE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (base, base + mmap.PAGESIZE + size):
        assert _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    _kept.append(memory)
    at = mmap.PAGESIZE + (size - array.nbytes if end else 0)
    copy = np.frombuffer(memory, array.dtype, array.size, at).reshape(array.shape)
    copy[...] = array
    return copy
