"""Results that wait for the next operation, so that two passes over memory become one.

The forward of a Function may return a `Deferred`, which knows its shape and how to compute it, in an array's place. A Function
that says ``takes_deferred`` sees it as it is and may compute both operations at once: normalise and clamp in one pass, say.
Everyone else asks the Tensor for its ``array``, which computes it then. The graph has the same nodes, results the same bits.

Nobody has to know: results wait only inside a block of `deferring`: the call of an outermost module, or a backward pass. What
still waits at its end is computed there, and what reads an array that is about to be written to is computed before.
"""

from __future__ import annotations

import math
import threading
import weakref
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .grad_mode import modes

__all__ = ["Deferred", "deferring", "may_defer", "settle_readers", "settled", "stand_in"]


class _Scope(threading.local):
    depth = 0
    waiting: tuple | list = ()  # weak references to what was deferred; a thread's first block brings its own list


_scope = _Scope()


class Deferred:
    """An array that is not computed yet.

    Parameters
    ----------
    shape, dtype
        Of the array.
    *sources : ndarray or None
        What it will be computed from.
    """

    __slots__ = ("__weakref__", "_array", "dtype", "ndim", "shape", "size", "sources")

    def __init__(self, shape: tuple[int, ...], dtype: Any, *sources: np.ndarray | None) -> None:
        self.shape, self.ndim, self.dtype = shape, len(shape), dtype
        self.sources: tuple[Any, ...] = sources
        self.size = math.prod(shape)
        self._array: np.ndarray | None = None
        _scope.waiting.append(weakref.ref(self))  # type: ignore[union-attr]

    def compute(self) -> np.ndarray:
        """Return the array; called at most once."""
        raise TypeError(f"{type(self).__name__} needs a method compute")

    def clamped(self, low: float, high: float) -> Any:
        """Return the array, or another Deferred, held between two numbers as `relu` does it; None: this one cannot."""
        return None

    def normalised(self, centre: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> Any:
        """Return the array, or another Deferred, as ``(x - centre) * scale + shift`` of its channels; None: this one cannot."""
        return None

    def settle(self) -> np.ndarray:
        """Return the array, computed now unless it is already."""
        if self._array is None:
            with np.errstate(all="ignore"):
                self._array = self.compute()
            self.sources = ()
        return self._array

    @property
    def settled(self) -> bool:
        """Whether the array exists."""
        return self._array is not None


def settled(array: Any) -> Any:
    """Return the array itself, computed now if it is deferred."""
    return array.settle() if isinstance(array, Deferred) else array


def stand_in(tensor: Any) -> Any:
    """Return an array of a Tensor's dtype and device, to check others against, without computing what waits."""
    return np.empty(0, tensor.dtype) if isinstance(tensor._array, Deferred) else tensor.array


def may_defer(*arrays: Any) -> bool:
    """Return whether an operation on these arrays (or None) may leave its result for later: inside a block, on the CPU."""
    if _scope.depth == 0 or modes.anomaly:
        return False
    return all(array is None or isinstance(array, (np.ndarray, Deferred)) for array in arrays)


class _Deferring:
    """The block itself; it keeps nothing, so that one serves everybody."""

    def __enter__(self) -> None:
        if _scope.depth == 0:
            _scope.waiting = []
        _scope.depth += 1

    def __exit__(self, *_exception: object) -> None:
        _scope.depth -= 1
        if _scope.depth == 0:
            for result in _waiting():
                result.settle()
            _scope.waiting = ()


DEFERRING = _Deferring()


def deferring() -> AbstractContextManager[None]:
    """Let results wait inside a ``with`` block; at the end of the outermost one on this thread, compute those that still do."""
    return DEFERRING


def settle_readers(array: Any) -> None:
    """Compute what waits on this thread and will read this memory, which is about to change."""
    for result in _waiting():
        for source in result.sources:
            if source is not None and _may_overlap(array, source):
                result.settle()
                break


def _may_overlap(array: Any, source: np.ndarray) -> bool:
    if array is not source and array.flags.owndata and source.flags.owndata:  # two allocations; NumPy takes longer to tell
        return False
    return np.may_share_memory(array, source)


def _waiting() -> list[Deferred]:
    """Return what waits; what no longer does is forgotten, so that a long network does not ask it again and again."""
    if not _scope.waiting:
        return []
    kept, results = [], []
    for reference in _scope.waiting:
        result = reference()
        if result is not None and not result.settled:
            kept.append(reference)
            results.append(result)
    _scope.waiting = kept
    return results
