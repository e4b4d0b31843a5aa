"""Scores from confusion matrices, for one matrix or a stack of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..errors import ArgumentError, DataError, DTypeError, ShapeError
from .confusion import check_masks, count

EMPTY = {"nan": np.nan, "zero": 0.0, "one": 1.0, "raise": np.nan}
AVERAGES = (None, "macro", "micro")
Counts: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # pixels TP, FP, FN, each of shape (..., C)
# How often TP, FP and FN count in the denominator; TP counts as often in the numerator.
WEIGHTS = {"iou": (1, 1, 1), "dice": (2, 1, 1), "precision": (1, 1, 0), "recall": (1, 0, 1)}


def iou(matrix: np.ndarray, average: str | None = None, empty: str = "nan") -> Any:
    """Return intersection over union, TP / (TP + FP + FN).

    Parameters
    ----------
    matrix : ndarray of integers, shape (..., C, C)
        One confusion matrix or a stack of them; rows are the truth.
    average : {None, "macro", "micro"}
        None: a score for each class. "macro": the mean of these over the classes. "micro": the score of the counts
        summed over the classes.
    empty : {"nan", "zero", "one", "raise"}
        What a class counts as that occurs in neither truth nor prediction.

    Returns
    -------
    score : ndarray, shape (..., C), or (...) if averaged
        float64; a float if averaged over one matrix.

    Raises
    ------
    DataError
        If ``empty`` is "raise" and a class occurs nowhere.
    ArgumentError, ShapeError, DTypeError
        If an argument is something else.

    Examples
    --------
    >>> import numpy as np
    >>> iou(np.array([[2, 1], [1, 4]])).tolist()  # 2 / 4 and 4 / 6
    [0.5, 0.6666666666666666]
    """
    return evaluate("iou", class_counts("iou", matrix), average, empty)


def dice(matrix: np.ndarray, average: str | None = None, empty: str = "nan") -> Any:
    """Return the Dice coefficient or F1 score, 2 TP / (2 TP + FP + FN); parameters as in `iou`."""
    return evaluate("dice", class_counts("dice", matrix), average, empty)


def precision(matrix: np.ndarray, average: str | None = None, empty: str = "nan") -> Any:
    """Return which part of the predicted pixels is right, TP / (TP + FP); parameters as in `iou`."""
    return evaluate("precision", class_counts("precision", matrix), average, empty)


def recall(matrix: np.ndarray, average: str | None = None, empty: str = "nan") -> Any:
    """Return which part of the true pixels is found, TP / (TP + FN); parameters as in `iou`."""
    return evaluate("recall", class_counts("recall", matrix), average, empty)


def pixel_accuracy(matrix: np.ndarray, empty: str = "nan") -> Any:
    """Return which part of all pixels is right; ``empty`` as in `iou`, for a matrix without any pixel."""
    hits, _, misses = class_counts("pixel_accuracy", matrix)
    right, total = hits.sum(axis=-1), (hits + misses).sum(axis=-1)
    return _plain(_ratio("pixel_accuracy", right, total, total == 0, empty))


def per_image(
    score: Callable[..., Any],
    prediction: np.ndarray,
    target: np.ndarray,
    num_classes: int,
    average: str | None = "macro",
    ignore_index: int | None = None,
    empty: str = "nan",
) -> np.ndarray:
    """Return a score of every image by itself, as ``per_image(dice, prediction, target, 2)``.

    Parameters
    ----------
    score : callable
        `iou`, `dice`, `precision` or `recall`.
    prediction, target : ndarray of integers or bool, shape (N, H, W)
        Class ids.
    num_classes : int
        Number of classes C.
    average, empty : str
        As in `iou`; a class absent from an image is treated by ``empty`` in that image.
    ignore_index : int, optional
        As in `confusion_matrix`.

    Returns
    -------
    scores : ndarray, shape (N,), or (N, C) if ``average`` is None
        float64. Their mean weighs images alike, however large their objects are.
    """
    kept = check_masks("per_image", prediction, target, num_classes, ignore_index)
    if target.ndim != 3:
        raise ShapeError("per_image", "target", "shape (N, H, W)", f"shape {target.shape}")
    matrices = [count(*image, num_classes) for image in zip(prediction, target, kept)]
    stack = np.array(matrices, np.int64).reshape(-1, num_classes, num_classes)
    return score(stack, average, empty)


def class_counts(op: str, matrix: np.ndarray) -> Counts:
    """Return TP, FP and FN of every class, each of shape (..., C)."""
    matrix = np.asarray(matrix)
    if matrix.dtype.kind not in "iu":
        raise DTypeError(op, "matrix", "integer counts, as confusion_matrix returns", matrix.dtype)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ShapeError(op, "matrix", "shape (..., C, C)", f"shape {matrix.shape}")
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    return hits, matrix.sum(axis=-2) - hits, matrix.sum(axis=-1) - hits


def evaluate(name: str, pixels: Counts, average: str | None, empty: str) -> Any:
    """Return the named score from TP, FP and FN, per class or averaged over the last axis."""
    if average not in AVERAGES:
        raise ArgumentError(name, "average", f"one of {AVERAGES}", repr(average))
    hits, false_alarms, misses = (each.sum(axis=-1) for each in pixels) if average == "micro" else pixels
    of_hits, of_false_alarms, of_misses = WEIGHTS[name]
    total = of_hits * hits + of_false_alarms * false_alarms + of_misses * misses
    scores = _ratio(name, of_hits * hits, total, hits + false_alarms + misses == 0, empty)
    return _plain(mean_of_valid(scores) if average == "macro" else scores)


def mean_of_valid(scores: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without NaNs; NaN if nothing is left."""
    valid = ~np.isnan(scores)
    many = valid.sum(axis=-1)
    return np.where(many > 0, np.where(valid, scores, 0).sum(axis=-1) / np.maximum(many, 1), np.nan)


def _ratio(op: str, hits: np.ndarray, total: np.ndarray, absent: np.ndarray, empty: str) -> np.ndarray:
    """Return hits / total, 0 where both are 0, and what ``empty`` says where there is nothing to score."""
    if empty not in EMPTY:
        raise ArgumentError(op, "empty", f"one of {tuple(EMPTY)}", repr(empty))
    if empty == "raise" and absent.any():
        at = tuple(int(index) for index in np.argwhere(absent)[0])
        raise DataError(op, "empty", "pixels of it in truth or prediction (empty='raise')", f"none at index {at} of the scores")
    return np.where(absent, EMPTY[empty], hits / np.maximum(total, 1))


def _plain(scores: np.ndarray) -> Any:
    return float(scores) if scores.ndim == 0 else scores
