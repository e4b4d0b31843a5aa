# ruff: noqa: D103 (the loops in reference.py say what each computes)
"""Activations as expressions over whole arrays, for NumPy and CuPy alike: a line each, and a temporary for every operation.

They are a third opinion. What only selects works in the dtype of the array; the rest is computed in float64 and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .._arrays import module_of
from .reference import CUBIC, DENSITY, HALF_ROOT, ROOT


def _wide(expression: Callable[..., Any]) -> Callable[..., Any]:
    """Compute the expression in float64 and round its result."""

    @wraps(expression)
    def rounded(*arguments):
        dtype = arguments[0].dtype
        with np.errstate(all="ignore"):  # inf and NaN follow IEEE rules and are answers
            return expression(*(a.astype(np.float64) if hasattr(a, "dtype") else a for a in arguments)).astype(dtype)

    return rounded


def _erfc(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return np.vectorize(math.erfc, otypes=[np.float64])(x)
    from cupyx.scipy.special import erfc  # type: ignore[import-not-found]

    return erfc(x)


def _sigmoid(x: Any) -> Any:
    xp = module_of(x)
    small = xp.exp(-abs(x))  # in [0, 1]: never overflows
    return xp.where(x < 0, small, 1) / (1 + small)


def _zero_where(condition: Any, x: Any) -> Any:
    return module_of(x).where(condition, x.dtype.type(0), x)


def relu(x):
    return _zero_where(x < 0, x)


def relu_backward(grad_output, out):
    return _zero_where(out <= 0, grad_output)


def hardtanh(x, min_val, max_val):
    where, number = module_of(x).where, x.dtype.type
    return where(x < number(min_val), number(min_val), where(x > number(max_val), number(max_val), x))


def hardtanh_backward(grad_output, x, min_val, max_val):
    return _zero_where((x <= x.dtype.type(min_val)) | (x >= x.dtype.type(max_val)), grad_output)


def leaky_relu(x, negative_slope):
    return module_of(x).where(x > 0, x, x * x.dtype.type(negative_slope))


def leaky_relu_backward(grad_output, x, negative_slope):
    return module_of(x).where(x > 0, grad_output, grad_output * x.dtype.type(negative_slope))


@_wide
def hardsigmoid(x):
    return (x + 3).clip(0, 6) / 6


@_wide
def hardsigmoid_backward(grad_output, x):
    return _zero_where(~(abs(x) < 3), grad_output / 6)


@_wide
def hardswish(x):
    return x * (x + 3).clip(0, 6) / 6


@_wide
def hardswish_backward(grad_output, x):
    return _zero_where(x <= -3, module_of(x).where(x < 3, grad_output * (x / 3 + 0.5), grad_output))


@_wide
def elu(x, positive, negative, rate):
    xp = module_of(x)
    return xp.where(x > 0, x * positive, xp.expm1(x * rate) * negative)


@_wide
def elu_backward(grad_output, x, positive, negative, rate):
    xp = module_of(x)
    return grad_output * xp.where(x <= 0, xp.exp(x * rate) * (negative * rate), positive)


@_wide
def sigmoid(x):
    return _sigmoid(x)


@_wide
def sigmoid_backward(grad_output, out):
    return grad_output * (out * (1 - out))


@_wide
def tanh(x):
    return module_of(x).tanh(x)


@_wide
def tanh_backward(grad_output, out):
    return grad_output * ((1 - out) * (1 + out))


@_wide
def softplus(x, beta, threshold):
    xp, value = module_of(x), x * beta
    return xp.where(value > threshold, x, (xp.maximum(value, 0) + xp.log1p(xp.exp(-abs(value)))) / beta)


@_wide
def softplus_backward(grad_output, x, beta, threshold):
    return module_of(x).where(x * beta > threshold, grad_output, grad_output * _sigmoid(x * beta))


@_wide
def silu(x):
    return x * _sigmoid(x)


@_wide
def silu_backward(grad_output, x):
    return grad_output * (_sigmoid(x) * (1 + x * _sigmoid(-x)))


@_wide
def gelu(x):
    return x * (_erfc(-HALF_ROOT * x) / 2)


@_wide
def gelu_backward(grad_output, x):
    return grad_output * (_erfc(-HALF_ROOT * x) / 2 + x * (module_of(x).exp(-0.5 * x * x) * DENSITY))


@_wide
def gelu_tanh(x):
    return x * _sigmoid(2 * ROOT * x * (1 + CUBIC * x * x))


@_wide
def gelu_tanh_backward(grad_output, x):
    u = ROOT * x * (1 + CUBIC * x * x)
    bell = _sigmoid(2 * u) * _sigmoid(-2 * u)  # 0 far out, where its factor overflows
    slope = module_of(x).where(bell != 0, 2 * x * ROOT * (1 + 3 * CUBIC * x * x) * bell, 0 * x)
    return grad_output * (_sigmoid(2 * u) + slope)


def _gate(x: Any) -> Any:
    """tanh(log(1 + e**x))."""
    xp = module_of(x)
    return xp.tanh(xp.maximum(x, 0) + xp.log1p(xp.exp(-abs(x))))


@_wide
def mish(x):
    return x * _gate(x)


@_wide
def mish_backward(grad_output, x):
    xp, w = module_of(x), _gate(x)
    small = xp.exp(-abs(x))
    whole = xp.where(x > 0, 1 + 2 * small + 2 * small * small, 2 + 2 * small + small * small)
    slope = 4 * xp.where(x > 0, small * small, small) * (1 + small) / (whole * whole)  # (1 - w**2) / (1 + e**-x)
    return grad_output * (w + x * slope)
