"""Batch normalisation with its own scale, shift and running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer

from .. import functional as F
from ..autograd import Tensor, no_grad
from ..autograd.operands import DEFAULT_DTYPE
from ..creation import ones, zeros
from ..errors import ShapeError
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["BatchNorm2d"]


class BatchNorm2d(Module):
    """Normalise every channel; see `rawseg.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of a batch in the running statistics; None keeps the plain average of all batches.
    affine : bool
        Learn a scale and a shift.
    track_running_stats : bool
        Keep running statistics and use them in evaluation; otherwise the batch's own are always used.
    device : str, optional
        Where the parameters live.
    dtype : dtype, optional
        Of parameters and statistics; float32 by default.
    bias : bool
        False: learn a scale alone.

    Attributes
    ----------
    weight, bias : Parameter, shape (C,), or None
        Scale and shift.
    running_mean, running_var : Tensor, shape (C,), or None
        Running statistics.
    num_batches_tracked : Tensor of int64, shape (), or None
        How many batches they have seen; an empty batch does not count.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: str | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = integer("BatchNorm2d", "num_features", num_features, 1)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        kind = {"dtype": dtype or DEFAULT_DTYPE, "device": device}
        self.register_parameter("weight", Parameter(ones(num_features, **kind)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **kind)) if affine and bias else None)
        self.register_buffer("running_mean", zeros(num_features, **kind) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features, **kind) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", zeros(dtype=np.int64, device=device) if track_running_stats else None)

    def reset_parameters(self) -> None:
        """Forget what was learned and seen."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked.zero_()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4 or input.shape[1] != self.num_features:
            raise ShapeError("BatchNorm2d", "input", f"shape (N, {self.num_features}, H, W)", f"shape {input.shape}")
        from_batch = self.training or not self.track_running_stats
        counting = self.training and self.track_running_stats and input.size > 0
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / (int(self.num_batches_tracked) + 1) if counting else 0.0
        out = F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, from_batch, momentum, self.eps)
        if counting:
            with no_grad():
                self.num_batches_tracked.add_(1)
        return out

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )
