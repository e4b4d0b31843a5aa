"""The same elements in another arrangement: reshape, transpose, expand, join. Each adjoint is its partner here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rawseg_kernels._arrays import integer

from ..device import array_module, device_of
from ..errors import ArgumentError, DeviceError, DTypeError, ShapeError
from .function import Function
from .indexing import AddAt, getitem
from .memory import joined, taken
from .operands import as_tensor

if TYPE_CHECKING:
    from .tensor import Tensor


class Reshape(Function):
    """Another shape with the same elements in C order."""

    is_view = True

    @staticmethod
    def forward(ctx, x, *, shape):
        ctx.shape = x.shape
        return x.reshape(shape)

    @staticmethod
    def backward(ctx, grad_output):
        return Reshape.apply(grad_output, shape=ctx.shape)


class Permute(Function):
    """Axes in another order."""

    is_view = True

    @staticmethod
    def forward(ctx, x, *, axes):
        ctx.axes = axes
        return x.transpose(axes)

    @staticmethod
    def backward(ctx, grad_output):
        return Permute.apply(grad_output, axes=tuple(int(i) for i in np.argsort(ctx.axes)))


class Expand(Function):
    """Broadcast to a larger shape, without copying; adjoint of `SumTo`."""

    is_view = True

    @staticmethod
    def forward(ctx, x, *, shape):
        ctx.shape = x.shape
        return array_module(x).broadcast_to(x, shape)

    @staticmethod
    def backward(ctx, grad_output):
        return sum_to(grad_output, ctx.shape)


class SumTo(Function):
    """Sum over the axes along which a shape was broadcast; adjoint of `Expand`."""

    @staticmethod
    def forward(ctx, x, *, shape):
        ctx.shape = x.shape
        lead = x.ndim - len(shape)
        axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1)
        # contiguous first: the order of NumPy's sum follows the strides, and equal values must give equal bits
        return array_module(x).ascontiguousarray(x).sum(axis=axes, keepdims=True).reshape(shape)

    @staticmethod
    def backward(ctx, grad_output):
        return Expand.apply(grad_output, shape=ctx.shape)


class Flip(Function):
    """Reversed along axes; its own adjoint."""

    is_view = True

    @staticmethod
    def forward(ctx, x, *, axes):
        ctx.axes = axes
        return array_module(x).flip(x, axes)

    @staticmethod
    def backward(ctx, grad_output):
        return Flip.apply(grad_output, axes=ctx.axes)


class Concat(Function):
    """Arrays joined along one axis."""

    @staticmethod
    def forward(ctx, *arrays, axis):
        ctx.axis, ctx.sizes = axis, [array.shape[axis] for array in arrays]
        return joined(arrays, axis)

    @staticmethod
    def backward(ctx, grad_output):
        gradients, start = [], 0
        for size, need in zip(ctx.sizes, ctx.needs_grad):
            gradients.append(Stretch.apply(grad_output, axis=ctx.axis, start=start, size=size) if need else None)
            start += size
        return tuple(gradients)


class Stretch(Function):
    """Some places of an axis, copied: whoever gets them as a gradient would want them contiguous, each anew."""

    @staticmethod
    def forward(ctx, x, *, axis, start, size):
        ctx.shape, ctx.index = x.shape, (slice(None),) * axis + (slice(start, start + size),)
        return taken(x, axis, start, size)

    @staticmethod
    def backward(ctx, grad_output):
        return AddAt.apply(grad_output, index=ctx.index, shape=ctx.shape)


def sum_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return ``x`` summed over broadcast axes down to ``shape``, in a fixed order."""
    return x if x.shape == tuple(shape) else SumTo.apply(x, shape=tuple(shape))


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """Return ``x`` in another shape; one size may be -1.

    Raises
    ------
    ShapeError
        If the sizes do not hold the same number of elements.
    """
    wanted = tuple(integer("reshape", "shape", n, -(1 << 62)) for n in _unpack(shape))
    known = math.prod(n for n in wanted if n != -1)
    fits = x.size == known if -1 not in wanted else wanted.count(-1) == 1 and known > 0 and x.size % known == 0
    if not fits or any(n < -1 for n in wanted):
        raise ShapeError("reshape", "shape", f"sizes that hold {x.size} elements (input shape {x.shape})", wanted)
    return Reshape.apply(x, shape=wanted)


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return ``x`` with the axes from ``start_dim`` to ``end_dim``, both included, as one."""
    if x.ndim == 0:
        return reshape(x, 1)
    start, end = axis_of("flatten", "start_dim", start_dim, x.ndim), axis_of("flatten", "end_dim", end_dim, x.ndim)
    if end < start:
        raise ArgumentError("flatten", "end_dim", f"not before start_dim={start_dim}", end_dim)
    return reshape(x, *x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])


def permute(x: Tensor, *axes: Any) -> Tensor:
    """Return ``x`` with its axes in another order; without axes, reversed."""
    order = _unpack(axes)
    if not order:
        return Permute.apply(x, axes=tuple(range(x.ndim - 1, -1, -1)))
    order = tuple(axis_of("permute", "dims", axis, x.ndim) for axis in order)
    if sorted(order) != list(range(x.ndim)):
        raise ArgumentError("permute", "dims", f"each of {x.ndim} axes once", order)
    return Permute.apply(x, axes=order)


def swapaxes(x: Tensor, first: int, second: int) -> Tensor:
    """Return ``x`` with two axes exchanged."""
    order = list(range(x.ndim))
    i, j = axis_of("transpose", "dim0", first, x.ndim), axis_of("transpose", "dim1", second, x.ndim)
    order[i], order[j] = order[j], order[i]
    return Permute.apply(x, axes=tuple(order))


def expand(x: Tensor, *shape: Any) -> Tensor:
    """Return ``x`` broadcast to a shape; -1 keeps a size."""
    wanted = list(_unpack(shape))
    for i in range(1, x.ndim + 1):
        if i <= len(wanted) and wanted[-i] == -1:
            wanted[-i] = x.shape[-i]
    try:
        fits = np.broadcast_shapes(x.shape, tuple(wanted)) == tuple(wanted)
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError("expand", "shape", f"a shape that {x.shape} broadcasts to", tuple(wanted))
    return Expand.apply(x, shape=tuple(wanted))


def squeeze(x: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Return ``x`` without axes of size 1: all of them, or those named that have size 1."""
    named = range(x.ndim) if dim is None else axes_of("squeeze", "dim", dim, x.ndim)
    return Reshape.apply(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in named or n != 1))


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """Return ``x`` with an axis of size 1 inserted at ``dim``."""
    at = axis_of("unsqueeze", "dim", dim, x.ndim + 1)
    return Reshape.apply(x, shape=(*x.shape[:at], 1, *x.shape[at:]))


def flip(x: Tensor, dims: int | tuple[int, ...]) -> Tensor:
    """Return ``x`` reversed along axes."""
    return Flip.apply(x, axes=axes_of("flip", "dims", dims, x.ndim))


def cat(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Return Tensors joined along an existing axis.

    Raises
    ------
    ArgumentError
        If there is none to join.
    ShapeError
        If they differ along another axis.
    """
    joined = [as_tensor("cat", f"tensors[{i}]", t) for i, t in enumerate(tensors)]
    if not joined:
        raise ArgumentError("cat", "tensors", "at least one Tensor", "none")
    first = joined[0]
    axis = axis_of("cat", "dim", dim, first.ndim)
    for i, t in enumerate(joined):
        rest = (*first.shape[:axis], -1, *first.shape[axis + 1 :])
        if t.ndim != first.ndim or (*t.shape[:axis], -1, *t.shape[axis + 1 :]) != rest:
            raise ShapeError("cat", f"tensors[{i}]", f"shape {rest} with any size for -1", f"shape {t.shape}")
        if t.dtype != first.dtype:
            raise DTypeError("cat", f"tensors[{i}]", str(first.dtype), t.dtype)
        if device_of(t.array) != device_of(first.array):
            raise DeviceError("cat", f"tensors[{i}]", device_of(first.array), device_of(t.array))
    return Concat.apply(*joined, axis=axis)


def stack(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Return Tensors of one shape joined along a new axis."""
    joined = [as_tensor("stack", f"tensors[{i}]", t) for i, t in enumerate(tensors)]
    if not joined:
        raise ArgumentError("stack", "tensors", "at least one Tensor", "none")
    for i, t in enumerate(joined):
        if t.shape != joined[0].shape:
            raise ShapeError("stack", f"tensors[{i}]", f"shape {joined[0].shape}", f"shape {t.shape}")
    return cat(
        [unsqueeze(t, axis_of("stack", "dim", dim, t.ndim + 1)) for t in joined],
        axis_of("stack", "dim", dim, joined[0].ndim + 1),
    )


def split(x: Tensor, size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return pieces of ``x`` along an axis: of one size (the last may be smaller), or of the sizes given."""
    axis = axis_of("split", "dim", dim, x.ndim)
    length = x.shape[axis]
    if isinstance(size, int):
        if size < 1:
            raise ArgumentError("split", "split_size", "at least 1", size)
        sizes = [min(size, length - start) for start in range(0, length, size)]
    else:
        sizes = list(size)
    if sum(sizes) != length or any(n < 0 for n in sizes):
        raise ArgumentError("split", "split_size", f"sizes that add up to {length}", sizes)
    ends = np.cumsum(sizes).tolist()
    return tuple(getitem(x, (slice(None),) * axis + (slice(end - n, end),)) for end, n in zip(ends, sizes))


def axis_of(op: str, argument: str, axis: Any, ndim: int) -> int:
    """Return an axis as a non-negative number."""
    number = integer(op, argument, axis, -(1 << 62))
    if not -ndim <= number < ndim:
        raise ArgumentError(op, argument, f"an axis in [{-ndim}, {ndim - 1}]", number)
    return number % ndim


def axes_of(op: str, argument: str, axes: Any, ndim: int) -> tuple[int, ...]:
    """Return one or several axes as a sorted tuple of different non-negative numbers; None means all."""
    if axes is None:
        return tuple(range(ndim))
    found = [axis_of(op, argument, axis, ndim) for axis in (axes if isinstance(axes, (tuple, list)) else (axes,))]
    if len(set(found)) != len(found):
        raise ArgumentError(op, argument, "different axes", axes)
    return tuple(sorted(found))


def _unpack(arguments: tuple) -> tuple:
    """Allow both f(2, 3) and f((2, 3))."""
    return tuple(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)) else arguments
