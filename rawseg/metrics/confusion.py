"""The confusion matrix, from which all other scores follow, and what masks it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer
from rawseg_kernels._memory import check_size

from ..errors import ArgumentTypeError, DTypeError, ShapeError
from ..labels import check_class_ids


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
    kept = check_masks("confusion_matrix", prediction, target, num_classes, ignore_index)
    return count(prediction, target, kept, num_classes)


def check_masks(op: str, prediction: Any, target: Any, num_classes: int, ignore_index: int | None) -> np.ndarray:
    """Check that both are integer or bool arrays of one shape with ids in range; return where pixels count."""
    integer(op, "num_classes", num_classes, 1)
    check_size(op, (num_classes, num_classes), np.dtype(np.int64))
    for name, array in (("prediction", prediction), ("target", target)):
        if not isinstance(array, np.ndarray):
            raise ArgumentTypeError(op, name, "a NumPy array of class ids", type(array).__name__)
        if array.dtype.kind not in "iub":
            expected = "integer class ids: threshold probabilities (p > 0.5), or take argmax(axis=1) of class scores"
            raise DTypeError(op, name, expected, array.dtype)
    if prediction.shape != target.shape:
        expected = f"shape {target.shape}, the shape of target{_channel_axis(prediction, target)}"
        raise ShapeError(op, "prediction", expected, f"shape {prediction.shape}")
    kept = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
    check_class_ids(op, "target", target, num_classes, kept)
    check_class_ids(op, "prediction", prediction, num_classes, kept)
    return kept


def count(prediction: np.ndarray, target: np.ndarray, kept: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the confusion matrix of masks that `check_masks` has let through."""
    cells = target[kept].astype(np.int64) * num_classes + prediction[kept].astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).astype(np.int64).reshape(num_classes, num_classes)


def _channel_axis(prediction: np.ndarray, target: np.ndarray) -> str:
    """Return advice if only a channel axis of length 1 keeps the shapes apart."""
    for name, long, short in (("prediction", prediction, target), ("target", target, prediction)):
        if long.ndim == 4 and long.shape[1] == 1 and short.shape == long.shape[:1] + long.shape[2:]:
            return f"; drop the channel axis of {name}: {name}[:, 0]"
    return ""
