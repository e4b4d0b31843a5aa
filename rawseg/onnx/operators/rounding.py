"""Steps: whole numbers near a number, its sign, and whether it is one; constant almost everywhere, so without a gradient."""

from __future__ import annotations

from ...autograd import Tensor
from ..node import Node
from .operands import floating, on_arrays
from .registry import operator


@operator("Floor")
def floor(node: Node, x: Tensor) -> Tensor:
    """Return the largest whole numbers not above."""
    return floating(node, x).floor()


@operator("Ceil")
def ceil(node: Node, x: Tensor) -> Tensor:
    """Return the smallest whole numbers not below."""
    return floating(node, x).ceil()


@operator("Round")
def nearest(node: Node, x: Tensor) -> Tensor:
    """Return the nearest whole numbers, halves to the even one."""
    return floating(node, x).round()


@operator("Sign")
def sign(node: Node, x: Tensor) -> Tensor:
    """Return -1, 0 or 1, also of integers."""
    return x.sign()


@operator("IsNaN")
def is_nan(node: Node, x: Tensor) -> Tensor:
    """Return whether each element is NaN."""
    return floating(node, x).isnan()


@operator("IsInf")
def is_inf(node: Node, x: Tensor) -> Tensor:
    """Return whether each element is inf, of the signs that are asked for."""
    low, high = node.attribute("detect_negative", 1), node.attribute("detect_positive", 1)
    return on_arrays(
        lambda xp, array: xp.isinf(array) & (((array < 0) & bool(low)) | ((array > 0) & bool(high))), floating(node, x)
    )
