"""Activations that select or bound: relu and its kin. What they select is copied bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..autograd.arithmetic import where
from ..autograd.operands import as_tensor, is_floating
from ..device import array_module
from ..errors import ArgumentError, DTypeError

__all__ = [
    "hardtanh",
    "leaky_relu",
    "relu",
    "relu6",
    "tanh",
]


def _zero_unless(keep: Any, x: Any) -> Any:
    """Return the elements of x where ``keep`` holds, bit for bit, and +0 elsewhere.

    The bits times 1 or 0, as integers: as quick as a product of floats, but inf and NaN vanish too where they must.
    """
    bits = np.dtype(f"i{x.dtype.itemsize}")
    return (x.view(bits) * keep).view(x.dtype)


class Keep(Function):
    """Selected elements, 0 elsewhere; its own adjoint."""

    @staticmethod
    def forward(ctx, x, *, keep):
        ctx.keep = keep
        return _zero_unless(keep, x)

    @staticmethod
    def backward(ctx, grad_output):
        return Keep.apply(grad_output, keep=ctx.keep)


class ReLU(Function):
    """max(x, 0); -0 and NaN pass, and so does the gradient at NaN."""

    @staticmethod
    def forward(ctx, x):
        out = _zero_unless(~(x < 0), x)
        ctx.save(out)  # not x: the next operation keeps the output anyway
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        return Keep.apply(grad_output, keep=~(out.array <= 0))


class HardTanh(Function):
    """x held between two bounds; the gradient is 0 at the bounds and outside, 1 at NaN."""

    @staticmethod
    def forward(ctx, x, *, low, high):
        ctx.keep = ~((x <= low) | (x >= high))
        xp = array_module(x)
        return xp.where(x < low, x.dtype.type(low), xp.where(x > high, x.dtype.type(high), x))

    @staticmethod
    def backward(ctx, grad_output):
        return Keep.apply(grad_output, keep=ctx.keep)


class LeakyReLU(Function):
    """x where positive, else slope * x; the gradient at 0 and at NaN is the slope."""

    @staticmethod
    def forward(ctx, x, *, slope):
        ctx.slope, ctx.positive = slope, x > 0
        return array_module(x).where(ctx.positive, x, x * x.dtype.type(slope))

    @staticmethod
    def backward(ctx, grad_output):
        return where(ctx.positive, grad_output, grad_output * ctx.slope)


def relu(input: Any, inplace: bool = False) -> Tensor:
    """Return max(input, 0).

    Parameters
    ----------
    input : Tensor, any shape
        float32 or float64.
    inplace : bool
        Accepted for PyTorch's sake; the result is always a fresh Tensor.

    Returns
    -------
    Tensor, the shape of ``input``
        -0 stays -0 and NaN stays NaN; the gradient is 0 at 0 and 1 at NaN.
    """
    return ReLU.apply(floating("relu", input))


def relu6(input: Any, inplace: bool = False) -> Tensor:
    """Return min(max(input, 0), 6); the gradient is 0 at 0 and at 6. ``inplace`` as in `relu`."""
    return HardTanh.apply(floating("relu6", input), low=0.0, high=6.0)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Return the input held between two bounds; the gradient is 0 at the bounds. ``inplace`` as in `relu`."""
    if not min_val <= max_val:
        raise ArgumentError("hardtanh", "min_val", f"at most max_val={max_val}", min_val)
    return HardTanh.apply(floating("hardtanh", input), low=min_val, high=max_val)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return the input where positive, else ``negative_slope * input``. ``inplace`` as in `relu`."""
    return LeakyReLU.apply(floating("leaky_relu", input), slope=float(negative_slope))


def tanh(input: Any) -> Tensor:
    """Return the hyperbolic tangent."""
    return floating("tanh", input).tanh()


def floating(op: str, input: Any, dtype: Any = None) -> Tensor:
    """Return the input as a floating Tensor, cast first if a dtype is asked for."""
    x = as_tensor(op, "input", input)
    x = x if dtype is None else x.astype(dtype)
    if not is_floating(x):
        raise DTypeError(op, "input", "float32 or float64", x.dtype)
    return x
