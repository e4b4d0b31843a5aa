"""Masks over their images, and sheets of image, truth, prediction and errors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..metrics import confusion_matrix, iou
from .figure import BLUE, GREEN, INK, ORANGE, PURPLE, SKY, VERMILLION, YELLOW, hexadecimal, new_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Class 0, the background, has no colour.
CLASS_COLOURS = (ORANGE, SKY, GREEN, PURPLE, YELLOW, VERMILLION, BLUE)
RIGHT, FALSE_ALARM, MISS, CONFUSED, NOTHING = (190, 190, 190), VERMILLION, BLUE, (0, 0, 0), (245, 245, 245)
IGNORED = -1
BAND = 256  # rows that are blended at once
FILLED = 0.4  # opacity of a class inside its outline


def colour(class_id: int) -> tuple[int, int, int]:
    """Return the RGB colour of a class from 1 on; they repeat after seven."""
    return CLASS_COLOURS[(class_id - 1) % len(CLASS_COLOURS)]


def overlay(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return an image with its classes tinted and outlined.

    Parameters
    ----------
    image : ndarray, shape (C, H, W)
        Floats in [0, 1]; three channels are red, green and blue, of any other number the first is shown in grey.
    mask : ndarray of integers, shape (H, W)
        Class ids; 0, and anything negative, leaves the image as it is.

    Returns
    -------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    """
    if image.ndim != 3 or 0 in image.shape or image.shape[1:] != mask.shape:
        expected = "an image of shape (C, H, W) and a mask of shape (H, W)"
        raise ShapeError("overlay", "image, mask", expected, f"{image.shape} and {mask.shape}")
    picture, edge = np.empty((*mask.shape, 3), np.uint8), outline(mask)
    for top in range(0, len(mask), BAND):  # band by band: floats of a whole photograph would be large
        rows = slice(top, top + BAND)
        picture[rows] = _tinted(image[:, rows], mask[rows], edge[rows])
    return picture


def _tinted(image: np.ndarray, mask: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Return levels 0 to 255, shape (H, W, 3): the image's grey or colours under those of its classes."""
    channels = image if image.shape[0] == 3 else np.repeat(image[:1], 3, axis=0)
    picture = np.clip(np.nan_to_num(channels.astype(np.float64)), 0, 1).transpose(1, 2, 0) * 255
    tint = np.zeros_like(picture)
    for class_id in np.unique(mask[mask > 0]):
        tint[mask == class_id] = colour(int(class_id))
    opacity = (np.where(edge, 1.0, FILLED) * (mask > 0))[..., None]
    return np.rint(picture * (1 - opacity) + tint * opacity)


def outline(mask: np.ndarray) -> np.ndarray:
    """Return where a neighbour above, below, left or right is of another class."""
    edge = np.zeros(mask.shape, bool)
    vertical, horizontal = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    for part, change in ((edge[1:], vertical), (edge[:-1], vertical), (edge[:, 1:], horizontal), (edge[:, :-1], horizontal)):
        part |= change
    return edge


def error_map(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return an RGB picture (H, W, 3) of what is right, falsely found, missed, or taken for another class."""
    found, there = prediction > 0, truth > 0
    picture = np.full((*truth.shape, 3), NOTHING, np.uint8)
    picture[found & there] = CONFUSED
    picture[(truth == prediction) & there] = RIGHT
    picture[found & (truth == 0)] = FALSE_ALARM
    picture[~found & there] = MISS
    return picture


def overlay_sheet(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    path: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    ignore_index: int | None = None,
) -> None:
    """Draw image, truth, prediction and errors side by side, one row an image.

    Parameters
    ----------
    images : sequence of ndarray, shape (C, H, W)
        Floats in [0, 1].
    truths, predictions : sequence of ndarray of integers, shape (H, W)
        Class ids.
    path : str or path
        A PNG file, replaced in one step.
    class_names : sequence of str, optional
        Names of the classes from 0, the background, on, for the legend.
    ignore_index : int, optional
        Pixels with this true id count nowhere and are not drawn; nor are negative ones.

    Raises
    ------
    ArgumentError
        If there is no image, or not as many truths and predictions as images.
    """
    rows = len(images)
    if rows == 0 or len(truths) != rows or len(predictions) != rows:
        expected = "the same number of images, truths and predictions, at least 1"
        raise ArgumentError("overlay_sheet", "images", expected, f"{rows}, {len(truths)} and {len(predictions)}")
    truths = [np.where((truth == ignore_index) | (truth < 0), IGNORED, truth) for truth in truths]
    height, width = truths[0].shape
    figure = new_figure(10.4, rows * 2.5 * min(height / width, 2.5) + 0.9)
    classes = max(2, 1 + max(int(mask.max(initial=0)) for mask in (*truths, *predictions)))
    for row, (image, truth, prediction) in enumerate(zip(images, truths, predictions)):
        plain = overlay(image, 0 * truth)
        pictures = (plain, overlay(image, truth), overlay(image, prediction), error_map(truth, prediction))
        for column, (picture, title) in enumerate(zip(pictures, ("image", "truth", "prediction", "errors"))):
            axes = figure.add_subplot(rows, 4, 4 * row + column + 1)
            axes.imshow(picture, interpolation="nearest")
            axes.set_axis_off()
            if row == 0:
                axes.set_title(title, fontsize=11, color=INK)
        text = _score(truth, prediction, classes)
        axes.text(0.5, -0.02, text, transform=axes.transAxes, ha="center", va="top", fontsize=9, color=INK)
    _legend(figure, classes, class_names)
    write_figure(figure, path)


def _score(truth: np.ndarray, prediction: np.ndarray, classes: int) -> str:
    """Return the IoU of the classes but the background, averaged over those that occur."""
    matrix = confusion_matrix(prediction, truth, classes, ignore_index=IGNORED)
    scores = iou(matrix)[1:]
    return f"IoU {np.nanmean(scores):.3f}" if not np.isnan(scores).all() else "no object"


def _legend(figure: Figure, classes: int, names: Sequence[str] | None) -> None:
    from matplotlib.patches import Patch

    named = [names[k] if names is not None and k < len(names) else f"class {k}" for k in range(classes)]
    entries = [(colour(k), named[k]) for k in range(1, min(classes, 1 + len(CLASS_COLOURS)))]
    entries += [(RIGHT, "right"), (FALSE_ALARM, "false alarm"), (MISS, "missed")]
    entries += [(CONFUSED, "other class")] if classes > 2 else []
    patches = [Patch(facecolor=hexadecimal(rgb), label=label) for rgb, label in entries]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 8), frameon=False, fontsize=9)
