"""Convolution as loops over rows: ``out_row += weight * x_row`` for every tap, each row a vector loop.

Padded taps are left out by bounds (`span`), never multiplied. A task owns one output plane (or one pair of channels, for the
weights), so it sums in an order of its own and the thread count cannot reach the bits.
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._threads import launch


@piece
def span(length, size, stride, offset):
    """Return the range of i in [0, length) for which ``i * stride + offset`` lies in [0, size)."""
    first = max(0, -(offset // stride))  # ceil(-offset / stride)
    last = min(length, (size - 1 - offset) // stride + 1)
    return first, max(first, last)


@kernel
def _forward(first, last, x, weight, bias, out, stride, padding, dilation, groups):
    _, _, h, w = x.shape
    out_channels, depth, kernel_h, kernel_w = weight.shape
    out_h, out_w = out.shape[2:]
    for task in range(first, last):
        b, k = task // out_channels, task % out_channels
        channel = k // (out_channels // groups) * depth
        for oh in range(out_h):
            out_row = out[b, k, oh]
            out_row[:] = bias[k] if bias.size else 0
            for c in range(depth):
                for kh in range(kernel_h):
                    ih = oh * stride[0] - padding[0] + kh * dilation[0]
                    if not 0 <= ih < h:
                        continue
                    for kw in range(kernel_w):
                        shift = kw * dilation[1] - padding[1]
                        left, right = span(out_w, w, stride[1], shift)
                        to = out_row[left:right]
                        taken = x[b, channel + c, ih, left * stride[1] + shift :]
                        add_scaled(to, 1, taken, stride[1], weight[k, c, kh, kw], right - left)


@piece
def add_scaled(to, to_step, source, source_step, scale, count):
    """``to[i * to_step] += scale * source[i * source_step]``; step 1 apart, because only it becomes vector code."""
    if to_step == 1 and source_step == 1:
        for i in range(count):
            to[i] += scale * source[i]
    else:
        for i in range(count):
            to[i * to_step] += scale * source[i * source_step]


@kernel
def _backward_input(first, last, grad_output, weight, bias, grad_input, stride, padding, dilation, groups):
    _, channels, h, w = grad_input.shape
    out_channels, depth, kernel_h, kernel_w = weight.shape
    out_h, out_w = grad_output.shape[2:]
    per_group = out_channels // groups
    for task in range(first, last):
        b, c = task // channels, task % channels
        plane = grad_input[b, c]
        plane[:] = bias[c] if bias.size else 0
        for k in range(c // depth * per_group, (c // depth + 1) * per_group):
            for kh in range(kernel_h):
                down = kh * dilation[0] - padding[0]
                top, bottom = span(out_h, h, stride[0], down)
                for oh in range(top, bottom):
                    for kw in range(kernel_w):
                        shift = kw * dilation[1] - padding[1]
                        left, right = span(out_w, w, stride[1], shift)
                        to = plane[oh * stride[0] + down, left * stride[1] + shift :]
                        scale = weight[k, c % depth, kh, kw]
                        add_scaled(to, stride[1], grad_output[b, k, oh, left:right], 1, scale, right - left)


@piece
def multiply_add(to, a, b, b_step, count):
    """``to[i] += a[i] * b[i * b_step]``."""
    if b_step == 1:
        for i in range(count):
            to[i] += a[i] * b[i]
    else:
        for i in range(count):
            to[i] += a[i] * b[i * b_step]


@kernel
def _backward_weight(first, last, grad_output, x, grad_weight, stride, padding, dilation, groups):
    n, out_channels, out_h, out_w = grad_output.shape
    _, _, h, w = x.shape
    _, depth, kernel_h, kernel_w = grad_weight.shape
    lanes = np.empty(out_w, x.dtype)  # one sum a column, so that the inner loop is a vector loop
    for task in range(first, last):
        k, c = task // depth, task % depth
        channel = k // (out_channels // groups) * depth + c
        for kh in range(kernel_h):
            down = kh * dilation[0] - padding[0]
            top, bottom = span(out_h, h, stride[0], down)
            for kw in range(kernel_w):
                shift = kw * dilation[1] - padding[1]
                left, right = span(out_w, w, stride[1], shift)
                lanes[:] = 0
                for b in range(n):
                    for oh in range(top, bottom):
                        taken = x[b, channel, oh * stride[0] + down, left * stride[1] + shift :]
                        multiply_add(lanes[left:right], grad_output[b, k, oh, left:right], taken, stride[1], right - left)
                grad_weight[k, c, kh, kw] = lanes.sum()


@kernel
def _backward_bias(first, last, grad_output, grad_bias):
    n, _, out_h, out_w = grad_output.shape
    lanes = np.empty(out_w, np.float64)
    for k in range(first, last):
        lanes[:] = 0
        for b in range(n):
            for oh in range(out_h):
                row = grad_output[b, k, oh]
                for i in range(out_w):
                    lanes[i] += row[i]
        grad_bias[k] = lanes.sum()


def _work(weight_shape, pixels):
    return 2 * pixels * int(np.prod(weight_shape, dtype=object))


def forward(x, weight, bias, out_size, stride, padding, dilation, groups):
    """Gather, for each row of an output plane (a task), the rows of x that its taps see."""
    n, out_channels = x.shape[0], weight.shape[0]
    out = empty((n, out_channels, *out_size), x.dtype)
    bias = empty(0, x.dtype) if bias is None else bias
    work = _work(weight.shape, n * out_size[0] * out_size[1])
    launch(_forward, n * out_channels, x, weight, bias, out, stride, padding, dilation, groups, work=work)
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias=None):
    """Add every row of grad_output, scaled, to the rows of an input plane (a task) that its taps came from.

    ``bias``, one value an input channel, is where the sums start: it makes this the forward of the transposed convolution.
    """
    n, channels = input_shape[:2]
    grad_input = empty(input_shape, grad_output.dtype)
    bias = empty(0, grad_output.dtype) if bias is None else bias
    work = _work(weight.shape, n * grad_output.shape[2] * grad_output.shape[3])
    launch(_backward_input, n * channels, grad_output, weight, bias, grad_input, stride, padding, dilation, groups, work=work)
    return grad_input


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Sum, for each tap of a pair of channels (a task), the products column by column, then over the columns."""
    grad_weight = empty(weight_shape, x.dtype)
    tasks = weight_shape[0] * weight_shape[1]
    n, _, out_h, out_w = grad_output.shape
    work = _work(weight_shape, n * out_h * out_w)
    launch(_backward_weight, tasks, grad_output, x, grad_weight, stride, padding, dilation, groups, work=work)
    return grad_weight


def backward_bias(grad_output):
    """Sum each channel (a task) column by column in float64, then over the columns."""
    grad_bias = empty(grad_output.shape[1], grad_output.dtype)
    launch(_backward_bias, grad_output.shape[1], grad_output, grad_bias, work=grad_output.size)
    return grad_bias
