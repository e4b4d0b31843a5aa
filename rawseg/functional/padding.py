"""Frames around arrays: constant, or continued by reflection, repetition or wrapping."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from rawseg_kernels import pad as pad_room
from rawseg_kernels._arrays import integer

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor
from ..errors import ArgumentError, ArgumentTypeError
from .naming import operation

__all__ = ["pad"]


class Pad(Function):
    """An array in a frame; its linear part is the adjoint of `PadBackward`."""

    compiled = True

    @staticmethod
    def forward(ctx, x, *, widths, mode, value):
        ctx.frame = {"widths": widths, "mode": mode}
        return pad_room.forward(x, widths, mode, value)

    @staticmethod
    def backward(ctx, grad_output):
        return PadBackward.apply(grad_output, **ctx.frame)


class PadBackward(Function):
    """A frame added back to where it was copied from; adjoint of `Pad` with the constant 0."""

    compiled = True

    @staticmethod
    def forward(ctx, grad_output, *, widths, mode):
        ctx.frame = {"widths": widths, "mode": mode}
        return pad_room.backward(grad_output, widths, mode)

    @staticmethod
    def backward(ctx, grad_input):
        return Pad.apply(grad_input, **ctx.frame, value=None)


@partial(operation, names={"x": "input", "widths": "pad"})
def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Put a frame around an array.

    Parameters
    ----------
    input : Tensor, any shape
        Usually (N, C, H, W); floats, integers or bools.
    pad : sequence of int
        ``(left, right, top, bottom, ...)``: two widths for each axis, the *last axis first*. Negative
        ones crop (constant only).
    mode : {"constant", "reflect", "replicate", "circular"}
        What the frame holds: ``value``; the array mirrored at its edge pixels; its edge pixels; the opposite side.
    value : float, optional
        Of a constant frame, a number of the array's dtype; 0 by default.

    Returns
    -------
    Tensor
        Larger by the widths.

    Raises
    ------
    ArgumentError
        If the widths do not suit the array or the mode.
    ShapeError
        If more is cropped from an axis than it has.
    MemoryError
        If the result cannot fit into this machine.

    Notes
    -----
    Linear but for the constant; differentiable to every order, the gradient of repeated pixels is summed in a fixed order.
    Every mode frames any axes of arrays of any rank; PyTorch's continued modes take the last axes of images only, and crop by
    negative widths. An integer array refuses a ``value`` that it would have to round.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.functional.pad(rawseg.tensor([1, 2, 3]), (2, 1), "reflect")
    tensor([3, 2, 1, 2, 3, 2])
    """
    x = as_tensor("pad", "input", input)
    return Pad.apply(x, widths=_widths(x, pad), mode=mode, value=value)


def _widths(x: Tensor, pad: Sequence[int]) -> list[tuple[int, int]]:
    """Return (low, high) for every axis, the first axis first."""
    if not isinstance(pad, (tuple, list)):
        raise ArgumentTypeError("pad", "pad", "a sequence of ints", repr(pad))
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ArgumentError("pad", "pad", f"two widths for each of at most {x.ndim} axes", tuple(pad))
    numbers = [integer("pad", "pad", width, -(1 << 62)) for width in pad]
    pairs = list(zip(numbers[0::2], numbers[1::2]))[::-1]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs
