"""Elements in another dtype, and ONNX's numbers for dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor
from ..node import Node
from .operands import on_arrays
from .registry import operator

__all__ = ["dtype_of"]

# the numbers of TensorProto.DataType, for what an array of NumPy and CuPy can hold
DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}
OTHERS = {
    8: "string",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4e2m1",
    24: "float8e8m0",
    25: "uint2",
    26: "int2",
}


def dtype_of(node: Node, argument: str, number: Any) -> np.dtype:
    """Return the dtype with a number of ONNX's."""
    if number not in DTYPES:
        node.refuse(argument, "bool, an integer or a float dtype of NumPy", OTHERS.get(number, f"type {number!r}"))
    return np.dtype(DTYPES[number])


@operator("Cast")
def cast(node: Node, x: Tensor) -> Tensor:
    """Return x in another dtype: floats are rounded, or cut off where it holds integers; what does not fit is undefined."""
    return x.astype(dtype_of(node, "to", node.attribute("to")))


@operator("CastLike")
def cast_like(node: Node, x: Tensor, target: Tensor) -> Tensor:
    """Return x in the dtype of another tensor."""
    return x.astype(target.dtype)


@operator("BitCast")
def bit_cast(node: Node, x: Tensor) -> Tensor:
    """Return the same bits as another dtype of the same size."""
    wanted = dtype_of(node, "to", node.attribute("to"))
    if wanted.itemsize != x.dtype.itemsize:
        node.refuse("to", f"a dtype of {x.dtype.itemsize} bytes, as {x.dtype} has", wanted)
    return on_arrays(lambda xp, array: array.view(wanted), x)
