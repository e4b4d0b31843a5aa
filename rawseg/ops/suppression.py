"""Non-maximum suppression: which boxes to keep of those that show the same object."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels import nms as nms_room

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..errors import DTypeError, ShapeError
from ..functional.naming import operation

__all__ = ["batched_nms", "nms"]


@operation
def nms(boxes: Any, scores: Any, iou_threshold: float) -> Tensor:
    """Return which boxes to keep: greedily the best that is left, without those that overlap it.

    Parameters
    ----------
    boxes : Tensor or ndarray, shape (N, 4)
        ``(x1, y1, x2, y2)``, float32 or float64.
    scores : Tensor or ndarray, shape (N,)
        One of each box, in the dtype of ``boxes``.
    iou_threshold : float
        0 to 1; a box is dropped if its intersection over union with a better one is greater.

    Returns
    -------
    Tensor of int64, shape (K,)
        Indices of the kept boxes, the highest score first; equal scores in the order of their indices.

    Raises
    ------
    ArgumentError
        If a corner is not finite, a box is inverted, a score is NaN (PyTorch keeps on computing) or the threshold lies outside
        [0, 1].

    Notes
    -----
    Overlaps are decided in float64 for float32 boxes too; of two boxes without an area it is 0. The result does not depend on
    the number of threads, and of equal scores the lower index wins, which PyTorch leaves open.

    Examples
    --------
    >>> import numpy as np
    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 8, 8]], np.float32)
    >>> nms(boxes, np.array([0.5, 0.9, 0.1], np.float32), 0.5)
    tensor([1, 2])
    """
    boxes, scores = as_tensor("nms", "boxes", boxes), as_tensor("nms", "scores", scores)
    return Tensor(nms_room.forward(boxes.array, scores.array, iou_threshold))


@operation
def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Tensor:
    """Return which boxes to keep where only boxes of one class suppress each other; see `nms`.

    Parameters
    ----------
    boxes : Tensor or ndarray, shape (N, 4)
        ``(x1, y1, x2, y2)``, float32 or float64.
    scores : Tensor or ndarray, shape (N,)
        One of each box, in the dtype of ``boxes``.
    idxs : Tensor or ndarray of int64, shape (N,)
        The class (or level, or image) of each box; any numbers.
    iou_threshold : float
        0 to 1.

    Returns
    -------
    Tensor of int64, shape (K,)
        Indices of the kept boxes of all classes, the highest score first; equal scores in the order of their indices.

    Notes
    -----
    Boxes are compared where they are. PyTorch moves every class to a place of its own by adding an offset, which rounds: with
    float32 corners and many classes it can keep or drop other boxes.
    """
    boxes, scores, idxs = (
        as_tensor("batched_nms", name, value) for name, value in (("boxes", boxes), ("scores", scores), ("idxs", idxs))
    )
    if idxs.dtype != np.int64:
        raise DTypeError("batched_nms", "idxs", "int64", idxs.dtype)
    if idxs.shape != boxes.shape[:1]:
        raise ShapeError("batched_nms", "idxs", f"shape {boxes.shape[:1]}", f"shape {idxs.shape}")
    return Tensor(nms_room.forward(boxes.array, scores.array, iou_threshold, idxs.array))
