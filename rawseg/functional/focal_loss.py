"""Focal losses: cross entropy times the probability of the other classes to a power, so that what is easy counts little.

The power q**gamma has the derivative gamma q**gamma (log q)', and (log q)' is a difference of sigmoids (of softmaxes) that
neither overflows nor divides by a vanished q: gradients of every order stay finite at any logit and for any gamma.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import check_floating, integer, real

from ..autograd import Function, Tensor
from ..autograd.arithmetic import where
from ..autograd.operands import as_tensor
from ..device import array_module
from ..errors import ArgumentError, DTypeError, ShapeError
from .activation import floating
from .binary_loss import binary_cross_entropy_with_logits
from .classification_loss import cross_entropy
from .logistic import sigmoid, softmax
from .naming import operation
from .reduction import REDUCTIONS, check_choice, check_probabilities, mean_over, reduced

__all__ = ["focal_loss", "sigmoid_focal_loss"]


class BinaryFocus(Function):
    """q**gamma with q = (1 - t) sigmoid(x) + t sigmoid(-x), the probability of what is not the target."""

    @staticmethod
    def forward(ctx, x, target, *, gamma):
        ctx.gamma = gamma
        negative, positive = _shares(x, target)
        out = ((negative + positive) ** gamma).astype(x.dtype)
        ctx.save(x, target, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, target, out = ctx.saved
        p, rest, scaled = sigmoid(x), sigmoid(-x), grad_output * out * ctx.gamma
        grad_x = grad_target = None
        if ctx.needs_grad[0]:
            share = NegativeShare.apply(x, target)
            grad_x = scaled * (share * rest - (1 - share) * p)
        if ctx.needs_grad[1]:
            grad_target = scaled * (rest - p) / _mixed(target, p, rest)
        return grad_x, grad_target


class NegativeShare(Function):
    """(1 - t) sigmoid(x) / q: the part of q that the negative class has; exactly 1 at t = 0 and 0 at t = 1."""

    @staticmethod
    def forward(ctx, x, target):
        negative, positive = _shares(x, target)
        total = negative + positive
        out = array_module(x).where(total > 0, negative / total, 1 - target).astype(x.dtype)
        ctx.save(x, target, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, target, out = ctx.saved
        grad_x = grad_output * (out * (1 - out)) if ctx.needs_grad[0] else None
        if not ctx.needs_grad[1]:
            return grad_x, None
        p, rest = sigmoid(x), sigmoid(-x)
        q = _mixed(target, p, rest)
        return grad_x, -grad_output * (p / q) * (rest / q)


class ClassFocus(Function):
    """(1 - p)**gamma for the softmax p of x, (N, C, ...), at the target class of each pixel, (N, ...); 1 where not kept."""

    @staticmethod
    def forward(ctx, x, *, target, kept, gamma):
        xp = array_module(x)
        chosen = xp.expand_dims(target, 1) == xp.arange(x.shape[1]).reshape(-1, *[1] * (target.ndim - 1))  # (N, C, ...)
        out = xp.empty(target.shape, x.dtype)
        for b in range(x.shape[0]):  # image by image: float64 copies of a whole batch of logits would be large
            exponentials = xp.exp(x[b] - x[b].astype(np.float64).max(0))  # (C, ...)
            others = xp.where(chosen[b], 0, exponentials).sum(0)
            out[b] = xp.where(kept[b], (others / exponentials.sum(0)) ** gamma, 1)
        ctx.options = chosen, kept, gamma
        ctx.save(x, out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, out = ctx.saved
        chosen, kept, gamma = ctx.options
        x = where(kept[:, None], x, 0.0)  # an ignored NaN times 0 would be NaN in the second derivative
        certainty = where(chosen, softmax(x, 1), 0.0).sum(1)
        others = softmax(where(chosen, -np.inf, x), 1)  # as if the target were no class
        scaled = where(kept, grad_output * out * gamma * certainty, 0.0).unsqueeze(1)
        return where(chosen, -scaled, others * scaled)


def _shares(x: Any, target: Any) -> tuple[Any, Any]:
    """Return (1 - t) sigmoid(x) and t sigmoid(-x) in float64: exp(-|x|) is at most 1, and nothing is subtracted from 1."""
    xp, wide, t = array_module(x), x.astype(np.float64), target.astype(np.float64)
    small = xp.exp(-abs(wide))
    low, high = small / (1 + small), 1 / (1 + small)
    return (1 - t) * xp.where(wide < 0, low, high), t * xp.where(wide < 0, high, low)


def _mixed(target: Tensor, p: Tensor, rest: Tensor) -> Tensor:
    """Return q, held above 0: where it has vanished, so has what is divided by it."""
    return ((1 - target) * p + target * rest).clamp(min=float(np.finfo(p.dtype).tiny))


def _exponent(op: str, gamma: Any) -> float:
    number = real(op, "gamma", gamma)
    if number < 0:
        raise ArgumentError(op, "gamma", "at least 0", number)
    return number


@operation
def sigmoid_focal_loss(inputs: Any, targets: Any, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "none") -> Tensor:
    r"""Return the focal loss of binary decisions.

    .. math:: \alpha_t\,q^\gamma\,\mathrm{bce}(x, t),\qquad q = (1 - t)\,\sigma(x) + t\,\sigma(-x),\qquad
              \alpha_t = \alpha t + (1 - \alpha)(1 - t)

    Parameters
    ----------
    inputs : Tensor, any shape
        Logits, float32 or float64.
    targets : Tensor or ndarray, the shape of ``inputs``
        Probabilities, 0 to 1, in the dtype of ``inputs``; usually 0 or 1.
    alpha : float
        Weight of the positive class, 0 to 1; -1 leaves the weights out.
    gamma : float
        How little the easy ones count; 0 gives a weighted binary cross entropy.
    reduction : {"none", "mean", "sum"}
        "mean" divides by the number of elements.

    Returns
    -------
    Tensor, a scalar or the shape of ``inputs``
        Losses.

    Raises
    ------
    ArgumentError
        If a target lies outside [0, 1], or a plain argument outside its domain.

    Notes
    -----
    Lin et al., arXiv 1708.02002, equation 5. q and the cross entropy are computed in float64 without cancellation and rounded
    once, and derivatives of every order are finite at every finite logit. PyTorch computes 1 - p_t, which keeps few digits at
    float32, and its gradient is NaN where that vanishes and gamma is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid_focal_loss(np.array([0.0, 3.0]), np.array([1.0, 1.0]))
    tensor([4.3322e-02, 2.7321e-05], dtype=float64)
    """
    op = "sigmoid_focal_loss"
    x, target = as_tensor(op, "inputs", inputs), as_tensor(op, "targets", targets)
    check_floating(op, inputs=x.array, targets=target.array)
    if target.shape != x.shape:
        raise ShapeError(op, "targets", f"shape {x.shape}, that of inputs", f"shape {target.shape}")
    check_probabilities(op, "targets", target)
    share, exponent = real(op, "alpha", alpha), _exponent(op, gamma)
    if not (0 <= share <= 1 or share == -1):
        raise ArgumentError(op, "alpha", "0 to 1, or -1 for no weights", share)
    losses = binary_cross_entropy_with_logits(x, target, reduction="none")
    if exponent:
        losses = losses * BinaryFocus.apply(x, target, gamma=exponent)
    if share >= 0:
        losses = losses * (share * target + (1 - share) * (1 - target))
    return reduced(op, losses, reduction)


@operation
def focal_loss(
    input: Any,
    target: Any,
    gamma: float = 2.0,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    *,
    empty: str = "nan",
) -> Tensor:
    r"""Return the focal loss of class decisions: :math:`-w_t (1 - p_t)^\gamma \log p_t`, where p is the softmax of the logits.

    Parameters
    ----------
    input : Tensor, shape (C,), (N, C) or (N, C, ...)
        Logits, float32 or float64.
    target : Tensor or ndarray, shape (), (N,) or (N, ...), int64
        Class ids.
    gamma : float
        How little the easy pixels count; 0 gives `cross_entropy`.
    weight, ignore_index, reduction, empty
        As in `cross_entropy`; "mean" divides by the weights of the kept targets.

    Returns
    -------
    Tensor, a scalar, or one loss a pixel
        Losses.

    Raises
    ------
    IndexRangeError
        If a class id is neither in ``range(C)`` nor ``ignore_index``; with its position.
    ArgumentError
        If a weight or a plain argument is outside its domain.

    Notes
    -----
    Lin et al., arXiv 1708.02002, with a softmax. The two factors are computed in float64, 1 - p_t as the sum of the other
    probabilities, and each is rounded once. Derivatives of every order are finite at every finite logit.

    Examples
    --------
    >>> import numpy as np
    >>> focal_loss(np.array([[0.0, 0.0]]), np.array([1]), gamma=1.0)  # log(2) / 2
    tensor(0.3466, dtype=float64)
    """
    op = "focal_loss"
    x, target = floating(op, input), as_tensor(op, "target", target)
    check_choice(op, "reduction", reduction, REDUCTIONS)
    exponent, ignored = _exponent(op, gamma), integer(op, "ignore_index", ignore_index, -(2**63))
    if target.dtype != np.int64:
        raise DTypeError(op, "target", "int64 class ids", target.dtype)
    losses = cross_entropy(x, target, weight, ignored, "none", empty=empty)  # checks the rest
    kept = target.array != ignored
    classes = x.shape[0 if x.ndim == 1 else 1]
    ids = array_module(kept).where(kept, target.array, 0).clip(0, classes - 1)  # a graph's replay checks them at its end
    if exponent and classes > 1:  # of one class the loss is 0 anyway, and there are no others
        batched, pixels = (x, ids.shape) if x.ndim > 1 else (x.unsqueeze(0), (1,))
        focus = ClassFocus.apply(batched, target=ids.reshape(pixels), kept=kept.reshape(pixels), gamma=exponent)
        losses = losses * focus.reshape(*losses.shape)
    if reduction != "mean":
        return reduced(op, losses, reduction)
    shares = kept if weight is None else kept * as_tensor(op, "weight", weight).array[ids]
    return mean_over(op, losses.sum(), shares.sum(dtype=np.float64), empty)
