"""Operations on images that are one matrix along each axis, written down as these matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....autograd import Tensor, no_grad
from ..writer import Writer

__all__ = ["applied_to_both_axes", "matrix_of"]


def matrix_of(function: Callable[[Tensor], Tensor], length: int) -> np.ndarray:
    """Return the matrix (out, length) of a linear map of columns: its values at all unit vectors, float64.

    Parameters
    ----------
    function : callable
        Takes columns, shape (N, 1, length, 1), to columns (N, 1, out, 1).
    length : int
        Elements of a column.
    """
    with no_grad():
        out = function(Tensor(np.eye(length).reshape(length, 1, length, 1)))
    return out.array[:, 0, :, 0].T


def applied_to_both_axes(w: Writer, x: str, rows: np.ndarray, columns: np.ndarray, dtype: Any) -> str:
    """Add ``rows @ x @ columns.T`` for every plane of x."""
    y = w.node("MatMul", w.builder.constant(rows.astype(dtype)), x)
    return w.node("MatMul", y, w.builder.constant(columns.T.astype(dtype)))
