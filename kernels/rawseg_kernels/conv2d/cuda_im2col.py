"""Convolution on a GPU as the textbook has it: windows are written out as columns, and cuBLAS multiplies them with the weights.

It is here to be read, and to compare with: the columns take ``kH * kW`` times the input's memory. Two promises of the other
algorithms are not kept: the order of a sum is cuBLAS's own, so it is bounded but not fixed from version to version, and an
infinite weight meets padded zeros, which gives NaN. cuBLAS refuses to be captured into a CUDA graph.
"""

from __future__ import annotations

from math import prod

from .._arrays import module_of
from .._epilogue import NOTHING
from ..unfold import cuda as windows
from . import cuda_depthwise

backward_bias = cuda_depthwise.backward_bias  # has no products


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING):
    """See ``reference.forward``; ``after`` is applied to the sums."""
    columns = windows.forward(x, out_size, weight.shape[2:], dilation, padding, stride)
    columns = _grouped(columns, groups)  # (N, C_in * kH * kW, L) as (N, G, K, L)
    out = module_of(x).matmul(_matrices(weight, groups), columns)  # (G, M, K) @ (N, G, K, L) = (N, G, M, L)
    return _finished(out.reshape(x.shape[0], weight.shape[0], *out_size), bias, after)


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups):
    """See ``reference.backward_input``: the gradient of the columns, added back to where they were read."""
    sums = _grouped(grad_output, groups)  # (N, G, M, L)
    columns = module_of(weight).matmul(_matrices(weight, groups).swapaxes(1, 2), sums)  # (N, G, K, L)
    columns = columns.reshape(input_shape[0], groups * columns.shape[2], columns.shape[3])
    return windows.backward(columns, input_shape[2:], grad_output.shape[2:], weight.shape[2:], dilation, padding, stride)


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """See ``reference.backward_weight``: a product for every image, and their sum."""
    columns = windows.forward(x, grad_output.shape[2:], weight_shape[2:], dilation, padding, stride)
    columns = _grouped(columns, groups).swapaxes(2, 3)  # (N, G, L, K)
    products = module_of(x).matmul(_grouped(grad_output, groups), columns)  # (N, G, M, K)
    return products.sum(axis=0).reshape(weight_shape)


def _matrices(weight, groups):
    """Return the weights as (G, C_out / G, C_in / G * kH * kW)."""
    return weight.reshape(groups, weight.shape[0] // groups, -1)


def _grouped(maps, groups):
    """Return maps (N, C, H, W), or (N, C, L), as (N, G, C / G, L)."""
    return maps.reshape(maps.shape[0], groups, maps.shape[1] // groups, prod(maps.shape[2:]))


def _finished(sums, bias, after):
    """Add the bias, and apply an `Epilogue` to the rounded sums, in double."""
    if bias is not None:
        sums += bias[:, None, None]
    if after.scale.size:
        centre, scale, shift = (part[:, None, None] for part in (after.centre, after.scale, after.shift))
        sums = ((sums - centre) * scale + shift).astype(sums.dtype)
    maximum, minimum = module_of(sums).maximum, module_of(sums).minimum  # NaN passes both
    return minimum(maximum(sums, sums.dtype.type(after.low)), sums.dtype.type(after.high))
