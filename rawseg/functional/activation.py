"""Activations without parameters of their own: relu and its kin, and the smooth gates."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._arrays import FLOATING, real

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..errors import ArgumentError, DTypeError
from .naming import operation
from .nonlinearity import activated

__all__ = [
    "celu",
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "mish",
    "relu",
    "relu6",
    "selu",
    "silu",
    "tanh",
]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
GELU = {"none": "gelu", "tanh": "gelu_tanh"}


@operation
def relu(input: Any, inplace: bool = False) -> Tensor:
    """Return max(input, 0).

    Parameters
    ----------
    input : Tensor, any shape
        float32 or float64.
    inplace : bool
        Accepted for PyTorch's sake; the result is always a fresh Tensor.

    Returns
    -------
    Tensor, the shape of ``input``
        -0 stays -0 and NaN stays NaN; the gradient is 0 at 0 and 1 at NaN.

    Examples
    --------
    >>> import rawseg
    >>> relu(rawseg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return activated("relu", floating("relu", input))


@operation
def relu6(input: Any, inplace: bool = False) -> Tensor:
    """Return min(max(input, 0), 6); the gradient is 0 at 0 and at 6, and 1 at NaN. Shapes and arguments as in `relu`."""
    return activated("hardtanh", floating("relu6", input), 0.0, 6.0)


@operation
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Return the input held between two bounds; the gradient is 0 at the bounds, and 1 at NaN. Arguments as in `relu`."""
    return activated("hardtanh", floating("hardtanh", input), min_val, max_val)


@operation
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return the input where positive, else ``negative_slope * input``; its gradient is the slope at 0 and at NaN.

    Shapes and arguments as in `relu`. Maas et al., Rectifier nonlinearities improve neural network acoustic models (ICML 2013).
    """
    return activated("leaky_relu", floating("leaky_relu", input), negative_slope)


@operation
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return the input where positive, else ``alpha * (exp(input) - 1)``.

    Shapes and arguments as in `relu`. The gradient is ``alpha`` at 0 and 1 at NaN. Clevert et al., arXiv 1511.07289.
    """
    return activated("elu", floating("elu", input), 1.0, real("elu", "alpha", alpha), 1.0)


@operation
def selu(input: Any, inplace: bool = False) -> Tensor:
    """Return ``scale * elu(input, alpha)`` with the constants that keep mean 0 and variance 1.

    Shapes and arguments as in `relu`. Klambauer et al., Self-normalizing neural networks, arXiv 1706.02515, equation 2.
    """
    return activated("elu", floating("selu", input), SELU_SCALE, SELU_SCALE * SELU_ALPHA, 1.0)


@operation
def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return the input where positive, else ``alpha * (exp(input / alpha) - 1)``: an `elu` without a kink.

    Shapes and arguments as in `relu`. Barron, arXiv 1704.07483.

    Raises
    ------
    ArgumentError
        If ``alpha`` is not greater than 0. (PyTorch refuses 0 alone; below 0 the exponential grows without bound.)
    """
    if not real("celu", "alpha", alpha) > 0:
        raise ArgumentError("celu", "alpha", "greater than 0", alpha)
    return activated("elu", floating("celu", input), 1.0, alpha, 1 / alpha)


@operation
def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    """Return ``relu6(input + 3) / 6``; the gradient is 0 at -3, at 3 and at NaN. Shapes and arguments as in `relu`.

    The second derivative, 0 everywhere, exists; PyTorch has none. Howard et al., MobileNetV3, arXiv 1905.02244.
    """
    return activated("hardsigmoid", floating("hardsigmoid", input))


@operation
def hardswish(input: Any, inplace: bool = False) -> Tensor:
    """Return ``input * relu6(input + 3) / 6``; the gradient is 0 at -3, and 1 at 3 and at NaN. Arguments as in `relu`.

    Howard et al., MobileNetV3, arXiv 1905.02244, section 5.2.
    """
    return activated("hardswish", floating("hardswish", input))


@operation
def silu(input: Any, inplace: bool = False) -> Tensor:
    """Return ``input * sigmoid(input)``, also called swish; NaN at -inf. Shapes and arguments as in `relu`.

    Elfwing et al., arXiv 1702.03118.
    """
    return activated("silu", floating("silu", input))


@operation
def gelu(input: Any, approximate: str = "none") -> Tensor:
    """Return the input times the probability that a standard normal number is below it; NaN at -inf.

    Parameters
    ----------
    input : Tensor, any shape
        float32 or float64.
    approximate : {"none", "tanh"}
        ``"tanh"``: ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2``.

    Notes
    -----
    Hendrycks and Gimpel, arXiv 1606.08415. The probability is computed from its tail, so that the result is accurate far below
    0 too; PyTorch's ``1 + erf`` cancels there.
    """
    if not isinstance(approximate, str) or approximate not in GELU:
        raise ArgumentError("gelu", "approximate", f"one of {tuple(GELU)}", repr(approximate))
    return activated(GELU[approximate], floating("gelu", input))


@operation
def mish(input: Any, inplace: bool = False) -> Tensor:
    """Return ``input * tanh(log(1 + exp(input)))``; NaN at -inf. Shapes and arguments as in `relu`. Misra, arXiv 1908.08681."""
    return activated("mish", floating("mish", input))


@operation
def tanh(input: Any) -> Tensor:
    """Return the hyperbolic tangent. Shapes as in `relu`; float32 is computed in float64 and rounded once."""
    return activated("tanh", floating("tanh", input))


def floating(op: str, input: Any, dtype: Any = None) -> Tensor:
    """Return the input as a floating Tensor, cast first if a dtype is asked for."""
    x = as_tensor(op, "input", input)
    x = x if dtype is None else x.astype(_dtype(op, dtype))
    if x.dtype not in FLOATING:
        raise DTypeError(op, "input", "float32 or float64", x.dtype)
    return x


def _dtype(op: str, dtype: Any) -> np.dtype:
    try:
        wanted = np.dtype(dtype)
    except (TypeError, ValueError):
        wanted = None
    if wanted not in (np.float32, np.float64):
        raise DTypeError(op, "dtype", "float32 or float64", repr(dtype))
    return wanted
