"""Lovász losses: the intersection over union of whole masks, extended to probabilities, convex and piecewise linear."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rawseg_kernels._arrays import flag, integer

from ..autograd import Function, Tensor
from ..autograd.arithmetic import where
from ..autograd.operands import as_tensor
from ..device import array_module
from ..errors import ArgumentError, DTypeError, ShapeError
from ..labels import check_class_ids
from .activation import floating, relu
from .naming import operation
from .reduction import EMPTY, check_choice, check_device, check_probabilities

__all__ = ["lovasz_hinge", "lovasz_softmax"]


class LovaszExtension(Function):
    """For each row the Jaccard loss of its errors, extended: sum_i weight_i errors_i with the weights of their order.

    errors, truth and kept are (groups, pixels); pixels that are not kept count nothing. While the order stays it is linear.
    """

    @staticmethod
    def forward(ctx, errors, *, truth, kept):
        xp = array_module(errors)
        weights, losses = xp.zeros(errors.shape, np.float64), xp.zeros(len(errors), np.float64)
        for row in range(len(errors)):  # one by one: what a sort needs for all at once would be large
            where_kept = xp.flatnonzero(kept[row])
            some = errors[row][where_kept]
            weights[row, where_kept] = _weights(some, truth[row][where_kept])
            losses[row] = (weights[row, where_kept] * some).sum()
        ctx.weights = weights.astype(errors.dtype)
        return losses.astype(errors.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.unsqueeze(1) * Tensor(ctx.weights)


def _weights(errors: Any, truth: Any) -> Any:
    """Return how much the Jaccard loss grows as each pixel joins those in error, the largest error first; in float64.

    With I pixels of the object still right and U pixels in the object or wrongly taken for it, the loss is 1 - I / U: a pixel
    of the object takes 1 / U, another I / (U (U - 1)). Equal errors join in the order of the pixels.
    """
    xp = array_module(errors)
    order = xp.argsort(-errors, kind="stable")
    joins = truth[order]
    right = joins.sum() - xp.cumsum(joins)
    union = (joins.sum() + xp.cumsum(~joins)).astype(np.float64)
    growth = xp.where(joins, 1 / union, right / (union * xp.maximum(union - 1, 1)))
    if not joins.any():  # no object: the first pixel taken for one is the whole loss
        growth[:1] = 1
    weights = xp.empty(len(errors), np.float64)
    weights[order] = growth
    return weights


@operation
def lovasz_softmax(
    input: Any,
    target: Any,
    classes: str = "present",
    per_image: bool = False,
    ignore_index: int = -100,
    *,
    empty: str = "zero",
) -> Tensor:
    """Return the Lovász extension of the Jaccard loss, averaged over classes.

    Parameters
    ----------
    input : Tensor, shape (N, C, ...)
        Probabilities, 0 to 1: apply `softmax` to logits first.
    target : Tensor or ndarray, shape (N, ...), int64
        Class ids.
    classes : {"present", "all"}
        Average over the classes that occur among the kept pixels, or over all; the loss of an absent one is its largest
        probability.
    per_image : bool
        One loss for each image with a kept pixel, then their mean; otherwise one for the pixels of the whole batch.
    ignore_index : int
        Pixels with this class id count nothing.
    empty : {"nan", "zero", "raise"}
        What the loss is where no pixel is kept; the gradient is 0.

    Returns
    -------
    Tensor
        A scalar, 0 to 1. Where all probabilities are 0 or 1 it is one minus the intersection over union.

    Raises
    ------
    IndexRangeError
        If a class id is neither in ``range(C)`` nor ``ignore_index``.
    ArgumentError
        If an input is outside [0, 1] or a plain argument outside its domain.

    Notes
    -----
    Berman et al., The Lovász-softmax loss, arXiv 1705.08790, algorithm 1. Errors are sorted stably: equal ones in the order of
    the pixels, which chooses one subgradient. The loss is linear between changes of the order, so its second derivative is 0.
    """
    op = "lovasz_softmax"
    x, target = floating(op, input), as_tensor(op, "target", target)
    check_choice(op, "classes", classes, ("present", "all"))
    per_image = flag(op, "per_image", per_image)
    ignore_index = integer(op, "ignore_index", ignore_index, -(2**63))
    check_choice(op, "empty", empty, EMPTY)
    if x.ndim < 2:
        raise ShapeError(op, "input", "shape (N, C, ...)", f"shape {x.shape}")
    check_probabilities(op, "input", x, " (apply softmax to logits)", nan=True)
    check_device(op, x, target, "target")
    ids = _ids(op, target, (x.shape[0], *x.shape[2:]), f" (input shape {x.shape})")
    kept = ids != ignore_index
    check_class_ids(op, "target", ids, x.shape[1], kept)
    n, c = x.shape[:2]
    images = n if per_image else 1
    p = x.reshape(n, c, math.prod(x.shape[2:])).permute(1, 0, 2).reshape(c * images, -1 if x.size else 0)
    ids, kept = (array.reshape(1, images, -1 if x.size else 0) for array in (ids, kept))
    truth = (ids == array_module(ids).arange(c).reshape(c, 1, 1)) & kept  # (C, images, pixels)
    counted = truth.any(2) if classes == "present" else kept.any(2).repeat(c, 0)
    truth, kept = truth.reshape(p.shape), kept.repeat(c, 0).reshape(p.shape)
    losses = LovaszExtension.apply(where(truth, 1 - p, p), truth=truth, kept=kept)
    return _mean(op, losses.reshape(c, images), counted, empty)


@operation
def lovasz_hinge(input: Any, target: Any, per_image: bool = True, ignore_index: int = -100, *, empty: str = "zero") -> Tensor:
    """Return the Lovász extension of the Jaccard loss of one object on hinge errors, ``max(0, 1 - logit * (2 target - 1))``.

    Parameters
    ----------
    input : Tensor, shape (N, ...)
        Logits; positive ones mean object.
    target : Tensor or ndarray, shape (N, ...), int64 or bool
        0 or 1.
    per_image, ignore_index, empty
        As in `lovasz_softmax`; for an image without an object the loss is its largest error.

    Returns
    -------
    Tensor
        A scalar of at least 0; at least one minus the intersection over union of the masks ``logit > 0`` and target.

    Notes
    -----
    Berman et al., arXiv 1705.08790, section 3.1, and Yu and Blaschko, arXiv 1512.07797. The gradient at an error of 0 is 0.
    """
    op = "lovasz_hinge"
    x, target = floating(op, input), as_tensor(op, "target", target)
    per_image = flag(op, "per_image", per_image)
    ignore_index = integer(op, "ignore_index", ignore_index, -(2**63))
    check_choice(op, "empty", empty, EMPTY)
    if x.ndim < 1:
        raise ShapeError(op, "input", "shape (N, ...)", f"shape {x.shape}")
    check_device(op, x, target, "target")
    ids = _ids(op, target.astype(np.int64) if target.dtype == bool else target, x.shape, ", that of input")
    kept = ids != ignore_index
    check_class_ids(op, "target", ids, 2, kept)
    rows = (x.shape[0] if per_image else 1, -1 if x.size else 0)
    truth, kept = (array.reshape(rows) for array in (ids == 1, kept))
    logits = x.reshape(rows)
    errors = relu(where(truth, 1 - logits, 1 + logits))
    return _mean(op, LovaszExtension.apply(errors, truth=truth, kept=kept).unsqueeze(0), kept.any(1)[None], empty)


def _ids(op: str, target: Tensor, shape: tuple[int, ...], why: str) -> Any:
    if target.dtype != np.int64:
        raise DTypeError(op, "target", "int64 class ids", target.dtype)
    if target.shape != tuple(shape):
        raise ShapeError(op, "target", f"shape {tuple(shape)}{why}", f"shape {target.shape}")
    return target.array


def _mean(op: str, losses: Tensor, counted: Any, empty: str) -> Tensor:
    """Return the mean over images of the mean over classes, each over those that count; both (classes, images)."""
    per_image = counted.sum(0)
    images = int((per_image > 0).sum())
    if not images and empty == "raise":
        raise ArgumentError(op, "target", "at least one kept pixel", "none")
    share = counted / array_module(counted).maximum(per_image * images, 1)
    loss = (where(counted, losses, 0.0) * Tensor(share.astype(losses.dtype))).sum()
    return loss if images or empty == "zero" else loss * 0 + math.nan
