"""Elements in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor
from ..dtypes import DTYPES, OTHERS
from ..node import Node
from .operands import on_arrays
from .registry import operator

__all__ = ["dtype_of"]


def dtype_of(node: Node, argument: str, number: Any) -> np.dtype:
    """Return the dtype with a number of ONNX's."""
    if number not in DTYPES:
        node.refuse(argument, "bool, an integer or a float dtype of NumPy", OTHERS.get(number, f"type {number!r}"))
    return DTYPES[number]


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
