"""Anchors: boxes of a few sizes and shapes at every pixel of the feature maps, which the network moves onto objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError

__all__ = ["Anchors"]


class Anchors:
    """Boxes around every pixel of every level (Ren et al., arXiv 1506.01497, section 3.1.1; one size a level with FPN).

    Parameters
    ----------
    sizes : sequence of sequence of float
        For each level the square roots of the boxes' areas, in pixels of the batch.
    aspect_ratios : sequence of float
        Heights over widths.

    Examples
    --------
    >>> Anchors([(32,)], (0.5, 1.0)).around_zero(0, "float32")
    array([[-23., -11.,  23.,  11.],
           [-16., -16.,  16.,  16.]], dtype=float32)
    """

    def __init__(self, sizes: Sequence[Sequence[float]], aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0)) -> None:
        self.sizes, self.aspect_ratios = [tuple(level) for level in sizes], tuple(aspect_ratios)
        for argument, numbers in (("sizes", sum(self.sizes, ())), ("aspect_ratios", self.aspect_ratios)):
            if not numbers or not all(0 < number < np.inf for number in numbers):
                raise ArgumentError("Anchors", argument, "finite numbers greater than 0", numbers)
        if len({len(level) for level in self.sizes}) != 1:
            raise ArgumentError("Anchors", "sizes", "as many at every level", self.sizes)

    @property
    def per_pixel(self) -> int:
        """How many boxes there are around a pixel."""
        return len(self.sizes[0]) * len(self.aspect_ratios)

    def around_zero(self, level: int, dtype: Any) -> np.ndarray:
        """Return the boxes of a level around the point (0, 0), shape (A, 4), with whole numbers for corners."""
        heights = np.sqrt(np.asarray(self.aspect_ratios, dtype))  # of a box with area 1
        scales = np.asarray(self.sizes[level], dtype)
        h, w = (heights[:, None] * scales).ravel(), ((1 / heights)[:, None] * scales).ravel()
        return np.rint(np.stack([-w, -h, w, h], 1) / 2)

    def on_maps(self, map_sizes: Sequence[tuple[int, int]], batch_size: tuple[int, int], dtype: Any) -> list[np.ndarray]:
        """Return all boxes of every level.

        Parameters
        ----------
        map_sizes : sequence of (int, int)
            Height and width of each level's feature map.
        batch_size : (int, int)
            Height and width of the padded images.
        dtype : dtype
            Of the corners.

        Returns
        -------
        list of ndarray, shape (h * w * A, 4)
            Row by row of the map, the A boxes of a pixel next to each other; they may reach over the image's edges.
        """
        if len(map_sizes) != len(self.sizes):
            raise ArgumentError("Anchors", "map_sizes", f"{len(self.sizes)} levels, as there are sizes", len(map_sizes))
        return [self._on_map(level, size, batch_size, dtype) for level, size in enumerate(map_sizes)]

    def of(self, batch: Any, maps: Sequence[Any]) -> list[np.ndarray]:
        """Return all boxes of every level of a batch (N, C, H, W) with these maps (N, C', h, w)."""
        return self.on_maps([x.shape[2:] for x in maps], batch.shape[2:], batch.dtype)

    def _on_map(self, level: int, size: tuple[int, int], batch_size: tuple[int, int], dtype: Any) -> np.ndarray:
        (h, w), (stride_h, stride_w) = size, (whole // part for whole, part in zip(batch_size, size))
        y, x = np.meshgrid(np.arange(h) * stride_h, np.arange(w) * stride_w, indexing="ij")
        places = np.stack([x, y, x, y], -1).reshape(-1, 1, 4).astype(dtype)  # (h w, 1, 4)
        return (places + self.around_zero(level, dtype)).reshape(-1, 4)
