"""Layers of convolution and transposed convolution."""

from __future__ import annotations

import math
from typing import Any

from rawseg_kernels._arrays import integer, pair

from .. import functional as F
from ..autograd import Tensor
from ..autograd.operands import DEFAULT_DTYPE
from ..creation import empty
from ..errors import ArgumentError
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Conv2d", "ConvTranspose2d"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
# What a repr leaves out.
DEFAULTS = {"padding": (0, 0), "dilation": (1, 1), "output_padding": (0, 0), "groups": 1, "padding_mode": "zeros"}


class _Convolution(Module):
    """What both layers share: the checked arguments, weight and bias."""

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        transposed: bool,
        device: str | None,
        dtype: Any,
    ) -> None:
        super().__init__()
        op = type(self).__name__
        self.in_channels = integer(op, "in_channels", in_channels, 1)
        self.out_channels = integer(op, "out_channels", out_channels, 1)
        self.kernel_size, self.stride = pair(op, "kernel_size", kernel_size, 1), pair(op, "stride", stride, 1)
        self.padding = padding if isinstance(padding, str) else pair(op, "padding", padding, 0)
        self.dilation, self.groups = pair(op, "dilation", dilation, 1), integer(op, "groups", groups, 1)
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count % self.groups:
                raise ArgumentError(op, name, f"a multiple of groups={groups}", count)
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        kind = {"dtype": dtype or DEFAULT_DTYPE, "device": device}
        self.weight = Parameter(empty(first, second // self.groups, *self.kernel_size, **kind))
        self.register_parameter("bias", Parameter(empty(out_channels, **kind)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew: uniform within 1 / sqrt(fan_in), as PyTorch does."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(init.fans("reset_parameters", self.weight)[0])
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        shown = {name: getattr(self, name, default) for name, default in DEFAULTS.items()} | {"bias": self.bias is not None}
        shown["padding_mode"] = shown.pop("padding_mode")  # comes last
        parts += [f"{name}={value}" for name, value in shown.items() if value != DEFAULTS.get(name, True)]
        return ", ".join(parts)


class Conv2d(_Convolution):
    """Convolution with its own weight and bias; see `rawseg.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of input and output.
    kernel_size, stride, dilation : int or (int, int)
        Geometry, (height, width).
    padding : int, (int, int), "valid" or "same"
        Frame around the input.
    groups : int
        Channels are split into this many independent convolutions.
    bias : bool
        Add a trained number to each channel.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the frame holds.
    device : str, optional
        Where the parameters live.
    dtype : dtype, optional
        Of the parameters; float32 by default.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels / groups, kH, kW)
        Kernels.
    bias : Parameter, shape (out_channels,), or None
        Bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, False, device, dtype)
        if padding_mode not in PADDING_MODES:
            raise ArgumentError("Conv2d", "padding_mode", f"one of {PADDING_MODES}", repr(padding_mode))
        if isinstance(padding, str) and (padding not in ("valid", "same") or (padding == "same" and self.stride != (1, 1))):
            raise ArgumentError("Conv2d", "padding", "an int, a pair, 'valid', or 'same' with stride 1", repr(padding))
        self.padding_mode = padding_mode

    def forward(self, input: Tensor) -> Tensor:
        if self.padding_mode == "zeros" or self.padding == "valid":
            weight, bias = self._several("weight", "bias")
            return F.conv2d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        framed = F.pad(input, self._frame(), self.padding_mode)
        return F.conv2d(framed, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def _frame(self) -> list[int]:
        """Return (left, right, top, bottom)."""
        if not isinstance(self.padding, str):
            return [width for width in self.padding[::-1] for _ in range(2)]
        totals = [self.dilation[axis] * (self.kernel_size[axis] - 1) for axis in (1, 0)]
        return [side for total in totals for side in (total // 2, total - total // 2)]


class ConvTranspose2d(_Convolution):
    """Transposed convolution with its own weight and bias; see `rawseg.functional.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, groups, bias, dilation, device, dtype
        As in `Conv2d`, for the convolution whose adjoint this is.
    output_padding : int or (int, int)
        Rows and columns added at the bottom and right.
    padding_mode : {"zeros"}
        As in PyTorch, there is no other.

    Attributes
    ----------
    weight : Parameter, shape (in_channels, out_channels / groups, kH, kW)
        Kernels.
    bias : Parameter, shape (out_channels,), or None
        Bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, True, device, dtype)
        if padding_mode != "zeros":
            raise ArgumentError("ConvTranspose2d", "padding_mode", "'zeros', as in PyTorch", repr(padding_mode))
        self.padding_mode = padding_mode
        self.output_padding = pair("ConvTranspose2d", "output_padding", output_padding, 0)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        geometry = self.stride, self.padding, 0 if output_size is not None else self.output_padding, self.groups, self.dilation
        return F.conv_transpose2d(input, self.weight, self.bias, *geometry, output_size=output_size)
