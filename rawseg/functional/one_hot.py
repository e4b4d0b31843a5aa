"""Class ids as rows of zeros with a one."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer
from rawseg_kernels._memory import check_size

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..device import array_module
from ..errors import ArgumentError, DTypeError
from ..labels import check_class_ids
from .naming import operation

__all__ = ["one_hot"]


@operation
def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Return zeros with a 1 at each class id, along a new last axis.

    Parameters
    ----------
    tensor : Tensor or ndarray, any shape, int64
        Class ids of at least 0.
    num_classes : int
        Length of the new axis; -1 takes the largest id plus one.

    Returns
    -------
    Tensor, shape (..., num_classes), int64
        ``out[..., k]`` is 1 where the id is k. ``.movedim(-1, 1)`` makes it the channels of an image.

    Raises
    ------
    IndexRangeError
        If an id is not in ``range(num_classes)``.
    ArgumentError
        If the number of classes is to be taken from no ids, or is less than -1 or 0.

    Examples
    --------
    >>> import rawseg
    >>> one_hot(rawseg.tensor([2, 0]))
    tensor([[0, 0, 1],
            [1, 0, 0]])
    """
    op = "one_hot"
    ids = as_tensor(op, "tensor", tensor)
    if ids.dtype != np.int64:
        raise DTypeError(op, "tensor", "int64 class ids", ids.dtype)
    classes = integer(op, "num_classes", num_classes, -1)
    if classes == 0 or (classes == -1 and not ids.size):
        raise ArgumentError(op, "num_classes", "at least 1 (or -1 and at least one id)", classes)
    if classes == -1:
        classes = max(0, int(ids.array.max())) + 1
    check_class_ids(op, "tensor", ids.array, classes)
    check_size(op, (*(max(1, length) for length in ids.shape), classes), ids.dtype)  # a row must fit where there is none, too
    xp = array_module(ids.array)
    return Tensor((ids.array[..., None] == xp.arange(classes)).astype(np.int64))
