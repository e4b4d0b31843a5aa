"""Two operands, broadcast: sums, products, quotients, powers, maxima, comparisons, selection."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import array_module
from ..errors import ArgumentError, DeviceError, DTypeError
from . import late
from .function import Function
from .memory import computed
from .operands import DEFAULT_DTYPE, as_tensor, is_floating, pair_of_operands, wide
from .recording import recordable
from .shaping import sum_to

if TYPE_CHECKING:
    from .tensor import Tensor


class Add(Function):
    """a + b."""

    compiled = True

    @staticmethod
    def forward(ctx, a, b):
        ctx.shapes = a.shape, b.shape
        return computed(np.add, a, b)

    @staticmethod
    def backward(ctx, grad_output):
        return tuple(sum_to(grad_output, shape) if need else None for shape, need in zip(ctx.shapes, ctx.needs_grad))


class Sub(Function):
    """a - b."""

    compiled = True

    @staticmethod
    def forward(ctx, a, b):
        ctx.shapes = a.shape, b.shape
        return computed(np.subtract, a, b)

    @staticmethod
    def backward(ctx, grad_output):
        grad_a = sum_to(grad_output, ctx.shapes[0]) if ctx.needs_grad[0] else None
        return grad_a, sum_to(-grad_output, ctx.shapes[1]) if ctx.needs_grad[1] else None


class Mul(Function):
    """a * b."""

    compiled = True

    @staticmethod
    def forward(ctx, a, b):
        ctx.save(a, b)
        return computed(np.multiply, a, b)

    @staticmethod
    def backward(ctx, grad_output):
        a, b = ctx.saved
        grad_a = sum_to(grad_output * b, a.shape) if ctx.needs_grad[0] else None
        return grad_a, sum_to(grad_output * a, b.shape) if ctx.needs_grad[1] else None


class Div(Function):
    """a / b."""

    compiled = True

    @staticmethod
    def forward(ctx, a, b):
        ctx.save(a, b)
        return computed(np.true_divide, a, b)

    @staticmethod
    def backward(ctx, grad_output):
        a, b = ctx.saved
        grad_a = sum_to(grad_output / b, a.shape) if ctx.needs_grad[0] else None
        return grad_a, sum_to(-grad_output * a / (b * b), b.shape) if ctx.needs_grad[1] else None


class PowScalar(Function):
    """x ** exponent for a Python number."""

    @staticmethod
    def forward(ctx, x, *, exponent):
        ctx.exponent = exponent
        ctx.save(x)
        if exponent in (-1, 0, 1, 2):
            return x**exponent  # at most one product or quotient, so rounded once anyway
        return wide(lambda wide_x: wide_x**exponent, x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        if ctx.exponent == 0:
            return grad_output.zeros_like()
        return grad_output * (x ** (ctx.exponent - 1) * ctx.exponent)


class Pow(Function):
    """a ** b for two arrays; the gradient of the exponent is 0 where the base is 0 and the exponent is not negative."""

    @staticmethod
    def forward(ctx, a, b):
        out = (a.astype(np.float64) ** b).astype(a.dtype) if a.dtype == np.float32 else a**b
        ctx.save(a, b, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        a, b, out = ctx.saved
        grad_a = sum_to(grad_output * b * a ** (b - 1), a.shape) if ctx.needs_grad[0] else None
        if not ctx.needs_grad[1]:
            return grad_a, None
        zero_base = (a == 0) & (b >= 0)
        logarithm = where(zero_base, 1.0, a).log()
        return grad_a, sum_to(where(zero_base, 0.0, grad_output * out * logarithm), b.shape)


class Maximum(Function):
    """max(a, b); NaN wins, and a tie splits the gradient in halves."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save(a, b)
        return array_module(a).maximum(a, b)

    @staticmethod
    def backward(ctx, grad_output):
        a, b = ctx.saved
        return _split(ctx, grad_output, a, b, a > b, a < b)


class Minimum(Function):
    """min(a, b); NaN wins, and a tie splits the gradient in halves."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save(a, b)
        return array_module(a).minimum(a, b)

    @staticmethod
    def backward(ctx, grad_output):
        a, b = ctx.saved
        return _split(ctx, grad_output, a, b, a < b, a > b)


def _split(ctx, grad_output, a, b, first_wins, second_wins):
    half = grad_output * 0.5
    share_a = where(first_wins, grad_output, where(second_wins, 0.0, half))
    share_b = where(second_wins, grad_output, where(first_wins, 0.0, half))
    return sum_to(share_a, a.shape), sum_to(share_b, b.shape)


class Where(Function):
    """a where the condition holds, else b."""

    @staticmethod
    def forward(ctx, a, b, condition):
        ctx.shapes = a.shape, b.shape
        ctx.save(condition)  # not kept by itself: a change in place must not go unnoticed
        return array_module(a).where(condition, a, b)

    @staticmethod
    def backward(ctx, grad_output):
        (condition,) = ctx.saved
        grad_a = sum_to(where(condition, grad_output, 0.0), ctx.shapes[0]) if ctx.needs_grad[0] else None
        grad_b = sum_to(where(condition, 0.0, grad_output), ctx.shapes[1]) if ctx.needs_grad[1] else None
        return grad_a, grad_b, None


def add(a: Any, b: Any) -> Tensor:
    """Return ``a + b``, broadcast."""
    return Add.apply(*pair_of_operands("add", a, b))


def sub(a: Any, b: Any) -> Tensor:
    """Return ``a - b``, broadcast."""
    return Sub.apply(*pair_of_operands("sub", a, b))


def mul(a: Any, b: Any) -> Tensor:
    """Return ``a * b``, broadcast."""
    return Mul.apply(*pair_of_operands("mul", a, b))


def div(a: Any, b: Any) -> Tensor:
    """Return ``a / b``, broadcast; two integer Tensors divide in float32."""
    a, b = pair_of_operands("div", a, b)
    if not is_floating(a):
        a, b = a.astype(DEFAULT_DTYPE), b.astype(DEFAULT_DTYPE)
    return Div.apply(a, b)


def floor_divide(a: Any, b: Any) -> Tensor:
    """Return ``a // b``; a step function, so it has no gradient."""
    return without_derivative(operator.floordiv, "floor_divide", a, b)


def remainder(a: Any, b: Any) -> Tensor:
    """Return ``a - floor(a / b) * b``, with the sign of ``b``."""
    a, b = pair_of_operands("remainder", a, b)
    if a.requires_grad or b.requires_grad:
        return a - floor_divide(a.detach(), b.detach()) * b
    return without_derivative(operator.mod, "remainder", a, b)


def power(a: Any, b: Any) -> Tensor:
    """Return ``a ** b``, broadcast."""
    if isinstance(a, late.Tensor) and isinstance(b, (int, float)) and is_floating(a):
        return PowScalar.apply(a, exponent=b)
    a, b = pair_of_operands("power", a, b)
    if is_floating(a):
        return Pow.apply(a, b)
    if (b.array < 0).any():
        raise ArgumentError("power", "other", "exponents of at least 0 for integers (or a floating base)", b.array.min())
    return without_derivative(operator.pow, "power", a, b)


def maximum(a: Any, b: Any) -> Tensor:
    """Return the larger of each pair."""
    return Maximum.apply(*pair_of_operands("maximum", a, b))


def minimum(a: Any, b: Any) -> Tensor:
    """Return the smaller of each pair."""
    return Minimum.apply(*pair_of_operands("minimum", a, b))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return ``a`` where the condition (bool, broadcast) holds, else ``b``.

    Raises
    ------
    DTypeError
        If the condition is not bool.
    DeviceError
        If it is on another device than the operands.
    """
    condition = as_tensor("where", "condition", condition)
    if condition.dtype.kind != "b":
        raise DTypeError("where", "condition", "bool", condition.dtype)
    a, b = pair_of_operands("where", a, b)
    if condition.device != a.device:
        raise DeviceError("where", "condition", f"{a.device}, the device of input", condition.device)
    return Where.apply(a, b, condition)


@recordable
def invert(x: Tensor) -> Tensor:
    """Return ``not x`` of bools, the complement of integers."""
    if x.dtype.kind not in "biu":
        raise DTypeError("invert", "input", "bool or integers", x.dtype)
    return late.Tensor(~x.array)


def compare(op: str, a: Any, b: Any) -> Tensor:
    """Return a bool Tensor: ``op`` is a NumPy ufunc's name such as ``"less"``."""
    a, b = pair_of_operands(op, a, b)
    return without_derivative(getattr(array_module(a.array), op), op, a, b)


@recordable
def without_derivative(function: Any, op: str, a: Any, b: Any) -> Tensor:
    """Apply a function without a derivative."""
    a, b = pair_of_operands(op, a, b)
    with np.errstate(all="ignore"):
        return late.Tensor(function(a.array, b.array))
