"""The memory of CUDA graphs: a pool of their own, which goes back to the GPU after the last of them."""

from __future__ import annotations

import sys
from typing import Any

from ..device import gpu_module

__all__ = ["PrivatePool"]

_retired: set[PrivatePool] = set()  # with arrays: CuPy's memory does not find a pool that Python's collector takes with it


class PrivatePool:
    """A pool whose memory nobody else gets while a graph may write to it, and the GPU gets afterwards.

    CuPy's pool alone would not do. When memory runs out it gives its free blocks back to the GPU and tries again, but graphs
    write to such blocks: so whatever the GPU gave is held here. And free blocks outlive the pool unless it is told to give them
    back: so it is told with the last graph, and by each array that lives longer.
    """

    def __init__(self, device: Any) -> None:
        self._cuda, self._device = gpu_module("graph").cuda, device
        self._held: list[Any] = []
        self._busy = False
        cuda, held = self._cuda, self._held

        def from_gpu(size: int) -> Any:
            held.append(cuda.Memory(size))
            return cuda.MemoryPointer(held[-1], 0)

        self._pool = self._cuda.MemoryPool(from_gpu)

    def malloc(self, size: int) -> Any:
        """Return memory, as CuPy's allocators do."""
        pointer = self._pool.malloc(size)
        memory = self._cuda.UnownedMemory(pointer.ptr, size, _Block(pointer, self), self._device.id)
        return self._cuda.MemoryPointer(memory, 0)

    def retire(self) -> None:
        """Give everything back, now that no graph is left; arrays that are still used follow as soon as they die."""
        _retired.add(self)
        self._held.clear()
        self.give_back()

    def give_back(self) -> None:
        """Give what is free to the GPU, if no graph is left."""
        if self in _retired and not self._busy:  # CuPy's lock is not for a thread that has it: an array may die in there
            self._busy = True
            try:
                with self._device:
                    self._pool.free_all_blocks()
                    if not self._pool.total_bytes():
                        _retired.discard(self)
            finally:
                self._busy = False


class _Block:
    """What an array holds of a pool."""

    def __init__(self, pointer: Any, pool: PrivatePool) -> None:
        self._pointer, self._pool = pointer, pool

    def __del__(self, ending: Any = sys.is_finalizing) -> None:
        if not ending():
            self._pointer = None
            self._pool.give_back()
