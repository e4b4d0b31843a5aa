"""A linear map along one axis, given as a sparse matrix; its adjoint is that of the transposed matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Function, Tensor

__all__ = ["along_axis"]


class AxisMap(Function):
    """Every line of an axis times a matrix."""

    @staticmethod
    def forward(ctx: Any, x: Any, *, matrix: Any, axis: int) -> Any:
        ctx.matrix, ctx.axis = matrix, axis
        lines = x.swapaxes(0, axis)
        flat = lines.reshape(lines.shape[0], -1)
        if isinstance(x, np.ndarray):
            out = matrix.astype(x.dtype) @ flat  # one order of terms, so one result
        else:  # on a GPU
            from cupyx.scipy.sparse import csr_matrix  # type: ignore[import-not-found]

            out = csr_matrix(matrix.astype(x.dtype)) @ flat
        return out.reshape(matrix.shape[0], *lines.shape[1:]).swapaxes(0, axis)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        return AxisMap.apply(grad_output, matrix=ctx.matrix.T.tocsr(), axis=ctx.axis)


def along_axis(x: Tensor, axis: int, taps: np.ndarray, weights: np.ndarray) -> Tensor:
    """Return sums of weighted elements along an axis.

    Parameters
    ----------
    x : Tensor
        float32 or float64.
    axis : int
        Not negative.
    taps, weights : ndarray, shape (out, taps)
        Which elements each element of the result sums, and with which weights; taps may repeat.
    """
    from scipy.sparse import csr_matrix

    out, count = taps.shape
    ends = np.arange(0, out * count + 1, count)
    matrix = csr_matrix((weights.reshape(-1), taps.reshape(-1), ends), (out, x.shape[axis]))
    return AxisMap.apply(x, matrix=matrix, axis=axis)
