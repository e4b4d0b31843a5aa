"""Frames around arrays: constant, or continued by reflection, repetition or wrapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer
from rawseg_kernels._memory import check_size

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..autograd.shaping import PadConstant
from ..errors import ArgumentError, ArgumentTypeError, ShapeError

__all__ = ["pad"]

# mode -> (source position of each padded position i in an axis of n, the widest frame for n)
CONTINUED: dict[str, tuple[Callable, Callable[[int], float]]] = {
    "reflect": (lambda i, n: (n - 1) - np.abs(np.abs(i) - (n - 1)), lambda n: n - 1),  # the edge itself is not repeated
    "replicate": (lambda i, n: i.clip(0, n - 1), lambda n: np.inf if n else 0),
    "circular": (lambda i, n: i % n, lambda n: n),
}


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Put a frame around an array.

    Parameters
    ----------
    input : Tensor, any shape
        Usually (N, C, H, W).
    pad : sequence of int
        ``(left, right, top, bottom, ...)``: two widths for each axis, the *last axis first*. Negative
        ones crop (constant only).
    mode : {"constant", "reflect", "replicate", "circular"}
        What the frame holds: ``value``; the array mirrored at its edge pixels; its edge pixels; the opposite side.
    value : float, optional
        Of a constant frame; 0 by default.

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
    """
    x = as_tensor("pad", "input", input)
    widths = _widths(x, pad)
    check_size("pad", tuple(low + n + high for (low, high), n in zip(widths, x.shape)), x.dtype)
    if mode == "constant":
        fill = 0.0 if value is None else value
        return PadConstant.apply(x, widths=widths, value=fill)
    if mode not in CONTINUED:
        raise ArgumentError("pad", "mode", f"one of {('constant', *CONTINUED)}", repr(mode))
    if value is not None:
        raise ArgumentError("pad", "value", f"None with mode {mode!r}", value)
    source, widest = CONTINUED[mode]
    for axis, (low, high) in enumerate(widths):
        length = x.shape[axis]
        if min(low, high) < 0 or max(low, high) > widest(length):
            expected = f"0 to {widest(length)} for axis {axis} of size {length} and {mode!r}"
            raise ArgumentError("pad", "pad", expected, (low, high))
        if low or high:
            positions = source(np.arange(-low, length + high), length)
            x = x[(slice(None),) * axis + (positions,)]
    return x


def _widths(x: Tensor, pad: Sequence[int]) -> list[tuple[int, int]]:
    """Return (low, high) for every axis, the first axis first."""
    if not isinstance(pad, (tuple, list)):
        raise ArgumentTypeError("pad", "pad", "a sequence of ints", repr(pad))
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ArgumentError("pad", "pad", f"two widths for each of at most {x.ndim} axes", tuple(pad))
    numbers = [integer("pad", "pad", width, -(1 << 62)) for width in pad]
    pairs = list(zip(numbers[0::2], numbers[1::2]))[::-1]
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    for axis, (low, high) in enumerate(widths):
        if x.shape[axis] + min(low, 0) + min(high, 0) < 0 or x.shape[axis] + low + high < 0:
            raise ShapeError("pad", "pad", f"at most {x.shape[axis]} cropped from axis {axis}", (low, high))
    return widths
