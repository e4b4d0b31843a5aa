"""Transposed convolution as plain loops: every element of x is scattered, times the kernel, into the output.

The definition that every other form is checked against, written on its own: it calls nothing of the convolution. Sums are
taken in float64 for float32 arrays and rounded once; a tap that lands outside the output is dropped. ``out_size`` is given,
so the output padding needs no word here.
"""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # widens a float32 factor


def forward(x, weight, bias, out_size, stride, padding, dilation, groups):
    """``out[b, k, ih * stride - padding + kh * dilation, ...] += weight[c, k, kh, kw] * x[b, c, ih, iw]``, then the bias."""
    n, channels, h, w = x.shape
    _, per_group, kernel_h, kernel_w = weight.shape
    total = np.zeros((n, per_group * groups, out_size[0], out_size[1]), (ONE * weight[:0]).dtype)
    for b in range(n):
        for c in range(channels):
            first = c // (channels // groups) * per_group  # of the output channels of this group
            for ih in range(h):
                for iw in range(w):
                    for k in range(per_group):
                        for kh in range(kernel_h):
                            for kw in range(kernel_w):
                                oh = ih * stride[0] - padding[0] + kh * dilation[0]
                                ow = iw * stride[1] - padding[1] + kw * dilation[1]
                                if 0 <= oh < out_size[0] and 0 <= ow < out_size[1]:
                                    total[b, first + k, oh, ow] += ONE * x[b, c, ih, iw] * weight[c, k, kh, kw]
    if bias is not None:
        for k in range(per_group * groups):
            total[:, k] += ONE * bias[k]
    return total.astype(x.dtype)


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups):
    """Every element of x collects what it was scattered to: the adjoint of ``forward`` in ``x``."""
    _, _, out_h, out_w = grad_output.shape
    n, channels, h, w = input_shape
    _, per_group, kernel_h, kernel_w = weight.shape
    grad_input = np.empty(input_shape, grad_output.dtype)
    for b in range(n):
        for c in range(channels):
            first = c // (channels // groups) * per_group
            for ih in range(h):
                for iw in range(w):
                    total = 0.0 * ONE
                    for k in range(per_group):
                        for kh in range(kernel_h):
                            for kw in range(kernel_w):
                                oh = ih * stride[0] - padding[0] + kh * dilation[0]
                                ow = iw * stride[1] - padding[1] + kw * dilation[1]
                                if 0 <= oh < out_h and 0 <= ow < out_w:
                                    total += ONE * grad_output[b, first + k, oh, ow] * weight[c, k, kh, kw]
                    grad_input[b, c, ih, iw] = total
    return grad_input


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """``grad_weight[c, k, kh, kw]`` sums x times the gradient at the place that this tap scattered to."""
    _, _, out_h, out_w = grad_output.shape
    n, channels, h, w = x.shape
    _, per_group, kernel_h, kernel_w = weight_shape
    grad_weight = np.empty(weight_shape, x.dtype)
    for c in range(channels):
        first = c // (channels // groups) * per_group
        for k in range(per_group):
            for kh in range(kernel_h):
                for kw in range(kernel_w):
                    total = 0.0 * ONE
                    for b in range(n):
                        for ih in range(h):
                            for iw in range(w):
                                oh = ih * stride[0] - padding[0] + kh * dilation[0]
                                ow = iw * stride[1] - padding[1] + kw * dilation[1]
                                if 0 <= oh < out_h and 0 <= ow < out_w:
                                    total += ONE * x[b, c, ih, iw] * grad_output[b, first + k, oh, ow]
                    grad_weight[c, k, kh, kw] = total
    return grad_weight
