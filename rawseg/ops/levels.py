"""Which level of a feature pyramid looks at a box."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import LARGEST, integer, real

from ..autograd import Tensor
from ..device import array_module
from ..errors import ArgumentError
from ..functional.naming import operation
from .boxes import checked_boxes

__all__ = ["roi_levels"]

OP = "roi_levels"


@operation
def roi_levels(
    boxes: Any,
    k_min: int,
    k_max: int,
    canonical_scale: float = 224,
    canonical_level: int = 4,
    eps: float = 1e-6,
) -> Tensor:
    r"""Return the level of the pyramid whose features fit the size of each box.

    .. math:: k = \Big\lfloor k_0 + \log_2\frac{\sqrt{w h}}{s_0} + \varepsilon\Big\rfloor

    held between ``k_min`` and ``k_max``; a box without an area belongs to the lowest level (Lin et al., arXiv 1612.03144,
    equation 1).

    Parameters
    ----------
    boxes : Tensor or ndarray, shape (N, 4)
        ``(x1, y1, x2, y2)`` in pixels of the image, float32 or float64.
    k_min, k_max : int
        Lowest and highest level; level k has a stride of 2**k pixels.
    canonical_scale : float
        s_0, the size in pixels that belongs to the canonical level.
    canonical_level : int
        k_0.
    eps : float
        Lets a box that is a rounding error too small for a level still reach it.

    Returns
    -------
    Tensor of int64, shape (N,)
        ``k_min`` to ``k_max`` (PyTorch's level mapper counts from 0).

    Raises
    ------
    ArgumentError
        If a corner is not finite, a box is inverted or a plain argument is outside its domain.

    Notes
    -----
    Computed in float64. PyTorch uses the dtype of the boxes, and at float32 its sum with ``eps`` is rounded to multiples of
    2**-21.

    Examples
    --------
    >>> import numpy as np
    >>> roi_levels(np.array([[0, 0, 224, 224], [0, 0, 112, 112], [5, 5, 5, 5]], np.float32), 2, 5)
    tensor([4, 3, 2])
    """
    tensor = checked_boxes(OP, "boxes", boxes)
    lowest = integer(OP, "k_min", k_min, 0)
    highest = integer(OP, "k_max", k_max, lowest)
    if highest > LARGEST:
        raise ArgumentError(OP, "k_max", f"at most {LARGEST}", highest)
    scale, offset = real(OP, "canonical_scale", canonical_scale), real(OP, "eps", eps)
    if scale <= 0:
        raise ArgumentError(OP, "canonical_scale", "greater than 0", scale)
    level = integer(OP, "canonical_level", canonical_level, 0)
    corners = tensor.array.astype(np.float64)
    xp, sides = array_module(corners), corners[:, 2:] - corners[:, :2]
    with np.errstate(divide="ignore"):  # no area: -inf, and so the lowest level
        levels = xp.floor(level + xp.log2(xp.sqrt(sides[:, 0] * sides[:, 1]) / scale) + offset)
    return Tensor(xp.clip(levels, lowest, highest).astype(np.int64))
