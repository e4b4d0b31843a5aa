"""A dataset of images that lie in memory: with a label each, with masks, or alone, as an autoencoder wants them."""

from __future__ import annotations

import numpy as np

from ..errors import DTypeError, IndexRangeError, ShapeError
from .dataset import Sample

__all__ = ["Images"]


class Images:
    """Images of one size and what is known of each.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W) or (N, H, W)
        float32 in [0, 1], or uint8, which is divided by 255 when a sample is asked for.
    targets : ndarray of int64, shape (N,) or (N, H, W), optional
        Labels, or masks. Without them every image is its own target.

    Examples
    --------
    >>> import numpy as np
    >>> digits = Images(np.full((5, 28, 28), 255, np.uint8), np.arange(5))
    >>> image, label = digits[3]
    >>> image.shape, image.max().item(), label.item()
    ((1, 28, 28), 1.0, 3)
    """

    def __init__(self, images: np.ndarray, targets: np.ndarray | None = None) -> None:
        if images.ndim not in (3, 4):
            raise ShapeError("Images", "images", "shape (N, C, H, W) or (N, H, W)", f"shape {images.shape}")
        if images.dtype not in (np.float32, np.uint8):
            raise DTypeError("Images", "images", "float32 or uint8", images.dtype)
        if targets is not None and targets.dtype != np.int64:
            raise DTypeError("Images", "targets", "int64", targets.dtype)
        if targets is not None and targets.shape not in (images.shape[:1], (len(images), *images.shape[-2:])):
            expected = f"shape {images.shape[:1]} or {(len(images), *images.shape[-2:])}"
            raise ShapeError("Images", "targets", expected, f"shape {targets.shape}")
        self.images = images[:, None] if images.ndim == 3 else images
        self.targets = targets

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        """Return an image, float32 of shape (C, H, W), and its target."""
        if not 0 <= index < len(self.images):
            raise IndexRangeError("Images", "index", f"0..{len(self.images) - 1}", index)
        image = self.images[index]
        if image.dtype == np.uint8:
            image = image.astype(np.float32) / np.float32(255)
        return image, image if self.targets is None else np.asarray(self.targets[index])
