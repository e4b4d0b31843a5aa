"""Where each pixel of an image reads in each mask, one axis at a time: made beside the boxes, before any kernel runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arrays import module_of


def widened(boxes: Any, mask_size: int, padding: int) -> tuple[Any, Any]:
    """Return the first and the last pixel of every widened box: two float arrays of integers, shape (K, 2) as (x, y).

    In the dtype of the boxes and in this order, so that boxes round as PyTorch's Mask R-CNN rounds them: towards 0.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused by the caller
        half = (boxes[:, 2:] - boxes[:, :2]) * 0.5
        centre = (boxes[:, 2:] + boxes[:, :2]) * 0.5
        half = half * ((mask_size + 2 * padding) / mask_size)
        trunc = module_of(boxes).trunc
        return trunc(centre - half), trunc(centre + half)


def bilinear(low: Any, high: Any, mask_size: int, size: int, dtype: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Return ``(inside, first, second, first_weight, second_weight)`` of one axis.

    Parameters
    ----------
    low, high : ndarray, shape (K,)
        First and last pixel of each box.
    mask_size : int
        Cells of a framed mask.
    size : int
        Pixels of the image.
    dtype : dtype
        Of the weights, which are computed in float64 and rounded once.

    Returns
    -------
    inside : ndarray of int64, shape (K, 2)
        Each box has the pixels ``inside[k, 0]`` up to, not including, ``inside[k, 1]`` of the image; none if they are equal.
    first, second : ndarray of int64, shape (K, size)
        The two cells beside the centre of each pixel.
    first_weight, second_weight : ndarray, shape (K, size)
        Their weights.
    """
    xp = module_of(low)
    low, high = low.astype(np.int64), high.astype(np.int64)
    inside = xp.clip(xp.stack([low, high + 1], 1), 0, size)
    pixel = xp.arange(size) - low[:, None]  # counted from the box's first, which may lie outside
    scale = mask_size / (high - low + 1)  # cells a pixel; at least one pixel, as no box is inverted
    source = xp.clip((pixel + 0.5) * scale[:, None] - 0.5, 0, mask_size - 1)  # pixels outside the box are never read
    first = source.astype(np.int64)
    second = xp.minimum(first + 1, mask_size - 1)
    fraction = source - first
    return inside, first, second, (1 - fraction).astype(dtype), fraction.astype(dtype)
