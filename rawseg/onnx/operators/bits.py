"""Integers bit by bit."""

from __future__ import annotations

from typing import Any

from ...autograd import Tensor
from ...errors import DTypeError
from ..node import Node
from .operands import on_arrays, pair
from .registry import operator


def _integers(node: Node, *inputs: Tensor) -> tuple[Tensor, ...]:
    for i, tensor in enumerate(inputs):
        if tensor.dtype.kind not in "iu":
            raise DTypeError(node.label, f"input {i}", "integers", tensor.dtype)
    return inputs


@operator("BitwiseAnd")
def bitwise_and(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return the bits that both have."""
    a, b = pair(node, *_integers(node, a, b))
    return a & b


@operator("BitwiseOr")
def bitwise_or(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return the bits that one of them has, or both."""
    a, b = pair(node, *_integers(node, a, b))
    return a | b


@operator("BitwiseXor")
def bitwise_xor(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return the bits that one of them has alone."""
    a, b = pair(node, *_integers(node, a, b))
    return a ^ b


@operator("BitwiseNot")
def bitwise_not(node: Node, x: Tensor) -> Tensor:
    """Return every bit turned."""
    _integers(node, x)
    return ~x


@operator("BitShift")
def bit_shift(node: Node, x: Tensor, places: Tensor) -> Tensor:
    """Return x moved by so many bits; what leaves is lost, and to the right the sign moves in."""
    x, places = pair(node, *_integers(node, x, places))
    direction = node.attribute("direction", "")
    if direction not in ("LEFT", "RIGHT"):
        node.refuse("direction", "LEFT or RIGHT", repr(direction))
    return on_arrays(_to_the_left if direction == "LEFT" else _to_the_right, x, places)


def _to_the_left(xp: Any, x: Any, places: Any) -> Any:
    beyond, held = _held(xp, x, places)
    return xp.where(beyond, x.dtype.type(0), x << held)


def _to_the_right(xp: Any, x: Any, places: Any) -> Any:
    beyond, held = _held(xp, x, places)
    return xp.where(beyond, -(x < 0).astype(x.dtype), x >> held)


def _held(xp: Any, x: Any, places: Any) -> tuple[Any, Any]:
    """Return where the shift leaves none of the bits, and shifts that C defines: a negative one counts as too far."""
    beyond = (places < 0) | (places >= 8 * x.dtype.itemsize)
    return beyond, xp.where(beyond, x.dtype.type(0), places)
