"""Softmax in CUDA: a thread a pixel, over all of its classes; see ``softmax.cu``."""

from __future__ import annotations

from .._cuda import Source, empty

kernel = Source(__file__, "softmax.cu").kernel


def forward(x, logarithm):
    """See ``reference.forward``."""
    outer, classes, inner = x.shape
    out = empty(x, x.shape)
    kernel("softmax_forward", x.dtype)(outer * inner, x, out, outer * inner, classes, inner, logarithm)
    return out


def backward(grad_output, out, logarithm):
    """See ``reference.backward``."""
    outer, classes, inner = out.shape
    grad_input = empty(out, out.shape)
    run = kernel("softmax_backward", out.dtype)
    run(outer * inner, grad_output, out, grad_input, outer * inner, classes, inner, logarithm)
    return grad_input
