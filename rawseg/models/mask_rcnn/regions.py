"""Features of regions: each is cut from the level of the pyramid that fits its size, by the layer that the model is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...autograd import Tensor
from ...autograd.indexing import interleave
from ...device import move
from ...errors import ArgumentError
from ...ops import roi_align, roi_levels, roi_pool, roi_warp

__all__ = ["ROI_LAYERS", "RegionPooling"]


def _align(x: Tensor, rois: Tensor, size: int, scale: float, samples: int) -> Tensor:
    return roi_align(x, rois, size, scale, samples)


def _align_max(x: Tensor, rois: Tensor, size: int, scale: float, samples: int) -> Tensor:
    return roi_align(x, rois, size, scale, samples, mode="max")


def _pool(x: Tensor, rois: Tensor, size: int, scale: float, samples: int) -> Tensor:
    return roi_pool(x, rois, size, scale)


def _warp(x: Tensor, rois: Tensor, size: int, scale: float, samples: int) -> Tensor:
    return roi_warp(x, rois, size, scale, samples)


ROI_LAYERS = {"roi_align": _align, "roi_align_max": _align_max, "roi_pool": _pool, "roi_warp": _warp}


class RegionPooling:
    """Cuts regions out of feature maps.

    Parameters
    ----------
    layer : str
        One of `ROI_LAYERS`.
    size : int
        Cells of a region along each axis.
    strides : sequence of int
        Pixels of the batch to one of each map, from the finest to the coarsest: powers of two in a row.
    samples : int
        Sampling points of a cell along each axis.
    """

    def __init__(self, layer: str, size: int, strides: Sequence[int], samples: int = 2) -> None:
        if layer not in ROI_LAYERS:
            raise ArgumentError("mask_rcnn", "roi", f"one of {tuple(ROI_LAYERS)}", repr(layer))
        self.layer, self.size, self.strides, self.samples = layer, size, tuple(strides), samples

    def __call__(self, maps: Sequence[Tensor], boxes: Sequence[np.ndarray]) -> Tensor:
        """Return features of all regions, shape (K, C, size, size), those of the first image first.

        Parameters
        ----------
        maps : sequence of Tensor, shape (N, C, h, w)
            A level for each stride; further ones are not looked at.
        boxes : sequence of ndarray, shape (L, 4)
            The regions of each image, in pixels of the batch.
        """
        levels, rois = self.levels(boxes), numbered(boxes)
        cut, places = [], []
        for level, (x, stride) in enumerate(zip(maps, self.strides)):
            own = np.flatnonzero(levels == level)
            if len(own) or level == 0:
                part = Tensor(move(rois[own], x.device))
                cut.append(ROI_LAYERS[self.layer](x, part, self.size, 1 / stride, self.samples))
                places.append(own)
        return cut[0] if len(cut) == 1 else interleave(cut, places)

    def levels(self, boxes: Sequence[np.ndarray]) -> np.ndarray:
        """Return the level of every region, 0 for the finest map (`rawseg.ops.roi_levels`)."""
        lowest, highest = (stride.bit_length() - 1 for stride in (self.strides[0], self.strides[-1]))
        return roi_levels(np.concatenate(boxes), lowest, highest).array - lowest


def numbered(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the boxes of all images with the image's number before each, shape (K, 5)."""
    return np.concatenate([np.concatenate([np.full((len(b), 1), i, b.dtype), b], 1) for i, b in enumerate(boxes)])
