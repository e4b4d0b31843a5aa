"""Average pooling in CUDA: a thread an output forward, a thread an input pixel backward; see ``avg_pool2d.cu``."""

from __future__ import annotations

from .._cuda import Source, empty

kernel = Source(__file__, "avg_pool2d.cu").kernel


def forward(x, kernel_size, stride, padding, output_size, count_include_pad, divisor_override):
    """See ``reference.forward``."""
    out = empty(x, (*x.shape[:2], *output_size))
    window = *kernel_size, *stride, *padding, int(count_include_pad), divisor_override
    kernel("avg_pool2d_forward", x.dtype)(out.size, x, out, out.size, *x.shape[2:], *output_size, *window)
    return out


def backward(grad_output, input_shape, kernel_size, stride, padding, count_include_pad, divisor_override):
    """See ``reference.backward``."""
    grad_input = empty(grad_output, input_shape)
    sizes = *input_shape[2:], *grad_output.shape[2:]
    window = *kernel_size, *stride, *padding, int(count_include_pad), divisor_override
    kernel("avg_pool2d_backward", grad_output.dtype)(grad_input.size, grad_output, grad_input, grad_input.size, *sizes, *window)
    return grad_input
