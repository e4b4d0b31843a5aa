"""Transposed convolution in CUDA: forward a thread an output; its gradients are convolution's with the roles swapped."""

from __future__ import annotations

from .._cuda import Source, empty
from ..conv2d import cuda

kernel = Source(__file__, "conv_transpose2d.cu").kernel


def forward(x, weight, bias, out_size, stride, padding, dilation, groups):
    """See ``reference.forward``."""
    out = empty(x, (x.shape[0], weight.shape[1] * groups, *out_size))
    sizes = *x.shape[1:], weight.shape[1], *out_size, *weight.shape[2:]
    run = kernel("conv_transpose2d_forward", x.dtype)
    run(out.size, x, weight, bias, out, out.size, *sizes, *stride, *padding, *dilation, groups)
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups):
    """See ``reference.backward_input``: the convolution itself."""
    return cuda.forward(grad_output, weight, None, input_shape[2:], stride, padding, dilation, groups)


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """See ``reference.backward_weight``: the convolution's, for which x is the gradient of the output."""
    return cuda.backward_weight(x, grad_output, weight_shape, stride, padding, dilation, groups)
