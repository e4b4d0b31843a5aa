"""How good a segmentation is: confusion matrices, and IoU, Dice, precision, recall and pixel accuracy from them.

With the counts of pixels TP (in both), FP (only predicted) and FN (only true) of a class::

    IoU = TP / (TP + FP + FN)         precision = TP / (TP + FP)
    Dice = 2 TP / (2 TP + FP + FN)    recall    = TP / (TP + FN)

so that Dice = 2 IoU / (1 + IoU), and Dice is the F1 score, the harmonic mean of precision and recall. A class that occurs
in neither truth nor prediction has no score; what it counts as is the explicit option ``empty``:

``"nan"``
    NaN, and means leave it out (the default).
``"zero"``, ``"one"``
    0 or 1, and means count it.
``"raise"``
    DataError.

A class that occurs in only one of the two scores 0 everywhere, also where a formula would divide 0 by 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer
from rawseg_kernels._memory import check_size

from .errors import ArgumentError, ArgumentTypeError, DataError, DTypeError, ShapeError
from .labels import check_class_ids

EMPTY = {"nan": np.nan, "zero": 0.0, "one": 1.0, "raise": np.nan}
AVERAGES = (None, "macro", "micro")
Counts = tuple[np.ndarray, np.ndarray, np.ndarray]  # TP, FP, FN, each (..., C)


def confusion_matrix(
    prediction: np.ndarray, target: np.ndarray, num_classes: int, ignore_index: int | None = None
) -> np.ndarray:
    """Count pixels by true and by predicted class.

    Parameters
    ----------
    prediction : ndarray of integers or bool, any shape
        Predicted class ids.
    target : ndarray of integers or bool, the shape of ``prediction``
        True class ids.
    num_classes : int
        Number of classes C.
    ignore_index : int, optional
        Pixels whose target is this id are left out, whatever was predicted there.

    Returns
    -------
    matrix : ndarray of int64, shape (C, C)
        Rows are the truth, columns the prediction.

    Raises
    ------
    ShapeError
        If the shapes differ.
    DTypeError
        If an array holds floats.
    IndexRangeError
        If an id is not in ``range(num_classes)``.

    Examples
    --------
    >>> import numpy as np
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), num_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    num_classes = integer("confusion_matrix", "num_classes", num_classes, 1)
    check_size("confusion_matrix", (num_classes, num_classes), np.dtype(np.int64))
    _check_masks("confusion_matrix", prediction, target)
    kept = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
    check_class_ids("confusion_matrix", "target", target, num_classes, kept)
    check_class_ids("confusion_matrix", "prediction", prediction, num_classes, kept)
    cells = target[kept].astype(np.int64) * num_classes + prediction[kept].astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).astype(np.int64).reshape(num_classes, num_classes)


def _check_masks(op: str, prediction: Any, target: Any) -> None:
    for name, array in (("prediction", prediction), ("target", target)):
        if not isinstance(array, np.ndarray):
            raise ArgumentTypeError(op, name, "a NumPy array of class ids", type(array).__name__)
        if array.dtype.kind not in "iub":
            expected = "integer class ids: threshold probabilities (p > 0.5), or take argmax(axis=1) of class scores"
            raise DTypeError(op, name, expected, array.dtype)
    if prediction.shape != target.shape:
        expected = f"the shape {target.shape} of target"
        for one, other in ((prediction, target), (target, prediction)):
            if one.ndim == 4 and one.shape[1] == 1 and other.shape == one.shape[:1] + one.shape[2:]:
                expected += f"; drop the channel axis of {'prediction' if one is prediction else 'target'} ([:, 0])"
        raise ShapeError(op, "prediction", expected, f"shape {prediction.shape}")


def _counts(op: str, matrix: np.ndarray) -> Counts:
    matrix = np.asarray(matrix)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.dtype.kind not in "iu":
        raise ShapeError(op, "matrix", "integers of shape (..., C, C)", f"{matrix.dtype} of shape {matrix.shape}")
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    return hits, matrix.sum(axis=-2) - hits, matrix.sum(axis=-1) - hits


def _ratio(op: str, hits: np.ndarray, total: np.ndarray, absent: np.ndarray, empty: str) -> np.ndarray:
    """Return hits / total, 0 where both are 0, and what ``empty`` says where a class is absent."""
    if empty not in EMPTY:
        raise ArgumentError(op, "empty", f"one of {tuple(EMPTY)}", repr(empty))
    if empty == "raise" and absent.any():
        at = [int(index) for index in np.argwhere(absent)[0]]
        raise DataError(
            op, "empty", "every class in the truth or in the prediction", f"none of class {at[-1] if at else 'any'}"
        )
    return np.where(absent, EMPTY[empty], hits / np.maximum(total, 1))


def _score(op: str, counts: Counts, weights: tuple[int, int, int], average: str | None, empty: str) -> np.ndarray:
    """Return w0 TP / (w0 TP + w1 FP + w2 FN), per class or averaged over the last axis."""
    if average not in AVERAGES:
        raise ArgumentError(op, "average", f"one of {AVERAGES}", repr(average))
    hits, false_alarms, misses = (count.sum(axis=-1) for count in counts) if average == "micro" else counts
    total = weights[0] * hits + weights[1] * false_alarms + weights[2] * misses
    scores = _ratio(op, weights[0] * hits, total, hits + false_alarms + misses == 0, empty)
    return _mean(scores) if average == "macro" else scores


def _mean(scores: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without its NaNs; NaN if nothing is left."""
    valid = ~np.isnan(scores)
    count = valid.sum(axis=-1)
    return np.where(count > 0, np.where(valid, scores, 0).sum(axis=-1) / np.maximum(count, 1), np.nan)
