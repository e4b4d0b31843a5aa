"""Memory of the pretended CuPy: pools that count what lives, and pinned memory that is poisoned as soon as it is let go."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

UNIT = 512  # bytes to which CuPy rounds sizes up
POISON = 0x7F
_threads, _counted = threading.local(), {}


def poisoned(array: np.ndarray) -> np.ndarray:
    """Fill an array with what no result has: NaN, -1, True."""
    array.fill(np.nan if array.dtype.kind == "f" else array.dtype.type(-1) if array.dtype.kind == "i" else 1)
    return array


class MemoryPool:
    """Counts the bytes of arrays made while it was the current allocator; what dies stays with it until it is emptied."""

    def __init__(self) -> None:
        self._used = self._total = 0

    def malloc(self, _size: int) -> None:
        """Stand for the allocator: what matters is whose method it is."""

    def _take(self, array: np.ndarray) -> None:
        size = -(-array.nbytes // UNIT) * UNIT
        self._used += size
        self._total = max(self._total, self._used)
        _counted[id(array)] = weakref.finalize(array, _given_back, weakref.ref(self), size, id(array))

    def used_bytes(self) -> int:
        """Return the bytes of arrays that live."""
        return self._used

    def total_bytes(self) -> int:
        """Return the bytes that the pool holds."""
        return self._total

    def free_bytes(self) -> int:
        """Return the bytes that the pool holds for the next arrays."""
        return self._total - self._used

    def free_all_blocks(self) -> None:
        """Give free memory back."""
        self._total = self._used


def _given_back(pool: Any, size: int, number: int) -> None:
    _counted.pop(number, None)
    if pool() is not None:
        pool()._used -= size


DEFAULT = MemoryPool()


def current_pool() -> MemoryPool:
    """Return the pool that arrays come from."""
    return getattr(_threads, "pool", None) or DEFAULT


def counted(array: np.ndarray) -> None:
    """Count an array that owns its memory; one that is counted already stays where it is."""
    if array.base is None and id(array) not in _counted:
        current_pool()._take(array)


@contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    """As CuPy's: the allocator is a method of a pool."""
    before, _threads.pool = getattr(_threads, "pool", None), allocator.__self__
    try:
        yield
    finally:
        _threads.pool = before


class _Pinned:
    """A block of pinned memory, which goes back to a free list with its last view."""

    free: dict[int, list[np.ndarray]] = {}  # noqa: RUF012

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.size = math.prod(shape) * dtype.itemsize
        blocks = self.free.get(self.size)
        self.raw = blocks.pop() if blocks else np.empty(max(self.size, 1), np.uint8)
        self.raw.fill(POISON)
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": (self.raw.ctypes.data, False), "version": 3}

    def __del__(self) -> None:
        self.raw.fill(POISON)  # a copy that has not landed yet reads this
        self.free.setdefault(self.size, []).append(self.raw)


def empty_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    """As cupyx's."""
    assert order == "C"
    return np.asarray(_Pinned((shape,) if isinstance(shape, int) else tuple(shape), np.dtype(dtype)))


def source_of(array: np.ndarray) -> np.ndarray:
    """Return what an asynchronous copy reads: pinned memory as it will be by then, even if nothing refers to it, or a copy."""
    block: Any = array
    while isinstance(block, np.ndarray):
        block = block.base
    if not isinstance(block, _Pinned) or array.nbytes != block.size:
        return array.copy()
    return block.raw[: block.size].view(array.dtype).reshape(array.shape)
