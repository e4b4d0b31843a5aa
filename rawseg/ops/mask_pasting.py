"""From the small masks of boxes to masks of the image."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import paste_masks as paste_masks_room

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..functional.naming import operation

__all__ = ["paste_masks"]


@operation
def paste_masks(masks: Any, boxes: Any, image_size: Any, padding: int = 1) -> Tensor:
    """Return an image for each mask of a Mask R-CNN: its probabilities, resized into its box, and zeros around it.

    Parameters
    ----------
    masks : Tensor or ndarray, shape (K, 1, M, M)
        Mask probabilities, float32 or float64.
    boxes : Tensor or ndarray, shape (K, 4)
        ``(x1, y1, x2, y2)`` in pixels of the image, in the dtype of ``masks``; they may reach over its edges.
    image_size : (int, int)
        Height and width of the image.
    padding : int
        Width of a frame of zeros, in cells of the mask, by which each mask and its box are widened first.

    Returns
    -------
    Tensor, shape (K, H, W)
        Probabilities; an instance is where they exceed 1/2.

    Raises
    ------
    ArgumentError
        If a corner is not finite, a box is inverted or a plain argument is outside its domain.

    Notes
    -----
    He et al., arXiv 1703.06870; boxes are rounded and pixels are placed as in PyTorch's Mask R-CNN, which returns
    (K, 1, H, W). A box that lies outside the image leaves zeros; PyTorch raises or pastes it elsewhere. No gradient.

    Examples
    --------
    >>> import numpy as np
    >>> paste_masks(np.ones((1, 1, 1, 1)), np.array([[1.0, 0.0, 2.0, 1.0]]), (2, 4), padding=0)
    tensor([[[0., 1., 1., 0.],
             [0., 1., 1., 0.]]], dtype=float64)
    """
    masks, boxes = as_tensor("paste_masks", "masks", masks), as_tensor("paste_masks", "boxes", boxes)
    return Tensor(paste_masks_room.forward(masks.array, boxes.array, image_size, padding))
