"""Activations: the kernels of rawseg.functional where there is one, else composed of operations with derivatives."""

from __future__ import annotations

import math

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...autograd.arithmetic import where
from ...errors import ShapeError
from ...functional.nonlinearity import activated
from ..node import Node
from .operands import broadcast_shape, floating, on_arrays, same_dtype
from .registry import operator

SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875  # float32, as ONNX writes them


@operator("Relu", widens=True)
def relu(node: Node, x: Tensor) -> Tensor:
    """Return max(x, 0), also of integers."""
    if x.dtype.kind != "f":
        return on_arrays(lambda xp, array: xp.maximum(array, array.dtype.type(0)), x)
    return F.relu(x)


@operator("LeakyRelu", widens=True)
def leaky_relu(node: Node, x: Tensor) -> Tensor:
    """Return x where positive, else ``alpha * x``."""
    return F.leaky_relu(x, float(node.attribute("alpha", 0.01)))


@operator("PRelu", widens=True)
def prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    """Return x where positive, else ``slope * x``; at 0 the gradient is the slope, as PyTorch has it."""
    same_dtype(node, x, slope)
    if node.version < 7 and slope.ndim == 1 and x.ndim > 1:
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))  # one for each channel
    if broadcast_shape(node, x, slope) != x.shape:
        raise ShapeError(node.label, "slope", f"a shape that broadcasts to {x.shape}", slope.shape)
    positive = x > 0
    return where(
        positive, x, where(positive, x.zeros_like(), x) * slope
    )  # held: an unused inf would spoil the slope's gradient


@operator("Elu", widens=True)
def elu(node: Node, x: Tensor) -> Tensor:
    """Return x where positive, else ``alpha * (e**x - 1)``."""
    return F.elu(x, float(node.attribute("alpha", 1.0)))


@operator("Celu", widens=True)
def celu(node: Node, x: Tensor) -> Tensor:
    """Return x where positive, else ``alpha * (e**(x / alpha) - 1)``."""
    return F.celu(x, float(node.attribute("alpha", 1.0)))


@operator("Selu", widens=True)
def selu(node: Node, x: Tensor) -> Tensor:
    """Return gamma times x where positive, else gamma times ``alpha * (e**x - 1)``."""
    alpha, gamma = float(node.attribute("alpha", SELU_ALPHA)), float(node.attribute("gamma", SELU_GAMMA))
    return activated("elu", floating(node, x), gamma, gamma * alpha, 1.0)


@operator("ThresholdedRelu", widens=True)
def thresholded_relu(node: Node, x: Tensor) -> Tensor:
    """Return x where greater than ``alpha``, else 0."""
    return where(floating(node, x) > float(node.attribute("alpha", 1.0)), x, 0.0)


@operator("HardSigmoid", widens=True)
def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    """Return ``alpha * x + beta``, held between 0 and 1."""
    alpha, beta = float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5))
    return F.hardtanh(floating(node, x) * alpha + beta, 0.0, 1.0)


@operator("HardSwish", widens=True)
def hard_swish(node: Node, x: Tensor) -> Tensor:
    """Return x times ``x / 6 + 1 / 2``, this held between 0 and 1."""
    return F.hardswish(x)


@operator("Sigmoid", widens=True)
def sigmoid(node: Node, x: Tensor) -> Tensor:
    """Return 1 / (1 + e**-x)."""
    return F.sigmoid(x)


@operator("Tanh", widens=True)
def tanh(node: Node, x: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return F.tanh(x)


@operator("Softplus", widens=True)
def softplus(node: Node, x: Tensor) -> Tensor:
    """Return log(1 + e**x)."""
    return F.softplus(x, threshold=math.inf)


@operator("Softsign", widens=True)
def softsign(node: Node, x: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return floating(node, x) / (abs(x) + 1)


@operator("Mish", widens=True)
def mish(node: Node, x: Tensor) -> Tensor:
    """Return ``x * tanh(log(1 + e**x))``."""
    return F.mish(x)


@operator("Gelu", widens=True)
def gelu(node: Node, x: Tensor) -> Tensor:
    """Return x times the probability that a standard normal number is below it, or an approximation by tanh."""
    return F.gelu(x, node.attribute("approximate", "none"))


@operator("Swish", widens=True)
def swish(node: Node, x: Tensor) -> Tensor:
    """Return ``x * sigmoid(alpha * x)``."""
    alpha = float(node.attribute("alpha", 1.0))
    return F.silu(x) if alpha == 1 else x * F.sigmoid(x * alpha)


@operator("SwiGLU", widens=True)
def gated_swish(node: Node, gate: Tensor, x: Tensor) -> Tensor:
    """Return the swish of a gate times x, of one shape."""
    if gate.shape != x.shape:
        raise ShapeError(node.label, "B", f"shape {gate.shape}, that of A", x.shape)
    return swish(node, gate) * x


@operator("Shrink", widens=True)
def shrink(node: Node, x: Tensor) -> Tensor:
    """Return x moved by ``bias`` towards 0 where it is farther than ``lambd`` from it, else 0; also of integers."""
    lambd, bias = float(node.attribute("lambd", 0.5)), float(node.attribute("bias", 0.0))
    if x.dtype.kind != "f":
        return shrink(node, x.double()).astype(x.dtype)
    return where(x < -lambd, x + bias, where(x > lambd, x - bias, 0.0))


@operator("Clip", widens=True)
def clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Return x held between two bounds: attributes before version 11, then inputs.

    Where one is missing it holds nothing; where they cross, the upper one wins. Between two finite numbers it is hardtanh, so
    relu6 of an exported network has the gradient that it had, and waits for the convolution before it.
    """
    bounds = [_bound(node, x, "min", low), _bound(node, x, "max", high)]
    if x.dtype.kind == "f" and not any(bound is not None and bound.requires_grad for bound in bounds):
        least, most = (free if bound is None else float(bound.item()) for bound, free in zip(bounds, (-math.inf, math.inf)))
        if least <= most:
            return F.hardtanh(x, least, most)
    for bound, hold in zip(bounds, (Tensor.maximum, Tensor.minimum)):
        x = x if bound is None else hold(x, bound)
    return x


def _bound(node: Node, x: Tensor, name: str, given: Tensor | None) -> Tensor | None:
    """Return a bound as a Tensor without axes, or None."""
    if given is None:
        value = node.attribute(name)
        return None if value is None else Tensor(np.asarray(value, x.dtype)).to(x.device)
    same_dtype(node, x, given)
    if given.size != 1:
        raise ShapeError(node.label, name, "one number", given.shape)
    return given.reshape(())
