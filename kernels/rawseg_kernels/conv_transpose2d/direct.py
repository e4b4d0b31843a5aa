"""The row loops of convolution with the roles swapped: forward is its adjoint, backward_input is its forward."""

from __future__ import annotations

from ..conv2d import direct


def forward(x, weight, bias, out_size, stride, padding, dilation, groups):
    """Apply the adjoint of the convolution with this weight, started at the bias."""
    shape = (x.shape[0], weight.shape[1] * groups, *out_size)
    return direct.backward_input(x, weight, shape, stride, padding, dilation, groups, bias)


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups):
    """Apply the convolution itself."""
    return direct.forward(grad_output, weight, None, input_shape[2:], stride, padding, dilation, groups)


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Take the convolution's weight gradient, for which x is the gradient of the output."""
    return direct.backward_weight(x, grad_output, weight_shape, stride, padding, dilation, groups)
