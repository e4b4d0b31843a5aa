"""What operators on elements share: shapes that broadcast, and dtypes that agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...device import array_module
from ...errors import DeviceError, DTypeError, ShapeError
from ..limits import allocatable
from ..node import Node

__all__ = ["aligned", "broadcast_shape", "floating", "on_arrays", "pair", "same_dtype"]


def on_arrays(function: Callable[..., Any], *tensors: Tensor) -> Tensor:
    """Return ``function(xp, *arrays)``, xp being NumPy or CuPy, as a Tensor without a graph."""
    arrays = [tensor.array for tensor in tensors]
    with np.errstate(all="ignore"):  # inf and NaN are answers, and integers wrap around
        return Tensor(function(array_module(arrays[0]), *arrays))


def floating(node: Node, x: Tensor, argument: str = "X") -> Tensor:
    """Return a Tensor of floats as it is; refuse any other."""
    if x.dtype.kind != "f":
        raise DTypeError(node.label, argument, "floats", x.dtype)
    return x


def same_dtype(node: Node, *tensors: Tensor) -> None:
    """Refuse Tensors of different dtypes or devices: ONNX converts nothing by itself."""
    for i, tensor in enumerate(tensors):
        if tensor.dtype != tensors[0].dtype:
            raise DTypeError(node.label, f"input {i}", f"{tensors[0].dtype}, the dtype of input 0", tensor.dtype)
        if tensor.device != tensors[0].device:
            raise DeviceError(node.label, f"input {i}", f"{tensors[0].device}, the device of input 0", tensor.device)


def broadcast_shape(node: Node, *tensors: Tensor) -> tuple[int, ...]:
    """Return the shape that Tensors have together, if they have one that fits into memory."""
    shapes = [tensor.shape for tensor in tensors]
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    try:
        together = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(node.label, "inputs", "shapes that broadcast", " and ".join(map(str, shapes))) from None
    return allocatable(node, together, tensors[0].dtype)


def aligned(node: Node, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two operands that broadcast; before version 7 the second could stand at an axis of the first."""
    if node.version < 7 and node.attribute("broadcast", 0) and "axis" in node.attributes:
        axis = node.attribute("axis")
        behind = a.ndim - b.ndim - (axis if axis >= 0 else axis + a.ndim)
        if behind < 0:
            node.refuse("axis", f"one with {b.ndim} axes of the first input from it on (shape {a.shape})", axis)
        b = b.reshape(*b.shape, *[1] * behind)
    broadcast_shape(node, a, b)
    return a, b


def pair(node: Node, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two operands of one dtype that broadcast."""
    same_dtype(node, a, b)
    return aligned(node, a, b)
