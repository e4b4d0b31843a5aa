"""What does not come from data: constants, ramps, ones on a diagonal, and the sizes of a tensor."""

from __future__ import annotations

import math

import numpy as np

from ...autograd import Tensor
from ...device import array_module
from ..limits import allocatable
from ..node import Node
from .casting import dtype_of
from .operands import on_arrays, same_dtype
from .registry import operator
from .settings import integers, number

# of the ways in which a Constant can say what it holds, the dtype
VALUES = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


@operator("Constant")
def constant(node: Node) -> Tensor:
    """Return the tensor that an attribute holds."""
    array = node.attribute("value")
    if isinstance(array, np.ndarray):
        return Tensor(array)
    for name, dtype in VALUES.items():
        if name in node.attributes:
            return Tensor(np.asarray(node.attribute(name), dtype))
    node.refuse("value", f"a dense tensor, or {', '.join(VALUES)}", ", ".join(node.attributes) or "nothing")


@operator("ConstantOfShape")
def constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    """Return a tensor of a shape, filled with one value: 0 in float32 unless said."""
    value = np.asarray(node.attribute("value", np.zeros(1, np.float32)))
    if value.size != 1:
        node.refuse("value", "a tensor of one element", f"shape {value.shape}")
    sizes = allocatable(node, integers(node, "input", shape), value.dtype)
    return Tensor(array_module(shape.array).full(sizes, value.item(), value.dtype))


@operator("Range")
def ramp(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """Return start, start + delta, start + 2 delta and so on, up to before the limit."""
    same_dtype(node, start, limit, delta)
    low, high, step = number(node, "start", start), number(node, "limit", limit), number(node, "delta", delta)
    if step == 0 or not all(map(math.isfinite, (low, high, step))):
        node.refuse("delta", "finite numbers, and a delta other than 0", f"start {low}, limit {high}, delta {step}")
    whole = start.dtype.kind in "iu"
    count = -((low - high) // step) if whole else math.ceil((high - low) / step)
    (count,) = allocatable(node, (max(0, count),), np.int64)  # the indices are the larger array
    wide = np.int64 if whole else np.float64 if start.dtype == np.float64 else np.float32
    xp = array_module(start.array)
    with np.errstate(all="ignore"):  # the last step may leave the range
        values = wide(low) + xp.arange(count, dtype=np.int64).astype(wide) * wide(step)
    return Tensor(values.astype(start.dtype))


@operator("EyeLike")
def eye_like(node: Node, x: Tensor) -> Tensor:
    """Return zeros of the shape of a matrix with ones on the k-th diagonal, to the right of the main one."""
    if x.ndim != 2:
        node.refuse("input", "two axes", f"shape {x.shape}")
    asked = node.attribute("dtype")
    dtype = x.dtype if asked is None else dtype_of(node, "dtype", asked)
    rows, columns = allocatable(node, x.shape, dtype)
    offset = max(-rows, min(columns, node.attribute("k", 0)))  # farther out there is no diagonal either
    return on_arrays(lambda xp, array: (xp.arange(rows)[:, None] + offset == xp.arange(columns)).astype(dtype), x)


@operator("Shape")
def shape_of(node: Node, x: Tensor) -> Tensor:
    """Return the sizes of the axes from ``start`` to before ``end``."""
    sizes = x.shape[slice(node.attribute("start", 0), node.attribute("end"))]
    return Tensor(array_module(x.array).asarray(sizes, np.int64))


@operator("Size")
def size_of(node: Node, x: Tensor) -> Tensor:
    """Return the number of elements."""
    return Tensor(array_module(x.array).asarray(x.size, np.int64))
