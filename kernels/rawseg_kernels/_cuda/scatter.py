"""Scatters without races: elements are sorted by where they go, and every place fetches its own, in their order."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arrays import module_of
from .memory import empty
from .source import Source

kernel = Source(__file__, "scatter.cu").kernel


def scattered(values: Any, indices: Any, shape: tuple[int, ...], adding: bool) -> Any:
    """Return planes of 0 into which values are put, or added, one after the other.

    Parameters
    ----------
    values : ndarray, shape (N, C, ...)
        float32 or float64; sums are kept in float64.
    indices : ndarray of int64, the shape of ``values``
        Where each goes in the plane of its (batch, channel).
    shape : tuple of int
        Of the result, (N, C, H, W).
    adding : bool
        Whether values with one index are added; else the last stays.
    """
    xp, planes = module_of(values), shape[0] * shape[1]
    starts = xp.arange(planes, dtype=np.int64)[:, None] * (shape[2] * shape[3])
    places = (indices.reshape(planes, -1) + starts).reshape(-1)
    order = xp.argsort(places, kind="stable").astype(np.int64, copy=False)
    out = empty(values, shape)
    run = kernel("scatter_sums" if adding else "scatter_last", values.dtype)
    run(out.size, values, places[order], order, out, out.size, order.size)
    return out
