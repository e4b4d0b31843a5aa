"""Comparisons, logic, and the choice between two tensors."""

from __future__ import annotations

from ...autograd import Tensor
from ...errors import DTypeError
from ..node import Node
from .operands import aligned, broadcast_shape, pair, same_dtype
from .registry import operator


def _truths(node: Node, *inputs: Tensor) -> None:
    for i, tensor in enumerate(inputs):
        if tensor.dtype.kind != "b":
            raise DTypeError(node.label, f"input {i}", "bool", tensor.dtype)


@operator("Equal")
def equal(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a == b."""
    a, b = pair(node, a, b)
    return a == b


@operator("Greater")
def greater(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a > b."""
    a, b = pair(node, a, b)
    return a > b


@operator("GreaterOrEqual")
def greater_or_equal(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a >= b."""
    a, b = pair(node, a, b)
    return a >= b


@operator("Less")
def less(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a < b."""
    a, b = pair(node, a, b)
    return a < b


@operator("LessOrEqual")
def less_or_equal(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a <= b."""
    a, b = pair(node, a, b)
    return a <= b


@operator("And")
def both(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return whether both hold."""
    _truths(node, a, b)
    a, b = aligned(node, a, b)
    return a & b


@operator("Or")
def either(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return whether one of them holds, or both."""
    _truths(node, a, b)
    a, b = aligned(node, a, b)
    return a | b


@operator("Xor")
def one_alone(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return whether one of them holds alone."""
    _truths(node, a, b)
    a, b = aligned(node, a, b)
    return a ^ b


@operator("Not")
def opposite(node: Node, x: Tensor) -> Tensor:
    """Return whether it does not hold."""
    _truths(node, x)
    return ~x


@operator("Where")
def where(node: Node, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return a where the condition holds, else b."""
    _truths(node, condition)
    same_dtype(node, a, b)
    broadcast_shape(node, a, b, condition)
    return a.where(condition, b)
