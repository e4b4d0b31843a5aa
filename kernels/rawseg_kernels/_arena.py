"""Memory that is used again: large arrays are places in long segments, and free again when the last view of them dies.

A fresh page costs the operating system a fault and a fill, as much as two passes over memory; training asks for the same sizes
step after step. An array made here has a `Block` for its ``base``, which every view keeps alive, so memory that anything still
refers to is never handed out again. A segment is address space: pages come when they are first written, so that a process holds
little more than its arrays did at the worst moment. What lies free is bounded, and a fork or another thread finds all in order.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import sys
import threading
from typing import Any, NamedTuple

import numpy as np

from ._memory import limit_bytes
from ._ranges import Ranges

SMALLEST = 64 * 1024  # bytes; NumPy and malloc have smaller blocks at hand
LARGEST_SCRATCH = 16 << 20  # bytes that a thread keeps for its next kernel
SPARE = 8  # blocks that wait, as they are, for an array of their size; when more have died, all become one with what is free
LINE = 64  # bytes to which blocks are aligned, a line of the caches and a vector of AVX-512
PRIVATE = hasattr(mmap, "MAP_PRIVATE")  # memory that a forked child has for itself, and that costs nothing until it is written
SEGMENT = 1 << (30 if PRIVATE else 26)  # bytes, where there are so many, and more for larger arrays
SHARE = 4  # free memory may be one part in so many of the machine's
# How pages are given up; where that is not possible, as on Windows, only segments that nothing lies in can go, and a bound on
# what lies free holds as far as these do.
FORGET: Any = getattr(mmap, "MADV_DONTNEED" if sys.platform.startswith("linux") else "MADV_FREE", None)
HUGE: Any = getattr(mmap, "MADV_HUGEPAGE", None)


def _limit() -> int:
    asked = os.environ.get("RAWSEG_CACHE_LIMIT", "")
    return int(asked) if asked.isdigit() else limit_bytes() // SHARE


class _Segment:
    """A stretch of memory, and what of it is free."""

    __slots__ = ("arena", "memory", "ranges")

    def __init__(self, arena: _Arena, size: int) -> None:
        self.arena, self.ranges = arena, Ranges(size, mmap.PAGESIZE)
        self.memory = mmap.mmap(-1, size, **({"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if PRIVATE else {}))
        if HUGE is not None:
            with contextlib.suppress(OSError):  # of a system without them
                self.memory.madvise(HUGE)

    def forget(self, start: int, end: int) -> None:
        """Give the whole pages between two places to the operating system."""
        start, end = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE, end // mmap.PAGESIZE * mmap.PAGESIZE
        if start < end:
            with contextlib.suppress(OSError):  # of pages that are locked, which then stay
                self.memory.madvise(FORGET, start, end - start)


class Place(NamedTuple):
    """Where a block lies: ``room`` bytes of a segment."""

    segment: _Segment
    start: int
    room: int


class _Arena:
    """The segments, and what has been counted.

    What runs for every array is short and keeps its data together: after a kernel the cache holds neither.
    """

    __slots__ = (
        "abandoned",
        "cached",
        "dead",
        "hits",
        "limit",
        "live",
        "lock",
        "misses",
        "peak",
        "poison",
        "segments",
        "spare",
    )

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.segments: list[_Segment] = []
        self.dead: list[Place] = []  # of blocks that died, until somebody has the lock
        self.spare: list[Place] = []  # of some that died last, which the ranges do not know to be free yet
        self.limit, self.poison = _limit(), os.environ.get("RAWSEG_POISON", "") not in ("", "0")
        self.live = self.cached = self.peak = self.hits = self.misses = 0
        self.abandoned = False  # in a child that was forked while another thread was at work here

    def take(self, size: int) -> Place:
        """Return a place for a block: the smallest that is free and suffices, or else above all that was used."""
        with self.lock:
            if self.dead:
                self._bury()
            spare, place, kept = self.spare, None, size
            for at in range(len(spare) - 1, -1, -1):  # the last that died may still be in a cache
                if spare[at].room == size:
                    place = spare.pop(at)
                    break
            if place is None:
                place, kept = self._found(size)
            if kept == size:
                self.hits += 1
            else:
                self.misses += 1
            self.cached -= kept
            self.live += size
            if self.live > self.peak:
                self.peak = self.live
        return place

    def _found(self, size: int) -> tuple[Place, int]:
        """Return a place that no block of this size left, and how many of its bytes were cached."""
        self._merge()
        segment, room = self._smallest(size)
        if segment is not None:
            start, kept = segment.ranges.take(size, room)
        else:
            segment = self._with_space(size)
            start, kept = segment.ranges.extend(size)
        return Place(segment, start, size), kept

    def _smallest(self, size: int) -> tuple[_Segment | None, int]:
        """Return the segment with the smallest free place that suffices, and the size of that place."""
        segment, room = None, -1
        for other in self.segments:
            found = other.ranges.room(size)
            if found >= 0 and (found < room or segment is None):
                segment, room = other, found
        return segment, room

    def _with_space(self, size: int) -> _Segment:
        """Return a segment with so many bytes above its top, used ones if there are, or a new segment."""
        fitting = [segment for segment in self.segments if segment.ranges.size - segment.ranges.top >= size]
        if fitting:
            return next((s for s in fitting if s.ranges.high - s.ranges.top >= size), fitting[0])
        for length in (max(SEGMENT, size), size, size):  # whoever limits address space may have less left
            with contextlib.suppress(OSError, OverflowError, ValueError):
                self.segments.append(_Segment(self, length))
                return self.segments[-1]
            if length == size:
                self._shrink(0)  # and some of it lies free
        raise MemoryError(f"workspace: out: expected memory for {size} bytes, got none")

    def give_back(self, place: Place) -> None:
        """Take the place of a block that died. Never waits: the garbage collector may call it inside `take`."""
        if not self.abandoned:
            self.dead.append(place)
        if self.lock.acquire(False):
            try:
                self._bury()
            finally:
                self.lock.release()

    def _bury(self) -> None:
        """Let the dead wait for an array of their size, or all of them be free, once they are more than a few."""
        while self.dead:
            place = self.dead.pop()
            self.spare.append(place)
            self.cached += place.room
            self.live -= place.room
            if len(self.spare) > SPARE or self.cached > self.limit:
                self._merge()

    def _merge(self) -> None:
        """Let spare blocks and what is free beside them be one, and keep the limit."""
        while self.spare:
            segment, start, room = self.spare.pop()
            self.cached += segment.ranges.give_back(start, room) - room
        if self.cached > self.limit:
            self._shrink(self.limit)

    def _shrink(self, limit: int) -> None:
        """Give free memory to the operating system, the far end first, which is asked last, until a limit is kept."""
        for segment in reversed(self.segments[:]):
            ranges, excess = segment.ranges, self.cached - limit
            if excess <= 0:
                return
            if not ranges.top and (FORGET is None or ranges.high <= excess):
                self.segments.remove(segment)
                self.cached -= ranges.high
            elif FORGET is not None:
                for start, end, kept in ranges.forget(excess):
                    segment.forget(start, end)
                    self.cached -= kept

    def clear(self) -> None:
        """Give all that is free to the operating system."""
        with self.lock:
            self._bury()
            self._merge()
            self._shrink(0)


_arena = _Arena()


class Block(np.ndarray):
    """The memory of one array; its `Place` is free again with the last view of it.

    It is an array so that NumPy makes it sooner than from any description of memory; only its views are handed out.
    """

    __slots__ = ("place",)

    place: Place

    def __del__(self, finalizing: Any = sys.is_finalizing) -> None:
        if hasattr(self, "place") and not finalizing():  # else it is a view of another, or no modules are left
            self.place.segment.arena.give_back(self.place)


def _block(shape: tuple[int, ...], dtype: np.dtype, nbytes: int) -> Block:
    """Return a block that holds so many bytes."""
    place = _arena.take(-(-nbytes // LINE) * LINE)
    block = None
    try:
        block = Block(shape, dtype, place.segment.memory, place.start)  # type: ignore[arg-type]
        block.place = place
    except BaseException:
        if not hasattr(block, "place"):
            place.segment.arena.give_back(place)
        raise
    return block


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an uninitialised C-contiguous array, as ``np.empty``; a large one on memory used before, if there is any."""
    dtype = dtype if isinstance(dtype, np.dtype) else np.dtype(dtype)
    shape = shape if isinstance(shape, tuple) else (int(shape),)
    nbytes = math.prod(shape) * dtype.itemsize
    array = np.empty(shape, dtype) if nbytes < SMALLEST else _block(shape, dtype, nbytes).view(np.ndarray)
    if _arena.poison:
        array.fill(np.nan if dtype.kind == "f" else 0x7F)
    return array


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.kept: dict[np.dtype, np.ndarray] = {}
        self.lent: dict[np.dtype, np.ndarray] = {}  # what may be borrowed


_scratch = _Scratch()


def scratch(size: int, dtype: np.dtype) -> np.ndarray:
    """Return uninitialised elements for as long as one kernel runs: this thread gets them again when it asks the next time."""
    kept = _scratch.kept.get(dtype)
    if kept is None or kept.size < size:
        kept = empty(size, dtype)
        if kept.nbytes <= LARGEST_SCRATCH:
            _scratch.kept[dtype] = kept
    elif _arena.poison:
        kept.fill(np.nan if dtype.kind == "f" else 0x7F)
    return kept[:size]


class borrowed:
    """At least so many uninitialised elements, for several kernels: ``with borrowed(size, dtype) as array``."""

    __slots__ = ("array",)

    def __init__(self, size: int, dtype: np.dtype) -> None:
        array = _scratch.lent.pop(dtype, None)  # nobody else gets it meanwhile, not even a signal's handler
        if array is None or array.size < size:
            array = empty(size, dtype)
        elif _arena.poison:
            array.fill(np.nan if dtype.kind == "f" else 0x7F)
        self.array = array

    def __enter__(self) -> np.ndarray:
        return self.array

    def __exit__(self, *_exception: object) -> None:
        if self.array.nbytes <= LARGEST_SCRATCH:
            _scratch.lent[self.array.dtype] = self.array


def zeros(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return zeros, as ``np.zeros``."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def memory_of(array: Any) -> Any:
    """Return who owns an array's memory, if it is no view of anything else: itself, or the block that it fills; else None."""
    owner = array
    while type(owner) is not Block and isinstance(owner.base, np.ndarray):
        owner = owner.base
    if type(owner) is Block:
        return owner if owner.nbytes == array.nbytes else None
    return owner if owner is array and owner.base is None else None


def memory_stats() -> dict[str, int]:
    """Return what the CPU's large arrays hold, in bytes, and how often memory could be used again.

    Returns
    -------
    dict
        ``live``: of arrays that something refers to; ``peak``: the most that was; ``cached``: free, for the next arrays;
        ``limit``: the most that may be cached (``RAWSEG_CACHE_LIMIT``, by default a quarter of the machine's memory); ``hits``
        and ``misses``: arrays that got memory used before, and those that got new memory, all of it or a part. Arrays below
        64 KiB are not counted.
    """
    with _arena.lock:
        _arena._bury()
        names = ("live", "peak", "cached", "limit", "hits", "misses")
        return {name: getattr(_arena, name) for name in names}


def reset_peak_memory_stats() -> None:
    """Let ``memory_stats()["peak"]`` start again from what is live."""
    with _arena.lock:
        _arena._bury()
        _arena.peak = _arena.live


def empty_cache() -> None:
    """Give free memory back to the operating system, this thread's scratch as well; arrays are left alone."""
    _scratch.kept.clear()
    _scratch.lent.clear()
    _arena.clear()


def _after_fork() -> None:
    """Give the child an arena of its own if another thread of the parent was at work in this one."""
    global _arena
    if _arena.lock.acquire(blocking=False):
        _arena.lock.release()
    else:
        _arena.abandoned = True
        _arena = _Arena()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
