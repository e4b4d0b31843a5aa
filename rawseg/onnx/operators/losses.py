"""Losses over classes, on rawseg.functional's cross entropy and negative log likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...errors import DTypeError, ShapeError
from ...labels import check_class_ids
from ..node import Node
from .registry import operator

NOWHERE = -(2**63)  # an ignored label that was refused before


@operator("SoftmaxCrossEntropyLoss", since=12, widens=True)
def cross_entropy(node: Node, scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Any:
    """Return the cross entropy between labels and the softmax of scores along axis 1, and the logarithm of that softmax."""
    loss = F.cross_entropy(scores, *_targets(node, scores, labels, weights), node.attribute("reduction", "mean"))
    return (loss, F.log_softmax(scores, 1)) if node.asks_for(1) else loss


@operator("NegativeLogLikelihoodLoss", since=12, widens=True)
def negative_log_likelihood(node: Node, log_probabilities: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the negative of what stands at the labels along axis 1."""
    targets = _targets(node, log_probabilities, labels, weights)
    return F.nll_loss(log_probabilities, *targets, node.attribute("reduction", "mean"))


def _targets(node: Node, x: Tensor, labels: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None, int]:
    """Return labels, weights and the label to ignore as rawseg.functional takes them."""
    if x.ndim < 2:
        raise ShapeError(node.label, "input", "at least two axes, (N, C)", x.shape)
    if labels.dtype.kind not in "iu":
        raise DTypeError(node.label, "target", "integers", labels.dtype)
    ignored = node.attribute("ignore_index")
    labels = labels.astype(np.int64)
    if ignored is None:
        check_class_ids(node.label, "target", labels.array, x.shape[1])
    return labels, weights, NOWHERE if ignored is None else ignored
