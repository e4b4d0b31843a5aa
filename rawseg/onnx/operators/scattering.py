"""Elements and slices written at indices, into a copy.

What several updates say about one place is joined in pairs, first with second, third with fourth, then those pairs, and so on:
one order of operations on every device, with derivatives of every order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd import Function, Tensor
from ...autograd.shaping import cat
from ...device import array_module
from ...errors import ShapeError
from ..node import Node
from .gathering import element_grid, index_tuples
from .operands import same_dtype
from .registry import operator
from .settings import axis_of

JOINS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "none": lambda old, new: new,  # the last one stays; ONNX leaves it open
    "add": lambda old, new: old + new,
    "mul": lambda old, new: old * new,
    "max": lambda old, new: old.maximum(new),
    "min": lambda old, new: old.minimum(new),
}


class Overwrite(Function):
    """A copy with other elements or rows at some places, each of which occurs once; its gradients are of the same kind."""

    @staticmethod
    def forward(ctx, x, values, *, places):
        """Return the copy."""
        ctx.places, ctx.shape = places, values.shape
        out = x.copy()
        out[places] = values
        return out

    @staticmethod
    def backward(ctx, grad_output):
        """Return what stayed, and what stands at the places."""
        nothing = Tensor(array_module(ctx.places).zeros(ctx.shape, grad_output.dtype))
        return Overwrite.apply(grad_output, nothing, places=ctx.places), grad_output[ctx.places]


@operator("Scatter", since=9)
@operator("ScatterElements", since=11)
def scatter_elements(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """Return x with each update at the position that its index gives along an axis, and its own along the others."""
    same_dtype(node, x, updates)
    if updates.shape != indices.shape:
        raise ShapeError(node.label, "updates", f"shape {indices.shape}, that of the indices", updates.shape)
    axis = axis_of(node, node.attribute("axis", 0), x.ndim)
    grid = element_grid(node, x.shape, indices, axis)
    places = _row_numbers(x.shape, grid, indices.shape)
    return _scattered(node, x.reshape(x.size), places, updates.reshape(updates.size)).reshape(*x.shape)


@operator("ScatterND", since=11)
def scatter_nd(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """Return x with each update, an element or a slice, at the position that a tuple of indices gives."""
    same_dtype(node, x, updates)
    tuples = index_tuples(node, x.shape, indices)
    depth = len(tuples)
    if updates.shape != (*indices.shape[:-1], *x.shape[depth:]):
        raise ShapeError(node.label, "updates", f"shape {(*indices.shape[:-1], *x.shape[depth:])}", updates.shape)
    places = _row_numbers(x.shape[:depth], tuples, indices.shape[:-1])
    inner = math.prod(x.shape[depth:])
    rows = x.reshape(math.prod(x.shape[:depth]), inner)
    return _scattered(node, rows, places, updates.reshape(len(places), inner)).reshape(*x.shape)


def _row_numbers(sizes: tuple[int, ...], places: list, shape: tuple[int, ...]) -> Any:
    """Return the positions in C order along the axes of some sizes together, as one row."""
    xp = array_module(places[0])
    rows = xp.zeros(shape, np.int64)
    for place, size in zip(places, sizes):
        rows = rows * size + place
    return rows.reshape(-1)


def _scattered(node: Node, x: Tensor, places: Any, updates: Tensor) -> Tensor:
    """Return x, of which some elements or rows are joined with updates."""
    reduction = node.attribute("reduction", "none")
    if reduction not in JOINS:
        node.refuse("reduction", f"one of {', '.join(JOINS)}", repr(reduction))
    if not len(places):
        return x
    join = JOINS[reduction]
    places, updates = _joined(places, updates, join)
    return Overwrite.apply(x, join(x[places], updates), places=places)


def _joined(places: Any, updates: Tensor, join: Callable[[Tensor, Tensor], Tensor]) -> tuple[Any, Tensor]:
    """Return each place once, ascending, and its updates joined, in the order in which they came."""
    xp = array_module(places)
    order = xp.argsort(places, kind="stable")
    places, updates = places[order], updates[order]
    while True:
        starts = xp.concatenate([xp.ones(1, bool), places[1:] != places[:-1]])
        if starts.all():
            return places, updates
        (heads,) = xp.nonzero(starts)
        rank = xp.arange(len(places)) - heads[xp.cumsum(starts) - 1]  # among those of its place
        (firsts,) = xp.nonzero(rank % 2 == 0)
        followed = xp.concatenate([rank[1:] % 2 == 1, xp.zeros(1, bool)])[firsts]
        pairs, alone = firsts[followed], firsts[~followed]
        halves = cat([join(updates[pairs], updates[pairs + 1]), updates[alone]])
        order = xp.argsort(xp.concatenate([pairs, alone]))
        places, updates = places[firsts], halves[order]
