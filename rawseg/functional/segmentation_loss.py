"""Losses over masks: soft Dice, Jaccard and Tversky, and cross entropy with a weight for each pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer, real
from rawseg_kernels._capture import current, refuse

from ..autograd import Tensor
from ..autograd.arithmetic import where
from ..autograd.operands import as_tensor
from ..device import array_module
from ..errors import ArgumentError, DTypeError, ShapeError
from ..labels import check_class_ids
from .activation import floating
from .classification_loss import cross_entropy
from .naming import operation
from .reduction import EMPTY, REDUCTIONS, check_choice, check_device, check_probabilities, check_same, mean_over, reduced

__all__ = ["dice_loss", "jaccard_loss", "tversky_loss", "weighted_cross_entropy"]

GROUPS = {"image-class": (), "image": (1,), "class": (0,), "batch": (0, 1)}  # axes summed beside the pixels


@operation
def dice_loss(
    input: Any,
    target: Any,
    smooth: float = 1.0,
    per: str = "image-class",
    reduction: str = "mean",
    *,
    ignore_index: int = -100,
    empty: str = "raise",
) -> Tensor:
    """Return 1 minus the soft Dice overlap: ``1 - (2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth)``.

    Parameters
    ----------
    input : Tensor, shape (N, C, ...)
        Probabilities p, 0 to 1: apply `softmax` or `sigmoid` to logits first.
    target : Tensor or ndarray, shape (N, ...), int64; or that of ``input``
        Class ids; or g, 0 or 1, in the dtype of ``input`` or bool.
    smooth : float
        At least 0. Above 0 two empty masks agree: loss 0, with the gradient ``1 / smooth`` that keeps p small.
    per : {"image-class", "image", "class", "batch"}
        One overlap for each image and class, for each image, for each class of the batch, or for everything.
    reduction : {"mean", "sum", "none"}
        Over those overlaps.
    ignore_index : int
        Pixels with this class id leave all three sums.
    empty : {"nan", "zero", "raise"}
        Without smoothing: the loss where prediction and target are both empty; and the mean of an empty batch. Its gradient
        is 0.

    Returns
    -------
    Tensor
        A scalar, or with "none" one loss for each overlap.

    Raises
    ------
    ArgumentError
        If p is outside [0, 1], g is not 0 or 1, or two empty masks meet without smoothing.

    Notes
    -----
    Milletari et al., V-Net, arXiv 1606.04797, with sums in place of sums of squares.
    """
    common, p, g, smooth = _overlap("dice_loss", input, target, smooth, per, ignore_index, empty)
    return _one_minus("dice_loss", 2 * common + smooth, p + g + smooth, empty, reduction)


@operation
def jaccard_loss(
    input: Any,
    target: Any,
    smooth: float = 1.0,
    per: str = "image-class",
    reduction: str = "mean",
    *,
    ignore_index: int = -100,
    empty: str = "raise",
) -> Tensor:
    """Return 1 minus the soft intersection over union: ``1 - (sum(p g) + smooth) / (sum(p) + sum(g) - sum(p g) + smooth)``.

    Parameters and errors are those of `dice_loss`.
    """
    common, p, g, smooth = _overlap("jaccard_loss", input, target, smooth, per, ignore_index, empty)
    return _one_minus("jaccard_loss", common + smooth, p + g - common + smooth, empty, reduction)


@operation
def tversky_loss(
    input: Any,
    target: Any,
    alpha: float = 0.5,
    beta: float = 0.5,
    smooth: float = 1.0,
    per: str = "image-class",
    reduction: str = "mean",
    *,
    ignore_index: int = -100,
    empty: str = "raise",
) -> Tensor:
    """Return 1 minus the Tversky index: ``1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth)``.

    ``TP = sum(p g)``, ``FP = sum(p) - TP`` and ``FN = sum(g) - TP``: a ``beta`` above ``alpha`` makes misses cost more than
    false alarms. ``alpha = beta = 1`` is `jaccard_loss`; ``alpha = beta = 0.5`` is `dice_loss` with twice the smoothing.

    Parameters
    ----------
    alpha, beta : float
        At least 0.
    input, target, smooth, per, reduction, ignore_index, empty
        As in `dice_loss`, and so are the errors.

    Notes
    -----
    Salehi et al., Tversky loss function for image segmentation, arXiv 1706.05721.
    """
    op = "tversky_loss"
    alpha, beta = real(op, "alpha", alpha), real(op, "beta", beta)
    for name, value in (("alpha", alpha), ("beta", beta)):
        if value < 0:
            raise ArgumentError(op, name, "at least 0", value)
    common, p, g, smooth = _overlap(op, input, target, smooth, per, ignore_index, empty)
    return _one_minus(op, common + smooth, common + alpha * (p - common) + beta * (g - common) + smooth, empty, reduction)


def _overlap(op: str, input: Any, target: Any, smooth: float, per: str, ignore_index: int, empty: str) -> tuple:
    """Check everything; return sum(p g), sum(p) and sum(g) of each group, and the smoothing."""
    x, target = floating(op, input), as_tensor(op, "target", target)
    check_choice(op, "per", per, tuple(GROUPS))
    ignore_index = integer(op, "ignore_index", ignore_index, -(2**63))
    check_choice(op, "empty", empty, EMPTY)
    smooth = real(op, "smooth", smooth)
    if smooth < 0:
        raise ArgumentError(op, "smooth", "at least 0", smooth)
    if x.ndim < 2:
        raise ShapeError(op, "input", "shape (N, C, ...)", f"shape {x.shape}")
    check_probabilities(op, "input", x, " (apply softmax or sigmoid to logits)", nan=True)
    check_device(op, x, target, "target")
    g, kept = _masks(op, x, target, ignore_index)
    p = x if kept is None else where(kept, x, 0.0)
    axes = GROUPS[per] + tuple(range(2, x.ndim))
    return (p * g).sum(axes), p.sum(axes), g.sum(axes), smooth


def _masks(op: str, x: Tensor, target: Tensor, ignore_index: int) -> tuple[Tensor, Any]:
    """Return g of the shape of x, and which pixels count (None: all)."""
    xp = array_module(target.array)
    if target.dtype == np.int64:
        shape = (x.shape[0], *x.shape[2:])
        if target.shape != shape:
            raise ShapeError(op, "target", f"shape {shape} (input shape {x.shape})", f"shape {target.shape}")
        kept = target.array != ignore_index
        check_class_ids(op, "target", target.array, x.shape[1], kept)
        classes = xp.arange(x.shape[1]).reshape(-1, *[1] * (x.ndim - 2))
        one_hot = (target.array[:, None] == classes) & kept[:, None]
        return Tensor(one_hot.astype(x.dtype)), kept[:, None] if current() is not None or not kept.all() else None
    g = target.astype(x.dtype) if target.dtype == bool else target
    check_same(op, x, g)
    refuse((g.array != 0) & (g.array != 1), lambda: ArgumentError(op, "target", "0 or 1", "other values"))
    return g, None


def _one_minus(op: str, numerator: Tensor, denominator: Tensor, empty: str, reduction: str) -> Tensor:
    check_choice(op, "reduction", reduction, REDUCTIONS)
    nothing = denominator.array == 0
    if empty == "raise":
        expected = "a prediction or a target to compare (or smooth > 0, or empty='zero')"
        error = ArgumentError(op, "target", expected, "neither, in some group")
        if reduction == "mean" and not nothing.size:
            raise error
        refuse(nothing, lambda: error)
    losses = 1 - numerator / where(nothing, 1.0, denominator)
    if current() is not None or nothing.any():
        losses = where(nothing, 0.0 if empty == "zero" else math.nan, losses)
    if reduction == "mean":
        return mean_over(op, losses.sum(), losses.size, empty)
    return reduced(op, losses, reduction)


@operation
def weighted_cross_entropy(
    input: Any,
    target: Any,
    pixel_weight: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    *,
    empty: str = "nan",
) -> Tensor:
    """Return `cross_entropy` with a weight for each pixel, such as `rawseg.functional.border_weights`.

    Parameters
    ----------
    input : Tensor, shape (N, C, ...)
        Logits.
    target : Tensor or ndarray, shape (N, ...)
        Class ids, int64.
    pixel_weight : Tensor or ndarray, shape (N, ...)
        Multiplies each pixel's loss; finite, not negative, in the dtype of ``input``. It may have a gradient, too.
    weight, ignore_index, reduction, empty
        As in `cross_entropy`; "mean" divides by the weights of the kept pixels.

    Returns
    -------
    Tensor, a scalar, or one loss a pixel
        With equal pixel weights that of `cross_entropy`.
    """
    op = "weighted_cross_entropy"
    check_choice(op, "reduction", reduction, REDUCTIONS)
    ignore_index = integer(op, "ignore_index", ignore_index, -(2**63))
    check_choice(op, "empty", empty, EMPTY)
    target = as_tensor(op, "target", target)
    if target.dtype != np.int64:
        raise DTypeError(op, "target", "int64 class ids", target.dtype)
    losses = cross_entropy(input, target, weight, ignore_index, "none")
    map_of_weights = as_tensor(op, "pixel_weight", pixel_weight)
    check_same(op, losses, map_of_weights, "pixel_weight")
    weights = map_of_weights.array
    wrong = ~(array_module(weights).isfinite(weights) & (weights >= 0))
    refuse(wrong, lambda: ArgumentError(op, "pixel_weight", "finite weights of at least 0", "others"))
    losses = losses * map_of_weights
    if reduction != "mean":
        return reduced(op, losses, reduction)
    ids = target.array
    shares = (ids != ignore_index).astype(weights.dtype)
    if weight is not None:
        per_class = as_tensor(op, "weight", weight).array
        known = array_module(ids).where(ids == ignore_index, 0, ids).clip(0, len(per_class) - 1)  # a replay checks at its end
        shares = shares * per_class[known]
    total = (weights * shares).sum(dtype=np.float64)
    mean = mean_over(op, losses.sum(), total, empty)
    if not map_of_weights.requires_grad:
        return mean
    divisor = where(Tensor(array_module(weights).asarray(total != 0)), (map_of_weights * Tensor(shares)).sum(), 1.0)
    return mean / (divisor / divisor.detach())  # by 1, whose derivatives are those of the total
