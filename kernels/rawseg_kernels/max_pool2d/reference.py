"""Plain loops that define max pooling, its backward scatter and the adjoint of that scatter."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: sums are accumulated in double and rounded once


def forward(x, kernel_size, stride, padding, dilation, output_size):
    """Scan each window in row-major order: the first largest value wins, and the last NaN beats everything."""
    n, c, h, w = x.shape
    kernel_h, kernel_w = kernel_size
    out_h, out_w = output_size
    out = np.empty((n, c, out_h, out_w), x.dtype)
    indices = np.empty((n, c, out_h, out_w), np.int64)
    for b in range(n):
        for k in range(c):
            for oh in range(out_h):
                for ow in range(out_w):
                    chosen = -1  # no tap seen yet, so what best holds does not count
                    best = x[b, k, 0, 0]
                    for kh in range(kernel_h):
                        for kw in range(kernel_w):
                            ih = oh * stride[0] - padding[0] + kh * dilation[0]
                            iw = ow * stride[1] - padding[1] + kw * dilation[1]
                            if 0 <= ih < h and 0 <= iw < w:
                                value = x[b, k, ih, iw]
                                if chosen < 0 or value > best or np.isnan(value):
                                    best = value
                                    chosen = ih * w + iw
                    out[b, k, oh, ow] = best
                    indices[b, k, oh, ow] = chosen
    return out, indices


def forward_taps(x, kernel_size, stride, padding, dilation, output_size):
    """Do as `forward`, and return which tap of its window each value was: ``kh * kernel_w + kw``."""
    n, c, h, w = x.shape
    out_h, out_w = output_size
    out, taps = np.empty((n, c, out_h, out_w), x.dtype), np.empty((n, c, out_h, out_w), np.uint8)
    for b in range(n):
        for k in range(c):
            for oh in range(out_h):
                for ow in range(out_w):
                    chosen = -1
                    best = x[b, k, 0, 0]
                    for kh in range(kernel_size[0]):
                        for kw in range(kernel_size[1]):
                            ih = oh * stride[0] - padding[0] + kh * dilation[0]
                            iw = ow * stride[1] - padding[1] + kw * dilation[1]
                            if 0 <= ih < h and 0 <= iw < w:
                                value = x[b, k, ih, iw]
                                if chosen < 0 or value > best or np.isnan(value):
                                    best = value
                                    chosen = kh * kernel_size[1] + kw
                    out[b, k, oh, ow] = best
                    taps[b, k, oh, ow] = chosen
    return out, taps


def indices_of_taps(taps, input_shape, kernel_size, stride, padding, dilation):
    """Return the place in its plane that every window's tap stands on."""
    n, c, out_h, out_w = taps.shape
    indices = np.empty((n, c, out_h, out_w), np.int64)
    for b in range(n):
        for k in range(c):
            for oh in range(out_h):
                for ow in range(out_w):
                    kh, kw = taps[b, k, oh, ow] // kernel_size[1], taps[b, k, oh, ow] % kernel_size[1]
                    ih = oh * stride[0] - padding[0] + kh * dilation[0]
                    iw = ow * stride[1] - padding[1] + kw * dilation[1]
                    indices[b, k, oh, ow] = ih * input_shape[3] + iw
    return indices


def backward_taps(grad_output, taps, input_shape, kernel_size, stride, padding, dilation):
    """Add every window's gradient to the pixel under its tap, in the order of the windows."""
    n, c, out_h, out_w = grad_output.shape
    h, w = input_shape[2:]
    grad_input = np.empty(input_shape, grad_output.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros((h, w), grad_output.dtype)
            for oh in range(out_h):
                for ow in range(out_w):
                    kh, kw = taps[b, k, oh, ow] // kernel_size[1], taps[b, k, oh, ow] % kernel_size[1]
                    ih = oh * stride[0] - padding[0] + kh * dilation[0]
                    iw = ow * stride[1] - padding[1] + kw * dilation[1]
                    plane[ih, iw] += grad_output[b, k, oh, ow]
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih, iw]
    return grad_input


def backward(grad_output, indices, input_shape):
    """Add every window's gradient to the pixel that it chose, in the order of the windows."""
    n, c, out_h, out_w = grad_output.shape
    h, w = input_shape[2:]
    grad_input = np.empty(input_shape, grad_output.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros(h * w, grad_output.dtype)
            for oh in range(out_h):
                for ow in range(out_w):
                    plane[indices[b, k, oh, ow]] += grad_output[b, k, oh, ow]
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih * w + iw]
    return grad_input


def gather(grad_grad_input, indices):
    """Read, for every window, the pixel that it chose: the adjoint of `backward`."""
    n, c, out_h, out_w = indices.shape
    w = grad_grad_input.shape[3]
    out = np.empty((n, c, out_h, out_w), grad_grad_input.dtype)
    for b in range(n):
        for k in range(c):
            for oh in range(out_h):
                for ow in range(out_w):
                    index = indices[b, k, oh, ow]
                    out[b, k, oh, ow] = grad_grad_input[b, k, index // w, index % w]
    return out
