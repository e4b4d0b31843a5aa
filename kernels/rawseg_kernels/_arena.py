"""Memory that is used again: large arrays come from blocks that go back to a free list when the last view of them dies.

A fresh page costs the operating system a fault and a fill, as much as two passes over memory; training asks for the same sizes
step after step. An array made here has a `Block` for its ``base``, which every view keeps alive, so memory that anything still
refers to is never handed out again. What lies free is bounded, the least recently used goes first, and a fork or another thread
finds the lists in order.
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._memory import limit_bytes

SMALLEST = 64 * 1024  # bytes; NumPy and malloc have smaller blocks at hand
STEPS = 8  # classes of sizes between a power of two and the next: at most an eighth is wasted
LINE = 64  # bytes to which blocks are aligned, a line of the caches and a vector of AVX-512
STRETCH = 1.5  # a free block of so many times the size may serve instead of a new one
SHARE = 4  # free blocks may hold one part in so many of the machine's memory


def _limit() -> int:
    asked = os.environ.get("RAWSEG_CACHE_LIMIT", "")
    return int(asked) if asked.isdigit() else limit_bytes() // SHARE


class _Arena:
    """The free blocks, by size, and what has been counted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free: OrderedDict[int, list[tuple[np.ndarray, int]]] = OrderedDict()  # by size, those last asked for at the end
        self.limit, self.poison = _limit(), os.environ.get("RAWSEG_POISON", "") not in ("", "0")
        self.live = self.cached = self.peak = self.hits = self.misses = 0

    def take(self, size: int) -> tuple[tuple[np.ndarray, int], int]:
        """Return memory of a class of sizes, or used before and a little larger; its first aligned address; and its size."""
        with self.lock:
            found = size if self.free.get(size) else next((larger for larger in _classes(size) if self.free.get(larger)), None)
            if found is None:
                memory = None
                self.misses += 1
            else:
                size = found
                memory = self.free[size].pop()
                self.free.move_to_end(size)
                self.cached -= size
                self.hits += 1
            self.live += size
            self.peak = max(self.peak, self.live)
        if memory is not None:
            return memory, size
        try:
            fresh = np.empty(size + LINE, np.uint8)
        except (MemoryError, ValueError):  # the second for sizes beyond NumPy's 64 bits: a strip of a very wide padding, say
            with self.lock:
                self.live -= size
            raise MemoryError(f"workspace: out: expected memory for {size} bytes, got none") from None
        return (fresh, fresh.ctypes.data + -fresh.ctypes.data % LINE), size

    def give_back(self, memory: tuple[np.ndarray, int], size: int) -> None:
        """Keep the memory of a block that died. Never waits: the garbage collector may call it inside `take`."""
        if not self.lock.acquire(blocking=False):
            self.live -= size
            return
        try:
            self.live -= size
            if size <= self.limit:
                self.free.setdefault(size, []).append(memory)
                self.cached += size
                self._shrink(self.limit)
        finally:
            self.lock.release()

    def _shrink(self, limit: int) -> None:
        while self.cached > limit:
            size = next(iter(self.free))
            blocks = self.free[size]
            if blocks:
                blocks.pop()
                self.cached -= size
            if not blocks:
                del self.free[size]

    def clear(self) -> None:
        """Give all free blocks to the operating system."""
        with self.lock:
            self._shrink(0)


_arena = _Arena()


class Block:
    """The memory of one array; goes back to the arena with the last view of it."""

    __slots__ = ("__array_interface__", "memory", "nbytes", "size")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, nbytes: int) -> None:
        self.nbytes = nbytes
        self.memory, self.size = _arena.take(_size_class(nbytes))
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": (self.memory[1], False), "version": 3}

    def __del__(self) -> None:
        memory = getattr(self, "memory", None)  # none, if there was no memory to have
        if memory is not None:
            _arena.give_back(memory, self.size)


def _size_class(nbytes: int) -> int:
    """Return the smallest class that holds so many bytes: a power of two, or one of STEPS equal steps to the next.

    Examples
    --------
    >>> _size_class(2**20), _size_class(2**20 + 1) - 2**20
    (1048576, 131072)
    """
    step = 1 << max(0, (nbytes - 1).bit_length() - 1 - (STEPS.bit_length() - 1))
    return -(-nbytes // step) * step


def _classes(size: int) -> Iterator[int]:
    """Yield a class of sizes and those above it that may serve in its place."""
    most = int(size * STRETCH)
    while size <= most:
        yield size
        size = _size_class(size + 1)


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an uninitialised C-contiguous array, as ``np.empty``; a large one on memory used before, if there is any."""
    dtype, shape = np.dtype(dtype), shape if isinstance(shape, tuple) else (int(shape),)
    nbytes = math.prod(shape) * dtype.itemsize
    array = np.empty(shape, dtype) if nbytes < SMALLEST else np.asarray(Block(shape, dtype, nbytes))
    if _arena.poison:
        array.fill(np.nan if dtype.kind == "f" else 0x7F)
    return array


def zeros(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return zeros, as ``np.zeros``."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def memory_of(array: Any) -> Any:
    """Return who owns an array's memory, if it is no view of anything else: itself, or the block that it fills; else None."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    owner = owner if owner.base is None else owner.base
    return owner if owner is array or (isinstance(owner, Block) and owner.nbytes == array.nbytes) else None


def memory_stats() -> dict[str, int]:
    """Return what the CPU's large arrays hold, in bytes, and how often memory could be used again.

    Returns
    -------
    dict
        ``live``: of arrays that something refers to; ``peak``: the most that was; ``cached``: free, for the next arrays;
        ``limit``: the most that may be cached (``RAWSEG_CACHE_LIMIT``, by default a quarter of the machine's memory); ``hits``
        and ``misses``: arrays that got memory used before, and new memory. Arrays below 64 KiB are not counted.
    """
    with _arena.lock:
        names = ("live", "peak", "cached", "limit", "hits", "misses")
        return {name: getattr(_arena, name) for name in names}


def reset_peak_memory_stats() -> None:
    """Let ``memory_stats()["peak"]`` start again from what is live."""
    with _arena.lock:
        _arena.peak = _arena.live


def empty_cache() -> None:
    """Give free memory back to the operating system; arrays are left alone."""
    _arena.clear()


def _after_fork() -> None:
    """Give the child a lock of its own: another thread of the parent may have held it."""
    _arena.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
