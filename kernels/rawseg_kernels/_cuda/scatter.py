"""Scatters without races: elements are sorted by where they go, and every place fetches its own, in their order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._arrays import module_of
from .memory import empty
from .order import stable
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
    places, order = sorted_places(indices, shape[2] * shape[3])
    return _fetched("scatter_sums" if adding else "scatter_last", values, places, order, shape)


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
    return _fetched("scatter_sums", values, *_sorted(places.reshape(-1)), shape)


def _fetched(name: str, values: Any, places: Any, order: Any, shape: tuple[int, ...]) -> Any:
    out = empty(values, shape)
    kernel(name, values.dtype)(out.size, values, places, order, out, out.size, order.size)
    return out


def sorted_places(indices: Any, pixels: int) -> tuple[Any, Any]:
    """Return where elements go, sorted, and which element each is; equal ones stay in their order.

    Parameters
    ----------
    indices : ndarray of int64, shape (N, C, ...)
        Where each element goes in the plane of its (batch, channel).
    pixels : int
        Of a plane.
    """
    xp, planes = module_of(indices), indices.shape[0] * indices.shape[1]
    starts = xp.arange(planes, dtype=np.int64)[:, None] * pixels
    return _sorted((indices.reshape(planes, math.prod(indices.shape[2:])) + starts).reshape(-1))


def _sorted(places: Any) -> tuple[Any, Any]:
    order = stable(places)
    return places[order], order
