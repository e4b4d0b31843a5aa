"""Where on the CPU the arrays of one launch are, and whether a kernel may run over them: what `table` is for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from weakref import ref

import numpy as np

from .._arrays import FLOATING
from .._threads import launch
from .overlap import are_apart

BLOCK = 1 << 14  # elements of a task

Columns = Sequence[Sequence[Any]]


def fits(array: Any, like: Any, is_written: bool) -> bool:
    """Return whether a kernel may find an array by its address, in a row with another, for which this is true."""
    if not isinstance(array, np.ndarray) or array.shape != like.shape or array.dtype != like.dtype:
        return False
    flags = array.flags
    return array.dtype in FLOATING and (flags.carray if is_written else flags.c_contiguous and flags.aligned)


@lru_cache(maxsize=64)
def pieces_of(sizes: tuple[int, ...]) -> np.ndarray:
    """Return the tasks of rows, shape (tasks, 3): of each its row, its first element, and how many there are."""
    starts = [(row, start, size) for row, size in enumerate(sizes) for start in range(0, size, BLOCK)]
    return np.array([(row, start, min(BLOCK, size - start)) for row, start, size in starts], np.int64).reshape(-1, 3)


class Rows:
    """The addresses of gradients, parameters and slots; row i is parameter i, column 0 the gradients.

    What a rule writes to is most often the same from step to step, and then its addresses are known. Arrays are held from
    `point_at` to the end of `launch` alone: in between, nobody else may let them go.

    Attributes
    ----------
    apart : bool
        Whether no array that is written to shares memory with another of them: threads would meet there.
    """

    def __init__(self) -> None:
        self.apart = False
        self._written: list[list[ref]] = []
        self._held: tuple = ()
        self._sizes: tuple[int, ...] = ()
        self._addresses = np.empty((0, 0), np.int64)
        self._like = np.empty(0, np.float32)

    def __reduce__(self) -> tuple:
        return Rows, ()  # a copy is for other arrays, at other addresses

    @classmethod
    def of_one(cls, gradient: np.ndarray, *written: np.ndarray) -> Rows:
        """Return a single row of arrays that fit each other and lie apart."""
        rows = cls()
        rows.apart, rows._held, rows._sizes, rows._like = (
            True,
            (gradient, written),
            (gradient.size,),
            np.empty(0, gradient.dtype),
        )
        rows._addresses = np.array([[array.ctypes.data] for array in (gradient, *written)], np.int64)
        return rows

    def point_at(self, read: Columns, written: Columns) -> None:
        """Look where the arrays of a step are.

        Parameters
        ----------
        read : sequence of one column
            The gradients.
        written : sequence of columns
            The parameters, then every slot's arrays. All arrays of a row fit the row's parameter, all rows have one dtype.
        """
        (gradients,) = read
        known, found = self._knows(written), [gradient.ctypes.data for gradient in gradients]
        if known and found == self._addresses[0].tolist():
            self._held = gradients, written
            return
        if known:
            columns = [found, *self._addresses[1:].tolist()]
        else:
            columns = [found, *([array.ctypes.data for array in column] for column in written)]
            self._written = [[ref(array) for array in column] for column in written]
            self._sizes, self._like = tuple(array.size for array in gradients), np.empty(0, gradients[0].dtype)
        self._addresses = np.array(columns, np.int64)  # anew: another thread may be reading the last ones
        ends = self._addresses + np.array(self._sizes) * self._like.itemsize
        self.apart, self._held = are_apart(self._addresses, ends, 1), (gradients, written)

    def _knows(self, columns: Columns) -> bool:
        if len(columns) != len(self._written) or len(columns[0]) != len(self._sizes):
            return False
        pairs = zip(columns, self._written)
        return all(array is seen() for column, known in pairs for array, seen in zip(column, known))

    def launch(self, rule: Any, steps: int, *numbers: float) -> None:
        """Run a rule of so many arithmetic steps an element; its numbers are rounded to the arrays' dtype first."""
        if not self.apart or not self._held:
            raise ValueError("expected arrays that lie apart, and each launch to be told where")
        pieces, kind = pieces_of(self._sizes), self._like.dtype.type
        try:
            launch(rule, len(pieces), self._addresses, pieces, self._like, *map(kind, numbers), work=steps * sum(self._sizes))
        finally:
            self._held = ()
