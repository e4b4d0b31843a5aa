"""Objects over their image: a colour for each, its mask tinted and outlined, its box, and what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from .masks import FILLED, colour, outline, overlay

__all__ = ["instances_overlay"]

INSIDE = 0.5  # probability from which on a pixel belongs to an object
SMALLEST_TEXT = 11  # pixels
LEGIBLE = 384  # pixels that a side should have, so that text on it can be read
LETTERS_IN_SIDE = 45  # text is as high as this part of the shorter side


def instances_overlay(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray | None,
    masks: np.ndarray,
    names: Sequence[str] | None = None,
    least: int = 0,
) -> np.ndarray:
    """Return an image with its objects drawn over it, the best one last.

    Parameters
    ----------
    image : ndarray, shape (C, H, W)
        Floats in [0, 1]; three channels are red, green and blue, of any other number the first is shown in grey.
    boxes : ndarray, shape (D, 4)
        ``(x1, y1, x2, y2)`` in pixels of the image, best first; D may be 0.
    labels : ndarray of integers, shape (D,)
        Classes.
    scores : ndarray, shape (D,), or None
        Probabilities; the truth has none.
    masks : ndarray, shape (D, 1, H, W) or (D, H, W)
        Probabilities; pixels of 0.5 and more belong to the object.
    names : sequence of str, optional
        Of the classes from 0, the background, on.
    least : int
        Every pixel is repeated as often as the longer side fits into so many pixels, so that text on a small image can be read.

    Returns
    -------
    picture : ndarray of uint8, shape (H, W, 3), or a multiple of it
        RGB.

    Raises
    ------
    ShapeError
        If the arrays do not fit each other.
    """
    count, size = len(boxes), image.shape[1:]
    masks = masks[:, 0] if masks.ndim == 4 and masks.shape[1] == 1 else masks
    given = boxes.shape, labels.shape, (count,) if scores is None else scores.shape, masks.shape
    if given != ((count, 4), (count,), (count,), (count, *size)):
        expected = f"shapes ({count}, 4), ({count},), ({count},) and ({count}, 1, {', '.join(map(str, size))})"
        raise ShapeError("instances_overlay", "boxes, labels, scores, masks", expected, given)
    times = max(1, least // max(size))
    if times > 1:
        boxes = boxes * times
        image, masks = (array.repeat(times, 1).repeat(times, 2) for array in (image, masks))
    picture = overlay(image, np.zeros(image.shape[1:], np.int64))
    for i in reversed(range(count)):
        _tint(picture, masks[i] >= INSIDE, colour(i + 1))
    texts = [_named(int(label), names) for label in labels]
    if scores is not None:
        texts = [f"{text} {score:.2f}" for text, score in zip(texts, scores)]
    return _labelled(picture, boxes, texts)


def _named(label: int, names: Sequence[str] | None) -> str:
    return names[label] if names is not None and label < len(names) else f"class {label}"


def _tint(picture: np.ndarray, inside: np.ndarray, rgb: tuple[int, int, int]) -> None:
    """Colour an object in place, looking only at the rows and columns that it has."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    if len(rows) == 0:
        return
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part, own = picture[window], inside[window]
    edge = own & outline(np.pad(own, 1))[1:-1, 1:-1]  # a margin, so that it is outlined at the window's border too
    opacity = np.where(edge, 1.0, FILLED)[..., None]  # (h, w, 1)
    tinted = np.rint(part * (1 - opacity) + np.array(rgb) * opacity)
    part[own] = tinted[own].astype(np.uint8)


def _labelled(picture: np.ndarray, boxes: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Draw boxes and their texts, the first on top."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = picture.shape[:2]
    letters = max(SMALLEST_TEXT, min(height, width) // LETTERS_IN_SIDE)
    canvas, font = Image.fromarray(picture), ImageFont.load_default(letters)
    draw = ImageDraw.Draw(canvas)
    for i in reversed(range(len(boxes))):
        x1, y1, x2, y2 = (float(number) for number in boxes[i])
        right, bottom = min(x2, width) - 1, min(y2, height) - 1  # x2 and y2 are the far edges of the last pixels
        corners = max(x1, 0), max(y1, 0), max(right, x1, 0), max(bottom, y1, 0)
        draw.rectangle(corners, outline=colour(i + 1), width=max(1, letters // 10))
        _write(draw, texts[i], corners, font, colour(i + 1), (width, height))
    return np.array(canvas)


def _write(draw, text: str, corners: tuple, font, rgb: tuple[int, int, int], size: tuple[int, int]) -> None:
    """Write a text on a plate of the object's colour, over its box if there is room, else inside."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    wide, high = right - left + 4, bottom - top + 4
    x = max(0, min(corners[0], size[0] - wide))
    y = corners[1] - high if corners[1] >= high else corners[1]
    draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=rgb)
    ink = (0, 0, 0) if sum(rgb) > 330 else (255, 255, 255)
    draw.text((x + 2 - left, y + 2 - top), text, fill=ink, font=font)
