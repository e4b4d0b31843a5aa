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
    planes = shape[0] * shape[1]
    starts = module_of(values).arange(planes, dtype=np.int64)[:, None] * (shape[2] * shape[3])
    return _fetched("scatter_sums" if adding else "scatter_last", values, indices.reshape(planes, -1) + starts, shape)


def summed(values: Any, places: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros to which values are added, each at its place in the whole result, one after the other.

    Parameters
    ----------
    values : ndarray
        float32 or float64; sums are kept in float64.
    places : ndarray of int64, the shape of ``values``
        What is negative goes nowhere.
    shape : tuple of int
        Of the result.
    """
    return _fetched("scatter_sums", values, places, shape)


def _fetched(name: str, values: Any, places: Any, shape: tuple[int, ...]) -> Any:
    places = places.reshape(-1)
    order = module_of(values).argsort(places, kind="stable").astype(np.int64, copy=False)
    out = empty(values, shape)
    kernel(name, values.dtype)(out.size, values, places[order], order, out, out.size, order.size)
    return out
