"""Forward and backward_input of Winograd's convolution, and what it must leave to others."""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._epilogue import NOTHING
from .._errors import ArgumentError, DTypeError
from . import im2col
from ._finite import finite
from ._residues import parted, put_together, residues
from ._winograd import convolve
from ._winograd_weight_sums import sum_over_tiles


def check(size, dtype, kernel_size, stride):
    """Raise where the algorithm, asked for by name, does not exist."""
    if dtype != np.float32:
        raise DTypeError("conv2d", "x", f"float32 for algorithm 'winograd{size}'", dtype)
    for name, got, need in (("weight", tuple(kernel_size), (3, 3)), ("stride", stride, (1, 1))):
        if got != need:
            what = "a kernel" if name == "weight" else "stride"
            raise ArgumentError("conv2d", name, f"{what} of {need} for algorithm 'winograd{size}'", got)


def forward(size, x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING):
    """Convolve; images with infinities or NaN, which are all if a weight is one, by `im2col`."""
    check(size, x.dtype, weight.shape[2:], stride)
    rest = out_size, stride, padding, dilation, groups, after
    out = empty((x.shape[0], weight.shape[0], *out_size), x.dtype)
    for b in _convolve(x, weight, bias, out, size, padding, dilation, groups, False, after):
        out[b : b + 1] = im2col.forward(x[b : b + 1], weight, bias, *rest)
    return out


def backward_input(size, grad_output, weight, input_shape, stride, padding, dilation, groups, bias=None):
    """Convolve the gradient with the turned kernels; the rest as in `forward`."""
    check(size, grad_output.dtype, weight.shape[2:], stride)
    rest = stride, padding, dilation, groups, bias
    out = empty(input_shape, grad_output.dtype)
    turned = 2 * dilation[0] - padding[0], 2 * dilation[1] - padding[1]
    for b in _convolve(grad_output, weight, bias, out, size, turned, dilation, groups, True, NOTHING):
        out[b : b + 1] = im2col.backward_input(grad_output[b : b + 1], weight, (1, *input_shape[1:]), *rest)
    return out


def _convolve(x, weight, bias, out, size, padding, dilation, groups, adjoint, after):
    """Write the convolution to ``out``, residue by residue if it is dilated; return the images that must be done again."""
    if out.shape[0] == 0:
        return []
    if dilation == (1, 1):
        return np.flatnonzero(convolve(x, weight, bias, out, size, padding, groups, adjoint, after))
    counts, part = parted(out.shape[2:], dilation)
    seen = residues(x, dilation, padding, counts, (part[0] + 2, part[1] + 2))
    parts = empty((seen.shape[0], out.shape[1], *part), out.dtype)
    broken = convolve(seen, weight, bias, parts, size, (0, 0), groups, adjoint, after)
    put_together(parts, dilation, out)
    return np.flatnonzero(broken.reshape(out.shape[0], -1).any(1))


def backward_weight(size, grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Sum over tiles, of every residue if the kernel is dilated; whatever meets an infinity or NaN, by `im2col`."""
    check(size, x.dtype, weight_shape[2:], stride)
    if x.shape[0]:
        given, seen, sides = grad_output, x, padding
        if dilation != (1, 1):
            counts, part = parted(grad_output.shape[2:], dilation)
            given, sides = residues(grad_output, dilation, (0, 0), counts, part), (0, 0)
            seen = residues(x, dilation, padding, counts, (part[0] + 2, part[1] + 2))
        grad_weight = sum_over_tiles(size, given, seen, weight_shape, sides, groups)
        if finite(grad_weight):
            return grad_weight
    return im2col.backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups)
