r"""Pasting the masks that a network gives for boxes into images: the last step of Mask R-CNN (arXiv 1703.06870, section 3.1).

A mask of M x M probabilities is framed by ``padding`` zeros, so that it can fade out, and its box is widened by the same share,

.. math:: \mathrm{half} = \frac{x_2 - x_1}{2}\cdot\frac{M + 2\,\mathrm{padding}}{M},\qquad
          x_1' = \mathrm{trunc}\Big(\frac{x_1 + x_2}{2} - \mathrm{half}\Big),\quad
          x_2' = \mathrm{trunc}\Big(\frac{x_1 + x_2}{2} + \mathrm{half}\Big),

in the dtype of the boxes. The pixels x1' to x2', both of them, are the framed mask, resized bilinearly (half-pixel centres);
those outside the image are left out. Along each axis this is a table for each mask, made before any kernel runs (``tables``).

Algorithms: ``"direct"`` writes the pixels of the boxes only, row by row; ``"cuda"`` is for GPUs, a thread a pixel.
"""

from __future__ import annotations

from typing import Any

from .. import _arrays, _boxes, _memory
from .._algorithms import find
from .._errors import ArgumentError, ShapeError
from . import tables

OP = "paste_masks"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def forward(masks: Any, boxes: Any, image_size: Any, padding: Any = 1, algorithm: str = "auto") -> Any:
    """Return an image of each mask, zeros outside its box.

    Parameters
    ----------
    masks : ndarray, shape (K, 1, M, M)
        Mask probabilities, float32 or float64; K may be 0.
    boxes : ndarray, shape (K, 4)
        ``(x1, y1, x2, y2)`` in pixels of the image, in the dtype of ``masks``; they may reach over its edges.
    image_size : (int, int)
        Height and width of the image.
    padding : int
        Width of the frame of zeros in cells of the mask.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (K, H, W)
        Probabilities.

    Raises
    ------
    ShapeError
        If masks are not square, or masks and boxes differ in number.
    ArgumentError
        If a corner is not finite or beyond 2**31, a box is inverted or a plain argument is outside its domain.
    """
    device = _arrays.check_floating(OP, masks=masks, boxes=boxes)
    _arrays.check_rank(OP, "masks", masks, "(K, 1, M, M)")
    if masks.shape[1] != 1 or masks.shape[2] != masks.shape[3] or masks.shape[2] < 1:
        raise ShapeError(OP, "masks", "shape (K, 1, M, M) with M at least 1", f"shape {masks.shape}")
    _boxes.check_boxes(OP, "boxes", boxes)
    _arrays.check_shape(OP, "boxes", boxes, (masks.shape[0], 4))
    size = _arrays.pair(OP, "image_size", image_size, 1)
    padding = _arrays.integer(OP, "padding", padding, 0)
    _memory.check_size(OP, (masks.shape[0], *size), masks.dtype)
    cells = masks.shape[2] + 2 * padding
    _memory.check_size(OP, (max(1, masks.shape[0]), cells, cells), masks.dtype)
    _memory.check_tables(OP, max(1, masks.shape[0]) * sum(size))
    low, high = tables.widened(boxes, masks.shape[2], padding)
    _check_pixels(boxes, low, high)
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    rows = tables.bilinear(low[:, 1], high[:, 1], cells, size[0], masks.dtype)
    columns = tables.bilinear(low[:, 0], high[:, 0], cells, size[1], masks.dtype)
    framed = _arrays.module_of(masks).pad(masks[:, 0], ((0, 0), (padding, padding), (padding, padding)))
    return run(_arrays.contiguous(framed), rows, columns)


def _check_pixels(boxes: Any, low: Any, high: Any) -> None:
    """Check that pixels can be counted in 64 bits, products included."""
    bad = ~((abs(low) <= _arrays.LARGEST) & (abs(high) <= _arrays.LARGEST)).all(1)  # NaN is bad
    if bad.any():
        row = int(bad.argmax())
        corners = tuple(float(corner) for corner in boxes[row])
        raise ArgumentError(OP, "boxes", f"corners of at most {_arrays.LARGEST} after widening", f"{corners} at {row}")
