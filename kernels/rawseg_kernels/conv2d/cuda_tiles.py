"""Convolution in CUDA by tiles of matrix products in shared memory: see ``conv2d_tiles.cu``.

A sum is one chain of fused multiply-adds in its own precision, in the order of ``reference.py``, of the weight's gradient in
parts of at least `PART` pixels; at the precisions "3xtf32" and "tf32" float32 is multiplied on tensor cores (see
``tiles.cuh``). A sum that is not finite is computed again as a chain. Which tiles and how many parts there are depends on
shapes alone. Strided inputs' gradients are a product for every residue of a pixel modulo the stride (see `_phases`), so that
no tap is fetched in vain.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from .._cuda import Source, empty
from .._cuda.tiles import CONSTANTS, ENOUGH, LONGEST, THREADS, tile_for
from .._epilogue import NOTHING
from .._tensor_cores import products_for
from . import cuda, cuda_depthwise
from ._phases import adjoint_phases

kernel = Source(__file__, "conv2d_tiles.cu").kernel
VARIANTS = {"conv2d_tiles.cu": CONSTANTS}
PART = 64  # pixels of a part of a weight's gradient, at least; a multiple of the steps of a tile
MOST_PHASES = 16
backward_bias = cuda_depthwise.backward_bias  # sees one channel, too


class Axis(NamedTuple):
    """Pixels and taps along one axis: pixel i reads ``i * step + base + tap * move`` and is written at ``origin + i * to``."""

    count: int
    step: int
    base: int
    taps: int
    move: int
    first_tap: int
    tap_step: int  # in the kernel, from one tap of the sum to the next
    origin: int
    to: int


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING, precision="fp32"):
    """See ``reference.forward``; ``after`` is applied before a sum is stored."""
    if not _fits(x.shape, (x.shape[0], weight.shape[0], *out_size), weight.shape, padding):
        return cuda.forward(x, weight, bias, out_size, stride, padding, dilation, groups, after)
    products = products_for(precision, x)
    out = empty(x, (x.shape[0], weight.shape[0], *out_size))
    axes = [Axis(out_size[i], stride[i], -padding[i], weight.shape[2 + i], dilation[i], 0, 1, 0, 1) for i in (0, 1)]
    _correlate(x, weight, bias, out, axes, groups, False, after, products)
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias=None, precision="fp32"):
    """See ``reference.backward_input``; ``bias``, one value an input channel, is added to the sums."""
    phases = adjoint_phases(weight.shape[2:], input_shape[2:], stride, padding, dilation)
    fits = _fits(grad_output.shape, input_shape, weight.shape, padding)
    if not fits or len(phases) > MOST_PHASES:
        return cuda.backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias)
    products = products_for(precision, weight)
    grad_input = empty(grad_output, input_shape)
    if sum(phase.count[0] * phase.count[1] for phase in phases) < input_shape[2] * input_shape[3]:
        grad_input[...] = 0 if bias is None else bias[:, None, None]  # pixels that no tap reaches
    for phase in phases:
        axes = [_adjoint_axis(phase, i, weight.shape[2 + i], stride[i], padding[i], dilation[i]) for i in (0, 1)]
        _correlate(grad_output, weight, bias, grad_input, axes, groups, True, NOTHING, products)
    return grad_input


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups, precision="fp32"):
    """See ``reference.backward_weight``."""
    if not _fits(x.shape, grad_output.shape, weight_shape, padding):
        return cuda.backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups)
    rows, columns = weight_shape[0] // groups, weight_shape[1] * weight_shape[2] * weight_shape[3]
    pixels = grad_output.shape[0] * grad_output.shape[2] * grad_output.shape[3]
    tile = tile_for(rows, columns, ENOUGH, x.dtype.itemsize)  # parts make enough of them
    constants = tile.constants(products_for(precision, x))
    down, across = tile.count(rows, columns)
    length, parts = parts_of(pixels, down * across * groups)
    sums, grad_weight = empty(x, (parts, *weight_shape)), empty(x, weight_shape)
    sizes = groups, weight_shape[1], *x.shape[2:], rows, *grad_output.shape[2:], *weight_shape[2:]
    geometry = *sizes, *stride, *padding, *dilation
    run = kernel("conv2d_tiles_backward_weight_parts", x.dtype, **constants)
    run.launch((down * across * groups * parts,), (THREADS,), grad_output, x, sums, pixels, length, *geometry)
    run = kernel("conv2d_tiles_sum_of_parts", x.dtype, **constants)
    run(grad_weight.size, sums, grad_output, x, grad_weight, grad_weight.size, parts, pixels, *geometry)
    return grad_weight


def parts_of(pixels, tiles):
    """Return the pixels of a part and how many parts there are: enough for ``ENOUGH`` blocks, if there are pixels enough."""
    wished = max(1, min(-(-ENOUGH // tiles), pixels // PART))
    length = max(1, -(-pixels // (wished * PART))) * PART
    return length, max(1, -(-pixels // length))


def _correlate(x, weight, bias, out, axes, groups, adjoint, after, products):
    """Launch one product: of the outputs of ``axes`` and their taps."""
    out_channels, per_group_in, kernel_h, kernel_w = weight.shape
    taps, per_group_out = kernel_h * kernel_w, out_channels // groups
    rows, depth = (per_group_in, per_group_out) if adjoint else (per_group_out, per_group_in)
    row, channel = (taps, per_group_in * taps) if adjoint else (per_group_in * taps, taps)
    columns = x.shape[0] * axes[0].count * axes[1].count
    tile = tile_for(rows, columns, groups, x.dtype.itemsize)
    down, across = tile.count(rows, columns)
    first = axes[0].first_tap * kernel_w + axes[1].first_tap
    weights = per_group_out * per_group_in * taps, row, channel, first, axes[0].tap_step * kernel_w, axes[1].tap_step
    places = [getattr(axis, name) for name in ("count", "step", "base", "taps", "move") for axis in axes]
    ends = [getattr(axis, name) for name in ("origin", "to") for axis in axes]
    run = kernel("conv2d_tiles_correlate", x.dtype, **tile.constants(products))
    sizes = columns, groups, depth, *x.shape[2:], rows, *out.shape[2:]
    grid = (down * across * groups,)
    run.launch(grid, (THREADS,), x, weight, bias, *cuda.following(after), out, *sizes, *places, *weights, *ends)


def _adjoint_axis(phase, axis, taps, stride, padding, dilation):
    """Return one axis of a phase of the adjoint: the taps of its pixels, ``stride / gcd(stride, dilation)`` apart."""
    origin, tap_step = phase.origin[axis], stride // gcd(stride, dilation)
    first = next(tap for tap in range(taps) if (origin + padding - tap * dilation) % stride == 0)
    base, count = (origin + padding - first * dilation) // stride, -(-(taps - first) // tap_step)
    tap_step = tap_step if count > 1 else 0  # no step of a single tap may be too long
    return Axis(phase.count[axis], 1, base, count, -(tap_step * dilation // stride), first, tap_step, origin, stride)


def _fits(x_shape, out_shape, weight_shape, padding):
    """Return whether all indices fit ints: of pixels, of weights, and of places in a padded plane or beside it."""
    images = [max(shape[:2]) * shape[2] * shape[3] for shape in (x_shape, out_shape)]  # pixels of all, elements of one
    weights = weight_shape[0] * weight_shape[1] * weight_shape[2] * weight_shape[3]
    sides = [2 * (max(x_shape[i], out_shape[i]) + 2 * padding[i - 2]) for i in (2, 3)]
    return max(*images, weights, *sides) <= LONGEST
