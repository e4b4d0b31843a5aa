"""Plain loops that define each activation and its derivative; x is flat, one function a verb.

Everything is computed in float64 and rounded once. The smooth ones accept complex numbers, but for gelu: erfc is real.
"""

from __future__ import annotations

import math

import numpy as np

from ._pieces_reference import (  # noqa: F401
    hardsigmoid,
    hardsigmoid_backward,
    hardswish,
    hardswish_backward,
    hardtanh,
    hardtanh_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
)

ONE = np.float64(1)  # times a float32 gives a float64
HALF_ROOT = math.sqrt(0.5)
ROOT, CUBIC = math.sqrt(2 / math.pi), 0.044715  # of gelu's approximation by tanh
DENSITY = 1 / math.sqrt(2 * math.pi)  # of the standard normal distribution at 0


def elu(x, positive, negative, rate):
    """``positive x`` where x is positive, else ``negative (e**(rate x) - 1)``."""
    out = np.empty_like(x)
    for i in range(x.size):
        if x[i].real > 0:
            out[i] = ONE * x[i] * positive
        else:
            out[i] = np.expm1(ONE * x[i] * rate) * negative
    return out


def elu_backward(grad_output, x, positive, negative, rate):
    """``positive`` where x is positive or NaN, else ``negative rate e**(rate x)``."""
    grad_input = np.empty_like(x)
    for i in range(x.size):
        if x[i] <= 0:
            grad_input[i] = grad_output[i] * (np.exp(ONE * x[i] * rate) * (negative * rate))
        else:
            grad_input[i] = ONE * grad_output[i] * positive
    return grad_input


def sigmoid(x):
    """1 / (1 + e**-x)."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = 1 / (1 + np.exp(-ONE * x[i]))
    return out


def sigmoid_backward(grad_output, out):
    """``out (1 - out)``."""
    grad_input = np.empty_like(out)
    for i in range(out.size):
        grad_input[i] = grad_output[i] * (out[i] * (ONE - out[i]))
    return grad_input


def tanh(x):
    """``tanh x``."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = np.tanh(ONE * x[i])
    return out


def tanh_backward(grad_output, out):
    """1 - out**2, as a product that does not cancel."""
    grad_input = np.empty_like(out)
    for i in range(out.size):
        grad_input[i] = grad_output[i] * ((ONE - out[i]) * (ONE + out[i]))
    return grad_input


def softplus(x, beta, threshold):
    """log(1 + e**(beta x)) / beta, and x itself where beta x exceeds the threshold."""
    out = np.empty_like(x)
    for i in range(x.size):
        value = ONE * x[i] * beta
        if value.real > threshold:
            out[i] = x[i]
        elif value.real > 0:  # the same without overflow
            out[i] = (value + np.log1p(np.exp(-value))) / beta
        else:
            out[i] = np.log1p(np.exp(value)) / beta
    return out


def softplus_backward(grad_output, x, beta, threshold):
    """1 / (1 + e**(-beta x)), and 1 beyond the threshold."""
    grad_input = grad_output.copy()
    for i in range(x.size):
        value = ONE * x[i] * beta
        if not value > threshold:
            grad_input[i] = grad_output[i] * (1 / (1 + np.exp(-value)))
    return grad_input


def silu(x):
    """``x / (1 + e**-x)``."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = x[i] * (1 / (1 + np.exp(-ONE * x[i])))
    return out


def silu_backward(grad_output, x):
    """``s (1 + x (1 - s))`` with ``s = 1 / (1 + e**-x)``."""
    grad_input = np.empty_like(x)
    for i in range(x.size):
        s, complement = 1 / (1 + np.exp(-ONE * x[i])), 1 / (1 + np.exp(ONE * x[i]))
        grad_input[i] = grad_output[i] * (s * (1 + x[i] * complement))
    return grad_input


def gelu(x):
    """``x P(X < x)`` of a standard normal X."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = x[i] * (math.erfc(-HALF_ROOT * x[i]) / 2)
    return out


def gelu_backward(grad_output, x):
    """P(X < x) + x density(x)."""
    grad_input = np.empty_like(x)
    for i in range(x.size):
        density = math.exp(-0.5 * (ONE * x[i]) * x[i]) * DENSITY
        grad_input[i] = grad_output[i] * (math.erfc(-HALF_ROOT * x[i]) / 2 + x[i] * density)
    return grad_input


def gelu_tanh(x):
    """``x (1 + tanh(u)) / 2`` with ``u = sqrt(2 / pi) (x + 0.044715 x**3)``, which is ``x / (1 + e**(-2 u))``."""
    out = np.empty_like(x)
    for i in range(x.size):
        value = ONE * x[i]
        out[i] = value / (1 + np.exp(-2 * ROOT * value * (1 + CUBIC * value * value)))
    return out


def gelu_tanh_backward(grad_output, x):
    """``s + 2 x s (1 - s) du/dx`` with ``s = 1 / (1 + e**(-2 u))``."""
    grad_input = np.empty_like(x)
    for i in range(x.size):
        value = ONE * x[i]
        u = ROOT * value * (1 + CUBIC * value * value)
        s, complement = 1 / (1 + np.exp(-2 * u)), 1 / (1 + np.exp(2 * u))
        bell = s * complement  # 0 far out, where its factor overflows
        slope = 2 * value * ROOT * (1 + 3 * CUBIC * value * value) * bell if bell != 0 else 0.0 * value
        grad_input[i] = grad_output[i] * (s + slope)
    return grad_input


def mish(x):
    """``x tanh(log(1 + e**x))``."""
    out = np.empty_like(x)
    for i in range(x.size):
        value = ONE * x[i]
        soft = value + np.log1p(np.exp(-value)) if value.real > 0 else np.log1p(np.exp(value))
        out[i] = value * np.tanh(soft)
    return out


def mish_backward(grad_output, x):
    """``w + x (1 - w**2) / (1 + e**-x)`` with ``w = tanh(log(1 + e**x))``."""
    grad_input = np.empty_like(x)
    for i in range(x.size):
        value = ONE * x[i]
        soft = value + np.log1p(np.exp(-value)) if value > 0 else np.log1p(np.exp(value))
        slope = 1 / (np.cosh(soft) * np.cosh(soft)) / (1 + np.exp(-value))
        grad_input[i] = grad_output[i] * (np.tanh(soft) + value * slope)
    return grad_input
