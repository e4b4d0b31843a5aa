"""Sums, products, quotients, powers and remainders of tensors that broadcast, and the extrema of any number of them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...autograd import Function, Tensor
from ...autograd.shaping import sum_to
from ...device import array_module
from ..node import Node
from .operands import aligned, broadcast_shape, on_arrays, pair, same_dtype
from .registry import operator

__all__ = ["truncated_quotient"]


@operator("Add")
def add(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a + b."""
    a, b = pair(node, a, b)
    return a + b


@operator("Sub")
def sub(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a - b."""
    a, b = pair(node, a, b)
    return a - b


@operator("Mul")
def mul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a * b."""
    a, b = pair(node, a, b)
    return a * b


@operator("Div")
def div(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a / b, of integers the quotient rounded towards 0."""
    a, b = pair(node, a, b)
    if a.dtype.kind == "f":
        return a / b
    _refuse_zeros(node, b)
    return on_arrays(truncated_quotient, a, b)


def truncated_quotient(xp: Any, a: Any, b: Any) -> Any:
    """Return a / b of integer arrays, rounded towards 0; no element of b is 0."""
    out = a // b
    return out + ((out < 0) & (out * b != a)).astype(a.dtype)  # floored, it is one too low


@operator("Pow")
def power(node: Node, base: Tensor, exponent: Tensor) -> Tensor:
    """Return base ** exponent in the dtype of the base, whatever that of the exponent."""
    base, exponent = aligned(node, base, exponent)
    if base.dtype.kind != "f":
        return on_arrays(_integer_power, base, exponent)
    if exponent.size == 1 and exponent.ndim <= base.ndim and not exponent.requires_grad:
        return base ** float(exponent.item())  # with a derivative where the base is negative
    return base ** exponent.astype(base.dtype)


def _integer_power(xp: Any, base: Any, exponent: Any) -> Any:
    if exponent.dtype.kind == "f" or (exponent.dtype.kind == "i" and (exponent < 0).any()):
        return (base.astype(np.float64) ** exponent).astype(base.dtype)
    return base ** exponent.astype(base.dtype)


class Remainder(Function):
    """a - q b, with q = a / b rounded down, or towards 0 where ``towards_zero``; q is constant almost everywhere."""

    @staticmethod
    def forward(ctx, a, b, *, towards_zero):
        """Return the remainders."""
        xp = array_module(a)
        out = xp.fmod(a, b) if towards_zero else xp.remainder(a, b)
        if any(ctx.needs_grad):
            ctx.quotient = xp.rint((a - out) / b)
            ctx.shapes = a.shape, b.shape
        return out

    @staticmethod
    def backward(ctx, grad_output):
        """Return the gradients of both operands."""
        grad_a = sum_to(grad_output, ctx.shapes[0]) if ctx.needs_grad[0] else None
        return grad_a, sum_to(-grad_output * ctx.quotient, ctx.shapes[1]) if ctx.needs_grad[1] else None


@operator("Mod")
def mod(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return the remainder of a / b, with the sign of b, or with that of a where ``fmod``."""
    a, b = pair(node, a, b)
    if a.dtype.kind != "f":
        _refuse_zeros(node, b)
    return Remainder.apply(a, b, towards_zero=bool(node.attribute("fmod", 0)))


def _refuse_zeros(node: Node, divisor: Tensor) -> None:
    if not divisor.array.all():
        node.refuse("B", "integers other than 0", "a 0 among them")


@operator("Max")
def maximum(node: Node, *inputs: Tensor) -> Tensor:
    """Return the largest of each group of elements; NaN if there is one, and a tie of two shares the gradient."""
    _joinable(node, *inputs)
    return functools.reduce(lambda a, b: a.maximum(b), inputs)


@operator("Min")
def minimum(node: Node, *inputs: Tensor) -> Tensor:
    """Return the smallest of each group of elements; NaN and ties as with the largest."""
    _joinable(node, *inputs)
    return functools.reduce(lambda a, b: a.minimum(b), inputs)


@operator("Sum")
def total(node: Node, *inputs: Tensor) -> Tensor:
    """Return the sum of each group of elements, added up from the first on."""
    _joinable(node, *inputs)
    return functools.reduce(lambda a, b: a + b, inputs)


@operator("Mean")
def mean(node: Node, *inputs: Tensor) -> Tensor:
    """Return the mean of each group of elements."""
    return total(node, *inputs) / len(inputs)


def _joinable(node: Node, *inputs: Tensor) -> None:
    if not inputs or any(tensor is None for tensor in inputs):
        node.refuse("inputs", "at least one, and none left out", node.inputs)
    same_dtype(node, *inputs)
    broadcast_shape(node, *inputs)
