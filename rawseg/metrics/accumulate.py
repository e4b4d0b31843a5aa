"""Scores over many batches, independent of how the images were divided into batches."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError, ShapeError
from .confusion import check_masks, count
from .scores import EMPTY, class_counts, evaluate, mean_of_valid, pixel_accuracy


@dataclass(frozen=True)
class Summary:
    """All scores of a set of images.

    Parameters
    ----------
    matrix : ndarray of int64, shape (C, C)
        Pixels by true class (rows) and predicted class (columns), over all images.
    iou, dice, precision, recall : ndarray, shape (C,)
        Scores of each class over all images together.
    mean_iou, mean_dice, mean_precision, mean_recall : float
        Their means over the classes that have a score ("macro").
    micro_iou, micro_dice : float
        Scores of the counts summed over the classes.
    pixel_accuracy : float
        Share of right pixels.
    image_iou, image_dice : float
        The mean over the images of each image's own mean over classes.
    classes_counted : int
        How many classes the means are over.
    images_counted : int
        How many images the means over images are over; one without any counted pixel has no score.
    n_images, n_pixels : int
        Images seen, and pixels that were not ignored.
    """

    matrix: np.ndarray
    iou: np.ndarray
    dice: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    mean_iou: float
    mean_dice: float
    mean_precision: float
    mean_recall: float
    micro_iou: float
    micro_dice: float
    pixel_accuracy: float
    image_iou: float
    image_dice: float
    classes_counted: int
    images_counted: int
    n_images: int
    n_pixels: int

    def as_dict(self) -> dict[str, Any]:
        """Return numbers and lists for a JSON file, with None for NaN, which JSON lacks."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


class Metrics:
    """Collect predictions batch by batch, then `compute` all scores.

    Parameters
    ----------
    num_classes : int
        Number of classes C.
    ignore_index : int, optional
        Pixels whose target is this id are left out.
    empty : {"nan", "zero", "one", "raise"}
        What a class counts as that occurs in neither truth nor prediction, over all images or, in the means over images,
        within one.

    Examples
    --------
    >>> import numpy as np
    >>> metrics = Metrics(num_classes=2)
    >>> metrics.update(np.array([[[0, 1], [1, 1]]]), np.array([[[0, 0], [1, 1]]]))
    >>> summary = metrics.compute()
    >>> summary.iou.tolist(), summary.n_images
    ([0.5, 0.6666666666666666], 1)
    """

    def __init__(self, num_classes: int, ignore_index: int | None = None, empty: str = "nan") -> None:
        self.num_classes = integer("Metrics", "num_classes", num_classes, 1)
        if empty not in EMPTY:
            raise ArgumentError("Metrics", "empty", f"one of {tuple(EMPTY)}", repr(empty))
        self.ignore_index, self.empty = ignore_index, empty
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._matrix = np.zeros((self.num_classes, self.num_classes), np.int64)
        self._images: list[np.ndarray] = []  # TP, FP, FN of each image: (3, C)

    def update(self, prediction: np.ndarray, target: np.ndarray) -> None:
        """Add images; if anything is wrong with one of them, none is added.

        Parameters
        ----------
        prediction, target : ndarray of integers or bool, shape (N, H, W) or (H, W)
            Class ids.

        Raises
        ------
        ShapeError, DTypeError, IndexRangeError
            As `confusion_matrix`.
        """
        kept = check_masks("Metrics", prediction, target, self.num_classes, self.ignore_index)
        if target.ndim not in (2, 3):
            raise ShapeError("Metrics", "target", "shape (N, H, W) or (H, W)", f"shape {target.shape}")
        images = zip(prediction, target, kept) if target.ndim == 3 else [(prediction, target, kept)]
        for image in images:
            matrix = count(*image, self.num_classes)
            self._matrix += matrix
            self._images.append(np.stack(class_counts("Metrics", matrix)))

    def compute(self) -> Summary:
        """Return all scores of the images so far."""
        pixels = class_counts("Metrics", self._matrix)
        classes = {name: evaluate(name, pixels, None, self.empty) for name in ("iou", "dice", "precision", "recall")}
        images = np.array(self._images, np.int64).reshape(-1, 3, self.num_classes)
        by_image = (images[:, 0], images[:, 1], images[:, 2])  # (N, C) each
        image_iou, image_dice = (evaluate(name, by_image, "macro", self.empty) for name in ("iou", "dice"))
        return Summary(
            matrix=self._matrix.copy(),
            **classes,
            **{f"mean_{name}": float(mean_of_valid(scores)) for name, scores in classes.items()},
            **{f"micro_{name}": evaluate(name, pixels, "micro", self.empty) for name in ("iou", "dice")},
            pixel_accuracy=pixel_accuracy(self._matrix, self.empty),
            image_iou=float(mean_of_valid(image_iou)),
            image_dice=float(mean_of_valid(image_dice)),
            classes_counted=int((~np.isnan(classes["iou"])).sum()),
            images_counted=int((~np.isnan(image_iou)).sum()),
            n_images=len(self._images),
            n_pixels=int(self._matrix.sum()),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value.tolist()]
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
