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


def tiles(height: int, width: int, tile_h: int, tile_w: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield ``(top, left, height, width)`` of the kept middles, row by row."""
    for top in range(0, height, tile_h):
        for left in range(0, width, tile_w):
            yield top, left, min(tile_h, height - top), min(tile_w, width - left)


def predict_tiled(
    model: Any,
    image: np.ndarray,
    tile: int = 512,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the class of every pixel of an image of any size in bounded memory.

    Parameters
    ----------
    model : Module
        A `Segmenter`, such as `UNet`; it is put into eval mode and back.
    image : ndarray, shape (C, H, W)
        float32 in the range that the model was trained on.
    tile : int
        Side of the kept middle in pixels, rounded down to a multiple of the model's: time and memory, never the result. A
        model whose every output depends on the whole image sees it at once.
    device : str, optional
        Where the model is; nothing else fits, so it may be left out.
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
    DeviceError
        If the model is not on ``device``.
    """
    channels = model.config["in_channels"]
    if image.ndim != 3 or image.shape[0] != channels or 0 in image.shape:
        raise ShapeError("predict_tiled", "image", f"shape ({channels}, H, W)", f"shape {image.shape}")
    if tile < model.multiple:
        raise ArgumentError("predict_tiled", "tile", f"at least {model.multiple}, the model's stride", tile)
    _, height, width = image.shape
    mask = np.empty((height, width), np.uint8 if model.config["classes"] <= 256 else np.uint16)
    confidence = np.empty((height, width), np.float32)
    kept = _middle(model, tile, height), _middle(model, tile, width)
    everything = list(tiles(height, width, *kept))
    with evaluating(model):
        for done, (top, left, h, w) in enumerate(everything):
            classes, certainty = _predict_one(model, image, (top, left), kept, device)
            mask[top : top + h, left : left + w] = classes[:h, :w]
            confidence[top : top + h, left : left + w] = certainty[:h, :w]
            if progress is not None:
                progress(done + 1, len(everything))
    return mask, confidence


def _middle(model: Any, tile: int, length: int) -> int:
    """Return the height or width of the kept middle of a tile: no larger than the image, or all of it."""
    needed = -(-length // model.multiple)
    return (needed if model.halo is None else min(tile // model.multiple, needed)) * model.multiple


def _predict_one(
    model: Any, image: np.ndarray, start: tuple[int, int], kept: tuple[int, int], device: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the pixels of a middle of size ``kept``, which begins at ``start``, with their halo."""
    halo = model.halo or 0
    places = []
    for first, side, length in zip(start, kept, image.shape[1:]):
        full = side + 2 * halo if model.padded else model.input_size(side)
        places.append(mirror(first - halo, first - halo + full, length))
    x = np.ascontiguousarray(image[:, places[0][:, None], places[1][None, :]][None])  # (1, C, full height, full width)
    with no_grad():
        probability = softmax(_two_or_more(model(as_input(x, model, device))), 1).array[0]
    inner = halo if model.padded else 0
    probability = probability[:, inner : inner + kept[0], inner : inner + kept[1]]
    xp = array_module(probability)
    classes, certainty = xp.argmax(probability, axis=0), xp.max(probability, axis=0)
    return move(classes, "cpu"), move(certainty, "cpu")


def _two_or_more(logits: Tensor) -> Tensor:
    """Return the logits of two classes for a single one: softmax(0, x) is sigmoid(x)."""
    return cat([logits.zeros_like(), logits], 1) if logits.shape[1] == 1 else logits
