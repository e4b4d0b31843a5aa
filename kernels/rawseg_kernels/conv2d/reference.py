"""Convolution as plain loops: the definition that every other form is checked against.

Sums run in the order of the equation (channel, kernel row, kernel column), in float64 for float32 arrays, rounded once; a tap
that falls outside the input is skipped, never multiplied. ``padding`` is (top, left); the output size says the rest.
"""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # widens a float32 factor


def forward(x, weight, bias, out_size, stride, padding, dilation, groups):
    """``out[b, k, oh, ow] = bias[k] + sum over c, kh, kw of weight[k, c, kh, kw] * x[b, first + c, ih, iw]``."""
    n, _, h, w = x.shape
    out_channels, depth, kernel_h, kernel_w = weight.shape
    out = np.empty((n, out_channels, out_size[0], out_size[1]), x.dtype)
    for b in range(n):
        for k in range(out_channels):
            first = k // (out_channels // groups) * depth  # of the input channels of this group
            for oh in range(out_size[0]):
                for ow in range(out_size[1]):
                    total = 0.0 * ONE
                    for c in range(depth):
                        for kh in range(kernel_h):
                            for kw in range(kernel_w):
                                ih = oh * stride[0] - padding[0] + kh * dilation[0]
                                iw = ow * stride[1] - padding[1] + kw * dilation[1]
                                if 0 <= ih < h and 0 <= iw < w:
                                    total += ONE * x[b, first + c, ih, iw] * weight[k, c, kh, kw]
                    if bias is not None:
                        total += ONE * bias[k]
                    out[b, k, oh, ow] = total
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups):
    """Gather, for every input pixel, the outputs that it took part in: the adjoint of ``forward`` in ``x``."""
    _, out_channels, out_h, out_w = grad_output.shape
    _, depth, kernel_h, kernel_w = weight.shape
    n, channels, h, w = input_shape
    per_group = out_channels // groups
    grad_input = np.empty(input_shape, grad_output.dtype)
    for b in range(n):
        for c in range(channels):
            first = c // depth * per_group  # of the output channels of this group
            for ih in range(h):
                for iw in range(w):
                    total = 0.0 * ONE
                    for k in range(first, first + per_group):
                        for kh in range(kernel_h):
                            for kw in range(kernel_w):
                                oh, rest_h = divmod(ih + padding[0] - kh * dilation[0], stride[0])
                                ow, rest_w = divmod(iw + padding[1] - kw * dilation[1], stride[1])
                                if rest_h == 0 and rest_w == 0 and 0 <= oh < out_h and 0 <= ow < out_w:
                                    total += ONE * grad_output[b, k, oh, ow] * weight[k, c % depth, kh, kw]
                    grad_input[b, c, ih, iw] = total
    return grad_input


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Sum ``grad_output[b, k, oh, ow] * x[b, first + c, ih, iw]`` over b, oh, ow for every tap: the adjoint in ``weight``."""
    n, out_channels, out_h, out_w = grad_output.shape
    _, _, h, w = x.shape
    _, depth, kernel_h, kernel_w = weight_shape
    grad_weight = np.empty(weight_shape, grad_output.dtype)
    for k in range(out_channels):
        first = k // (out_channels // groups) * depth
        for c in range(depth):
            for kh in range(kernel_h):
                for kw in range(kernel_w):
                    total = 0.0 * ONE
                    for b in range(n):
                        for oh in range(out_h):
                            for ow in range(out_w):
                                ih = oh * stride[0] - padding[0] + kh * dilation[0]
                                iw = ow * stride[1] - padding[1] + kw * dilation[1]
                                if 0 <= ih < h and 0 <= iw < w:
                                    total += ONE * grad_output[b, k, oh, ow] * x[b, first + c, ih, iw]
                    grad_weight[k, c, kh, kw] = total
    return grad_weight


def backward_bias(grad_output):
    """Sum over b, oh, ow in that order: the adjoint in ``bias``."""
    n, out_channels, out_h, out_w = grad_output.shape
    grad_bias = np.empty(out_channels, grad_output.dtype)
    for k in range(out_channels):
        total = 0.0 * ONE
        for b in range(n):
            for oh in range(out_h):
                for ow in range(out_w):
                    total += ONE * grad_output[b, k, oh, ow]
        grad_bias[k] = total
    return grad_bias
