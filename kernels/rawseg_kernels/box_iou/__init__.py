r"""Intersection over union of every box of one set with every box of another (Jaccard, 1901).

.. math:: \mathrm{out}_{i,j} = \frac{|a_i \cap b_j|}{|a_i| + |b_j| - |a_i \cap b_j|}

computed in float64 and rounded once; 0 where both boxes have no area (PyTorch's formula gives 0/0 = NaN there).

Algorithms: ``"direct"`` lays one box over all boxes of the other set at a time; ``"cuda"`` is for GPUs, a thread a pair.
"""

from __future__ import annotations

from typing import Any

from .. import _arrays, _boxes, _memory
from .._algorithms import find

OP = "box_iou"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def forward(boxes1: Any, boxes2: Any, algorithm: str = "auto") -> Any:
    """Return the overlap of every pair.

    Parameters
    ----------
    boxes1, boxes2 : ndarray, shape (N, 4) and (M, 4)
        ``(x1, y1, x2, y2)``, float32 or float64; N and M may be 0.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, M)
        0 to 1.

    Raises
    ------
    ArgumentError
        If a corner is not finite or a box is inverted.
    """
    device = _arrays.check_floating(OP, boxes1=boxes1, boxes2=boxes2)
    _boxes.check_boxes(OP, "boxes1", boxes1)
    _boxes.check_boxes(OP, "boxes2", boxes2)
    _memory.check_size(OP, (boxes1.shape[0], boxes2.shape[0]), boxes1.dtype)
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(boxes1), _arrays.contiguous(boxes2))
