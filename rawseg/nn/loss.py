"""Losses as modules. Class weights are buffers: they move with the module."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..autograd import Tensor
from ..autograd.operands import as_tensor
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "HuberLoss",
    "JaccardLoss",
    "L1Loss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
    "TverskyLoss",
]


class _Loss(Module):
    """A loss with a reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def _register_weight(self, name: str, value: Any) -> None:
        self.register_buffer(name, None if value is None else as_tensor(type(self).__name__, name, value))


class CrossEntropyLoss(_Loss):
    """`rawseg.functional.cross_entropy` with its options held."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        *,
        empty: str = "nan",
    ) -> None:
        super().__init__(reduction)
        self._register_weight("weight", weight)
        self.ignore_index, self.label_smoothing, self.empty = ignore_index, label_smoothing, empty

    def forward(self, input: Tensor, target: Any) -> Tensor:
        options = self.weight, self.ignore_index, self.reduction, self.label_smoothing
        return F.cross_entropy(input, target, *options, empty=self.empty)


class FocalLoss(_Loss):
    """`rawseg.functional.focal_loss` with its options held."""

    weight: Tensor | None

    def __init__(
        self,
        gamma: float = 2.0,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        *,
        empty: str = "nan",
    ) -> None:
        super().__init__(reduction)
        self._register_weight("weight", weight)
        self.gamma, self.ignore_index, self.empty = gamma, ignore_index, empty

    def forward(self, input: Tensor, target: Any) -> Tensor:
        options = self.gamma, self.weight, self.ignore_index, self.reduction
        return F.focal_loss(input, target, *options, empty=self.empty)


class NLLLoss(_Loss):
    """`rawseg.functional.nll_loss` with its options held."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", *, empty: str = "nan") -> None:
        super().__init__(reduction)
        self._register_weight("weight", weight)
        self.ignore_index, self.empty = ignore_index, empty

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction, empty=self.empty)


class BCELoss(_Loss):
    """`rawseg.functional.binary_cross_entropy` with its options held."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self._register_weight("weight", weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`rawseg.functional.binary_cross_entropy_with_logits` with its options held."""

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self._register_weight("weight", weight)
        self._register_weight("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class MSELoss(_Loss):
    """`rawseg.functional.mse_loss`."""

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """`rawseg.functional.l1_loss`."""

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """`rawseg.functional.smooth_l1_loss` with its ``beta`` held."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """`rawseg.functional.huber_loss` with its ``delta`` held."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)


class DiceLoss(_Loss):
    """`rawseg.functional.dice_loss` with its options held; the input is probabilities."""

    def __init__(
        self,
        smooth: float = 1.0,
        per: str = "image-class",
        reduction: str = "mean",
        *,
        ignore_index: int = -100,
        empty: str = "raise",
    ) -> None:
        super().__init__(reduction)
        self.smooth, self.per, self.ignore_index, self.empty = smooth, per, ignore_index, empty

    def forward(self, input: Tensor, target: Any) -> Tensor:
        options = {"ignore_index": self.ignore_index, "empty": self.empty}
        return F.dice_loss(input, target, self.smooth, self.per, self.reduction, **options)


class JaccardLoss(DiceLoss):
    """`rawseg.functional.jaccard_loss` with its options held; the input is probabilities."""

    def forward(self, input: Tensor, target: Any) -> Tensor:
        options = {"ignore_index": self.ignore_index, "empty": self.empty}
        return F.jaccard_loss(input, target, self.smooth, self.per, self.reduction, **options)


class TverskyLoss(_Loss):
    """`rawseg.functional.tversky_loss` with its options held; the input is probabilities."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        smooth: float = 1.0,
        per: str = "image-class",
        reduction: str = "mean",
        *,
        ignore_index: int = -100,
        empty: str = "raise",
    ) -> None:
        super().__init__(reduction)
        self.alpha, self.beta, self.smooth, self.per = alpha, beta, smooth, per
        self.ignore_index, self.empty = ignore_index, empty

    def forward(self, input: Tensor, target: Any) -> Tensor:
        options = {"ignore_index": self.ignore_index, "empty": self.empty}
        return F.tversky_loss(input, target, self.alpha, self.beta, self.smooth, self.per, self.reduction, **options)


class LovaszSoftmaxLoss(Module):
    """`rawseg.functional.lovasz_softmax` with its options held; the input is probabilities."""

    def __init__(
        self, classes: str = "present", per_image: bool = False, ignore_index: int = -100, *, empty: str = "zero"
    ) -> None:
        super().__init__()
        self.classes, self.per_image, self.ignore_index, self.empty = classes, per_image, ignore_index, empty

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.lovasz_softmax(input, target, self.classes, self.per_image, self.ignore_index, empty=self.empty)


class LovaszHingeLoss(Module):
    """`rawseg.functional.lovasz_hinge` with its options held; the input is logits."""

    def __init__(self, per_image: bool = True, ignore_index: int = -100, *, empty: str = "zero") -> None:
        super().__init__()
        self.per_image, self.ignore_index, self.empty = per_image, ignore_index, empty

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.lovasz_hinge(input, target, self.per_image, self.ignore_index, empty=self.empty)
