"""Windows as columns, row by row: one tap of a whole output row is one shifted (strided) copy of an input row.

forward: one task is one row of the matrix, i.e. one tap (kh, kw) of one plane
    // per element: 1 read and 1 write of 4 bytes
backward: gather form; one task is one input row, which adds its taps in row-major order in double precision: the bits of the
reference
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._pooling_rows import columns_inside, taps_inside
from .._threads import launch


def forward(x, out_size, kernel_size, dilation, padding, stride):
    """See ``reference.forward``."""
    n, c, h, w = x.shape
    taps = kernel_size[0] * kernel_size[1]
    out = empty((n, c * taps, out_size[0] * out_size[1]), x.dtype)
    views = x.reshape(n * c, h, w), out.reshape(n * c * taps, *out_size)  # (N C, H, W), (N C kH kW, out_h, out_w)
    launch(_forward, n * c * taps, *views, kernel_size, dilation, padding, stride, work=out.size)
    return out


def backward(grad_output, input_size, out_size, kernel_size, dilation, padding, stride):
    """See ``reference.backward``: the same sums in the same order."""
    taps = kernel_size[0] * kernel_size[1]
    n, c = grad_output.shape[0], grad_output.shape[1] // taps
    grad_input = empty((n, c, *input_size), grad_output.dtype)
    views = grad_output.reshape(n * c * taps, *out_size), grad_input.reshape(n * c, *input_size)
    launch(_backward, n * c * input_size[0], *views, kernel_size, dilation, padding, stride, work=grad_output.size)
    return grad_input


@kernel
def _forward(first, last, x, out, kernel_size, dilation, padding, stride):
    h, w = x.shape[1], x.shape[2]
    kernel_h, kernel_w = kernel_size
    out_h, out_w = out.shape[1], out.shape[2]
    for task in range(first, last):
        plane, kh, kw = task // (kernel_h * kernel_w), task // kernel_w % kernel_h, task % kernel_w
        left = kw * dilation[1] - padding[1]
        ow_first, ow_last = columns_inside(left, stride[1], w, out_w)
        for oh in range(out_h):
            target, ih = out[task, oh], oh * stride[0] - padding[0] + kh * dilation[0]
            if ih < 0 or ih >= h or ow_first >= ow_last:
                for i in range(target.size):
                    target[i] = 0
                continue
            for i in range(ow_first):
                target[i] = 0
            for i in range(ow_last, out_w):
                target[i] = 0
            part, source = target[ow_first:ow_last], x[plane, ih, left + ow_first * stride[1] :]
            if stride[1] == 1:
                for i in range(part.size):
                    part[i] = source[i]
            else:
                for i in range(part.size):
                    part[i] = source[i * stride[1]]


@kernel
def _backward(first, last, grad_output, grad_input, kernel_size, dilation, padding, stride):
    h, w = grad_input.shape[1], grad_input.shape[2]
    out_h, out_w = grad_output.shape[1], grad_output.shape[2]
    total = np.empty(w, np.float64)
    kw_first, kw_last = taps_inside(kernel_size[1], stride[1], padding[1], dilation[1], w, out_w)
    for task in range(first, last):
        plane, ih = task // h, task % h
        for i in range(total.size):
            total[i] = 0
        reach = ih + padding[0]  # of the row in the padded plane: reach = oh * stride + kh * dilation
        kh_first = max(0, -(((out_h - 1) * stride[0] - reach) // dilation[0]))
        for kh in range(kh_first, min(kernel_size[0], reach // dilation[0] + 1)):
            if (reach - kh * dilation[0]) % stride[0]:
                continue
            oh = (reach - kh * dilation[0]) // stride[0]
            for kw in range(kw_first, kw_last):
                left = kw * dilation[1] - padding[1]
                ow_first, ow_last = columns_inside(left, stride[1], w, out_w)
                if ow_first >= ow_last:
                    continue
                row = (plane * kernel_size[0] + kh) * kernel_size[1] + kw
                part, target = grad_output[row, oh, ow_first:ow_last], total[left + ow_first * stride[1] :]
                if stride[1] == 1:
                    for i in range(part.size):
                        target[i] += part[i]
                else:
                    for i in range(part.size):
                        target[i * stride[1]] += part[i]
        values = grad_input[plane, ih]
        for i in range(values.size):
            values[i] = total[i]
