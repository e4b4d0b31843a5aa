# ruff: noqa: D103 (the loops in reference.py say what each computes)
"""Activations in CUDA: a thread an element; see ``activation.cu``."""

from __future__ import annotations

from typing import Any

from .._cuda import Source, empty

kernel = Source(__file__, "activation.cu").kernel


def _run(name: str, arrays: tuple[Any, ...], *parameters: float) -> Any:
    out = empty(arrays[0], arrays[0].shape)
    kernel(name, out.dtype)(out.size, *arrays, out, out.size, *parameters)
    return out


def relu(x):
    return _run("activation_relu", (x,))


def relu_backward(grad_output, out):
    return _run("activation_relu_backward", (grad_output, out))


def hardtanh(x, min_val, max_val):
    return _run("activation_hardtanh", (x,), min_val, max_val)


def hardtanh_backward(grad_output, x, min_val, max_val):
    return _run("activation_hardtanh_backward", (grad_output, x), min_val, max_val)


def leaky_relu(x, negative_slope):
    return _run("activation_leaky_relu", (x,), negative_slope)


def leaky_relu_backward(grad_output, x, negative_slope):
    return _run("activation_leaky_relu_backward", (grad_output, x), negative_slope)


def hardsigmoid(x):
    return _run("activation_hardsigmoid", (x,))


def hardsigmoid_backward(grad_output, x):
    return _run("activation_hardsigmoid_backward", (grad_output, x))


def hardswish(x):
    return _run("activation_hardswish", (x,))


def hardswish_backward(grad_output, x):
    return _run("activation_hardswish_backward", (grad_output, x))


def elu(x, positive, negative, rate):
    return _run("activation_elu", (x,), positive, negative, rate)


def elu_backward(grad_output, x, positive, negative, rate):
    return _run("activation_elu_backward", (grad_output, x), positive, negative, rate)


def sigmoid(x):
    return _run("activation_sigmoid", (x,))


def sigmoid_backward(grad_output, out):
    return _run("activation_sigmoid_backward", (grad_output, out))


def tanh(x):
    return _run("activation_tanh", (x,))


def tanh_backward(grad_output, out):
    return _run("activation_tanh_backward", (grad_output, out))


def softplus(x, beta, threshold):
    return _run("activation_softplus", (x,), beta, threshold)


def softplus_backward(grad_output, x, beta, threshold):
    return _run("activation_softplus_backward", (grad_output, x), beta, threshold)


def silu(x):
    return _run("activation_silu", (x,))


def silu_backward(grad_output, x):
    return _run("activation_silu_backward", (grad_output, x))


def gelu(x):
    return _run("activation_gelu", (x,))


def gelu_backward(grad_output, x):
    return _run("activation_gelu_backward", (grad_output, x))


def gelu_tanh(x):
    return _run("activation_gelu_tanh", (x,))


def gelu_tanh_backward(grad_output, x):
    return _run("activation_gelu_tanh_backward", (grad_output, x))


def mish(x):
    return _run("activation_mish", (x,))


def mish_backward(grad_output, x):
    return _run("activation_mish_backward", (grad_output, x))
