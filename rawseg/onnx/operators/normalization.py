"""BatchNormalization and its relatives."""

from __future__ import annotations

import math
from typing import Any

from ... import functional as F
from ...autograd import Tensor
from ...autograd.shaping import axis_of
from ..node import Node
from .registry import operator


@operator("BatchNormalization", trains=True)
def batch_normalization(
    node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, *, training: bool
) -> Any:
    """Normalise by running statistics; by the batch's own if the node says ``training_mode``, or the graph is being trained.

    A node in training mode returns the new statistics; a graph that is being trained updates them where they are, as
    `rawseg.nn.BatchNorm2d` does.
    """
    eps, momentum = node.attribute("epsilon", 1e-5), node.attribute("momentum", 0.9)
    if node.attribute("training_mode", 0):
        axes = (0, *range(2, x.ndim))
        held = x.detach()
        moments = held.mean(axes), held.var(axes, correction=0)
        moved = [old * momentum + new.astype(old.dtype) * (1 - momentum) for old, new in zip((mean, variance), moments)]
        return F.batch_norm(x, None, None, scale, bias, training=True, eps=eps), *moved
    if not training:
        return F.batch_norm(x, mean, variance, scale, bias, eps=eps)
    return F.batch_norm(x, mean, variance, scale, bias, training=True, momentum=1 - momentum, eps=eps)
