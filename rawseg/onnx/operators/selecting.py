"""Where something holds, what is kept of it, rows of zeros with a one, and sequences turned round."""

from __future__ import annotations

import numpy as np

from ...autograd import Tensor
from ...device import array_module
from ...errors import DTypeError, ShapeError
from ..limits import allocatable
from ..node import Node
from .operands import on_arrays
from .positions import counted, in_range
from .registry import operator
from .settings import axis_of, number


@operator("NonZero")
def places_of_nonzero(node: Node, x: Tensor) -> Tensor:
    """Return the positions of the elements other than 0, a row for each axis."""
    if x.ndim == 0:  # no row, but a column if it is one
        return on_arrays(lambda xp, array: xp.zeros((0, int(bool(array))), np.int64), x)
    return on_arrays(lambda xp, array: xp.stack(xp.nonzero(array)).astype(np.int64), x)


@operator("Compress")
def compress(node: Node, x: Tensor, condition: Tensor) -> Tensor:
    """Return the elements, or the slices across an axis, for which a condition holds; what it does not reach is left out."""
    if condition.dtype.kind != "b":
        raise DTypeError(node.label, "condition", "bool", condition.dtype)
    if condition.ndim != 1:
        raise ShapeError(node.label, "condition", "one axis", condition.shape)
    axis = node.attribute("axis")
    if axis is None:
        x, axis = x.reshape(x.size), 0
    axis = axis_of(node, axis, x.ndim)
    (places,) = array_module(condition.array).nonzero(condition.array)
    return x[(slice(None),) * axis + (in_range(node, places, x.shape[axis]),)]


@operator("OneHot")
def one_hot(node: Node, indices: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    """Return the second value at each index along a new axis, the first elsewhere; an index out of range has no place."""
    if values.shape != (2,):
        raise ShapeError(node.label, "values", "(2,): the value elsewhere and that at the index", values.shape)
    count = int(number(node, "depth", depth))
    if count < 1:
        node.refuse("depth", "at least 1", count)
    axis = axis_of(node, node.attribute("axis", -1), indices.ndim + 1)
    allocatable(node, (*indices.shape, count), max(np.dtype(np.bool_), values.dtype, key=lambda dtype: dtype.itemsize))
    xp, places = array_module(indices.array), indices.array
    if places.dtype.kind != "u":
        places = places.astype(np.int64 if places.dtype.kind == "i" else places.dtype)  # int8 may not hold the depth
        places = xp.where(places < 0, places + count, places)
    ramp = xp.arange(count).reshape(-1, *[1] * (indices.ndim - axis))
    hit = xp.expand_dims(places, axis) == ramp
    return values[1].where(hit, values[0])


@operator("ReverseSequence", since=10)
def reverse_sequences(node: Node, x: Tensor, lengths: Tensor) -> Tensor:
    """Return x with the first so many steps of each sequence turned round; time and batch are the first two axes."""
    time, batch = node.attribute("time_axis", 0), node.attribute("batch_axis", 1)
    if x.ndim < 2 or {time, batch} != {0, 1}:
        node.refuse("time_axis", "0 and 1 as time_axis and batch_axis, of at least two axes", f"{time}, {batch}, {x.shape}")
    steps, sequences = x.shape[time], x.shape[batch]
    long = counted(node, lengths)
    if long.shape != (sequences,) or ((long < 0) | (long > steps)).any():
        node.refuse("sequence_lens", f"{sequences} numbers in [0, {steps}]", long.tolist()[:100])
    xp = array_module(long)
    step, number = xp.arange(steps)[:, None], xp.arange(sequences)
    source = xp.where(step < long, long - 1 - step, step)
    return x[source, number] if time == 0 else x[number[:, None], source.T]
