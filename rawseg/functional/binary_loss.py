"""Binary cross entropy, of probabilities and of logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from ..autograd.operands import as_tensor, wide
from ..device import array_module
from ..errors import DTypeError, ShapeError
from .naming import operation
from .nonlinearity import activated
from .reduction import check_device, check_probabilities, check_same, reduced

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits"]

LOG_FLOOR = -100.0  # of a log probability: a certain but wrong prediction costs 100, not inf
SMALLEST = 1e-12  # of p (1 - p) in the gradient


class LogitCrossEntropy(Function):
    """(1 - t) softplus(x) + positive * t softplus(-x): every term is at least 0, so nothing cancels."""

    @staticmethod
    def forward(ctx, x, target, positive):
        ctx.save(x, target, positive)
        xp = array_module(x)
        wide_x, t = x.astype(np.float64), target.astype(np.float64)
        share = t if positive is None else t * positive
        linear = xp.where(wide_x >= 0, (1 - t) * wide_x, -share * wide_x)
        return (linear + (1 - t + share) * xp.log1p(xp.exp(-abs(wide_x)))).astype(x.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        x, target, positive = ctx.saved
        share = target if positive is None else target * positive
        grad_x = grad_target = grad_positive = None
        if ctx.needs_grad[0]:
            grad_x = grad_output * ((1 - target) * activated("sigmoid", x) - share * activated("sigmoid", -x))
        if ctx.needs_grad[1]:
            slope = -x if positive is None else positive * _softplus(-x) - _softplus(x)
            grad_target = grad_output * slope
        if positive is not None and ctx.needs_grad[2]:
            grad_positive = grad_output * target * _softplus(-x)
        return grad_x, grad_target, grad_positive


class ProbabilityCrossEntropy(Function):
    """-(t log p + (1 - t) log(1 - p)) with logarithms of at least -100."""

    @staticmethod
    def forward(ctx, x, target):
        ctx.save(x, target)
        log_p, log_q = _logarithms(x)
        return -(target * log_p + (1 - target) * log_q)

    @staticmethod
    def backward(ctx, grad_output):
        x, target = ctx.saved
        grad_x = grad_target = None
        if ctx.needs_grad[0]:
            grad_x = grad_output * (x - target) / (x * (1 - x)).clamp(min=SMALLEST)
        if ctx.needs_grad[1]:
            grad_target = grad_output * ((1 - x).log().clamp(min=LOG_FLOOR) - x.log().clamp(min=LOG_FLOOR))
        return grad_x, grad_target


def _logarithms(x: Any) -> tuple[Any, Any]:
    xp = array_module(x)
    return xp.maximum(wide(xp.log, x), LOG_FLOOR), xp.maximum(wide(lambda v: xp.log1p(-v), x), LOG_FLOOR)


def _softplus(x: Tensor) -> Tensor:
    return activated("softplus", x, 1.0, np.inf)


@operation
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """Return the cross entropy between targets and the sigmoid of logits.

    Parameters
    ----------
    input : Tensor, any shape
        Logits.
    target : Tensor, the shape of ``input``
        Probabilities, 0 to 1, in the dtype of ``input``.
    weight : Tensor, broadcast to ``input``, optional
        Multiplies each loss.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements.
    pos_weight : Tensor, broadcast to ``input``, optional
        Multiplies the loss of the positive class.

    Returns
    -------
    Tensor, a scalar or the shape of ``input``
        ``max(x, 0) - x t + log(1 + exp(-|x|))``, exact for large logits.

    Raises
    ------
    ArgumentError
        If a target is outside [0, 1].
    """
    op = "binary_cross_entropy_with_logits"
    x, target = as_tensor(op, "input", input), as_tensor(op, "target", target)
    check_same(op, x, target)
    check_probabilities(op, "target", target)
    positive = None if pos_weight is None else _broadcast(op, "pos_weight", pos_weight, x)
    losses = LogitCrossEntropy.apply(x, target, positive)
    if weight is not None:
        losses = losses * _broadcast(op, "weight", weight, x)
    return reduced(op, losses, reduction)


@operation
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """Return the cross entropy between targets and probabilities; parameters as in `binary_cross_entropy_with_logits`.

    ``input`` holds probabilities, 0 to 1. Logarithms are held at or above -100, so that the loss stays finite.
    """
    op = "binary_cross_entropy"
    x, target = as_tensor(op, "input", input), as_tensor(op, "target", target)
    check_same(op, x, target)
    check_probabilities(op, "target", target)
    check_probabilities(op, "input", x, nan=True)
    losses = ProbabilityCrossEntropy.apply(x, target)
    if weight is not None:
        losses = losses * _broadcast(op, "weight", weight, x)
    return reduced(op, losses, reduction)


def _broadcast(op: str, argument: str, value: Any, x: Tensor) -> Tensor:
    factor = as_tensor(op, argument, value, x)
    if factor.dtype != x.dtype:
        raise DTypeError(op, argument, f"{x.dtype}, the dtype of input", factor.dtype)
    check_device(op, x, factor, argument)
    try:
        fits = np.broadcast_shapes(factor.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(op, argument, f"a shape that broadcasts to {x.shape}", f"shape {factor.shape}")
    return factor.expand(*x.shape)
