"""The activations of pieces of polynomials, as kernels: selections, and at most a product."""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from ._runs import backward_form, forward_form


@forward_form
@kernel
def relu(first, last, x, out):
    values, target, zero = x[first:last], out[first:last], x.dtype.type(0)
    for i in range(target.size):
        target[i] = zero if values[i] < 0 else values[i]


@backward_form
@kernel
def relu_backward(first, last, grad_output, out, grad_input):
    grads, values, target = grad_output[first:last], out[first:last], grad_input[first:last]
    zero = out.dtype.type(0)
    for i in range(target.size):
        target[i] = zero if values[i] <= 0 else grads[i]


@forward_form
@kernel
def hardtanh(first, last, x, out, min_val, max_val):
    values, target = x[first:last], out[first:last]
    low, high = x.dtype.type(min_val), x.dtype.type(max_val)
    for i in range(target.size):
        held = low if values[i] < low else values[i]
        target[i] = high if held > high else held


@backward_form
@kernel
def hardtanh_backward(first, last, grad_output, x, grad_input, min_val, max_val):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    low, high, zero = x.dtype.type(min_val), x.dtype.type(max_val), x.dtype.type(0)
    for i in range(target.size):
        held = zero if values[i] <= low else grads[i]
        target[i] = zero if values[i] >= high else held


@forward_form
@kernel
def leaky_relu(first, last, x, out, negative_slope):
    values, target, slope = x[first:last], out[first:last], x.dtype.type(negative_slope)
    for i in range(target.size):
        target[i] = values[i] if values[i] > 0 else values[i] * slope


@backward_form
@kernel
def leaky_relu_backward(first, last, grad_output, x, grad_input, negative_slope):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    slope = x.dtype.type(negative_slope)
    for i in range(target.size):
        target[i] = grads[i] if values[i] > 0 else grads[i] * slope


@forward_form
@kernel
def hardsigmoid(first, last, x, out):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        held = np.float64(values[i]) + 3.0
        held = 0.0 if held < 0.0 else held
        target[i] = (6.0 if held > 6.0 else held) / 6.0


@backward_form
@kernel
def hardsigmoid_backward(first, last, grad_output, x, grad_input):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        target[i] = np.float64(grads[i]) / 6.0 if abs(values[i]) < 3 else 0.0


@forward_form
@kernel
def hardswish(first, last, x, out):
    values, target = x[first:last], out[first:last]
    for i in range(target.size):
        held = np.float64(values[i]) + 3.0
        held = 0.0 if held < 0.0 else held
        target[i] = values[i] * (6.0 if held > 6.0 else held) / 6.0


@backward_form
@kernel
def hardswish_backward(first, last, grad_output, x, grad_input):
    grads, values, target = grad_output[first:last], x[first:last], grad_input[first:last]
    for i in range(target.size):
        value, grad = np.float64(values[i]), np.float64(grads[i])
        held = grad * (value / 3.0 + 0.5) if value < 3.0 else grad
        target[i] = 0.0 if value <= -3.0 else held
