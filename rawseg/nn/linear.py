"""The affine layer and the one that makes rows of feature maps."""

from __future__ import annotations

import math
from typing import Any

from rawseg_kernels._arrays import integer

from .. import functional as F
from ..autograd import Tensor
from ..autograd.operands import DEFAULT_DTYPE
from ..creation import empty
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Flatten", "Linear"]


class Linear(Module):
    """``input @ weight.T + bias``.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis, before and after.
    bias : bool
        Add a trained number to each output.
    device : str, optional
        Where the parameters live.
    dtype : dtype, optional
        Of the parameters; float32 by default.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
        Weights.
    bias : Parameter, shape (out_features,), or None
        Bias.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = integer("Linear", "in_features", in_features, 1)
        self.out_features = integer("Linear", "out_features", out_features, 1)
        kind = {"dtype": dtype or DEFAULT_DTYPE, "device": device}
        self.weight = Parameter(empty(out_features, in_features, **kind))
        self.register_parameter("bias", Parameter(empty(out_features, **kind)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew: uniform within 1 / sqrt(in_features), as PyTorch does."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Flatten(Module):
    """Several axes as one.

    Parameters
    ----------
    start_dim, end_dim : int
        First and last of them; the batch axis stays by default.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
