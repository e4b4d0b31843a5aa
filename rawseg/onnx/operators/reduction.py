"""Many elements to one along axes, which are an attribute of older operator sets and an input of newer ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...autograd import Tensor
from ...autograd.arithmetic import where
from ...device import array_module
from ...errors import ShapeError
from ..node import Node
from .arithmetic import truncated_quotient
from .operands import on_arrays
from .registry import operator
from .scan import product_of_first
from .settings import axes_of, setting

Reduction = Callable[[Tensor, tuple[int, ...], bool], Tensor]


def total(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return sums: 0 over nothing."""
    return x.sum(axes, keepdims)


def mean(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return means, of integers rounded towards 0: NaN over nothing, which no integer is."""
    if x.dtype.kind == "f":
        return x.mean(axes, keepdims)
    count = np.int64(math.prod(x.shape[axis] for axis in axes))
    if count == 0:
        raise ShapeError("mean", "data", "at least one whole number to average", f"shape {x.shape}")
    summed = x.sum(axes, keepdims)
    return on_arrays(lambda xp, array: truncated_quotient(xp, array, count.astype(array.dtype)), summed)


def largest(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return the largest elements: over nothing the least that the dtype has."""
    return _extremum("amax", x, axes, keepdims)


def smallest(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return the smallest elements: over nothing the greatest that the dtype has."""
    return _extremum("amin", x, axes, keepdims)


def _extremum(name: str, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if all(x.shape[axis] for axis in axes):
        if x.dtype.kind == "f":
            return getattr(x, name)(axes, keepdims)
        return on_arrays(lambda xp, array: getattr(xp, name)(array, axis=axes, keepdims=keepdims), x)
    nothing = _bounds(x.dtype)[0 if name == "amax" else 1]
    return Tensor(array_module(x.array).full(_reduced_shape(x.shape, axes, keepdims), nothing, x.dtype))


def _bounds(dtype: np.dtype) -> tuple[float, float]:
    """Return the least and the greatest value of a dtype."""
    if dtype.kind == "f":
        return -math.inf, math.inf
    return (False, True) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def _reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    return tuple(kept if keepdims else [size for axis, size in enumerate(kept) if axis not in axes])


def product(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return products: 1 over nothing."""
    others = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.permute(*axes, *others).reshape(math.prod(x.shape[axis] for axis in axes), *[x.shape[axis] for axis in others])
    return product_of_first(rows).reshape(*_reduced_shape(x.shape, axes, keepdims))


def sum_of_sizes(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return sums of absolute values."""
    return total(abs(x), axes, keepdims)


def sum_of_squares(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return sums of squares."""
    return total(x * x, axes, keepdims)


def length(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return square roots of sums of squares; where that is 0, so is the gradient."""
    squares = sum_of_squares(x, axes, keepdims)
    nothing = squares == 0
    return where(nothing, 0.0, where(nothing, 1.0, squares).sqrt())


def log_of_sum(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return logarithms of sums: -inf over nothing."""
    return total(x, axes, keepdims).log()


def log_of_sum_of_exponentials(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return log(sum(e**x)) without overflow: -inf over nothing."""
    if not all(x.shape[axis] for axis in axes):
        return largest(x, axes, keepdims)
    return x.logsumexp(axes, keepdims)


EXACT: dict[str, Reduction] = {
    "ReduceL1": sum_of_sizes,
    "ReduceMax": largest,
    "ReduceMean": mean,
    "ReduceMin": smallest,
    "ReduceProd": product,
    "ReduceSum": total,
    "ReduceSumSquare": sum_of_squares,
}
# of integers computed in float64 and cut off
THROUGH_FLOATS: dict[str, Reduction] = {
    "ReduceL2": length,
    "ReduceLogSum": log_of_sum,
    "ReduceLogSumExp": log_of_sum_of_exponentials,
}


def _register(name: str, reduction: Reduction) -> None:
    """Register an operator of the two tables."""

    @operator(name, widens=True)
    def reduce(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
        named = setting(node, "axes", axes)
        if not named:
            named = () if node.attribute("noop_with_empty_axes", 0) else range(x.ndim)
        found = axes_of(node, named, x.ndim)
        wide = x.double() if name in THROUGH_FLOATS and x.dtype.kind != "f" else x
        return reduction(wide, found, bool(node.attribute("keepdims", 1))).astype(x.dtype)  # NumPy widens integers


for _name, _reduction in (EXACT | THROUGH_FLOATS).items():
    _register(_name, _reduction)
