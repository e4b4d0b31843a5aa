"""Where the arrays of one launch are, which chunks they are cut into, and whether it is safe to hand that to a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arrays import FLOATING, device_of, module_of
from .._cuda.kernel import BLOCK, MOST_BLOCKS, Kernel
from .._cuda.tables import sent
from .overlap import are_apart

CHUNK = 4096  # elements: 16 a thread, so that a network of a million parameters still gives every multiprocessor a block

Columns = Sequence[Sequence[Any]]


class Table:
    """The addresses of arrays, and the chunks of a launch over them.

    A table holds no array, only where arrays were when `point_at` last saw them: it is told before every launch by who holds
    them, and looks whether it is still right. So the memory of old gradients is free as soon as nobody else has them, and no
    address outlives its array. What the kernels read is made on the host and travels in one copy, and only if it changed, or if
    another stream is the current one, which has not waited for the copy.

    Attributes
    ----------
    chunks, rows : int
        Of the present arrays.
    dtype : dtype
        Theirs.
    apart : bool
        Whether no written array shares memory with another array: threads would meet there.
    uploads : int
        How often something was copied to the device.
    """

    def __init__(self) -> None:
        self.chunks = self.rows = self.uploads = 0
        self.dtype, self.apart = np.dtype(np.float32), True
        self._seen: list[list[tuple]] = []
        self._sizes: list[int] = []
        self._chunks = self._addresses = self._stream = None

    def point_at(self, read: Columns, written: Columns) -> None:
        """Let the table say where these arrays are.

        Parameters
        ----------
        read, written : sequences of columns
            Columns of arrays, as many in each; array i of every column belongs to row i. C-contiguous, of one dtype, float32 or
            float64, and on one device; those of a row are equally large. The kernels' columns are these, in this order.

        Raises
        ------
        TypeError, ValueError
            If an array is not as it must be: a kernel would read, or write, elsewhere.
        """
        columns = [*read, *written]
        seen = [[_look(array) for array in column] for column in columns]
        like = columns[0][0]
        stream = _stream(like)
        if seen == self._seen and stream == self._stream:
            return
        _check(columns)
        sizes = [size for _, size, _, _ in seen[0]]
        addresses = np.array([[address for address, *_ in column] for column in seen], np.int64)
        if self._seen and (sizes, stream) == (self._sizes, self._stream) and device_of(self._chunks) == device_of(like):
            self._addresses = sent(like, addresses.ravel())
        else:
            chunks = chunks_of(sizes)
            together = sent(like, np.concatenate([chunks.ravel(), addresses.ravel()]))
            self._chunks, self._addresses = together[: chunks.size], together[chunks.size :]
            self.chunks, self._sizes = len(chunks), sizes
        ends = addresses + np.array(sizes) * like.dtype.itemsize
        self.apart = are_apart(addresses, ends, len(read))
        self.rows, self.dtype, self._seen, self._stream = len(sizes), like.dtype, seen, stream
        self.uploads += 1

    def launch(self, run: Kernel, columns: int, *arguments: Any, shared: int = 0) -> None:
        """Run a block of ``BLOCK`` threads for each chunk, or nothing if there is none.

        Parameters
        ----------
        run : Kernel
            Its first four parameters are the table: chunks, addresses, and how many chunks and rows there are.
        columns : int
            How many it reads and writes.
        *arguments
            What follows the table.
        shared : int
            Bytes of shared memory.

        Raises
        ------
        TypeError, ValueError
            If the table has another number of columns or another dtype than the kernel, whose threads would take what is no
            address for one; or as `Kernel.launch`.
        """
        if (run.dtype, columns) != (self.dtype, len(self._seen)):
            got = f"{len(self._seen)} columns of {self.dtype}"
            raise TypeError(f"{run.name}: expected a table of {columns} columns of {run.dtype}, got {got}")
        table = self._chunks, self._addresses, self.chunks, self.rows
        run.launch((min(self.chunks, MOST_BLOCKS),), (BLOCK,), *table, *arguments, shared=shared)


def address_of(array: Any) -> int:
    """Return where an array's first element is, on its device."""
    return array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr


def chunks_of(sizes: Sequence[int]) -> np.ndarray:
    """Return the chunks of arrays: of each the number of its array, its first element and its end.

    Returns
    -------
    ndarray of int64, shape (chunks, 3)
        In the order of the arrays; an empty one has none.

    Examples
    --------
    >>> chunks_of([3, 0, 5000]).tolist()
    [[0, 0, 3], [2, 0, 4096], [2, 4096, 5000]]
    """
    counts = -(-np.asarray(sizes, np.int64) // CHUNK)
    rows = np.repeat(np.arange(len(counts)), counts)
    first = (np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)) * CHUNK
    return np.stack([rows, first, np.minimum(first + CHUNK, np.asarray(sizes, np.int64)[rows])], axis=1)


def _stream(like: Any) -> Any:
    """Return the stream on which a table is copied and read; as long as it is held, no other gets its number."""
    if isinstance(like, np.ndarray):
        return None
    with like.device:
        return module_of(like).cuda.get_current_stream()


def _look(array: Any) -> tuple:
    return address_of(array), array.size, array.dtype, array.flags.c_contiguous


def _check(columns: Columns) -> None:
    """Raise unless a kernel may be told that these are arrays of its dtype, as long as the first column says."""
    first, sizes = columns[0][0], [array.size for array in columns[0]]
    for number, column in enumerate(columns):
        if [array.size for array in column] != sizes:
            raise ValueError(f"column {number}: expected arrays of {sizes} elements, got {[array.size for array in column]}")
        for row, array in enumerate(column):
            if not array.flags.c_contiguous or array.dtype != first.dtype or array.dtype not in FLOATING:
                got = f"{array.dtype}{'' if array.flags.c_contiguous else ', with strides'}"
                raise TypeError(f"column {number}, row {row}: expected a C-contiguous array of {first.dtype}, got {got}")
            if device_of(array) != device_of(first):
                raise TypeError(
                    f"column {number}, row {row}: expected {device_of(first)}, got {device_of(array) or 'no array'}"
                )
