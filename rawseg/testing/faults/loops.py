"""Faulty loops in the place of a kernel: plain Python for a few small arrays, compiled for more; never on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np

SMALL = 4096  # elements of all arrays of a call: up to here plain Python takes less time than compiling does,
PATIENCE = 1.0  # unless it has already taken these seconds
ROUNDED = {"exp", "expm1", "log", "log1p", "tanh", "cosh", "erf", "erfc"}  # not to the same bits in Python and when compiled


class Loops:
    """Loops of a ``reference.py``, to be called with the arguments of any algorithm.

    Sums and products have the same bits in both forms, so that a change from one to the other is not seen. Where others are
    computed, the sizes alone decide.

    Parameters
    ----------
    function : function
        Plain Python, which Numba compiles too.
    """

    def __init__(self, function: FunctionType) -> None:
        self.function = function
        self._may_change = not ROUNDED.intersection(function.__code__.co_names)
        self._seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Return what the loops make of the arguments."""
        late = self._may_change and self._seconds > PATIENCE
        if late or sum(array.size for array in _arrays(arguments)) > SMALL:
            return self._compiled(*arguments)
        start = time.perf_counter()
        try:
            with np.errstate(all="ignore"):
                return self.function(*map(_wide, arguments))
        finally:
            self._seconds += time.perf_counter() - start

    @cached_property
    def _compiled(self) -> Any:
        from rawseg_kernels._jit import unkept

        return unkept(self.function)


def _arrays(arguments: tuple[Any, ...]) -> Iterator[np.ndarray]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _arrays(argument)
        elif isinstance(argument, np.ndarray):
            yield argument


def _wide(argument: Any) -> Any:
    """Return small integers as those that Numba computes with: in NumPy a sum of uint8 stays one."""
    return argument.astype(np.int64) if isinstance(argument, np.ndarray) and argument.dtype.kind == "u" else argument
