"""The losses that a run can be asked for by name; each is a function of (logits, masks) that gives a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functional as F
from ..autograd import Tensor
from ..device import move
from ..errors import ArgumentError

__all__ = ["OBJECTIVES", "objective"]


def objective(
    name: str, ignore_index: int = -100, class_weights: list[float] | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss by its name.

    Parameters
    ----------
    name : str
        ``"cross_entropy"``; ``"dice"`` or ``"jaccard"``, soft, on the softmax; ``"cross_entropy+dice"``, their sum;
        ``"border"``, cross entropy weighted towards the gaps between touching objects, as in the U-Net paper;
        ``"bce-log_dice"``, for a mask: binary cross entropy minus the logarithm of the batch's soft Dice overlap.
    ignore_index : int
        Class id that counts nothing.
    class_weights : list of float, optional
        For the cross entropy.

    Raises
    ------
    ArgumentError
        If there is no such loss.
    """
    if name not in OBJECTIVES:
        raise ArgumentError("train", "loss", f"one of {sorted(OBJECTIVES)}", repr(name))
    weight = None if class_weights is None else np.asarray(class_weights, np.float32)
    make = OBJECTIVES[name]
    return lambda logits, masks: make(logits, masks, ignore_index, weight)


def _cross_entropy(logits: Tensor, masks: Tensor, ignore_index: int, weight: Any) -> Tensor:
    return F.cross_entropy(logits, masks, weight=_beside(logits, weight), ignore_index=ignore_index, empty="zero")


def _dice(logits: Tensor, masks: Tensor, ignore_index: int, weight: Any) -> Tensor:
    return F.dice_loss(F.softmax(logits, 1), masks, ignore_index=ignore_index)


def _jaccard(logits: Tensor, masks: Tensor, ignore_index: int, weight: Any) -> Tensor:
    return F.jaccard_loss(F.softmax(logits, 1), masks, ignore_index=ignore_index)


def _both(logits: Tensor, masks: Tensor, ignore_index: int, weight: Any) -> Tensor:
    return _cross_entropy(logits, masks, ignore_index, weight) + _dice(logits, masks, ignore_index, weight)


def _border(logits: Tensor, masks: Tensor, ignore_index: int, weight: Any) -> Tensor:
    from scipy.ndimage import label

    maps = []
    for mask in move(masks.array, "cpu"):  # distances are found on the CPU
        objects = np.zeros(mask.shape, np.int64)
        label((mask > 0) & (mask != ignore_index), output=objects)  # touching regions of any class are one object
        maps.append(F.border_weights(objects))
    pixel_weight = _beside(logits, np.stack(maps).astype(logits.dtype))
    weight = _beside(logits, weight)
    return F.weighted_cross_entropy(logits, masks, pixel_weight, weight=weight, ignore_index=ignore_index, empty="zero")


def _beside(logits: Tensor, array: np.ndarray | None) -> Tensor | None:
    """Return an array as a Tensor where the logits are."""
    return None if array is None else Tensor(move(array, logits.device))


def _bce_minus_log_dice(logits: Tensor, masks: Tensor, ignore_index: int, weight: Any) -> Tensor:
    x, kept = _single_logit(logits), masks.array != ignore_index
    counted = Tensor(kept.astype(x.dtype))
    target = Tensor(((masks.array != 0) & kept).astype(x.dtype))
    entropy = F.binary_cross_entropy_with_logits(x, target, weight=counted, reduction="sum") / max(int(kept.sum()), 1)
    overlap = 1 - F.dice_loss((F.sigmoid(x) * counted).unsqueeze(1), target.unsqueeze(1), per="batch")
    return entropy - overlap.log()


def _single_logit(logits: Tensor) -> Tensor:
    """Return (N, H, W) logits of a mask: those of a single channel, or how far the second one is above the first."""
    if logits.shape[1] > 2:
        raise ArgumentError(
            "train", "loss", "one for several classes ('bce-log_dice' is for a mask)", f"{logits.shape[1]} classes"
        )
    return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


OBJECTIVES: dict[str, Callable[[Tensor, Tensor, int, Any], Tensor]] = {
    "bce-log_dice": _bce_minus_log_dice,
    "border": _border,
    "cross_entropy": _cross_entropy,
    "cross_entropy+dice": _both,
    "dice": _dice,
    "jaccard": _jaccard,
}
