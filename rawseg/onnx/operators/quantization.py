"""Numbers as small integers: QuantizeLinear, DequantizeLinear, and convolutions and products of such integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...autograd import Tensor
from ...device import array_module
from ..node import Node
from .casting import dtype_of
from .convolution import conv
from .dense import matrix_product
from .registry import operator
from .settings import axis_of

SMALL = ("uint8", "int8", "uint16", "int16")


@operator("QuantizeLinear", since=10)
@np.errstate(all="ignore")
def quantize_linear(node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | None = None) -> Tensor:
    """Return x / scale + zero_point, rounded half to even, and held in the range of the integers."""
    dtype = _output_dtype(node, np.dtype(np.uint8)) if zero_point is None else zero_point.dtype
    if dtype.name not in SMALL:
        node.refuse("output_dtype" if zero_point is None else "zero_point", ", ".join(SMALL), dtype)
    wide = np.float64 if x.dtype == np.float64 else np.float32
    steps = _spread(node, scale, x).astype(wide)
    shift = 0 if zero_point is None else _spread(node, zero_point, x)
    return Tensor(_saturated(array_module(x.array).rint(x.array.astype(wide) / steps) + shift, dtype))


@operator("DequantizeLinear", since=10)
@np.errstate(all="ignore")
def dequantize_linear(node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | None = None) -> Tensor:
    """Return (x - zero_point) * scale, in the dtype of the scale."""
    if x.dtype.kind not in "iu":
        node.refuse("x", "integers", x.dtype)
    dtype = _output_dtype(node, scale.dtype)
    if dtype.kind != "f":
        node.refuse("output_dtype", "float32, float16 or float64", dtype)
    shift = 0 if zero_point is None else _spread(node, zero_point, x).astype(np.int64)
    steps = _spread(node, scale, x)
    return Tensor(((x.array.astype(np.int64) - shift).astype(steps.dtype) * steps).astype(dtype))


def _output_dtype(node: Node, default: np.dtype) -> np.dtype:
    """Return the dtype that the node names, the default where it names none (0)."""
    number = node.attribute("output_dtype", 0)
    return dtype_of(node, "output_dtype", number) if number else default


def _spread(node: Node, numbers: Tensor, x: Tensor) -> Any:
    """Return one number for all elements, one for each place along an axis, or one for each block along it, to go with x."""
    array = numbers.array
    if array.size == 1:
        return array.reshape(())
    axis = axis_of(node, node.attribute("axis", 1), x.ndim)
    block = node.attribute("block_size", 0)
    if block > 0 and array.ndim == x.ndim:
        wanted = (*x.shape[:axis], -(-x.shape[axis] // block), *x.shape[axis + 1 :])
        if array.shape == wanted:
            whole = array.repeat(min(block, x.shape[axis]), axis)
            return whole[(slice(None),) * axis + (slice(x.shape[axis]),)]
    if array.shape == x.shape[axis : axis + 1]:
        return array.reshape(-1, *[1] * (x.ndim - axis - 1))
    node.refuse("scale", f"one number, or one for each of the {x.shape[axis]} along axis {axis}", f"shape {array.shape}")


def _saturated(numbers: Any, dtype: np.dtype) -> Any:
    limits = np.iinfo(dtype)
    return array_module(numbers).clip(array_module(numbers).nan_to_num(numbers), limits.min, limits.max).astype(dtype)


@operator("ConvInteger", since=10)
def conv_integer(node: Node, x: Tensor, w: Tensor, x_zero: Tensor | None = None, w_zero: Tensor | None = None) -> Tensor:
    """Convolve integers; float64 holds every product and sum of them exactly."""
    return conv(node, _centred(x, x_zero), _centred(w, w_zero)).astype(np.int32)


@operator("MatMulInteger", since=10)
def matmul_integer(node: Node, a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None) -> Tensor:
    """Multiply matrices of integers; a zero point may stand for each row of the first or each column of the second."""
    left, right = _centred(a, a_zero, rows=True, dtype=np.int64), _centred(b, b_zero, columns=True, dtype=np.int64)
    return matrix_product(node, left, right).astype(np.int32)


@operator("QLinearConv", since=10)
@np.errstate(all="ignore")
def qlinear_conv(
    node: Node, x: Tensor, x_scale: Tensor, x_zero: Tensor, w: Tensor, w_scale: Tensor, w_zero: Tensor,
    y_scale: Tensor, y_zero: Tensor, bias: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Convolve quantised numbers, and quantise the sums."""
    sums = conv(node, _centred(x, x_zero), _centred(w, w_zero), None if bias is None else bias.astype(np.float64)).array
    factor = x_scale.array.astype(np.float64) * w_scale.array / y_scale.array
    factor = factor.reshape(1, -1, *[1] * (x.ndim - 2))
    return Tensor(_saturated(array_module(sums).rint(sums * factor) + y_zero.array, y_zero.dtype))


@operator("QLinearMatMul", since=10)
@np.errstate(all="ignore")
def qlinear_matmul(
    node: Node, a: Tensor, a_scale: Tensor, a_zero: Tensor, b: Tensor, b_scale: Tensor, b_zero: Tensor,
    y_scale: Tensor, y_zero: Tensor,
) -> Tensor:  # fmt: skip
    """Multiply quantised matrices, and quantise the sums."""
    left, right = _centred(a, a_zero, rows=True, dtype=np.int64), _centred(b, b_zero, columns=True, dtype=np.int64)
    sums = matrix_product(node, left, right).array.astype(np.float64)
    rows = a_scale.array.astype(np.float64)
    factor = (rows.reshape(*rows.shape, 1) if rows.ndim == 1 and rows.size > 1 else rows) * b_scale.array / y_scale.array
    return Tensor(_saturated(array_module(sums).rint(sums * factor) + y_zero.array, y_zero.dtype))


def _centred(
    x: Tensor, zero: Tensor | None, rows: bool = False, columns: bool = False, dtype: DTypeLike = np.float64
) -> Tensor:
    """Return integers less their zero point, which may be one for each output channel or each row or column of a matrix."""
    wide = x.array.astype(dtype)
    if zero is None:
        return Tensor(wide)
    shift = zero.array.astype(dtype)
    if shift.ndim == 1 and shift.size > 1 and not columns:
        shift = shift.reshape(-1, 1) if rows else shift.reshape(-1, *[1] * (x.ndim - 1))
    return Tensor(wide - (shift.reshape(()) if shift.size == 1 else shift))
