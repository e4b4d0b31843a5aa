"""The largest and the smallest elements, where they are, and what occurs once; of equal elements the first comes first."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor
from ...device import array_module, device_of, move
from ...errors import ShapeError
from ..node import Node
from .operands import on_arrays
from .positions import beside_axes
from .registry import operator
from .settings import axis_of, number


@operator("TopK")
def largest(node: Node, x: Tensor, count: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the k largest elements along an axis, or the smallest, in order, and their positions."""
    axis = axis_of(node, node.attribute("axis", -1), x.ndim)
    k = node.attribute("k") if count is None else number(node, "K", count)
    if not isinstance(k, int) or not 0 <= k <= x.shape[axis]:
        node.refuse("K", f"at most {x.shape[axis]}, the elements along axis {axis}", k)
    xp = array_module(x.array)
    order = _ascending(xp, x.array, axis) if not node.attribute("largest", 1) else _descending(xp, x.array, axis)
    places = order[(slice(None),) * axis + (slice(k),)].astype(np.int64)
    grid = beside_axes(xp, places.shape, places.ndim)
    grid[axis] = places
    return x[tuple(grid)], Tensor(places)


def _ascending(xp: Any, x: Any, axis: int) -> Any:
    return xp.argsort(x, axis, kind="stable")


def _descending(xp: Any, x: Any, axis: int) -> Any:
    """Turn round twice: the order is the other, and yet of equal elements the first stays first."""
    return x.shape[axis] - 1 - xp.flip(_ascending(xp, xp.flip(x, axis), axis), axis)


@operator("ArgMax")
def place_of_largest(node: Node, x: Tensor) -> Tensor:
    """Return the positions of the largest elements along an axis."""
    return _place(node, x, "argmax")


@operator("ArgMin")
def place_of_smallest(node: Node, x: Tensor) -> Tensor:
    """Return the positions of the smallest elements along an axis."""
    return _place(node, x, "argmin")


def _place(node: Node, x: Tensor, name: str) -> Tensor:
    axis = axis_of(node, node.attribute("axis", 0), x.ndim)
    if x.shape[axis] == 0:
        raise ShapeError(node.label, "data", f"at least one element along axis {axis}", x.shape)
    kept = bool(node.attribute("keepdims", 1))
    if node.attribute("select_last_index", 0):
        turned = on_arrays(lambda xp, array: xp.flip(array, axis), x)
        return x.shape[axis] - 1 - getattr(turned, name)(axis, kept)
    return getattr(x, name)(axis, kept)


@operator("Unique")
def unique(node: Node, x: Tensor) -> tuple[Tensor, ...]:
    """Return what differs, where it first occurs, which of it each element is, and how often it occurs.

    Sorted, or in the order of first occurrences; elements, or slices across an axis. Found on the CPU.
    """
    axis = node.attribute("axis")
    if axis is None:
        x, axis = x.reshape(x.size), 0
    axis = axis_of(node, axis, x.ndim)
    _, first, inverse, counts = np.unique(x.numpy(), return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(-1)
    if not node.attribute("sorted", 1):
        order = np.argsort(first)
        first, counts = first[order], counts[order]
        inverse = np.argsort(order)[inverse]
    first, inverse, counts = (
        Tensor(move(found.astype(np.int64), str(device_of(x.array)))) for found in (first, inverse, counts)
    )
    return x[(slice(None),) * axis + (first,)], first, inverse, counts
