"""Layers in a row: a convolution with the norm and the clamp behind it in one step, where nobody watches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd import is_grad_enabled
from ..functional.fused import convolved, unwatched
from ..functional.fused_training import Norm, are_images, normalised_convolution
from .activation import ReLU, ReLU6
from .convolution import Conv2d
from .module import Module
from .normalization import BatchNorm2d

CLAMPS = {ReLU: (0.0, math.inf), ReLU6: (0.0, 6.0)}
NO_CLAMP = -math.inf, math.inf
FORWARDS = {kind: kind.forward for kind in (Conv2d, BatchNorm2d, *CLAMPS)}  # who replaces one wants it called


def run_layers(layers: Sequence[Module], input: Any) -> Any:
    """Apply layers one after another."""
    at = 0
    while at < len(layers):
        count = _together(layers, at) if unwatched() else 1
        out = _run_together(layers[at : at + count], input) if count > 1 else None
        if out is None:
            out, count = layers[at](input), 1
        input, at = out, at + count
    return input


def _together(layers: Sequence[Module], at: int) -> int:
    """Return how many layers from one on may be one step."""
    if type(layers[at]) is not Conv2d or not _is_bare(layers[at]):
        return 1
    end = at + 1
    if end < len(layers) and type(layers[end]) is BatchNorm2d and _is_bare(layers[end]):
        end += 1
    if end < len(layers) and type(layers[end]) in CLAMPS and _is_bare(layers[end]):
        end += 1
    return end - at


def _is_bare(layer: Module) -> bool:
    """Return whether a layer is what its class was written as: no hooks, no other forward."""
    hooks = layer._pre_hooks or layer._forward_hooks or layer._backward_hooks
    return not (hooks or "forward" in layer.__dict__) and type(layer).forward is FORWARDS[type(layer)]


def _run_together(layers: Sequence[Any], input: Any) -> Any:
    """Return the output of a convolution and of what follows it; None where they have to be run one by one."""
    convolution, norm = layers[0], layers[1] if type(layers[1]) is BatchNorm2d else None
    if convolution.padding_mode != "zeros":
        return None
    geometry = convolution.stride, convolution.padding, convolution.dilation, convolution.groups
    kernels, clamp = convolution._several("weight", "bias"), CLAMPS.get(type(layers[-1]), NO_CLAMP)
    if norm is not None and (norm.training or not norm.track_running_stats):
        return _train_together(input, kernels, geometry, norm, clamp)
    if is_grad_enabled():
        return None
    constants = None
    if norm is not None:
        constants = *norm._several("weight", "bias", "running_mean", "running_var"), norm.eps, norm._fold
    return convolved(input, kernels, geometry, constants, *clamp)


def _train_together(input: Any, kernels: Sequence[Any], geometry: tuple, norm: BatchNorm2d, clamp: tuple) -> Any:
    """Do as `_run_together` where the norm is by the statistics of the batch, which are counted then."""
    weight, bias = kernels
    if bias is not None or not are_images(input) or norm.num_features not in getattr(weight, "shape", ())[:1]:
        return None
    counting = norm.track_running_stats  # a norm that keeps them comes here in training alone
    scale, shift, mean, var = norm._several("weight", "bias", "running_mean", "running_var")
    numbers = Norm(scale, shift, mean, var, norm.eps, norm._momentum(counting))
    out = normalised_convolution(input, weight, geometry, numbers, clamp)
    if out is not None and counting:
        norm._count_batch()
    return out
