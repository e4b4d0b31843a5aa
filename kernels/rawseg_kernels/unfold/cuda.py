"""Windows as columns in CUDA: a thread an element forward, a thread an input pixel backward; see ``unfold.cu``."""

from __future__ import annotations

import math

from .._cuda import Source, empty

kernel = Source(__file__, "unfold.cu").kernel


def forward(x, out_size, kernel_size, dilation, padding, stride):
    """See ``reference.forward``."""
    out = empty(x, (x.shape[0], x.shape[1] * math.prod(kernel_size), math.prod(out_size)))
    geometry = *kernel_size, *dilation, *padding, *stride
    kernel("unfold_forward", x.dtype)(out.size, x, out, out.size, *x.shape[2:], *out_size, *geometry)
    return out


def backward(grad_output, input_size, out_size, kernel_size, dilation, padding, stride):
    """See ``reference.backward``."""
    channels = grad_output.shape[1] // math.prod(kernel_size)
    grad_input = empty(grad_output, (grad_output.shape[0], channels, *input_size))
    sizes = grad_input.size, *input_size, *out_size
    run = kernel("unfold_backward", grad_output.dtype)
    run(grad_input.size, grad_output, grad_input, *sizes, *kernel_size, *dilation, *padding, *stride)
    return grad_input
