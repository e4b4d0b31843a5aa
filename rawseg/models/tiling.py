"""Overlap-tile prediction (U-Net paper, figure 2): an image of any size, tile by tile, as if seen whole.

Every tile is predicted with a halo of real context, the image being mirrored at its border, and only the middle is kept.
A halo that covers the receptive field makes the result independent of the tiling, and so without seams by construction;
memory is that of one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..autograd.shaping import cat
from ..device import array_module, move
from ..errors import ArgumentError, ShapeError
from ..functional import softmax
from .inference import as_input, evaluating

__all__ = ["predict_tiled", "tiles"]


def mirror(start: int, stop: int, size: int) -> np.ndarray:
    """Return indices ``start .. stop-1`` folded into ``[0, size)`` by reflection at the border pixels' centres."""
    if size == 1:
        return np.zeros(stop - start, np.int64)
    period = 2 * (size - 1)
    folded = np.arange(start, stop, dtype=np.int64) % period
    return np.minimum(folded, period - folded)


def tiles(height: int, width: int, tile: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield ``(top, left, height, width)`` of the kept middles, row by row."""
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            yield top, left, min(tile, height - top), min(tile, width - left)


def predict_tiled(
    model: Any,
    image: np.ndarray,
    tile: int = 512,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the class of every pixel of an image of any size in bounded memory.

    Parameters
    ----------
    model : Module
        With ``multiple``, ``halo``, ``padded``, ``input_size`` and ``config``, as `UNet`; it is put into eval mode and back.
    image : ndarray, shape (C, H, W)
        float32 in the range that the model was trained on.
    tile : int
        Side of the kept middle in pixels, rounded down to a multiple of the model's: time and memory, never the result.
    device : str
        Where the model is.
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    mask : ndarray, shape (H, W)
        Class ids, uint8, or uint16 for more than 256 classes; of a single logit, whether it is above 0.
    confidence : ndarray, shape (H, W)
        float32, the predicted class's probability.

    Raises
    ------
    ShapeError
        If the image is not (C, H, W) with the model's channels.
    ArgumentError
        If ``tile`` is smaller than the model's multiple.
    """
    channels = model.config["in_channels"]
    if image.ndim != 3 or image.shape[0] != channels or 0 in image.shape:
        raise ShapeError("predict_tiled", "image", f"shape ({channels}, H, W)", f"shape {image.shape}")
    if tile < model.multiple:
        raise ArgumentError("predict_tiled", "tile", f"at least {model.multiple}, the model's stride", tile)
    _, height, width = image.shape
    side = min(tile // model.multiple, -(-max(height, width) // model.multiple)) * model.multiple
    mask = np.empty((height, width), np.uint8 if model.config["classes"] <= 256 else np.uint16)
    confidence = np.empty((height, width), np.float32)
    everything = list(tiles(height, width, side))
    with evaluating(model):
        for done, (top, left, h, w) in enumerate(everything):
            classes, certainty = _predict_one(model, image, top, left, side, device)
            mask[top : top + h, left : left + w] = classes[:h, :w]
            confidence[top : top + h, left : left + w] = certainty[:h, :w]
            if progress is not None:
                progress(done + 1, len(everything))
    return mask, confidence


def _predict_one(model: Any, image: np.ndarray, top: int, left: int, side: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Predict the ``side x side`` pixels at (top, left) with their halo."""
    _, height, width = image.shape
    halo = model.halo
    full = side + 2 * halo if model.padded else model.input_size(side)
    rows = mirror(top - halo, top - halo + full, height)
    columns = mirror(left - halo, left - halo + full, width)
    x = np.ascontiguousarray(image[:, rows[:, None], columns[None, :]][None])  # (1, C, full, full)
    with no_grad():
        probability = softmax(_two_or_more(model(as_input(x, model, device))), 1).array[0]
    first = halo if model.padded else 0
    probability = probability[:, first : first + side, first : first + side]
    xp = array_module(probability)
    classes, certainty = xp.argmax(probability, axis=0), xp.max(probability, axis=0)
    return move(classes, "cpu"), move(certainty, "cpu")


def _two_or_more(logits: Tensor) -> Tensor:
    """Return the logits of two classes for a single one: softmax(0, x) is sigmoid(x)."""
    return cat([logits.zeros_like(), logits], 1) if logits.shape[1] == 1 else logits
