"""Running sums and products along an axis."""

from __future__ import annotations

from ...autograd import Tensor
from ...autograd.shaping import cat
from ..node import Node
from .registry import operator
from .settings import axis_of, number

__all__ = ["product_of_first"]


@operator("CumSum", since=11)
def running_sum(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    """Return sums of the elements so far, each included unless ``exclusive``; from the end with ``reverse``."""
    return _running(node, x, axis, 0)


@operator("CumProd", since=26)
def running_product(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    """Return products of the elements so far, each included unless ``exclusive``; from the end with ``reverse``."""
    return _running(node, x, axis, 1)


def _running(node: Node, x: Tensor, axis: Tensor, neutral: int) -> Tensor:
    along = axis_of(node, number(node, "axis", axis), x.ndim)
    rows = x.transpose(0, along)
    rows = rows.flip(0) if node.attribute("reverse", 0) else rows
    if node.attribute("exclusive", 0) and len(rows):
        rows = cat([(rows[:1].zeros_like() + neutral).astype(x.dtype), rows[:-1]])
    out = _products(rows) if neutral else rows.cumsum(0).astype(x.dtype)  # NumPy widens integers
    return (out.flip(0) if node.attribute("reverse", 0) else out).transpose(0, along)


def _products(x: Tensor) -> Tensor:
    """Return running products along the first axis: of 2, of 4, of 8 ... neighbours, so that a zero spoils no gradient."""
    reach = 1
    while reach < len(x):
        x = cat([x[:reach], x[reach:] * x[:-reach]])
        reach *= 2
    return x


def product_of_first(x: Tensor) -> Tensor:
    """Return the product along the first axis: the halves times each other, until one is left; no gradient divides by x."""
    if len(x) == 0:
        return Tensor(x.array.prod(0, dtype=x.dtype))
    while len(x) > 1:
        half = len(x) // 2
        x = cat([x[:half] * x[half : 2 * half], x[2 * half :]])
    return x[0]
