"""Elements and slices by index; where an index repeats, the gradients add up in a fixed order."""

from __future__ import annotations

import numpy as np

from ...autograd import Tensor
from ...device import array_module
from ...errors import ShapeError
from ..limits import allocatable
from ..node import Node
from .positions import beside_axes, counted, in_range
from .registry import operator
from .settings import axis_of


@operator("Gather")
def gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    """Return slices across an axis, the axes of the indices standing in its place."""
    axis = axis_of(node, node.attribute("axis", 0), x.ndim)
    places = in_range(node, counted(node, indices), x.shape[axis])
    allocatable(node, (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]), x.dtype)
    return x[(slice(None),) * axis + (places,)]


@operator("GatherElements")
def gather_elements(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    """Return for each index the element with that position along an axis, and the index's own along the others."""
    axis = axis_of(node, node.attribute("axis", 0), x.ndim)
    grid = element_grid(node, x.shape, indices, axis)
    return x[tuple(grid)]


def element_grid(node: Node, shape: tuple[int, ...], indices: Tensor, axis: int) -> list:
    """Return positions along all axes for indices along one, which may be fewer than the elements along the others."""
    others = [size for i, size in enumerate(shape) if i != axis]
    if indices.ndim != len(shape) or any(n > size for n, size in zip(np.delete(indices.shape, axis), others)):
        raise ShapeError(node.label, "indices", f"at most {shape}, any size along axis {axis}", indices.shape)
    places = in_range(node, counted(node, indices), shape[axis])
    grid = beside_axes(array_module(places), places.shape, places.ndim)
    grid[axis] = places
    return grid


@operator("GatherND")
def gather_nd(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    """Return slices by tuples of indices, which the last axis of ``indices`` holds; the first axes may be common to both."""
    common = node.attribute("batch_dims", 0)
    if not 0 <= common < min(x.ndim, indices.ndim):
        node.refuse("batch_dims", f"a number of common axes in [0, {min(x.ndim, indices.ndim) - 1}]", common)
    if x.shape[:common] != indices.shape[:common]:
        raise ShapeError(node.label, "indices", f"{x.shape[:common]} as the first sizes", indices.shape)
    places = index_tuples(node, x.shape[common:], indices)
    allocatable(node, (*indices.shape[:-1], *x.shape[common + len(places) :]), x.dtype)
    batch = beside_axes(array_module(indices.array), x.shape[:common], indices.ndim - 1)
    return x[(*batch, *places)]


def index_tuples(node: Node, shape: tuple[int, ...], indices: Tensor) -> list:
    """Return the positions along the first axes of a shape that the last axis of ``indices`` holds."""
    if indices.ndim < 1 or not 1 <= indices.shape[-1] <= len(shape):
        raise ShapeError(node.label, "indices", f"1 to {len(shape)} along the last axis", indices.shape)
    places = counted(node, indices)
    return [in_range(node, places[..., i], shape[i]) for i in range(indices.shape[-1])]
