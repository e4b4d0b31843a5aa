"""Max pooling in CUDA: a thread an output forward, a thread an input pixel backward; see ``max_pool2d.cu``."""

from __future__ import annotations

import math

import numpy as np

from .._cuda import Source, empty
from .._cuda.scatter import scattered

kernel = Source(__file__, "max_pool2d.cu").kernel


def forward(x, kernel_size, stride, padding, dilation, output_size):
    """See ``reference.forward``."""
    shape = *x.shape[:2], *output_size
    out, indices = empty(x, shape), empty(x, shape, np.int64)
    run = kernel("max_pool2d_forward", x.dtype)
    run(out.size, x, out, indices, out.size, *x.shape[2:], *output_size, *kernel_size, *stride, *padding, *dilation)
    return out, indices


def forward_taps(x, kernel_size, stride, padding, dilation, output_size):
    """See ``reference.forward_taps``."""
    shape = *x.shape[:2], *output_size
    out, taps = empty(x, shape), empty(x, shape, np.uint8)
    run = kernel("max_pool2d_forward_taps", x.dtype)
    run(out.size, x, out, taps, out.size, *x.shape[2:], *output_size, *kernel_size, *stride, *padding, *dilation)
    return out, taps


def indices_of_taps(taps, input_shape, kernel_size, stride, padding, dilation):
    """See ``reference.indices_of_taps``."""
    indices = empty(taps, taps.shape, np.int64)
    run = kernel("max_pool2d_indices_of_taps", np.float32)  # no element is read
    run(taps.size, taps, indices, taps.size, input_shape[3], *taps.shape[2:], kernel_size[1], *stride, *padding, *dilation)
    return indices


def backward_taps(grad_output, taps, input_shape, kernel_size, stride, padding, dilation):
    """See ``reference.backward_taps``."""
    grad_input = empty(grad_output, input_shape)
    sizes = *input_shape[2:], *grad_output.shape[2:]
    run = kernel("max_pool2d_backward_taps", grad_output.dtype)
    geometry = *kernel_size, *stride, *padding, *dilation
    run(grad_input.size, grad_output, taps, grad_input, grad_input.size, *sizes, *geometry)
    return grad_input


def backward(grad_output, indices, input_shape):
    """See ``reference.backward``."""
    return scattered(grad_output, indices, input_shape, adding=True)


def gather(grad_grad_input, indices):
    """See ``reference.gather``."""
    out = empty(grad_grad_input, indices.shape)
    plane, out_plane = math.prod(grad_grad_input.shape[2:]), math.prod(indices.shape[2:])
    run = kernel("max_pool2d_gather", grad_grad_input.dtype)
    run(out.size, grad_grad_input, indices, out, out.size, plane, out_plane)
    return out
