"""Convolution in CUDA, a thread an element of the result: the readable form, with the sums of ``reference.py``.

The gradients of weight and bias are sums over all pixels, which a thread each would take too long for: they are summed in
double in parts, and the parts in order, so they may differ from the loops' by the last bits of a double before it is rounded.
"""

from __future__ import annotations

from .._cuda import Source, empty
from .._epilogue import NOTHING

kernel = Source(__file__, "conv2d.cu").kernel
MOST_PARTS = 64


def following(after):
    """Return an epilogue as kernels take it: constants, or None for each, and bounds."""
    constants = (after.centre, after.scale, after.shift) if after.scale.size else (None, None, None)
    return *constants, after.low, after.high


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING):
    """See ``reference.forward``; ``after`` is applied before a sum is stored."""
    out = empty(x, (x.shape[0], weight.shape[0], *out_size))
    sizes = *x.shape[2:], weight.shape[0], *out_size, *weight.shape[1:]
    run = kernel("conv2d_forward", x.dtype)
    run(out.size, x, weight, bias, *following(after), out, out.size, *sizes, *stride, *padding, *dilation, groups)
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias=None):
    """See ``reference.backward_input``; ``bias``, one value an input channel, is added to the sums."""
    grad_input = empty(grad_output, input_shape)
    sizes = *input_shape[1:], *grad_output.shape[1:], *weight.shape[1:]
    run = kernel("conv2d_backward_input", grad_output.dtype)
    count = grad_input.size
    run(count, grad_output, weight, bias, grad_input, count, *sizes, *stride, *padding, *dilation, groups)
    return grad_input


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """See ``reference.backward_weight``."""
    grad_weight = empty(x, weight_shape)
    rows, parts = _parts(grad_output)
    sums = empty(x, (parts, *weight_shape), "float64")
    sizes = *x.shape[2:], *grad_output.shape[1:], *weight_shape[1:]
    run = kernel("conv2d_backward_weight_parts", x.dtype)
    run(sums.size, grad_output, x, sums, sums.size, rows, parts, *sizes, *stride, *padding, *dilation, groups)
    return sum_of_parts(sums, grad_weight)


def backward_bias(grad_output):
    """See ``reference.backward_bias``."""
    grad_bias = empty(grad_output, grad_output.shape[1:2])
    rows, parts = _parts(grad_output)
    sums = empty(grad_output, (parts, grad_bias.size), "float64")
    run = kernel("conv2d_backward_bias_parts", grad_output.dtype)
    run(sums.size, grad_output, sums, sums.size, rows, parts, *grad_output.shape[1:])
    return sum_of_parts(sums, grad_bias)


def sum_of_parts(sums, out):
    """Add sums of float64 along their first axis, in order, into ``out``, and return it."""
    kernel("conv2d_sum_of_parts", out.dtype)(out.size, sums, out, out.size, sums.shape[0])
    return out


def _parts(grad_output):
    """Return how many rows of pixels there are, and in how many parts they are summed: at least one, if all of nothing."""
    rows = grad_output.shape[0] * grad_output.shape[2]
    return rows, max(1, min(rows, MOST_PARTS))
