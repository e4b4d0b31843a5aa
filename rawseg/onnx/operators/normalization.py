"""BatchNormalization and its relatives."""

from __future__ import annotations

import math
from typing import Any

from ... import functional as F
from ...autograd import Tensor
from ..limits import broadcasts
from ..node import Node
from .registry import operator
from .settings import axes_of, axis_of


@operator("BatchNormalization", trains=True, widens=True)
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
        moments = x.detach().mean(axes), x.detach().var(axes, correction=0)
        moved = [old * momentum + new.astype(old.dtype) * (1 - momentum) for old, new in zip((mean, variance), moments)]
        held = (mean, variance) if training else (None, None)
        return F.batch_norm(x, *held, scale, bias, training=True, momentum=1 - momentum, eps=eps), *moved
    if training:
        return F.batch_norm(x, mean, variance, scale, bias, training=True, momentum=1 - momentum, eps=eps)
    return F.batch_norm(x, mean, variance, scale, bias, eps=eps)


@operator("InstanceNormalization", widens=True)
def instance_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Normalise every plane by itself; a plane of one pixel becomes its bias."""
    if x.ndim < 3:
        node.refuse("input", "(N, C, ...) with at least one more axis", f"shape {x.shape}")
    eps = node.attribute("epsilon", 1e-5)
    if math.prod(x.shape[2:]) > 1:
        return F.instance_norm(x, weight=scale, bias=bias, eps=eps)
    plain = F.layer_norm(x, x.shape[2:], eps=eps)
    return plain * _of_channels(scale, x) + _of_channels(bias, x)


@operator("GroupNormalization", since=18, widens=True)
def group_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Normalise groups of channels; until version 21 of the set there is one scale a group, since then one a channel."""
    groups = node.attributes["num_groups"]
    if node.version < 21:
        if x.ndim < 2 or scale.shape != (groups,) or bias.shape != (groups,) or x.shape[1] % groups:
            node.refuse("scale", f"one number for each of {groups} groups of {x.shape}", f"shape {scale.shape}")
        each = x.shape[1] // groups
        scale, bias = (given.reshape(groups, 1).expand(groups, each).reshape(-1) for given in (scale, bias))
    return F.group_norm(x, groups, scale, bias, node.attribute("epsilon", 1e-5))


@operator("LayerNormalization", since=17, widens=True)
def layer_normalization(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Any:
    """Normalise the axes from one on; also return means and reciprocals of standard deviations if they are wanted."""
    first = axis_of(node, node.attribute("axis", -1), x.ndim)
    shape, eps = x.shape[first:], node.attribute("epsilon", 1e-5)
    if scale.shape == shape and (bias is None or bias.shape == shape):
        out = F.layer_norm(x, shape, scale, bias, eps)
    else:
        broadcasts(node, "Scale", scale, x.shape)
        if bias is not None:
            broadcasts(node, "B", bias, x.shape)
        out = F.layer_norm(x, shape, eps=eps) * scale
        out = out if bias is None else out + bias
    if not (node.asks_for(1) or node.asks_for(2)):
        return out
    axes = tuple(range(first, x.ndim))
    return out, x.mean(axes, keepdim=True), 1 / (x.var(axes, correction=0, keepdim=True) + eps).sqrt()


@operator("RMSNormalization", since=23, widens=True)
def rms_normalization(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    """Divide by the root of the mean square of the axes from one on."""
    first = axis_of(node, node.attribute("axis", -1), x.ndim)
    broadcasts(node, "scale", scale, x.shape)
    squares = (x * x).mean(tuple(range(first, x.ndim)), keepdim=True)
    return x / (squares + node.attribute("epsilon", 1e-5)).sqrt() * scale


@operator("MeanVarianceNormalization", since=9, widens=True)
def mean_variance_normalization(node: Node, x: Tensor) -> Tensor:
    """Shift and scale along axes to mean 0 and variance 1."""
    axes = axes_of(node, node.attribute("axes", (0, 2, 3)), x.ndim)
    centred = x - x.mean(axes, keepdim=True)
    return centred / ((centred * centred).mean(axes, keepdim=True).sqrt() + 1e-9)


@operator("LpNormalization", widens=True)
def lp_normalization(node: Node, x: Tensor) -> Tensor:
    """Divide by the sum of absolute values, or by the root of the sum of squares, along an axis; nothing by 0."""
    axis, p = axis_of(node, node.attribute("axis", -1), x.ndim), node.attribute("p", 2)
    if p not in (1, 2):
        node.refuse("p", "1 or 2", p)
    length = x.abs().sum(axis, keepdim=True) if p == 1 else (x * x).sum(axis, keepdim=True).sqrt()
    return x / length.masked_fill(length == 0, 1)


@operator("LRN", widens=True)
def local_response_normalization(node: Node, x: Tensor) -> Tensor:
    """Divide every element by a power of the mean square of its neighbours in the channels."""
    if x.ndim < 3:
        node.refuse("input", "(N, C, ...) with at least one more axis", f"shape {x.shape}")
    size, alpha, beta = node.attributes["size"], node.attribute("alpha", 1e-4), node.attribute("beta", 0.75)
    if not 1 <= size <= 1 << 15:
        node.refuse("size", f"1 to {1 << 15}", size)
    n, c = x.shape[:2]
    planes = (x * x).reshape(n, 1, c, math.prod(x.shape[2:]))
    before = (size - 1) // 2
    framed = F.pad(planes, (0, 0, before, size - 1 - before))
    squares = F.avg_pool2d(framed, (size, 1), 1).reshape(x.shape)
    return x / (squares * alpha + node.attribute("bias", 1.0)) ** beta


def _of_channels(numbers: Tensor, x: Tensor) -> Tensor:
    return numbers.reshape(1, numbers.size, *[1] * (x.ndim - 2))
