"""Batch normalisation that neither learns nor looks at the batch: what is left of a pretrained network's norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functional as F
from ..autograd import Tensor
from ..creation import ones, zeros
from ..nn.module import Module
from ..nn.normalization import BatchNorm2d

__all__ = ["FrozenBatchNorm2d"]

NOTHING = float(np.finfo(np.float64).tiny)  # in place of an eps of 0: it changes no variance but that of 0


class FrozenBatchNorm2d(Module):
    """Scale and shift every channel by fixed numbers: ``weight * (x - running_mean) / sqrt(running_var + eps) + bias``.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
        Added to the variance; 0 in torchvision's pretrained detectors.

    Notes
    -----
    All four are buffers, saved with the module and never trained; a batch norm's state dict loads, its count of batches left
    out (``strict=False``). With few images a batch, statistics of the batch would be worse than none (He et al., arXiv
    1703.06870).

    Examples
    --------
    >>> import rawseg
    >>> FrozenBatchNorm2d(2, eps=0.0)(rawseg.ones((1, 2, 1, 1))).numpy().ravel().tolist()
    [1.0, 1.0]
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", ones(num_features, dtype=np.float32))
        self.register_buffer("bias", zeros(num_features, dtype=np.float32))
        self.register_buffer("running_mean", zeros(num_features, dtype=np.float32))
        self.register_buffer("running_var", ones(num_features, dtype=np.float32))

    @classmethod
    def of(cls, norm: BatchNorm2d) -> FrozenBatchNorm2d:
        """Return the frozen form of a batch norm that learns a scale and a shift and keeps statistics."""
        frozen = cls(norm.num_features, norm.eps)
        for name, value in {n: getattr(norm, n) for n in ("weight", "bias", "running_mean", "running_var")}.items():
            setattr(frozen, name, value.detach())
        return frozen

    def forward(self, input: Tensor) -> Tensor:
        buffers: tuple[Any, ...] = self.running_mean, self.running_var, self.weight, self.bias
        return F.batch_norm(input, *buffers, training=False, eps=max(self.eps, NOTHING))

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"
