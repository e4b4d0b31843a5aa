"""The operations on regions of interest as layers: no parameters, called with maps and boxes."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..nn.module import Module
from .roi_pooling import roi_pool
from .roi_sampling import roi_align, roi_warp

__all__ = ["RoIAlign", "RoIPool", "RoIWarp"]


class RoIAlign(Module):
    """Boxes resampled without rounding; parameters as in `roi_align`."""

    def __init__(
        self, output_size: Any, spatial_scale: float, sampling_ratio: int, aligned: bool = False, *, mode: str = "avg"
    ) -> None:
        super().__init__()
        self.output_size, self.spatial_scale, self.sampling_ratio = output_size, spatial_scale, sampling_ratio
        self.aligned, self.mode = aligned, mode

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        geometry = self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned
        return roi_align(input, rois, *geometry, mode=self.mode)

    def extra_repr(self) -> str:
        mode = "" if self.mode == "avg" else f", mode={self.mode}"
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}{mode}"
        )


class RoIPool(Module):
    """The largest pixels of rounded boxes; parameters as in `roi_pool`."""

    def __init__(self, output_size: Any, spatial_scale: float) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}"


class RoIWarp(Module):
    """Rounded boxes resampled; parameters as in `roi_warp`."""

    def __init__(self, output_size: Any, spatial_scale: float, sampling_ratio: int = -1) -> None:
        super().__init__()
        self.output_size, self.spatial_scale, self.sampling_ratio = output_size, spatial_scale, sampling_ratio

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return roi_warp(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio}"
