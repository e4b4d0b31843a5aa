"""The gradients of every normalisation as compositions of Tensor operations, for when they are differentiated themselves."""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor

Axes = tuple[int, ...]


def statistics(x: Tensor, axes: Axes, eps: float) -> tuple[Tensor, Tensor]:
    """Return mean and ``1 / sqrt(variance + eps)`` over some axes, which stay with size 1."""
    mean = x.mean(axes, keepdim=True)
    return mean, 1 / (((x - mean) * (x - mean)).mean(axes, keepdim=True) + eps).sqrt()


def of_batch(grad_output: Tensor, x: Tensor, weight: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return `composed` for a batch normalisation by the statistics of ``x`` itself, ``weight`` of shape (C,)."""
    axes = (0, *range(2, x.ndim))
    return composed(grad_output, x, channelwise(weight, x), *statistics(x, axes, eps), axes, axes)


def channelwise(channels: Any, x: Tensor) -> Any:
    """Give an array of one value a channel the axes of ``x``."""
    return None if channels is None else channels.reshape(1, x.shape[1], *[1] * (x.ndim - 2))


def composed(
    grad_output: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor, inv_std: Tensor, axes: Axes, shared: Axes
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of ``(x - mean) * inv_std * weight + bias`` with respect to x, weight and bias.

    Parameters
    ----------
    grad_output, x : Tensor
        Of one shape, against which the others broadcast.
    weight, mean, inv_std : Tensor
        Scale (None means 1) and statistics.
    axes : tuple of int
        What the statistics were taken over, so that they depend on x; none where they are constants.
    shared : tuple of int
        Over which axes a scale and a shift are shared.
    """
    z = (x - mean) * inv_std
    scaled: Any = grad_output if weight is None else grad_output * weight
    if axes:
        count = max(1, math.prod(x.shape[axis] for axis in axes))
        moment = (scaled * z).sum(axes, keepdim=True) / count
        scaled = scaled - scaled.sum(axes, keepdim=True) / count - z * moment
    return scaled * inv_std, (grad_output * z).sum(shared), grad_output.sum(shared)
