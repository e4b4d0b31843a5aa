"""Pooling and upsampling layers: no parameters."""

from __future__ import annotations

from typing import Any

from rawseg_kernels._arrays import pair

from .. import functional as F
from ..autograd import Tensor
from .module import Module

__all__ = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "MaxPool2d", "MaxUnpool2d", "Upsample"]


class MaxPool2d(Module):
    """The largest element of each window; parameters as in `rawseg.functional.max_pool2d`."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        geometry = self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        return F.max_pool2d(input, *geometry, self.return_indices)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxUnpool2d(Module):
    """Elements put back where `MaxPool2d` found them; parameters as in `rawseg.functional.max_unpool2d`."""

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, *, duplicates: str = "raise") -> None:
        super().__init__()
        self.kernel_size = pair("MaxUnpool2d", "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else pair("MaxUnpool2d", "stride", stride, 1)
        self.padding, self.duplicates = pair("MaxUnpool2d", "padding", padding, 0), duplicates

    def forward(self, input: Tensor, indices: Any, output_size: Any = None) -> Tensor:
        geometry = self.kernel_size, self.stride, self.padding
        return F.max_unpool2d(input, indices, *geometry, output_size, duplicates=self.duplicates)

    def extra_repr(self) -> str:
        policy = "" if self.duplicates == "raise" else f", duplicates={self.duplicates!r}"
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}{policy}"


class AdaptiveAvgPool2d(Module):
    """The means of a given number of bins; ``output_size`` as in `rawseg.functional.adaptive_avg_pool2d`."""

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """The largest elements of a given number of bins; parameters as in `rawseg.functional.adaptive_max_pool2d`."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AvgPool2d(Module):
    """The mean of each window; parameters as in `rawseg.functional.avg_pool2d`."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        geometry = self.kernel_size, self.stride, self.padding, self.ceil_mode
        return F.avg_pool2d(input, *geometry, self.count_include_pad, self.divisor_override)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class Upsample(Module):
    """A resized copy; parameters as in `rawseg.functional.interpolate`."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        options = self.mode, self.align_corners, self.recompute_scale_factor
        return F.interpolate(input, self.size, self.scale_factor, *options)

    def extra_repr(self) -> str:
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"
