r"""Non-maximum suppression: of boxes that overlap, the one with the best score stays.

Greedy: the box with the highest score is kept (of equal scores the first), every other box whose intersection over union

.. math:: \mathrm{IoU}(a, b) = \frac{|a \cap b|}{|a| + |b| - |a \cap b|}

with it exceeds the threshold is dropped, and so on with what is left (Felzenszwalb et al., TPAMI 32(9), 2010, section 5.2).
Overlaps are decided in float64, whatever the dtype; of two boxes without an area it is 0. Boxes of different groups never meet:
groups are compared as they are, not moved apart by an offset, which would cost precision.

Algorithms: ``"direct"`` settles the boxes block by block in the order of their scores; all later boxes meet the survivors of a
block in parallel. ``"cuda"`` is for GPUs: bits of all pairs, which one block of threads settles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _arrays, _boxes
from .._algorithms import find
from .._errors import ArgumentError

OP = "nms"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def forward(boxes: Any, scores: Any, iou_threshold: float, groups: Any = None, algorithm: str = "auto") -> Any:
    """Return which boxes to keep.

    Parameters
    ----------
    boxes : ndarray, shape (N, 4)
        ``(x1, y1, x2, y2)``, float32 or float64; N may be 0.
    scores : ndarray, shape (N,)
        One of each box, in the dtype of ``boxes``; not NaN.
    iou_threshold : float
        0 to 1; a box is dropped if its overlap with a better one is greater.
    groups : ndarray of int64, shape (N,), optional
        Only boxes of one group suppress each other; None means one group.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray of int64, shape (K,)
        Indices of the kept boxes, the highest score first; equal scores in the order of their indices.

    Raises
    ------
    ArgumentError
        If a corner is not finite, a box is inverted, a score is NaN or the threshold lies outside [0, 1].
    """
    device = _arrays.check_floating(OP, boxes=boxes, scores=scores)
    _boxes.check_boxes(OP, "boxes", boxes)
    _arrays.check_rank(OP, "scores", scores, "(N,)")
    _arrays.check_shape(OP, "scores", scores, boxes.shape[:1])
    if (scores != scores).any():
        raise ArgumentError(OP, "scores", "no NaN", f"nan at {int((scores != scores).argmax())}")
    threshold = _arrays.real(OP, "iou_threshold", iou_threshold)
    if not 0 <= threshold <= 1:
        raise ArgumentError(OP, "iou_threshold", "0 to 1", threshold)
    groups = _checked_groups(groups, boxes, device)
    arrays = _arrays.contiguous(boxes), _arrays.contiguous(scores)
    return find(__name__, "forward", algorithm, ALGORITHMS, device)(*arrays, threshold, groups)


def _checked_groups(groups: Any, boxes: Any, device: str) -> Any:
    """Return the group of each box; all in group 0 if none are given."""
    if groups is None:
        return _arrays.filled(boxes, boxes.shape[:1], 0, np.int64)
    _arrays.check_integers(OP, "groups", groups, device)
    _arrays.check_shape(OP, "groups", groups, boxes.shape[:1])
    return _arrays.contiguous(groups)
