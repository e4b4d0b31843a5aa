"""Tables that the host makes of plain numbers, beside the arrays of a call."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .._arrays import module_of
from .._capture import current

MOST_TABLES = 1024  # that stay on GPUs for the next call: one for each shape and kind of call, kilobytes each


def uploaded(like: Any, *tables: np.ndarray) -> list[Any]:
    """Return tables of one axis on the device of ``like``.

    Those of one dtype travel together, and once: the next call with the same numbers finds them there. Kernels only read them.
    """
    if isinstance(like, np.ndarray):
        return [np.ascontiguousarray(table) for table in tables]
    found: dict[int, Any] = {}
    with like.device:
        for dtype in dict.fromkeys(table.dtype for table in tables):
            numbers = [i for i, table in enumerate(tables) if table.dtype == dtype]
            content = np.concatenate([tables[i] for i in numbers])
            together = _sent(module_of(like), like.device.id, dtype, content.tobytes())
            if (capture := current()) is not None:
                capture.kept.append(together)  # a graph holds addresses only, and the cache may let the table go
            ends = np.cumsum([tables[i].size for i in numbers]).tolist()
            found.update({i: together[end - tables[i].size : end] for i, end in zip(numbers, ends)})
    return [found[i] for i in range(len(tables))]


def sent(like: Any, table: np.ndarray) -> Any:
    """Return a new table on the device of ``like``, for what the current stream does; any other would have to wait for it."""
    if isinstance(like, np.ndarray):
        return np.ascontiguousarray(table)
    with like.device:
        return module_of(like).asarray(table)


@lru_cache(maxsize=MOST_TABLES)
def _sent(xp: Any, _device: int, dtype: np.dtype, content: bytes) -> Any:
    """Copy a table to the current device, and wait: it will be read on other streams as well."""
    with xp.cuda.using_allocator(xp.get_default_memory_pool().malloc):  # not a graph's own, as it outlives the graph
        table = xp.asarray(np.frombuffer(content, dtype))
    xp.cuda.get_current_stream().synchronize()
    return table


def readers(size: int, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn "which input does an output read" into "which outputs read an input", compressed by rows (CSR).

    Parameters
    ----------
    size : int
        Number of inputs.
    sources : ndarray of int64, shape (outputs,)
        The input of each output.

    Returns
    -------
    starts : ndarray of int64, shape (size + 1,)
        Input i owns the entries ``starts[i]`` up to ``starts[i + 1]``.
    outputs : ndarray of int64, shape (outputs,)
        Each input's outputs, in their order.

    Examples
    --------
    >>> starts, outputs = readers(3, np.array([0, 2, 0, 2]))
    >>> starts.tolist(), outputs.tolist()
    ([0, 2, 2, 4], [0, 2, 1, 3])
    """
    outputs = np.argsort(sources, kind="stable").astype(np.int64, copy=False)
    starts = np.searchsorted(sources[outputs], np.arange(size + 1)).astype(np.int64, copy=False)
    return starts, outputs
