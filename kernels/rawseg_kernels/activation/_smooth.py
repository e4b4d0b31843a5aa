"""The activations with an exponential in them, as kernels."""

from __future__ import annotations

import numpy as np

from .._elementary import exp, expm1, normal
from .._elementary import sigmoid as _sigmoid
from .._elementary import softplus as _softplus
from .._elementary import tanh as _tanh
from .._jit import kernel
from ._runs import backward_form, forward_form
from .reference import CUBIC, ROOT


@forward_form
@kernel
def elu(first, last, x, out, positive, negative, rate):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        target[i] = value * positive if value > 0.0 else expm1(value * rate, values[i]) * negative


@backward_form
@kernel
def elu_backward(first, last, grad_output, x, grad_input, positive, negative, rate):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        target[i] = grads[i] * (exp(value * rate, values[i]) * (negative * rate) if value <= 0.0 else positive)


@forward_form
@kernel
def sigmoid(first, last, x, out):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        target[i] = _sigmoid(np.float64(values[i]), values[i])


@backward_form
@kernel
def sigmoid_backward(first, last, grad_output, out, grad_input):
    grads, values, target = grad_output[first:last], out[first:last], grad_input[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        target[i] = grads[i] * (value * (1.0 - value))


@forward_form
@kernel
def tanh(first, last, x, out):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        target[i] = _tanh(np.float64(values[i]), values[i])


@backward_form
@kernel
def tanh_backward(first, last, grad_output, out, grad_input):
    grads, values, target = grad_output[first:last], out[first:last], grad_input[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        target[i] = grads[i] * ((1.0 - value) * (1.0 + value))


@forward_form
@kernel
def softplus(first, last, x, out, beta, threshold):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        value = values[i] * beta
        target[i] = values[i] if value > threshold else _softplus(value, values[i]) / beta


@backward_form
@kernel
def softplus_backward(first, last, grad_output, x, grad_input, beta, threshold):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        value = values[i] * beta
        target[i] = grads[i] if value > threshold else grads[i] * _sigmoid(value, values[i])


@forward_form
@kernel
def silu(first, last, x, out):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        target[i] = values[i] * _sigmoid(np.float64(values[i]), values[i])


@backward_form
@kernel
def silu_backward(first, last, grad_output, x, grad_input):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        small = exp(-abs(value), values[i])
        large, small = 1.0 / (1.0 + small), small / (1.0 + small)
        s, complement = (small, large) if value < 0.0 else (large, small)
        target[i] = grads[i] * (s * (1.0 + value * complement))


@forward_form
@kernel
def gelu(first, last, x, out):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        target[i] = values[i] * normal(np.float64(values[i]))[0]


@backward_form
@kernel
def gelu_backward(first, last, grad_output, x, grad_input):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        below, density = normal(np.float64(values[i]))
        target[i] = grads[i] * (below + values[i] * density)


@forward_form
@kernel
def gelu_tanh(first, last, x, out):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        target[i] = value * _sigmoid(2.0 * ROOT * value * (1.0 + CUBIC * value * value), values[i])


@backward_form
@kernel
def gelu_tanh_backward(first, last, grad_output, x, grad_input):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        u = ROOT * value * (1.0 + CUBIC * value * value)
        s = _sigmoid(2.0 * u, values[i])
        small = exp(-2.0 * abs(u), values[i])
        bell = small / ((1.0 + small) * (1.0 + small))  # s (1 - s): 0 far out, where its factor overflows
        slope = 2.0 * value * ROOT * (1.0 + 3.0 * CUBIC * value * value) * bell
        target[i] = grads[i] * (s + (slope if bell != 0.0 else 0.0 * value))


@forward_form
@kernel
def mish(first, last, x, out):
    """With e = e**-|x|, tanh(log(1 + e**x)) is (1 + 2 e) / (1 + 2 e + 2 e**2), or (e**2 + 2 e) / (e**2 + 2 e + 2) below 0."""
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        small = exp(-abs(value), values[i])
        above, rest = (1.0 + 2.0 * small, 2.0 * small * small) if value > 0.0 else (small * (small + 2.0), 2.0)
        target[i] = value * (above / (above + rest))


@backward_form
@kernel
def mish_backward(first, last, grad_output, x, grad_input):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        value = np.float64(values[i])
        small = exp(-abs(value), values[i])
        above, rest = (1.0 + 2.0 * small, 2.0 * small * small) if value > 0.0 else (small * (small + 2.0), 2.0)
        whole = above + rest
        slope = 4.0 * (small * small if value > 0.0 else small) * (1.0 + small) / (whole * whole)
        target[i] = grads[i] * (above / whole + value * slope)
