"""Convolution as matrix products of packed weights with shifted views of the input; `_correlation` says how.

The columns of the textbook's im2col matrix are never written: they are places in a small zero-padded strip of the input.
"""

from __future__ import annotations

import math

import numpy as np

from .._arena import empty, zeros
from .._epilogue import NOTHING
from .._finishing import finish_planes
from . import direct
from ._correlation import correlate
from ._finite import finite
from ._patches import are_patches, to_channels
from ._phases import adjoint_phases, forward_phases
from ._point_weights import sum_over_points
from ._points import correlate_points
from ._weight_sums import sum_over_pixels

ONE = (1, 1)
MOST_GATHERED, MOST_LAID_OUT = 64 * 64, 32 * 32  # patches of an image, of which more are no gain: forward, and the weights'
MOST_IN_LINE = 1024  # patches side by side, all of which a task holds at once


def _seen(x, kernel_size, out_size, stride, padding):
    """Return ``(x, stride)``, without the pixels that a strided 1 x 1 kernel steps over."""
    if kernel_size != ONE or stride == ONE or padding != (0, 0):
        return x, stride
    x = x[:, :, :: stride[0], :: stride[1]]
    return np.ascontiguousarray(x[:, :, : out_size[0], : out_size[1]]), ONE


def _by_patches(kernel_size, size, out_size, stride, padding, dilation, most):
    """Return whether windows of several pixels tile an image, at most so many of them."""
    few = out_size[0] * out_size[1] <= most and out_size[1] <= MOST_IN_LINE
    return few and kernel_size != ONE and are_patches(kernel_size, stride, padding, dilation, size, out_size)


def _are_points(kernel_size, size, out_size, padding):
    """Return whether a 1 x 1 kernel reads the pixel that it is written to."""
    return kernel_size == ONE and size == out_size and padding == (0, 0)


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING):
    """Correlate one phase, whose taps step through ``x`` by the stride; a 1 x 1 kernel reads ``x`` where it is."""
    kernel_size = weight.shape[2:]
    if _are_points(kernel_size, x.shape[2:], out_size, padding):
        out = empty((x.shape[0], weight.shape[0], *out_size), x.dtype)
        return correlate_points(x, weight, bias, groups, False, after, out)
    if _by_patches(kernel_size, x.shape[2:], out_size, stride, padding, dilation, MOST_GATHERED):
        out = empty((x.shape[0], weight.shape[0], *out_size), x.dtype)
        return correlate_points(x, weight, bias, groups, False, after, out, kernel_size)
    seen, step = _seen(x, kernel_size, out_size, stride, padding)
    if step != stride:
        return forward(seen, weight, bias, out_size, step, padding, dilation, groups, after)
    last = [(out_size[i] - 1) * stride[i] + (kernel_size[i] - 1) * dilation[i] - padding[i] for i in (0, 1)]
    padded = max(padding) > 0 or last[0] >= x.shape[2] or last[1] >= x.shape[3]
    out = empty((x.shape[0], weight.shape[0], *out_size), x.dtype)
    phases = forward_phases(kernel_size, out_size, padding, dilation)
    if correlate(x, weight, bias, out, phases, stride, ONE, groups, False, padded, after):
        return out
    return finish_planes(direct.forward(x, weight, bias, out_size, stride, padding, dilation, groups), after)


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias=None):
    """Correlate one phase a residue modulo the stride, whose taps step through ``grad_output`` pixel by pixel.

    ``bias``, one value an input channel, is where the sums start: it makes this the forward of the transposed convolution.
    """
    out_size, kernel_size = grad_output.shape[2:], weight.shape[2:]
    if _are_points(kernel_size, out_size, tuple(input_shape[2:]), padding):
        grad_input = empty(tuple(input_shape), grad_output.dtype)
        return correlate_points(grad_output, weight, bias, groups, True, NOTHING, grad_input)
    if _by_patches(kernel_size, input_shape[2:], out_size, stride, padding, dilation, math.inf):
        bias = bias if bias is None else np.repeat(bias, kernel_size[0] * kernel_size[1])
        grad_input = empty(tuple(input_shape), grad_output.dtype)
        return correlate_points(grad_output, weight, bias, groups, True, NOTHING, grad_input, kernel_size)
    phases = adjoint_phases(weight.shape[2:], input_shape[2:], stride, padding, dilation)
    covered = sum(phase.count[0] * phase.count[1] for phase in phases) == input_shape[2] * input_shape[3]
    grad_input = (empty if covered else zeros)(input_shape, grad_output.dtype)
    if bias is not None and not covered:
        grad_input += bias[:, None, None]  # pixels that no tap reaches
    if not phases or correlate(grad_output, weight, bias, grad_input, phases, ONE, stride, groups, True, True):
        return grad_input
    return direct.backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias)


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Sum over pixels; if that meets an infinity or NaN, the loops that skip padding decide what it stands for."""
    kernel_size = tuple(weight_shape[2:])
    if _by_patches(kernel_size, x.shape[2:], grad_output.shape[2:], stride, padding, dilation, MOST_LAID_OUT):
        points = weight_shape[0], weight_shape[1] * kernel_size[0] * kernel_size[1], 1, 1
        seen = to_channels(x, kernel_size)
        return backward_weight(grad_output, seen, points, ONE, padding, dilation, groups).reshape(weight_shape)
    seen, step = _seen(x, weight_shape[2:], grad_output.shape[2:], stride, padding)
    if kernel_size == ONE and step == ONE and seen.shape[2:] == grad_output.shape[2:]:  # without padding
        return sum_over_points(grad_output, seen, weight_shape, groups)
    grad_weight = sum_over_pixels(grad_output, seen, weight_shape, step, padding, dilation, groups)
    if not finite(grad_weight):
        return direct.backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups)
    return grad_weight
