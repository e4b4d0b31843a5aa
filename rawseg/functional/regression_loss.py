"""Losses over numbers: squared, absolute, and the two that are squared near 0 and absolute beyond."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import real

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor
from ..device import array_module
from ..errors import ArgumentError
from .naming import operation
from .reduction import check_same, reduced

__all__ = ["huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"]


class Huber(Function):
    """x**2 / 2 where |x| < delta, else delta * (|x| - delta / 2); the gradient is x held between -delta and delta."""

    @staticmethod
    def forward(ctx, x, *, delta):
        ctx.delta = delta
        ctx.save(x)
        size, bound = abs(x), x.dtype.type(delta)
        small = array_module(x).minimum(size, bound)
        return small * (size - small / 2)  # both cases at once: small is |x| or delta

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return grad_output * x.clamp(-ctx.delta, ctx.delta)


@operation
def mse_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Tensor:
    """Return squared differences.

    Parameters
    ----------
    input, target : Tensor, one shape and dtype
        Prediction and truth. (PyTorch broadcasts them; rawseg refuses.)
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements, or by the sum of the weights.
    weight : Tensor, the shape and dtype of ``input``, optional
        Multiplies each loss.

    Returns
    -------
    Tensor, a scalar or the shape of ``input``
        Losses.
    """
    difference = _difference("mse_loss", input, target)
    return _weighted("mse_loss", difference * difference, weight, reduction)


@operation
def l1_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Tensor:
    """Return absolute differences, with gradient 0 at 0; parameters as in `mse_loss`."""
    return _weighted("l1_loss", _difference("l1_loss", input, target).abs(), weight, reduction)


@operation
def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return ``d**2 / (2 beta)`` where the difference d is below ``beta``, else ``|d| - beta / 2``.

    Parameters are those of `mse_loss`; ``beta`` is at least 0, and 0, or less than the dtype's normal numbers, gives
    `l1_loss`. At ``|d| = beta`` the gradient is 1 or -1. (PyTorch accepts a NaN.)
    """
    beta = real("smooth_l1_loss", "beta", beta)
    if beta < 0:
        raise ArgumentError("smooth_l1_loss", "beta", "at least 0", beta)
    difference = _difference("smooth_l1_loss", input, target)
    limits = np.finfo(difference.dtype)
    if beta > float(limits.max):
        raise ArgumentError("smooth_l1_loss", "beta", f"at most {float(limits.max)}, the largest {limits.dtype}", beta)
    bent = beta >= float(limits.tiny)  # what the dtype cannot hold is 0, and 0 / 0 no loss
    losses = Huber.apply(difference, delta=beta) / beta if bent else difference.abs()
    return reduced("smooth_l1_loss", losses, reduction)


@operation
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """Return ``d**2 / 2`` where the difference d is below ``delta``, else ``delta * (|d| - delta / 2)``.

    Parameters are those of `mse_loss`, but "mean" always divides by the number of elements, as PyTorch does; ``delta`` is
    greater than 0 (Huber, Ann. Math. Statist. 35, 1964).
    """
    delta = real("huber_loss", "delta", delta)
    if not delta > 0:
        raise ArgumentError("huber_loss", "delta", "greater than 0", delta)
    losses = Huber.apply(_difference("huber_loss", input, target), delta=delta)
    if weight is not None:
        losses = losses * _checked_weight("huber_loss", losses, weight)
    return reduced("huber_loss", losses, reduction)


def _difference(op: str, input: Any, target: Any) -> Tensor:
    x, target = as_tensor(op, "input", input), as_tensor(op, "target", target)
    check_same(op, x, target)
    return x - target


def _checked_weight(op: str, losses: Tensor, weight: Any) -> Tensor:
    weight = as_tensor(op, "weight", weight)
    check_same(op, losses, weight, "weight")
    return weight


def _weighted(op: str, losses: Tensor, weight: Any, reduction: str) -> Tensor:
    if weight is None:
        return reduced(op, losses, reduction)
    weight = _checked_weight(op, losses, weight)
    if reduction == "mean":
        return (losses * weight).sum() / weight.sum()
    return reduced(op, losses * weight, reduction)
