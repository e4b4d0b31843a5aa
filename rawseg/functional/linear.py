"""The affine map of the last axis."""

from __future__ import annotations

from typing import Any

from rawseg_kernels._arrays import check_floating

from ..autograd import Tensor
from ..autograd.grad_mode import modes
from ..autograd.linear import Affine, matmul
from ..autograd.operands import as_tensor
from ..errors import ShapeError
from .naming import operation

__all__ = ["linear"]


@operation
def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return ``input @ weight.T + bias``.

    Parameters
    ----------
    input : Tensor, shape (..., in_features)
        Rows.
    weight : Tensor, shape (out_features, in_features)
        One row for each output.
    bias : Tensor, shape (out_features,), optional
        Added to every row.

    Returns
    -------
    Tensor, shape (..., out_features)
        The mapped rows.

    Raises
    ------
    ShapeError
        If the feature counts differ.
    """
    x, weight = as_tensor("linear", "input", input), as_tensor("linear", "weight", weight)
    bias = None if bias is None else as_tensor("linear", "bias", bias)
    check_floating("linear", input=x.array, weight=weight.array, bias=None if bias is None else bias.array)
    if weight.ndim != 2:
        raise ShapeError("linear", "weight", "shape (out_features, in_features)", f"shape {weight.shape}")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ShapeError("linear", "input", f"{weight.shape[1]} features in the last axis", f"shape {x.shape}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError("linear", "bias", f"shape {weight.shape[:1]}", f"shape {bias.shape}")
    if modes.recorder is not None:  # who writes networks down knows the three steps
        out = matmul(x, weight.T)
        return out if bias is None else out + bias
    return Affine.apply(x, weight, bias)
