"""The logistic family: sigmoid, softplus, softmax and their logarithms, none of which overflows.

Transcendental functions of float32 are computed in float64 and rounded once, so that every backend gives the same bits.
"""

from __future__ import annotations

import math
from typing import Any

from rawseg_kernels import softmax as softmax_room
from rawseg_kernels._arrays import real

from ..autograd import Function, Tensor, is_grad_enabled
from ..autograd.shaping import axis_of
from ..errors import ArgumentError, ShapeError
from .activation import floating
from .naming import operation
from .nonlinearity import activated

__all__ = ["log_softmax", "logsigmoid", "sigmoid", "softmax", "softplus"]


class Softmax(Function):
    """e**x over its sum along an axis, shifted by the maximum."""

    @staticmethod
    def forward(ctx, x, *, axis):
        ctx.axis = axis
        out = softmax_room.forward(x, axis)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        if not is_grad_enabled():
            return Tensor(softmax_room.backward(grad_output.array, out.array, ctx.axis))
        return (grad_output - (grad_output * out).sum(ctx.axis, keepdim=True)) * out


class LogSoftmax(Function):
    """x minus the log of the sum of e**x along an axis, shifted by the maximum."""

    @staticmethod
    def forward(ctx, x, *, axis):
        ctx.axis = axis
        out = softmax_room.forward(x, axis, logarithm=True)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        if not is_grad_enabled():
            return Tensor(softmax_room.backward(grad_output.array, out.array, ctx.axis, logarithm=True))
        return grad_output - out.exp() * grad_output.sum(ctx.axis, keepdim=True)


@operation
def sigmoid(input: Any) -> Tensor:
    """Return 1 / (1 + exp(-input)). Shapes as in `relu`; float32 is computed in float64 and rounded once."""
    return activated("sigmoid", floating("sigmoid", input))


@operation
def logsigmoid(input: Any) -> Tensor:
    """Return log(sigmoid(input)) without underflow. Shapes as in `relu`; float32 is computed in float64 and rounded once."""
    return activated("softplus", floating("logsigmoid", input), -1.0, math.inf)  # log(1 + e**-x) / -1


@operation
def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + exp(beta * input)) / beta, and the input itself where ``beta * input`` exceeds the threshold.

    Parameters
    ----------
    input : Tensor, any shape
        float32 or float64.
    beta : float
        Greater than 0. (PyTorch takes any.)
    threshold : float
        ``inf`` for none.
    """
    if not real("softplus", "beta", beta) > 0:
        raise ArgumentError("softplus", "beta", "greater than 0", beta)
    return activated("softplus", floating("softplus", input), beta, threshold)


@operation
def softmax(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """Return probabilities: exp(input) over its sum along ``dim``.

    Parameters
    ----------
    input : Tensor, any shape
        Logits.
    dim : int
        The axis that sums to 1. (PyTorch guesses one if it is left out; rawseg asks.)
    dtype : dtype, optional
        Cast the input first.

    Returns
    -------
    Tensor, the shape of ``input``
        NaN along axes that are all -inf or hold +inf.

    Examples
    --------
    >>> import rawseg
    >>> softmax(rawseg.tensor([[0.0, 0.0, 1000.0]]), 1)
    tensor([[0., 0., 1.]])
    """
    x = floating("softmax", input, dtype)
    return Softmax.apply(x, axis=_filled_axis("softmax", x, dim))


@operation
def log_softmax(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """Return log(softmax(input)) without underflow; parameters as in `softmax`."""
    x = floating("log_softmax", input, dtype)
    return LogSoftmax.apply(x, axis=_filled_axis("log_softmax", x, dim))


def _filled_axis(op: str, x: Tensor, dim: int) -> int:
    axis = axis_of(op, "dim", dim, x.ndim)
    if x.shape[axis] == 0:
        raise ShapeError(op, "input", f"at least 1 along dim {dim}", f"shape {x.shape}")
    return axis
