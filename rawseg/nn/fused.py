"""Layers in a row: a convolution with the norm and the clamp behind it in one step, where nobody can tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..functional.fused import convolved
from .activation import ReLU, ReLU6
from .convolution import Conv2d
from .module import Module
from .normalization import BatchNorm2d

CLAMPS = {ReLU: (0.0, math.inf), ReLU6: (0.0, 6.0)}
NO_CLAMP = -math.inf, math.inf


def run_layers(layers: Sequence[Module], input: Any) -> Any:
    """Apply layers one after another; to be called only where nobody watches, `rawseg.functional.fused.unwatched`."""
    at = 0
    while at < len(layers):
        count = _together(layers, at)
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
    """Return whether a layer is what its class says: no hooks, no forward of its own."""
    return not (layer._pre_hooks or layer._forward_hooks or layer._backward_hooks or "forward" in layer.__dict__)


def _run_together(layers: Sequence[Any], input: Any) -> Any:
    """Return the output of a convolution and of what follows it; None where they have to be run one by one."""
    convolution, norm = layers[0], layers[1] if type(layers[1]) is BatchNorm2d else None
    if convolution.padding_mode != "zeros":
        return None
    constants = None
    if norm is not None:
        statistics, affine = norm._buffers, norm._parameters
        mean, var = statistics["running_mean"], statistics["running_var"]
        if norm.training or not norm.track_running_stats or mean is None or var is None:
            return None
        constants = affine["weight"], affine["bias"], mean, var, norm.eps
    kernels = convolution._parameters["weight"], convolution._parameters["bias"]
    geometry = convolution.stride, convolution.padding, convolution.dilation, convolution.groups
    return convolved(input, kernels, geometry, constants, *CLAMPS.get(type(layers[-1]), NO_CLAMP))
