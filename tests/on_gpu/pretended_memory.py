"""Memory of the pretended CuPy: pools that count what lives, and pinned memory that is poisoned as soon as it is let go."""

from __future__ import annotations

import math
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np

UNIT = 512  # bytes to which CuPy rounds sizes up
POISON = 0x7F
_threads, _addresses = threading.local(), count(UNIT, UNIT)
_blocks: weakref.WeakValueDictionary[int, Block] = weakref.WeakValueDictionary()


def current_device() -> int:
    """Return the number of this thread's device."""
    return getattr(_threads, "device", 0)


def use_device(number: int) -> None:
    """Make a device this thread's."""
    _threads.device = number


def poisoned(array: np.ndarray) -> np.ndarray:
    """Fill an array with what no result has: NaN, -1, True."""
    array.fill(np.nan if array.dtype.kind == "f" else array.dtype.type(-1) if array.dtype.kind == "i" else 1)
    return array


class CUDARuntimeError(RuntimeError):
    """An error of CUDA."""


class OutOfMemoryError(MemoryError):
    """What a pool raises when the device has no more."""


class Memory:
    """Bytes of the device, as long as somebody refers to them."""

    on_device, limit = 0, 2**40

    def __init__(self, size: int) -> None:
        self.size = 0
        if Memory.on_device + size > Memory.limit:
            raise CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")
        self.size, self.ptr, self.device_id = size, next(_addresses) if size else 0, current_device()
        Memory.on_device += size

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not ending():
            Memory.on_device -= self.size


class UnownedMemory:
    """Memory that somebody else gives back, after ``owner``."""

    def __init__(self, ptr: int, size: int, owner: object, device_id: int = -1) -> None:
        if not ptr and device_id < 0:
            raise RuntimeError("UnownedMemory requires explicit device ID for a null pointer.")
        self.ptr, self.size, self._owner, self.device_id = ptr, size, owner, device_id


class PooledMemory:
    """A block of a pool, which goes back there."""

    def __init__(self, memory: Memory, pool: MemoryPool) -> None:
        self.memory, self.pool = memory, pool._weakref
        self.ptr, self.size = memory.ptr, memory.size

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if ending():
            return
        pool = self.pool()
        if pool is None:
            _leaked.append(self.memory)  # as a part of a larger block would be, which nobody puts together again
        else:
            pool._take_back(self.memory)


class MemoryPointer:
    """A place in memory."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self.ptr = mem, mem.ptr + offset


class MemoryPool:
    """Memory for arrays made while its `malloc` is the current allocator; free blocks stay until `free_all_blocks`."""

    def __init__(self, allocator: Callable[[int], MemoryPointer] | None = None) -> None:
        self._allocator = allocator or (lambda size: MemoryPointer(Memory(size), 0))
        self._used = self._total = 0
        self._free: dict[tuple[int, int], list[Memory]] = {}  # by device and size
        self._weakref = weakref.ref(self)  # Python's collector clears one that only garbage has
        _leaked.append(self._free)  # in CuPy, free blocks and the arena that lists them hold each other

    def malloc(self, size: int) -> MemoryPointer:
        """Return a free block, or one of the device; where that has no more, free blocks are given back first."""
        size = -(-size // UNIT) * UNIT
        if size == 0:
            return MemoryPointer(Memory(0), 0)
        if not (blocks := self._free.get((current_device(), size))):
            memory = self._from_device(size)
            self._total += size
        else:
            memory = blocks.pop()
        self._used += size
        return MemoryPointer(PooledMemory(memory, self), 0)

    def _from_device(self, size: int) -> Memory:
        for _ in range(2):
            try:
                return self._allocator(size).mem
            except CUDARuntimeError:
                self.free_all_blocks()
        try:
            return self._allocator(size).mem
        except CUDARuntimeError:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes") from None

    def _take_back(self, memory: Memory) -> None:
        self._used -= memory.size
        self._free.setdefault((memory.device_id, memory.size), []).append(memory)

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
        """Give free memory of the current device back."""
        for device, size in [key for key in self._free if key[0] == current_device()]:
            self._total -= size * len(self._free.pop((device, size)))


_leaked: list[Any] = []
DEFAULT = MemoryPool()


def current_allocator() -> Callable[[int], MemoryPointer]:
    """Return what gives memory to arrays."""
    return getattr(_threads, "allocator", None) or DEFAULT.malloc


def current_pool() -> Any:
    """Return the pool that arrays come from."""
    return current_allocator().__self__  # type: ignore[attr-defined]


class Block:
    """The memory of an array and of its views on the device, which all hold it."""

    died: Callable[[np.ndarray, Any], None] = staticmethod(lambda _array, _pool: None)  # told of memory that may be used again

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.pool = array, current_pool()
        self.device_id = current_device()
        self.pointer = current_allocator()(array.nbytes)

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not ending() and hasattr(self, "pointer"):
            Block.died(self.array, self.pool)


def block_of(array: np.ndarray) -> Block:
    """Return the block that an array lies in: a new one, if it was not known as memory of the device."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    block = _blocks.get(id(array))
    if block is None:
        block = _blocks[id(array)] = Block(array)
    return block


@contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    """As CuPy's."""
    before, _threads.allocator = getattr(_threads, "allocator", None), allocator
    try:
        yield
    finally:
        _threads.allocator = before


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
