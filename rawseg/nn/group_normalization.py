"""Group and layer normalisation with their own scale and shift: nothing is kept from batch to batch."""

from __future__ import annotations

from typing import Any

from rawseg_kernels._arrays import integer

from .. import functional as F
from ..autograd import Tensor
from ..autograd.operands import DEFAULT_DTYPE
from ..creation import ones, zeros
from ..errors import ArgumentError
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["GroupNorm", "LayerNorm"]


class ScaledNorm(Module):
    """What the layers of this file share: a scale and a shift."""

    weight: Parameter | None
    bias: Parameter | None

    def _learn(self, shape: tuple[int, ...], affine: bool, bias: bool, device: str | None, dtype: Any) -> None:
        kind = {"dtype": dtype or DEFAULT_DTYPE, "device": device}
        self.register_parameter("weight", Parameter(ones(shape, **kind)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(shape, **kind)) if affine and bias else None)

    def reset_parameters(self) -> None:
        """Forget what was learned."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class GroupNorm(ScaledNorm):
    """Normalise groups of channels of every image; see `rawseg.functional.group_norm`.

    Parameters
    ----------
    num_groups : int
        How many groups; a divisor of ``num_channels``.
    num_channels : int
        Channels.
    eps : float
        Added to the variance.
    affine : bool
        Learn a scale and a shift of every channel.
    device : str, optional
        Where the parameters live.
    dtype : dtype, optional
        Of the parameters; float32 by default.
    bias : bool
        False: learn a scale alone.

    Attributes
    ----------
    weight, bias : Parameter, shape (C,), or None
        Scale and shift.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: str | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = integer("GroupNorm", "num_groups", num_groups, 1)
        self.num_channels = integer("GroupNorm", "num_channels", num_channels, 1)
        if self.num_channels % self.num_groups:
            raise ArgumentError("GroupNorm", "num_groups", f"a divisor of num_channels={num_channels}", num_groups)
        self.eps, self.affine = eps, affine
        self._learn((self.num_channels,), affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        learned = f"affine={self.affine}, bias={self.bias is not None}"
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, {learned}"


class LayerNorm(ScaledNorm):
    """Normalise the last axes; see `rawseg.functional.layer_norm`.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of the last axes.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Learn a scale and a shift of every element.
    bias : bool
        False: learn a scale alone.
    device : str, optional
        Where the parameters live.
    dtype : dtype, optional
        Of the parameters; float32 by default.

    Attributes
    ----------
    weight, bias : Parameter, shape normalized_shape, or None
        Scale and shift.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        self.normalized_shape = tuple(integer("LayerNorm", "normalized_shape", size, 1) for size in sizes)
        if not self.normalized_shape:
            raise ArgumentError("LayerNorm", "normalized_shape", "at least one size", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._learn(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        learned = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {learned}"
