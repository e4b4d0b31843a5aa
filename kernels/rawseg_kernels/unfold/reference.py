"""Plain loops that define the windows as columns and their adjoint."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: sums are accumulated in double and rounded once


def forward(x, out_size, kernel_size, dilation, padding, stride):
    """Copy each tap of each window; a tap outside the plane is 0."""
    n, c, h, w = x.shape
    kernel_h, kernel_w = kernel_size
    out_h, out_w = out_size
    out = np.zeros((n, c * kernel_h * kernel_w, out_h * out_w), x.dtype)
    for b in range(n):
        for k in range(c):
            for kh in range(kernel_h):
                for kw in range(kernel_w):
                    for oh in range(out_h):
                        for ow in range(out_w):
                            ih = oh * stride[0] - padding[0] + kh * dilation[0]
                            iw = ow * stride[1] - padding[1] + kw * dilation[1]
                            if 0 <= ih < h and 0 <= iw < w:
                                out[b, (k * kernel_h + kh) * kernel_w + kw, oh * out_w + ow] = x[b, k, ih, iw]
    return out


def backward(grad_output, input_size, out_size, kernel_size, dilation, padding, stride):
    """Add each tap of each window to the pixel that it was read from, tap by tap in row-major order."""
    h, w = input_size
    kernel_h, kernel_w = kernel_size
    out_h, out_w = out_size
    n, c = grad_output.shape[0], grad_output.shape[1] // (kernel_h * kernel_w)
    grad_input = np.empty((n, c, h, w), grad_output.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros((h, w), grad_output.dtype)
            for kh in range(kernel_h):
                for kw in range(kernel_w):
                    for oh in range(out_h):
                        for ow in range(out_w):
                            ih = oh * stride[0] - padding[0] + kh * dilation[0]
                            iw = ow * stride[1] - padding[1] + kw * dilation[1]
                            if 0 <= ih < h and 0 <= iw < w:
                                plane[ih, iw] += grad_output[b, (k * kernel_h + kh) * kernel_w + kw, oh * out_w + ow]
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih, iw]
    return grad_input
