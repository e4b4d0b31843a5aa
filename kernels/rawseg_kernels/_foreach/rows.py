"""Where on the CPU the arrays of one launch are, and whether a kernel may run over them: what `table` is for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arrays import FLOATING
from .._threads import launch
from .overlap import are_apart

BLOCK = 1 << 14  # elements of a task

Columns = Sequence[Sequence[Any]]


class Rows:
    """The addresses of parameters, their gradients and their slots; row i is parameter i, and a task is a piece of a row.

    What a rule writes to is the same from step to step: these arrays are held, and looked at once. Gradients are looked at in
    every step and not held.

    Attributes
    ----------
    apart : bool
        Whether a kernel may run over the present arrays: NumPy's own, C-contiguous, of one floating dtype, those of a row
        equally large, and none that is written to in the memory of another.
    """

    def __init__(self) -> None:
        self.apart = False
        self._columns: list[list[Any]] = []
        self._gradients: list[int] = []
        self._sizes: list[int] = []
        self._addresses = self._pieces = np.empty((0, 0), np.int64)
        self._like = np.empty(0, np.float32)

    def __reduce__(self) -> tuple:
        return Rows, ()  # a copy is for other arrays, at other addresses

    def point_at(self, read: Columns, written: Columns) -> None:
        """Look where the arrays of a step are.

        Parameters
        ----------
        read : sequence of one column
            The gradients.
        written : sequence of columns
            The parameters, then every slot's arrays.
        """
        (gradients,) = read
        if not self._holds(written):
            self._hold(gradients[0].dtype, written)
        if not self._columns or not all(map(self._fits, gradients, self._sizes)):
            self.apart, self._gradients = False, []
            return
        addresses = [gradient.ctypes.data for gradient in gradients]
        if addresses != self._gradients:
            self._addresses[0] = self._gradients = addresses
            self.apart = are_apart(self._addresses, self._addresses + np.array(self._sizes) * self._like.itemsize, 1)

    def _holds(self, columns: Columns) -> bool:
        if len(columns) != len(self._columns) or len(columns[0]) != len(self._sizes):
            return False
        return all(array is held for column, kept in zip(columns, self._columns) for array, held in zip(column, kept))

    def _hold(self, dtype: np.dtype, columns: Columns) -> None:
        self._columns, self._gradients, self._sizes = [], [], [array.size for array in columns[0]]
        self._like = np.empty(0, dtype if dtype in FLOATING else np.float32)
        if not all(all(map(self._fits, column, self._sizes)) for column in columns):
            return
        self._columns = [list(column) for column in columns]
        self._addresses = np.array([self._sizes, *([array.ctypes.data for array in column] for column in columns)], np.int64)
        starts = [(row, start, size) for row, size in enumerate(self._sizes) for start in range(0, size, BLOCK)]
        self._pieces = np.array([(row, start, min(BLOCK, size - start)) for row, start, size in starts], np.int64).reshape(
            -1, 3
        )

    def _fits(self, array: Any, size: int) -> bool:
        return (
            type(array) is np.ndarray
            and array.size == size
            and array.flags.c_contiguous
            and array.dtype.isnative
            and array.dtype == self._like.dtype
        )

    def launch(self, rule: Any, steps: int, *numbers: float) -> None:
        """Run a rule of so many arithmetic steps an element; its numbers are rounded to the arrays' dtype first."""
        arrays = self._addresses, self._pieces, self._like
        launch(rule, len(self._pieces), *arrays, *map(self._like.dtype.type, numbers), work=steps * sum(self._sizes))
