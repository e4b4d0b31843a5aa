"""Losses over classes: cross entropy on logits, with class ids or class probabilities, and the negative log likelihood."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from rawseg_kernels import cross_entropy as cross_entropy_room
from rawseg_kernels._arrays import are_within, integer, real
from rawseg_kernels._capture import current, refuse

from ..autograd import Function, Tensor, is_grad_enabled
from ..autograd.arithmetic import where
from ..autograd.memory import reshaped
from ..autograd.operands import as_tensor
from ..device import array_module
from ..errors import ArgumentError, DTypeError, ShapeError
from ..labels import check_class_ids
from .activation import floating
from .logistic import log_softmax, softmax
from .naming import operation
from .reduction import EMPTY, REDUCTIONS, check_choice, check_device, mean_over, reduced

__all__ = ["cross_entropy", "nll_loss"]

NO_ID = 1 << 63  # is no int64


class PixelCrossEntropy(Function):
    """For each pixel sum_c q_c (logsumexp(x) - x_c), where q puts ``sharp`` on the target class and ``smooth_c`` on each.

    x is (C,), (N, C) or (N, C, ...), D pixels an image; target, kept and sharp are (N, D), smooth (C,) or (0,). Every target is
    one of the C classes. Pixels that are not kept give 0, whatever they hold. The result is (N, D), or the sum of all over a
    ``divisor``.
    """

    @staticmethod
    def forward(ctx, x, *, target, kept, sharp, smooth, divisor=None):
        ctx.shape = target.shape[0], x.shape[0 if x.ndim == 1 else 1], target.shape[1]
        losses, shifts = cross_entropy_room.forward(x.reshape(ctx.shape), target, kept, sharp, smooth, known=True)
        ctx.options, ctx.divisor = (target, kept, sharp, smooth), divisor
        ctx.save(x, shifts)
        return losses if divisor is None else array_module(x).asarray(losses.sum() / divisor)

    @staticmethod
    def backward(ctx, grad_output):
        x, shifts = ctx.saved
        target, kept, sharp, smooth = ctx.options
        if is_grad_enabled():  # the gradient will be differentiated: compose it of operations that can be
            grad_output = grad_output if ctx.divisor is None else (grad_output / ctx.divisor).expand(target.shape)
            logits = x.reshape(ctx.shape)
            q = _distribution(logits, target, sharp, smooth)
            p = softmax(where(kept[:, None], logits, 0.0), 1)  # an ignored NaN times 0 would be NaN in the second derivative
            gradient = p * (q.sum(1, keepdims=True)).astype(x.dtype) - q.astype(x.dtype)
            return where(kept[:, None], gradient * grad_output.unsqueeze(1), 0.0).reshape(x.shape)
        logits, grads = x.array.reshape(ctx.shape), grad_output.array
        if ctx.divisor is not None:
            with np.errstate(all="ignore"):  # a class weight may be next to nothing
                grads = array_module(grads).asarray(grads / ctx.divisor)
        gradient = cross_entropy_room.backward(grads, logits, shifts.array, *ctx.options, known=True)
        return Tensor(reshaped(gradient, x.shape))


def _distribution(x: Tensor, target: Any, sharp: Any, smooth: Any) -> Any:
    xp = array_module(x.array)
    q = xp.zeros(x.shape, np.float64)
    xp.put_along_axis(q, target[:, None], sharp[:, None], 1)
    return q + smooth[:, None] if smooth.size else q


class TakeClass(Function):
    """x[b, target[b, i], i]; adjoint of `PutClass`."""

    @staticmethod
    def forward(ctx, x, *, target):
        ctx.target, ctx.classes = target, x.shape[1]
        return array_module(x).take_along_axis(x, target[:, None], 1)[:, 0]

    @staticmethod
    def backward(ctx, grad_output):
        return PutClass.apply(grad_output, target=ctx.target, classes=ctx.classes)


class PutClass(Function):
    """Zeros with x[b, i] at (b, target[b, i], i); adjoint of `TakeClass`."""

    @staticmethod
    def forward(ctx, x, *, target, classes):
        ctx.target = target
        xp = array_module(x)
        out = xp.zeros((x.shape[0], classes, *x.shape[1:]), x.dtype)
        xp.put_along_axis(out, target[:, None], x[:, None], 1)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        return TakeClass.apply(grad_output, target=ctx.target)


@operation
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    empty: str = "nan",
) -> Tensor:
    """Return the cross entropy between a target and the softmax of logits.

    Parameters
    ----------
    input : Tensor, shape (C,), (N, C) or (N, C, ...)
        Logits.
    target : Tensor or ndarray, shape (), (N,) or (N, ...), int64; or that of ``input``
        Class ids, or class probabilities in the dtype of ``input``.
    weight : Tensor or ndarray, shape (C,), optional
        Weight of each class, finite and not negative.
    ignore_index : int
        Pixels with this id count nothing. A real class may be ignored too: it stays in the softmax.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the weights of the kept targets (with probabilities: by the number of pixels).
    label_smoothing : float
        This share of each target, 0 to 1, is spread evenly over all classes.
    empty : {"nan", "zero", "raise"}
        What the mean is where nothing is kept; the gradient is 0.

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
    Computed in float64 from the log of the softmax, shifted by the maximum, and rounded once. A target logit of -inf costs
    inf, any +inf gives NaN. The second derivative exists.
    """
    op = "cross_entropy"
    x = floating(op, input)
    target = as_tensor(op, "target", target)
    ignore_index = _check_options(op, x, reduction, empty, ignore_index)
    label_smoothing = real(op, "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(op, "label_smoothing", "0 to 1", label_smoothing)
    soft = target.dtype.kind == "f"
    weights: Any = None if weight is None and not (soft or label_smoothing) else _class_weights(op, x, weight)
    if soft:
        return _soft_cross_entropy(op, x, target, weights, ignore_index, reduction, label_smoothing, empty)
    ids, kept, sharp, total = _shares(op, x, target, ignore_index, None if weight is None else weights)
    smooth = weights * (label_smoothing / len(weights)) if label_smoothing else sharp.reshape(-1)[:0]
    options = {"target": ids, "kept": kept, "smooth": smooth}
    options["sharp"] = sharp * (1 - label_smoothing) if label_smoothing else sharp
    if reduction == "mean":
        if current() is None and total != 0:
            return PixelCrossEntropy.apply(x, **options, divisor=float(total))
        return mean_over(op, PixelCrossEntropy.apply(x, **options).sum(), total, empty)
    return reduced(op, PixelCrossEntropy.apply(x, **options).reshape(target.shape), reduction)


@operation
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    *,
    empty: str = "nan",
) -> Tensor:
    """Return the negative of the log probability of each target class.

    Parameters are those of `cross_entropy`, but ``input`` holds log probabilities, e.g. of `log_softmax`.
    """
    op = "nll_loss"
    x = floating(op, input)
    target = as_tensor(op, "target", target)
    ignore_index = _check_options(op, x, reduction, empty, ignore_index)
    weights = _class_weights(op, x, weight)
    ids, kept = _class_ids(op, x, target, ignore_index)
    picked = TakeClass.apply(x.reshape(kept.shape[0], len(weights), kept.shape[1]), target=ids)
    sharp = weights[ids].astype(x.dtype)
    losses = where(kept, -picked * Tensor(sharp), 0.0)
    if reduction == "mean":
        return mean_over(op, losses.sum(), (sharp * kept).sum(dtype=np.float64), empty)
    return reduced(op, losses.reshape(target.shape), reduction)


def _soft_cross_entropy(op, x, target, weights, ignore_index, reduction, label_smoothing, empty) -> Tensor:
    if target.shape != x.shape:
        raise ShapeError(op, "target", f"shape {x.shape}, that of input, for class probabilities", f"shape {target.shape}")
    if target.dtype != x.dtype:
        raise DTypeError(op, "target", f"{x.dtype}, the dtype of input, or int64", target.dtype)
    if ignore_index >= 0:
        raise ArgumentError(op, "ignore_index", "a negative one with class probabilities", ignore_index)
    axis = 0 if x.ndim == 1 else 1
    per_class = weights.astype(x.dtype).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    q = target * (1 - label_smoothing) + label_smoothing / x.shape[axis]
    losses = -(q * Tensor(per_class) * log_softmax(x, axis)).sum(axis)
    return mean_over(op, losses.sum(), losses.size, empty) if reduction == "mean" else reduced(op, losses, reduction)


def _check_options(op: str, x: Tensor, reduction: str, empty: str, ignore_index: Any) -> int:
    """Check what both losses take; return ``ignore_index``."""
    check_choice(op, "reduction", reduction, REDUCTIONS)
    check_choice(op, "empty", empty, EMPTY)
    if x.ndim == 0 or x.shape[0 if x.ndim == 1 else 1] < 1:
        raise ShapeError(op, "input", "shape (C,), (N, C) or (N, C, ...) with at least one class", f"shape {x.shape}")
    return integer(op, "ignore_index", ignore_index, -(2**63))


def _class_weights(op: str, x: Tensor, weight: Any) -> Any:
    """Return the weight of each class, float64, shape (C,)."""
    xp, classes = array_module(x.array), x.shape[0 if x.ndim == 1 else 1]
    if weight is None:
        return xp.ones(classes)
    weight = as_tensor(op, "weight", weight)
    if weight.shape != (classes,):
        raise ShapeError(op, "weight", f"shape ({classes},)", f"shape {weight.shape}")
    if weight.dtype != x.dtype:
        raise DTypeError(op, "weight", f"{x.dtype}, the dtype of input", weight.dtype)
    check_device(op, x, weight, "weight")
    weights = weight.array.astype(np.float64)
    error = partial(ArgumentError, op, "weight", "finite weights of at least 0", weight.array)
    refuse(~(xp.isfinite(weights) & (weights >= 0)), error)
    return weights


def _shares(op: str, x: Tensor, target: Tensor, ignore_index: int, weights: Any) -> tuple[Any, Any, Any, Any]:
    """Return what `_class_ids` does, the weight of each target, 0 where it is ignored, and the weight of all."""
    flat = _check_ids(op, x, target)
    if type(target.array) is np.ndarray and current() is None and ignore_index < NO_ID:
        found = cross_entropy_room.shares(target.array, flat, ignore_index, x.shape[0 if x.ndim == 1 else 1], weights)
        if found is not None:  # else `_class_ids` says what is wrong
            ids, kept, sharp, count = found
            return ids, kept, sharp, count if weights is None else sharp.sum()
    ids, kept = _class_ids(op, x, target, ignore_index)
    sharp = kept.astype(np.float64) if weights is None else weights[ids] * kept
    return ids, kept, sharp, sharp.sum()


def _check_ids(op: str, x: Tensor, target: Tensor) -> tuple[int, int]:
    """Check what class ids are asked for, but for their range; return (N, D)."""
    shape = () if x.ndim == 1 else (x.shape[0], *x.shape[2:])
    if target.dtype != np.int64:
        raise DTypeError(op, "target", "int64 class ids", target.dtype)
    check_device(op, x, target, "target")
    if target.shape != shape:
        raise ShapeError(op, "target", f"shape {shape} (input shape {x.shape})", f"shape {target.shape}")
    return (1, 1) if x.ndim == 1 else (x.shape[0], math.prod(shape[1:]))


def _class_ids(op: str, x: Tensor, target: Tensor, ignore_index: int) -> tuple[Any, Any]:
    """Return class ids (0 where ignored) and whether each is kept, both of shape (N, D)."""
    flat = _check_ids(op, x, target)
    ids, classes, xp = target.array, x.shape[0 if x.ndim == 1 else 1], array_module(target.array)
    if not 0 <= ignore_index < classes and are_within(ids, 0, classes):  # which is most often so, and then all are kept
        return ids.reshape(flat).copy(), np.ones(flat, bool)
    kept = ids != ignore_index
    known = kept if current() is None else kept & (ids >= 0) & (ids < classes)  # a capture checks later
    ids = xp.where(known, ids, 0)  # a copy: the caller may write to its own before backward
    check_class_ids(op, "target", ids if current() is None else target.array, classes, kept)
    return ids.reshape(flat), kept.reshape(flat)
