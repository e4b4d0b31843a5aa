"""From many elements to fewer: sums, means, variances, maxima, positions, in a fixed order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..device import array_module
from ..errors import DTypeError, ShapeError
from . import late
from .arithmetic import where
from .function import Function
from .operands import is_floating
from .recording import recordable
from .shaping import Expand, axes_of, axis_of

if TYPE_CHECKING:
    from .tensor import Tensor


def _ordered(x: Any) -> Any:
    """Contiguous: the order of NumPy's sum follows the strides, and equal values must give equal bits."""
    return array_module(x).asarray(x, order="C")  # not ascontiguousarray: that gives a scalar an axis


class Sum(Function):
    """The sum over axes."""

    @staticmethod
    def forward(ctx, x, *, axes, keepdims):
        ctx.shape, ctx.kept = x.shape, tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        return _ordered(x).sum(axis=axes, keepdims=keepdims)

    @staticmethod
    def backward(ctx, grad_output):
        return Expand.apply(grad_output.reshape(ctx.kept), shape=ctx.shape)


class CumSum(Function):
    """Running sums along one axis; the adjoint runs backwards."""

    @staticmethod
    def forward(ctx, x, *, axis):
        ctx.axis = axis
        return x.cumsum(axis)

    @staticmethod
    def backward(ctx, grad_output):
        return CumSum.apply(grad_output.flip(ctx.axis), axis=ctx.axis).flip(ctx.axis)


class Extremum(Function):
    """max or min over axes; ties split the gradient equally."""

    @staticmethod
    def forward(ctx, x, *, axes, keepdims, name):
        out = getattr(array_module(x), name)(x, axis=axes, keepdims=True)
        chosen = (x == out) | (x != x)  # NaN is chosen where the result is NaN
        ctx.share = chosen / chosen.sum(axis=axes, keepdims=True)
        ctx.shape, ctx.kept = x.shape, out.shape
        return out if keepdims else out.reshape([n for i, n in enumerate(x.shape) if i not in axes])

    @staticmethod
    def backward(ctx, grad_output):
        spread = Expand.apply(grad_output.reshape(ctx.kept), shape=ctx.shape)
        return spread * ctx.share.astype(spread.dtype)


def sum(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return the sum over all axes, or over those named; bool counts as int64."""
    if x.dtype.kind == "b":
        x = x.astype(np.dtype(np.int64))
    return Sum.apply(x, axes=axes_of("sum", "dim", dim, x.ndim), keepdims=keepdim)


def mean(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return the arithmetic mean over all axes, or over those named; NaN over none."""
    _require_floating("mean", x)
    axes = axes_of("mean", "dim", dim, x.ndim)
    count = math.prod(x.shape[i] for i in axes)
    return sum(x, axes, keepdim) / count


def var(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """Return the variance: squared distances from the mean over ``count - correction``."""
    _require_floating("var", x)
    axes = axes_of("var", "dim", dim, x.ndim)
    count = math.prod(x.shape[i] for i in axes)
    centred = x - mean(x, axes, keepdim=True)
    return sum(centred * centred, axes, keepdim) / max(0, count - correction)


def std(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """Return the square root of the variance; where all elements are equal, both it and its gradient are 0."""
    variance = var(x, dim, correction, keepdim)
    nothing = variance == 0
    return where(nothing, 0.0, where(nothing, 1.0, variance).sqrt())


def extremum(name: str, x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return ``amax`` or ``amin`` over all axes, or over those named.

    Raises
    ------
    ShapeError
        If an axis is empty.
    """
    axes = axes_of(name, "dim", dim, x.ndim)
    if any(x.shape[i] == 0 for i in axes):
        raise ShapeError(name, "input", "at least one element", f"shape {x.shape}")
    return Extremum.apply(x, axes=axes, keepdims=keepdim, name=name)


@recordable
def position(name: str, x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return ``argmax`` or ``argmin`` as int64, ties to the first; without an axis, of the flattened array."""
    axis = None if dim is None else axis_of(name, "dim", dim, x.ndim)
    if x.size == 0 or (axis is not None and x.shape[axis] == 0):
        raise ShapeError(name, "input", "at least one element", f"shape {x.shape}")
    return late.Tensor(getattr(array_module(x.array), name)(x.array, axis=axis, keepdims=keepdim).astype(np.int64))


class Extrema(NamedTuple):
    """The largest or smallest elements along an axis, and where they are."""

    values: Tensor
    indices: Tensor


@recordable
def along(name: str, x: Tensor, dim: int, keepdim: bool = False) -> Extrema:
    """Return ``(values, indices)`` of the max or min along one axis; the gradient goes to the index returned."""
    axis = axis_of(name, "dim", dim, x.ndim)
    indices = position(f"arg{name}", x, axis, keepdim=True)
    xp = array_module(x.array)
    grid = [xp.arange(n).reshape([-1 if i == k else 1 for i in range(x.ndim)]) for k, n in enumerate(x.shape)]
    grid[axis] = indices.array
    values = x[tuple(grid)]
    return Extrema(values, indices) if keepdim else Extrema(values.squeeze(axis), indices.squeeze(axis))


def cumsum(x: Tensor, dim: int) -> Tensor:
    """Return running sums along one axis."""
    return CumSum.apply(x, axis=axis_of("cumsum", "dim", dim, x.ndim))


def logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """Return log(sum(exp(x))), shifted by the maximum so that it neither overflows nor vanishes."""
    _require_floating("logsumexp", x)
    axes = axes_of("logsumexp", "dim", dim, x.ndim)
    top = extremum("amax", x.detach(), axes, keepdim=True)
    top = where(top.isfinite(), top, 0.0)  # all -inf must give -inf, not NaN
    out = sum((x - top).exp(), axes, keepdim=True).log() + top
    return out if keepdim else out.squeeze(axes)


@recordable
def truth(name: str, x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return ``all`` or ``any`` as bool."""
    axes = axes_of(name, "dim", dim, x.ndim)
    return late.Tensor(getattr(array_module(x.array), name)(x.array, axis=axes, keepdims=keepdim))


def _require_floating(op: str, x: Tensor) -> None:
    if not is_floating(x):
        raise DTypeError(op, "input", "float32 or float64", x.dtype)
