"""Transposed convolution in CUDA by tiles: convolution's with the roles swapped, a product for every phase of the stride."""

from __future__ import annotations

from ..conv2d import cuda_tiles


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, precision="fp32"):
    """See ``reference.forward``."""
    shape = x.shape[0], weight.shape[1] * groups, *out_size
    return cuda_tiles.backward_input(x, weight, shape, stride, padding, dilation, groups, bias, precision)


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, precision="fp32"):
    """See ``reference.backward_input``: the convolution itself."""
    size = input_shape[2:]
    return cuda_tiles.forward(grad_output, weight, None, size, stride, padding, dilation, groups, precision=precision)


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups, precision="fp32"):
    """See ``reference.backward_weight``: the convolution's, for which x is the gradient of the output."""
    return cuda_tiles.backward_weight(x, grad_output, weight_shape, stride, padding, dilation, groups, precision)
