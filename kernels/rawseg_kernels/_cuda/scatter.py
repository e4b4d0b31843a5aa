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
    size = int(np.prod(shape))
    return (sums(values, places, size) if adding else _at_places("scatter_last", values, places, size)).reshape(shape)


def sums(values: Any, places: Any, size: int) -> Any:
    """Return ``size`` sums, of the values that have each place (int64, 0 to ``size - 1``), in their order."""
    return _at_places("scatter_sums", values, places, size)


def _at_places(name: str, values: Any, places: Any, size: int) -> Any:
    order = module_of(places).argsort(places, kind="stable").astype(np.int64, copy=False)
    out = empty(values, (size,))
    kernel(name, values.dtype)(size, values, places[order], order, out, size, order.size)
    return out
