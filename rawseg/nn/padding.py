"""Layers that frame images: no parameters."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..autograd import Tensor
from ..errors import ArgumentError
from .module import Module

__all__ = ["CircularPad2d", "ConstantPad2d", "ReflectionPad2d", "ReplicationPad2d", "ZeroPad2d"]


class _Pad2d(Module):
    """What the layers share: the widths."""

    mode: str
    value: float | None = None

    def __init__(self, padding: Any) -> None:
        super().__init__()
        widths = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * 4
        if len(widths) != 4:
            raise ArgumentError(type(self).__name__, "padding", "an int or (left, right, top, bottom)", padding)
        self.padding = widths

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad2d(_Pad2d):
    """A frame of one number; ``padding`` is an int or (left, right, top, bottom), and negative widths crop."""

    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(_Pad2d):
    """A frame of zeros; ``padding`` is an int or (left, right, top, bottom), and negative widths crop."""

    mode = "constant"


class ReflectionPad2d(_Pad2d):
    """The image mirrored at its edge pixels; ``padding`` is an int or (left, right, top, bottom)."""

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """The edge pixels repeated; ``padding`` is an int or (left, right, top, bottom)."""

    mode = "replicate"


class CircularPad2d(_Pad2d):
    """The opposite side of the image; ``padding`` is an int or (left, right, top, bottom)."""

    mode = "circular"
