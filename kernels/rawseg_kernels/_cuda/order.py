"""The stable order of integers: CuPy's, or our own while a graph is captured, as CuPy's waits for its stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._capture import current
from . import gpu
from .memory import empty
from .source import Source

kernel = Source(__file__, "order.cu").kernel
ANY = np.float32  # what ``real`` is: no element is one


def stable(keys: Any) -> Any:
    """Return what sorts int64 ``keys`` (count,), as int64 indices; equal ones stay in their order, so there is one answer."""
    if current() is not None and not isinstance(keys, np.ndarray):
        return by_merging(keys)
    return keys.argsort(kind="stable").astype(np.int64, copy=False)


def load(device: int) -> None:
    """Compile what `by_merging` launches: no call before a capture has used it, since `stable` takes CuPy's there."""
    for name in ("order_begin", "order_merge"):
        gpu.load(kernel(name, ANY), device)


def by_merging(keys: Any) -> Any:
    """Do as `stable`, in passes over all keys, as many as halvings make 1 of their number."""
    count, run = keys.size, 1
    order, merged = (empty(keys, (count,)) for _ in range(2))
    kernel("order_begin", ANY)(count, order, count)
    while run < count:
        kernel("order_merge", ANY)(count, keys, order, merged, count, run)
        order, merged, run = merged, order, 2 * run
    return order
