"""Losses of pixels, of numbers and of masks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as TF
from twins import spread

from catalogue.entry import OpCall, forms
from rawseg import functional as F
from rawseg_kernels import cross_entropy

IDS = np.array([[[0, 2], [1, -100]]])  # (N, H, W), one pixel ignored
WEIGHTS = np.array([0.5, 2.0, 1.5])
PIXEL_WEIGHTS = spread((1, 2, 2), 0.1, 3)
TWIN_IDS, TWIN_WEIGHTS = torch.tensor(IDS), torch.tensor(WEIGHTS)

LOGITS, FLAT, OTHER = spread((1, 3, 2, 2)), spread((2, 3)), spread((2, 3), seed=1)
MASKS, P, Q = spread((1, 3, 2, 2), 0.1, 0.9), spread((2, 3), 0.1, 0.9), spread((2, 3), 0.1, 0.9, seed=1)
POSITIVE = spread((3,), 0.5, 3)
FACTORS = spread((2, 3), 0.5, 2, seed=3)


def _overlap(numerator: Any, denominator: Any, per: str) -> Any:
    """One minus a quotient of TP, FP and FN, on PyTorch's Tensors."""

    def loss(p):
        kept = (TWIN_IDS != -100).unsqueeze(1).to(p.dtype)
        g = TF.one_hot(TWIN_IDS.clamp(min=0), 3).movedim(-1, 1).to(p.dtype) * kept
        axes = (0, 1, 2, 3) if per == "batch" else (2, 3)
        counts = (p * g).sum(axes), (p * kept * (1 - g)).sum(axes), ((1 - p) * g).sum(axes)
        return (1 - numerator(*counts) / denominator(*counts)).mean()

    return loss


def _lovasz(errors: Any, truth: Any) -> Any:
    """Algorithm 1 of arXiv 1705.08790 on PyTorch's Tensors: one row."""
    errors, order = torch.sort(errors, descending=True, stable=True)
    truth = truth[order].to(errors.dtype)
    jaccard = 1 - (truth.sum() - truth.cumsum(0)) / (truth.sum() + (1 - truth).cumsum(0))
    return torch.dot(errors, torch.diff(jaccard, prepend=torch.zeros(1, dtype=errors.dtype)))


def _lovasz_softmax(p: Any) -> Any:
    flat, ids = p.movedim(1, -1).reshape(-1, 3)[:3], TWIN_IDS.reshape(-1)[:3]  # the last pixel is ignored
    return sum(_lovasz(((ids == k).to(p.dtype) - flat[:, k]).abs(), ids == k) for k in range(3)) / 3


def _lovasz_hinge(x: Any) -> Any:
    truth = torch.tensor(HINGE == 1)
    return sum(_lovasz(torch.relu(1 - torch.where(t, row, -row)), t) for row, t in zip(x, truth)) / len(x)


HINGE = np.array([[1, 0, 1], [0, 1, 0]])
HINGE_LOGITS = spread((2, 3), -1.9, 0.9)  # no error at its kink of 0

CROSS_ENTROPY = (2, 5, 37)  # images, classes, pixels


def pixels(dtype: Any, smooth: int) -> list[np.ndarray]:
    """Logits, classes, which pixels count, and the targets' shares."""
    rng = np.random.default_rng(3)
    n, classes, count = CROSS_ENTROPY
    x, target, kept = rng.standard_normal(CROSS_ENTROPY), rng.integers(0, classes, (n, count)), rng.random((n, count)) > 0.2
    return [x.astype(dtype), target, kept, rng.uniform(0.5, 2, (n, count)), rng.uniform(0, 1, smooth)]


def pixel_gradients(dtype: Any, smooth: int) -> list[np.ndarray]:
    """Those with what comes before and behind the logits."""
    x, *rest = pixels(dtype, smooth)
    shifts = cross_entropy.forward(x, *rest)[1]
    return [np.random.default_rng(4).standard_normal(shifts.shape).astype(dtype), x, shifts, *rest]


KERNELS = [
    entry
    for algorithm in ("auto", "reference", *cross_entropy.ALGORITHMS)
    for smooth in (0, CROSS_ENTROPY[1])
    for verb, arrays in (("forward", pixels), ("backward", pixel_gradients))
    for entry in forms(
        "cross_entropy",
        f"cross_entropy.{verb}{' smooth' if smooth else ''}",
        [algorithm],
        getattr(cross_entropy, verb),
        partial(arrays, smooth=smooth),
    )
]

OPS = [
    OpCall(
        "cross_entropy",
        "cross_entropy",
        lambda x: F.cross_entropy(x, IDS, WEIGHTS),
        [LOGITS],
        lambda x: TF.cross_entropy(x, TWIN_IDS, TWIN_WEIGHTS),
    ),
    OpCall(
        "cross_entropy",
        "cross_entropy smoothed",
        lambda x: F.cross_entropy(x, IDS, WEIGHTS, label_smoothing=0.2),
        [LOGITS],
        lambda x: TF.cross_entropy(x, TWIN_IDS, TWIN_WEIGHTS, label_smoothing=0.2),
    ),
    OpCall(
        "cross_entropy",
        "cross_entropy none",
        lambda x: F.cross_entropy(x, IDS, reduction="none"),
        [LOGITS],
        lambda x: TF.cross_entropy(x, TWIN_IDS, reduction="none"),
    ),
    OpCall(
        "cross_entropy",
        "cross_entropy probabilities",
        lambda x, t: F.cross_entropy(x, t, WEIGHTS, label_smoothing=0.1),
        [FLAT, P],
        lambda x, t: TF.cross_entropy(x, t, TWIN_WEIGHTS, label_smoothing=0.1),
    ),
    OpCall(
        "nll_loss",
        "nll_loss",
        lambda x: F.nll_loss(x, IDS, WEIGHTS),
        [LOGITS],
        lambda x: TF.nll_loss(x, TWIN_IDS, TWIN_WEIGHTS),
    ),
    OpCall(
        "weighted_cross_entropy",
        "weighted_cross_entropy",
        lambda x: F.weighted_cross_entropy(x, IDS, PIXEL_WEIGHTS, reduction="sum"),
        [LOGITS],
        lambda x: (TF.cross_entropy(x, TWIN_IDS, reduction="none") * torch.tensor(PIXEL_WEIGHTS)).sum(),
    ),
    OpCall(
        "weighted_cross_entropy",
        "weighted_cross_entropy mean",
        lambda x, w: F.weighted_cross_entropy(x, IDS, w, WEIGHTS),
        [LOGITS, PIXEL_WEIGHTS],
        lambda x, w: (
            (TF.cross_entropy(x, TWIN_IDS, TWIN_WEIGHTS, reduction="none") * w).sum()
            / (TWIN_WEIGHTS[TWIN_IDS.clamp(min=0)] * (TWIN_IDS >= 0) * w).sum()
        ),
    ),
    OpCall(
        "binary_cross_entropy",
        "binary_cross_entropy",
        F.binary_cross_entropy,
        [P, Q],
        lambda p, t: (
            -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()
        ),  # the second derivative of its own is off by 1e-11
    ),
    OpCall(
        "binary_cross_entropy_with_logits",
        "bce with logits",
        lambda x, t, p: F.binary_cross_entropy_with_logits(x, t, WEIGHTS, "sum", p),
        [FLAT, Q, POSITIVE],
        # its own has no derivative for pos_weight
        lambda x, t, p: -(TWIN_WEIGHTS * (p * t * TF.logsigmoid(x) + (1 - t) * TF.logsigmoid(-x))).sum(),
    ),
    OpCall(
        "binary_cross_entropy_with_logits",
        "bce with logits plain",
        F.binary_cross_entropy_with_logits,
        [FLAT, Q],
        TF.binary_cross_entropy_with_logits,
    ),
    OpCall("mse_loss", "mse_loss", F.mse_loss, [FLAT, OTHER], TF.mse_loss),
    OpCall(
        "mse_loss",
        "mse_loss weighted",
        lambda x, t, w: F.mse_loss(x, t, weight=w),
        [FLAT, OTHER, FACTORS],
        lambda x, t, w: TF.mse_loss(x, t, weight=w),
    ),
    OpCall("l1_loss", "l1_loss", F.l1_loss, [FLAT, P], TF.l1_loss),
    OpCall(
        "l1_loss",
        "l1_loss weighted",
        lambda x, t, w: F.l1_loss(x, t, weight=w),
        [FLAT, P, FACTORS],
        lambda x, t, w: TF.l1_loss(x, t, weight=w),
    ),
    OpCall(
        "smooth_l1_loss",
        "smooth_l1_loss",
        lambda x, t: F.smooth_l1_loss(x, t, beta=0.7),
        [FLAT, P],
        lambda x, t: TF.smooth_l1_loss(x, t, beta=0.7),
    ),
    OpCall(
        "huber_loss",
        "huber_loss",
        lambda x, t: F.huber_loss(x, t, "none", 0.7),
        [FLAT, P],
        lambda x, t: TF.huber_loss(x, t, reduction="none", delta=0.7),
    ),
    OpCall(
        "huber_loss",
        "huber_loss weighted",
        lambda x, t, w: F.huber_loss(x, t, delta=0.7, weight=w),
        [FLAT, P, FACTORS],
        lambda x, t, w: TF.huber_loss(x, t, delta=0.7, weight=w),
    ),
    OpCall(
        "dice_loss",
        "dice_loss",
        lambda p: F.dice_loss(p, IDS, 0.5),
        [MASKS],
        _overlap(lambda tp, fp, fn: 2 * tp + 0.5, lambda tp, fp, fn: 2 * tp + fp + fn + 0.5, "image-class"),
    ),
    OpCall(
        "jaccard_loss",
        "jaccard_loss",
        lambda p: F.jaccard_loss(p, IDS, 0.5, "batch"),
        [MASKS],
        _overlap(lambda tp, fp, fn: tp + 0.5, lambda tp, fp, fn: tp + fp + fn + 0.5, "batch"),
    ),
    OpCall(
        "tversky_loss",
        "tversky_loss",
        lambda p: F.tversky_loss(p, IDS, 0.3, 0.9, 0.5),
        [MASKS],
        _overlap(lambda tp, fp, fn: tp + 0.5, lambda tp, fp, fn: tp + 0.3 * fp + 0.9 * fn + 0.5, "image-class"),
    ),
    OpCall("lovasz_softmax", "lovasz_softmax", lambda p: F.lovasz_softmax(p, IDS), [MASKS], _lovasz_softmax),
    OpCall("lovasz_hinge", "lovasz_hinge", lambda x: F.lovasz_hinge(x, HINGE), [HINGE_LOGITS], _lovasz_hinge),
]
