"""From photographs of any size to one batch, and boxes and masks there and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...autograd.shaping import stack
from ...creation import as_tensor
from ...device import move
from ...errors import ArgumentError, DeviceError, DTypeError, ShapeError

__all__ = ["Transform", "resized_boxes"]

Size = tuple[int, int]
MULTIPLE = 32  # the batch's sides are multiples of it, so that every level of a pyramid halves evenly


class Transform:
    """Normalise, resize and pad images; resize boxes and masks with them.

    Parameters
    ----------
    min_size, max_size : int
        The shorter side becomes ``min_size`` pixels, unless the longer one would exceed ``max_size``.
    mean, std : sequence of float
        Of each channel: subtracted, and divided by.
    """

    def __init__(self, min_size: int, max_size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        if len(mean) != len(std) or not all(0 < deviation < np.inf for deviation in std):
            raise ArgumentError("mask_rcnn", "std", "a number greater than 0 for each channel, as in mean", (mean, std))
        if not 1 <= min_size <= max_size:
            raise ArgumentError("mask_rcnn", "min_size", f"from 1 to max_size, {max_size}", min_size)
        self.min_size, self.max_size, self.mean, self.std = min_size, max_size, tuple(mean), tuple(std)

    def size_of(self, size: Size) -> Size:
        """Return an image's height and width in the batch."""
        factor = min(self.min_size / min(size), self.max_size / max(size))
        return max(1, math.floor(size[0] * factor)), max(1, math.floor(size[1] * factor))

    def beside(self, image: Any, device: str) -> Tensor:
        """Return an image as a Tensor on a device: an array goes there, a Tensor must be there, else DeviceError."""
        if not isinstance(image, Tensor):
            return as_tensor(image, device=device)
        if image.device != device:
            raise DeviceError("mask_rcnn", "images", f"{device}, the device of the parameters", image.device)
        return image

    def batch(self, images: Sequence[Any], dtype: Any, device: str) -> tuple[Tensor, list[Size]]:
        """Return images as one batch, and their sizes in it.

        Parameters
        ----------
        images : sequence of Tensor or ndarray, shape (C, H, W)
            Values in [0, 1].
        dtype, device
            Of the batch.

        Returns
        -------
        batch : Tensor, shape (N, C, H, W)
            Each image in the upper left corner, zeros (the mean) to its right and below.
        sizes : list of (int, int)
            Heights and widths without the padding.
        """
        resized = [self._resized(image, dtype, device) for image in images]
        sizes = [(image.shape[1], image.shape[2]) for image in resized]
        height, width = (-(-max(sides) // MULTIPLE) * MULTIPLE for sides in zip(*sizes))
        padded = [F.pad(image, (0, width - image.shape[2], 0, height - image.shape[1])) for image in resized]
        return stack(padded), sizes

    def _resized(self, image: Any, dtype: Any, device: str) -> Tensor:
        channels = len(self.mean)
        image = self.beside(image, device)
        if image.ndim != 3 or image.shape[0] != channels or 0 in image.shape:
            raise ShapeError("mask_rcnn", "images", f"shape ({channels}, H, W) each", f"shape {image.shape}")
        if image.dtype.kind != "f":
            raise DTypeError("mask_rcnn", "images", "floats in [0, 1]", image.dtype)
        image = image.astype(dtype)
        mean, std = (Tensor(move(np.asarray(v, dtype)[:, None, None], image.device)) for v in (self.mean, self.std))
        normalised = ((image - mean) / std).unsqueeze(0)
        return F.interpolate(normalised, size=self.size_of(image.shape[1:]), mode="bilinear")[0]

    def target(self, target: Mapping[str, Any], size: Size, new_size: Size) -> dict[str, np.ndarray]:
        """Return boxes, labels and masks in the pixels of the batch."""
        masks = np.asarray(target["masks"])
        rows, columns = (np.arange(new) * old // new for old, new in zip(size, new_size))  # nearest: a mask has no halves
        boxes = resized_boxes(target["boxes"], size, new_size)
        return {"boxes": boxes, "labels": target["labels"], "masks": masks[:, rows[:, None], columns]}


def resized_boxes(boxes: np.ndarray, size: Size, new_size: Size) -> np.ndarray:
    """Return boxes ``(x1, y1, x2, y2)`` of an image of one size in the pixels of another."""
    down, across = (new / old for old, new in zip(size, new_size))
    return boxes * np.array([across, down, across, down], boxes.dtype)
