"""The logistic family: sigmoid, softplus, softmax and their logarithms, none of which overflows.

Transcendental functions of float32 are computed in float64 and rounded once, so that every backend gives the same bits.
"""

from __future__ import annotations

from typing import Any

from ..autograd import Function, Tensor
from ..autograd.arithmetic import where
from ..autograd.operands import wide
from ..autograd.shaping import axis_of
from ..device import array_module
from ..errors import ArgumentError, ShapeError
from .activation import floating

__all__ = ["log_softmax", "logsigmoid", "sigmoid", "softmax", "softplus"]


class Sigmoid(Function):
    """1 / (1 + e**-x)."""

    @staticmethod
    def forward(ctx, x):
        out = wide(_sigmoid, x)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        return grad_output * (out * (1 - out))


class Softplus(Function):
    """log(1 + e**(beta x)) / beta; x itself where beta x exceeds the threshold."""

    @staticmethod
    def forward(ctx, x, *, beta, threshold):
        ctx.beta, ctx.linear = beta, x * beta > threshold
        ctx.save(x)
        return array_module(x).where(ctx.linear, x, wide(lambda v: _softplus(v * beta) / beta, x))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return where(ctx.linear, grad_output, grad_output * Sigmoid.apply(x * ctx.beta))


class LogSigmoid(Function):
    """log(1 / (1 + e**-x)), exact for large |x|."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return wide(lambda v: -_softplus(-v), x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return grad_output * Sigmoid.apply(-x)


class Softmax(Function):
    """e**x over its sum along an axis, shifted by the maximum."""

    @staticmethod
    def forward(ctx, x, *, axis):
        ctx.axis = axis
        out = wide(lambda v: _softmax(v, axis), x)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        weighted = grad_output * out
        return weighted - out * weighted.sum(ctx.axis, keepdim=True)


class LogSoftmax(Function):
    """x minus the log of the sum of e**x along an axis, shifted by the maximum."""

    @staticmethod
    def forward(ctx, x, *, axis):
        ctx.axis = axis
        out = wide(lambda v: _log_softmax(v, axis), x)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        return grad_output - out.exp() * grad_output.sum(ctx.axis, keepdim=True)


def _sigmoid(x: Any) -> Any:
    xp = array_module(x)
    small = xp.exp(-abs(x))  # in (0, 1]: never overflows
    return xp.where(x < 0, small, 1) / (1 + small)


def _softplus(x: Any) -> Any:
    xp = array_module(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-abs(x)))


def _softmax(x: Any, axis: int) -> Any:
    exponentials = array_module(x).exp(x - x.max(axis, keepdims=True))
    return exponentials / exponentials.sum(axis, keepdims=True)


def _log_softmax(x: Any, axis: int) -> Any:
    xp = array_module(x)
    shifted = x - x.max(axis, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis, keepdims=True))


def sigmoid(input: Any) -> Tensor:
    """Return 1 / (1 + exp(-input))."""
    return Sigmoid.apply(floating("sigmoid", input))


def logsigmoid(input: Any) -> Tensor:
    """Return log(sigmoid(input)) without underflow."""
    return LogSigmoid.apply(floating("logsigmoid", input))


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + exp(beta * input)) / beta, and the input itself where ``beta * input`` exceeds the threshold."""
    if not beta > 0:
        raise ArgumentError("softplus", "beta", "greater than 0", beta)
    return Softplus.apply(floating("softplus", input), beta=beta, threshold=threshold)


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
    """
    x = floating("softmax", input, dtype)
    return Softmax.apply(x, axis=_filled_axis("softmax", x, dim))


def log_softmax(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """Return log(softmax(input)) without underflow; parameters as in `softmax`."""
    x = floating("log_softmax", input, dtype)
    return LogSoftmax.apply(x, axis=_filled_axis("log_softmax", x, dim))


def _filled_axis(op: str, x: Tensor, dim: int) -> int:
    axis = axis_of(op, "dim", dim, x.ndim)
    if x.shape[axis] == 0:
        raise ShapeError(op, "input", f"at least 1 along dim {dim}", f"shape {x.shape}")
    return axis
