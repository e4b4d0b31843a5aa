"""Plain loops that define the activations of pieces of polynomials; the other half of `reference`."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64


def relu(x):
    """max(x, 0): what is not below 0 stays, -0 and NaN too."""
    out = x.copy()
    for i in range(x.size):
        if x[i] < 0:
            out[i] = 0
    return out


def relu_backward(grad_output, out):
    """0 where the output is at most 0."""
    grad_input = grad_output.copy()
    for i in range(out.size):
        if out[i] <= 0:
            grad_input[i] = 0
    return grad_input


def hardtanh(x, min_val, max_val):
    """``x`` held between two bounds."""
    out = x.copy()
    for i in range(x.size):
        if x[i] < min_val:
            out[i] = min_val
        elif x[i] > max_val:
            out[i] = max_val
    return out


def hardtanh_backward(grad_output, x, min_val, max_val):
    """0 at the bounds and outside."""
    grad_input = grad_output.copy()
    for i in range(x.size):
        if x[i] <= min_val or x[i] >= max_val:
            grad_input[i] = 0
    return grad_input


def leaky_relu(x, negative_slope):
    """``x`` where positive, else ``negative_slope x``."""
    out = x.copy()
    for i in range(x.size):
        if not x[i] > 0:
            out[i] = ONE * x[i] * negative_slope
    return out


def leaky_relu_backward(grad_output, x, negative_slope):
    """1 where x is positive, else negative_slope."""
    grad_input = grad_output.copy()
    for i in range(x.size):
        if not x[i] > 0:
            grad_input[i] = ONE * grad_output[i] * negative_slope
    return grad_input


def hardsigmoid(x):
    """(x + 3) / 6 between 0 and 1."""
    out = np.empty_like(x)
    for i in range(x.size):
        value = ONE * x[i] + 3
        if value < 0:
            value = 0.0
        elif value > 6:
            value = 6.0
        out[i] = value / 6
    return out


def hardsigmoid_backward(grad_output, x):
    """1/6 between -3 and 3, both excluded; 0 at NaN."""
    grad_input = np.zeros_like(x)
    for i in range(x.size):
        if -3 < x[i] < 3:
            grad_input[i] = ONE * grad_output[i] / 6
    return grad_input


def hardswish(x):
    """``x hardsigmoid(x)``."""
    out = np.empty_like(x)
    for i in range(x.size):
        value = ONE * x[i] + 3
        if value < 0:
            value = 0.0
        elif value > 6:
            value = 6.0
        out[i] = x[i] * value / 6
    return out


def hardswish_backward(grad_output, x):
    """0 up to -3, 1 from 3 on, between them x / 3 + 1/2; 1 at NaN."""
    grad_input = grad_output.copy()
    for i in range(x.size):
        if x[i] <= -3:
            grad_input[i] = 0
        elif x[i] < 3:
            grad_input[i] = grad_output[i] * (ONE * x[i] / 3 + 0.5)
    return grad_input
