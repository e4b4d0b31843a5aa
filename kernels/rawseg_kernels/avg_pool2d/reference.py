"""Plain loops that define average pooling and its adjoint."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: sums are accumulated in double and rounded once


def forward(x, kernel_size, stride, padding, output_size, count_include_pad, divisor_override):
    """Sum the pixels of each window in row-major order and divide once; ``divisor_override`` 0 means none."""
    n, c, h, w = x.shape
    out_h, out_w = output_size
    out = np.empty((n, c, out_h, out_w), x.dtype)
    for b in range(n):
        for k in range(c):
            for oh in range(out_h):
                for ow in range(out_w):
                    top, left = oh * stride[0] - padding[0], ow * stride[1] - padding[1]
                    bottom, right = top + kernel_size[0], left + kernel_size[1]
                    total = ONE * np.zeros(1, x.dtype)[0]  # a zero that is complex where x is
                    for ih in range(max(top, 0), min(bottom, h)):
                        for iw in range(max(left, 0), min(right, w)):
                            total += x[b, k, ih, iw]
                    # What ceil_mode lets hang over the right padding is never counted.
                    count = (min(bottom, h + padding[0]) - top) * (min(right, w + padding[1]) - left)
                    if not count_include_pad:
                        count = (min(bottom, h) - max(top, 0)) * (min(right, w) - max(left, 0))
                    if divisor_override:
                        count = divisor_override
                    out[b, k, oh, ow] = total / count
    return out


def backward(grad_output, input_shape, kernel_size, stride, padding, count_include_pad, divisor_override):
    """Give each pixel its share of every window over it, in the order of the windows."""
    n, c, h, w = input_shape
    out_h, out_w = grad_output.shape[2:]
    grad_input = np.empty(input_shape, grad_output.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros((h, w), grad_output.dtype)
            for oh in range(out_h):
                for ow in range(out_w):
                    top, left = oh * stride[0] - padding[0], ow * stride[1] - padding[1]
                    bottom, right = top + kernel_size[0], left + kernel_size[1]
                    count = (min(bottom, h + padding[0]) - top) * (min(right, w + padding[1]) - left)
                    if not count_include_pad:
                        count = (min(bottom, h) - max(top, 0)) * (min(right, w) - max(left, 0))
                    if divisor_override:
                        count = divisor_override
                    share = ONE * grad_output[b, k, oh, ow] / count
                    for ih in range(max(top, 0), min(bottom, h)):
                        for iw in range(max(left, 0), min(right, w)):
                            plane[ih, iw] += share
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih, iw]
    return grad_input
