"""Elements by position: slices, integers, arrays of integers or bools; the adjoint adds at the same positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import array_module, device_of, move
from ..errors import IndexRangeError
from . import late
from .function import Function

if TYPE_CHECKING:
    from .tensor import Tensor


class GetItem(Function):
    """x[index]; adjoint of `AddAt`."""

    is_view = True

    @staticmethod
    def forward(ctx, x, *, index):
        ctx.index, ctx.shape = index, x.shape
        try:
            return x[index]
        except IndexError as error:
            raise IndexRangeError("getitem", "index", f"positions in shape {x.shape}", str(error)) from None

    @staticmethod
    def backward(ctx, grad_output):
        return AddAt.apply(grad_output, index=ctx.index, shape=ctx.shape)


class AddAt(Function):
    """Zeros of a shape with values added at an index, repeated positions in order; adjoint of `GetItem`."""

    @staticmethod
    def forward(ctx, x, *, index, shape):
        ctx.index = index
        xp = array_module(x)
        out = xp.zeros(shape, x.dtype)
        if _is_basic(index) or _each_once(index, shape):
            out[index] = x  # a sum has one term
        elif isinstance(x, np.ndarray):
            np.add.at(out, index, x)
        else:  # CuPy's would add in any order
            from rawseg_kernels._cuda.scatter import summed

            places = xp.arange(out.size).reshape(shape)[index]
            out = summed(xp.ascontiguousarray(x), places, shape)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        return GetItem.apply(grad_output, index=ctx.index)


class Interleave(Function):
    """Rows of several arrays, each array's at places of their own; adjoint of taking them from there."""

    @staticmethod
    def forward(ctx, *arrays, places):
        ctx.places = places
        out = array_module(arrays[0]).empty((sum(map(len, places)), *arrays[0].shape[1:]), arrays[0].dtype)
        for array, place in zip(arrays, places):
            out[place] = array
        return out

    @staticmethod
    def backward(ctx, grad_output):
        return tuple(grad_output[place] for place in ctx.places)


def interleave(tensors: Sequence[Tensor], places: Sequence[np.ndarray]) -> Tensor:
    """Return all rows as one Tensor: those of ``tensors[i]`` stand at ``places[i]``, together 0 to K - 1, each once."""
    return Interleave.apply(*tensors, places=tuple(places))


def getitem(x: Tensor, index: Any) -> Tensor:
    """Return ``x[index]``: slices, integers, None, Ellipsis, and integer or bool arrays or Tensors, as in NumPy."""
    return GetItem.apply(x, index=plain_index(index, x.device, copy=x.requires_grad))


def plain_index(index: Any, device: str, copy: bool = False) -> Any:
    """Return an index with its Tensors replaced by their arrays, or by copies that a graph can keep, all on a device."""
    if isinstance(index, tuple):
        return tuple(plain_index(part, device, copy) for part in index)
    if isinstance(index, late.Tensor):
        index = index.array
    place = device_of(index)
    if place and place != device:
        return move(index, device)
    return index.copy() if copy and place else index


def _each_once(index: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether arrays of integers for the first axes, side by side, address no place twice."""
    parts = index if isinstance(index, tuple) else (index,)
    if len(parts) > len(shape) or not all(isinstance(p, np.ndarray) and p.ndim == 1 and p.dtype.kind in "iu" for p in parts):
        return False
    if len({len(part) for part in parts}) != 1 or len(parts[0]) == 0:
        return False
    places = np.zeros(len(parts[0]), np.int64)
    for part, length in zip(parts, shape):
        places = places * length + part % length
    return len(np.unique(places)) == len(places)


def _is_basic(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(part, (bool, np.bool_, list)) or (hasattr(part, "shape") and part.shape) for part in parts)
