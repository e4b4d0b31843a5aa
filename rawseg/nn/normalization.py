"""Batch and instance normalisation with their own scale, shift and running statistics."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from rawseg_kernels._arrays import integer

from .. import functional as F
from ..autograd import Tensor, no_grad
from ..autograd.grad_mode import modes
from ..autograd.operands import DEFAULT_DTYPE
from ..creation import ones, zeros
from ..errors import ShapeError
from ..functional.fused import Fold
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d", "InstanceNorm2d"]


class ChannelNorm(Module):
    """What the layers of this file share: a scale, a shift and running statistics of every channel.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of a batch in the running statistics; None: see the layers.
    affine : bool
        Learn a scale and a shift.
    track_running_stats : bool
        Keep running statistics and use them in evaluation; otherwise the input's own are always used.
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
        How many batches batch normalisation has seen; an empty batch does not count.
    """

    layouts: ClassVar[dict[int, tuple[str, int]]] = {}  # number of axes: what they are, and which one the channels are

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
        self.num_features = integer(type(self).__name__, "num_features", num_features, 1)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        self._fold = Fold()
        kind = {"dtype": dtype or DEFAULT_DTYPE, "device": device}
        self.register_parameter("weight", Parameter(ones(num_features, **kind)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **kind)) if affine and bias else None)
        self.register_buffer("running_mean", zeros(num_features, **kind) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features, **kind) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", zeros(dtype=np.int64, device=device) if track_running_stats else None)

    def reset_running_stats(self) -> None:
        """Forget what was seen."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget what was learned and seen."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check(self, input: Tensor) -> None:
        _, channels = self.layouts.get(input.ndim, ("", None))
        if channels is None or input.shape[channels] != self.num_features:
            expected = " or ".join(layout.replace("C", str(self.num_features)) for layout, _ in self.layouts.values())
            raise ShapeError(type(self).__name__, "input", f"shape {expected}", f"shape {input.shape}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm2d(ChannelNorm):
    """Normalise every channel over the batch; see `rawseg.functional.batch_norm` and, for the parameters, `ChannelNorm`.

    ``momentum=None`` keeps the plain average of all batches.
    """

    layouts: ClassVar[dict[int, tuple[str, int]]] = {4: ("(N, C, H, W)", 1)}

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        from_batch = self.training or not self.track_running_stats
        counting = self.training and self.track_running_stats and input.size > 0
        mean, var, weight, bias = self._several("running_mean", "running_var", "weight", "bias")
        out = F.batch_norm(input, mean, var, weight, bias, from_batch, self._momentum(counting), self.eps)
        if counting:
            self._count_batch()
        return out

    def _momentum(self, counting: bool) -> float:
        """Return the weight of the next batch in the running statistics."""
        if self.momentum is not None:
            return self.momentum
        return 1 / (int(self.num_batches_tracked) + 1) if counting else 0.0

    def _count_batch(self) -> None:
        seen = self.num_batches_tracked
        if modes.recorder is None and isinstance(seen._array, np.ndarray) and seen._array.flags.writeable:
            seen._write("batch_norm")[...] += 1
            return
        with no_grad():
            seen.copy_(Tensor(seen.array + 1))


class BatchNorm1d(BatchNorm2d):
    """The same for vectors (N, C) and sequences (N, C, L)."""

    layouts: ClassVar[dict[int, tuple[str, int]]] = {2: ("(N, C)", 1), 3: ("(N, C, L)", 1)}


class InstanceNorm2d(ChannelNorm):
    """Normalise every channel of every image; see `rawseg.functional.instance_norm` and, for the parameters, `ChannelNorm`.

    By default nothing is learned and nothing is kept. ``momentum=None`` leaves the running statistics alone.
    """

    layouts: ClassVar[dict[int, tuple[str, int]]] = {4: ("(N, C, H, W)", 1), 3: ("(C, H, W)", 0)}

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: str | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        from_input = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        statistics = self.running_mean, self.running_var
        images = input if input.ndim == 4 else input.unsqueeze(0)
        out = F.instance_norm(images, *statistics, self.weight, self.bias, from_input, momentum, self.eps)
        return out if input.ndim == 4 else out.squeeze(0)
