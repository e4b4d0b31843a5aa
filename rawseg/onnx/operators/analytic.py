"""Functions of one number: roots, powers of e and logarithms, the trigonometric, the hyperbolic and the error function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd import Function, Tensor
from ...autograd.operands import wide
from ...device import array_module
from ..node import Node
from .operands import floating
from .registry import operator

# what Tensors have themselves, under the names of ONNX
METHODS = {"Cos": "cos", "Exp": "exp", "Log": "log", "Sin": "sin", "Sqrt": "sqrt"}


class Analytic(Function):
    """One of `FORMULAS`, by name; float32 is computed in float64 and rounded once."""

    @staticmethod
    def forward(ctx, x, *, name):
        """Return the values."""
        ctx.name = name
        ctx.save(x)
        return wide(lambda wide_x: FORMULAS[name][0](array_module(x), wide_x), x).astype(x.dtype, copy=False)

    @staticmethod
    def backward(ctx, grad_output):
        """Return the gradient times the slope, which is composed of operations that have derivatives themselves."""
        (x,) = ctx.saved
        return grad_output * FORMULAS[ctx.name][1](x)


def analytic(name: str, x: Tensor) -> Tensor:
    """Return one of `FORMULAS` of each element."""
    return Analytic.apply(x, name=name)


def _erf(xp: Any, x: Any) -> Any:
    if xp is np:
        from scipy.special import erf
    else:
        from cupyx.scipy.special import erf  # type: ignore[import-not-found]
    return erf(x)


# the values of arrays, and the slope of Tensors
FORMULAS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Tensor], Tensor]]] = {
    "Acos": (lambda xp, x: xp.arccos(x), lambda x: -(((1 - x) * (1 + x)) ** -0.5)),
    "Acosh": (lambda xp, x: xp.arccosh(x), lambda x: (x - 1) ** -0.5 * (x + 1) ** -0.5),
    "Asin": (lambda xp, x: xp.arcsin(x), lambda x: ((1 - x) * (1 + x)) ** -0.5),
    "Asinh": (lambda xp, x: xp.arcsinh(x), lambda x: (x * x + 1) ** -0.5),
    "Atan": (lambda xp, x: xp.arctan(x), lambda x: 1 / (x * x + 1)),
    "Atanh": (lambda xp, x: xp.arctanh(x), lambda x: 1 / ((1 - x) * (1 + x))),
    "Cosh": (lambda xp, x: xp.cosh(x), lambda x: analytic("Sinh", x)),
    "Erf": (_erf, lambda x: (x * x * -1.0).exp() * (2 / math.sqrt(math.pi))),
    "Sinh": (lambda xp, x: xp.sinh(x), lambda x: analytic("Cosh", x)),
    "Tan": (lambda xp, x: xp.tan(x), lambda x: analytic("Tan", x) ** 2 + 1),
}


def _register(name: str) -> None:
    """Register an operator of one of the two tables."""

    @operator(name)
    def apply(node: Node, x: Tensor) -> Tensor:
        x = floating(node, x)
        return getattr(x, METHODS[name])() if name in METHODS else analytic(name, x)


for _name in (*METHODS, *FORMULAS):
    _register(_name)


@operator("Reciprocal")
def reciprocal(node: Node, x: Tensor) -> Tensor:
    """Return 1 / x."""
    return 1 / floating(node, x)


@operator("Neg")
def negative(node: Node, x: Tensor) -> Tensor:
    """Return -x, also of integers."""
    return -x


@operator("Abs")
def absolute(node: Node, x: Tensor) -> Tensor:
    """Return x without its sign, also of integers."""
    return abs(x)
