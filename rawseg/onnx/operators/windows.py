"""Sliding windows as ONNX describes them: paddings of unequal sides, automatic ones, and one axis instead of two.

ONNX lists paddings as the begins of all axes, then the ends of all. Windows along one axis are computed as those of images of
height 1; volumes are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...autograd import Tensor
from ...functional import pad
from ..node import Node

__all__ = ["Window", "as_images", "explicit", "overhang", "padded", "restored", "window"]

Pair = tuple[int, int]
MOST = 2**31 - 1  # of a geometry number, as the kernels say it


@dataclass(frozen=True)
class Window:
    """The geometry of a window over images, (height, width) each.

    Attributes
    ----------
    kernel, strides, dilations : (int, int)
        Taps, and steps of the window and between its taps.
    begins, ends : (int, int)
        Rows and columns added above and left, below and right.
    """

    kernel: Pair
    strides: Pair
    dilations: Pair
    begins: Pair
    ends: Pair

    @property
    def even(self) -> bool:
        """Whether opposite sides are padded alike."""
        return self.begins == self.ends

    @property
    def reach(self) -> Pair:
        """Rows and columns from the first to the last tap."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilations, self.kernel))  # type: ignore[return-value]


def as_images(node: Node, x: Tensor) -> Tensor:
    """Return (N, C, H, W) as it is and (N, C, L) as (N, C, 1, L)."""
    if x.ndim not in (3, 4):
        node.refuse("input", "(N, C, H, W) or (N, C, L); rawseg has no operators on volumes", f"shape {x.shape}")
    return x.unsqueeze(2) if x.ndim == 3 else x


def window(node: Node, ndim: int, kernel: Sequence[int], size: Sequence[int], *, transposed: bool = False) -> Window:
    """Return the window of a node.

    Parameters
    ----------
    node : Node
        With ``strides``, ``dilations``, ``pads`` and ``auto_pad``.
    ndim : int
        Axes of the input, 3 or 4.
    kernel : sequence of int
        Taps along each of the spatial axes.
    size : (int, int)
        Height and width of the input as images, which automatic padding depends on.
    transposed : bool
        Leave the paddings out: a transposed convolution has rules of its own.
    """
    axes = ndim - 2
    taps = _spread(node, "kernel_shape", kernel, axes, 1, 1)
    strides = _spread(node, "strides", node.attribute("strides", (1,) * axes), axes, 1, 1)
    dilations = _spread(node, "dilations", node.attribute("dilations", (1,) * axes), axes, 1, 1)
    if transposed:
        return Window(taps, strides, dilations, (0, 0), (0, 0))
    begins, ends = paddings(node, axes, size, taps, strides, dilations)
    return Window(taps, strides, dilations, begins, ends)


def paddings(node: Node, axes: int, size: Sequence[int], taps: Pair, strides: Pair, dilations: Pair) -> tuple[Pair, Pair]:
    """Return what is added before and after each axis."""
    mode = node.attribute("auto_pad", "NOTSET")
    if mode == "VALID":
        return (0, 0), (0, 0)
    if mode == "NOTSET":
        return explicit(node, axes)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        node.refuse("auto_pad", "NOTSET, VALID, SAME_UPPER or SAME_LOWER", repr(mode))
    begins, ends = [], []
    for length, k, s, d in zip(size, taps, strides, dilations):
        total = max(0, (-(-length // s) - 1) * s + d * (k - 1) + 1 - length)  # so that there are ceil(length / s) windows
        less, more = total // 2, total - total // 2
        begins.append(less if mode == "SAME_UPPER" else more)
        ends.append(more if mode == "SAME_UPPER" else less)
    return (begins[0], begins[1]), (ends[0], ends[1])


def explicit(node: Node, axes: int) -> tuple[Pair, Pair]:
    """Return the paddings that stand in ``pads``."""
    pads = node.attribute("pads", (0,) * (2 * axes))
    if len(pads) != 2 * axes:
        node.refuse("pads", f"{2 * axes} numbers, the begins and the ends of {axes} axes", tuple(pads))
    return _spread(node, "pads", pads[:axes], axes, 0, 0), _spread(node, "pads", pads[axes:], axes, 0, 0)


def _spread(node: Node, argument: str, numbers: Sequence[int], axes: int, least: int, neutral: int) -> Pair:
    """Return one number an axis as a pair, of images of height 1 where there is one axis."""
    if len(numbers) != axes or not all(isinstance(n, int) and least <= n <= MOST for n in numbers):
        node.refuse(argument, f"{axes} numbers from {least} to {MOST}, one for each spatial axis", tuple(numbers))
    return (neutral, numbers[0]) if axes == 1 else (numbers[0], numbers[1])


def overhang(where: Window, size: Sequence[int], ceil_mode: bool) -> Pair:
    """Return what to add below and right of images of a size so that windows which hang over the edge have room.

    With ``ceil_mode`` the last window may reach beyond the padding, but has to begin in the image or the padding before it.
    """
    ends = []
    for axis in (0, 1):
        stride, begin, end = where.strides[axis], where.begins[axis], where.ends[axis]
        room = size[axis] + begin + end - where.reach[axis]
        count = (-(-room // stride) if ceil_mode else room // stride) + 1
        if ceil_mode and (count - 1) * stride >= size[axis] + begin:
            count -= 1
        ends.append((count - 1) * stride + where.reach[axis] - begin - size[axis] if ceil_mode else end)
    return ends[0], ends[1]


def padded(node: Node, x: Tensor, begins: Sequence[int], ends: Sequence[int], value: float = 0.0) -> Tensor:
    """Return images in a frame of a constant, which may have different sides."""
    if not any((*begins, *ends)):
        return x
    return pad(x, [begins[1], ends[1], begins[0], ends[0]], value=value)


def restored(out: Any, x: Tensor) -> Tensor:
    """Return a result without the axis that `as_images` gave its input."""
    return out.squeeze(2) if x.ndim == 3 else out
