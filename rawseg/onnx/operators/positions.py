"""Indices that come as tensors: checked against the axis that they count along, before anything is read or written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...device import array_module
from ...errors import DTypeError, IndexRangeError
from ..node import Node

__all__ = ["beside_axes", "counted", "in_range"]


def counted(node: Node, indices: Tensor) -> Any:
    """Return an array of indices as int64."""
    if indices.dtype.kind not in "iu":
        raise DTypeError(node.label, "indices", "integers", indices.dtype)
    return indices.array.astype(np.int64)


def in_range(node: Node, indices: Any, length: int) -> Any:
    """Return indices of an axis as numbers of at least 0, negative ones having counted from its end.

    Raises
    ------
    IndexRangeError
        With the first that is out of range, and where it stands.
    """
    bad = (indices < -length) | (indices >= length)
    if bad.any():
        at = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        allowed = f"numbers in [{-length}, {length - 1}]" if length else "none, for the axis is empty"
        raise IndexRangeError(node.label, "indices", allowed, f"{int(indices[at])} at {at}")
    return array_module(indices).where(indices < 0, indices + length, indices)


def beside_axes(xp: Any, shape: Sequence[int], ndim: int) -> list[Any]:
    """Return the positions along each axis of a shape as arrays that broadcast together with one of ``ndim`` axes."""
    return [xp.arange(size).reshape(-1, *[1] * (ndim - axis - 1)) for axis, size in enumerate(shape)]
