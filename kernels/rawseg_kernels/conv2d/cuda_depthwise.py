"""Depthwise convolution in CUDA, for groups of one input channel: a block a piece of a plane; see ``conv2d_depthwise.cu``.

A sum is one chain of fused multiply-adds in its own precision, in the order of ``reference.py``. The gradient of a weight is a
chain of each thread; the threads of a block, and then the parts, are added in a fixed order in double. So is that of the bias,
for any groups, in double throughout. How many parts there are depends on shapes alone.
"""

from __future__ import annotations

from .._cuda import Source, empty
from .._epilogue import NOTHING
from .._errors import ArgumentError
from . import cuda

kernel = Source(__file__, "conv2d_depthwise.cu").kernel
KERNELS = ((3, 3), (5, 5), (7, 7))  # whose loops are unrolled
VARIANTS = {"conv2d_depthwise.cu": tuple({"KERNEL_H": h, "KERNEL_W": w} for h, w in (*KERNELS, (0, 0)))}
THREADS, PIXELS = 256, 1024  # of a block
ENOUGH = 1024  # blocks that keep a large GPU busy
LONGEST = 2**30 - 1  # place in a plane, padded: an int


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING):
    """See ``reference.forward``; ``after`` is applied before a sum is stored."""
    _check(weight.shape, groups)
    if not _fits(x.shape, out_size, padding):
        return cuda.forward(x, weight, bias, out_size, stride, padding, dilation, groups, after)
    out = empty(x, (x.shape[0], weight.shape[0], *out_size))
    shares = -(-out_size[0] * out_size[1] // PIXELS)
    sizes = shares, groups, weight.shape[0] // groups, *x.shape[2:], *out_size, *weight.shape[2:]
    run, grid = _kernel("conv2d_depthwise_forward", x, weight.shape), (out.shape[0] * out.shape[1] * shares,)
    run.launch(grid, (THREADS,), x, weight, bias, *cuda.following(after), out, *sizes, *stride, *padding, *dilation)
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups):
    """See ``reference.backward_input``."""
    _check(weight.shape, groups)
    if not _fits(input_shape, grad_output.shape[2:], padding):
        return cuda.backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups)
    grad_input = empty(grad_output, input_shape)
    shares = -(-input_shape[2] * input_shape[3] // PIXELS)
    sizes = shares, groups, weight.shape[0] // groups, *input_shape[2:], *grad_output.shape[2:], *weight.shape[2:]
    run, grid = _kernel("conv2d_depthwise_backward_input", weight, weight.shape), (input_shape[0] * groups * shares,)
    run.launch(grid, (THREADS,), grad_output, weight, grad_input, *sizes, *stride, *padding, *dilation)
    return grad_input


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """See ``reference.backward_weight``."""
    _check(weight_shape, groups)
    if not _fits(x.shape, grad_output.shape[2:], padding):
        return cuda.backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups)
    pixels, length, parts = _parts(grad_output)
    sums, grad_weight = empty(x, (parts, *weight_shape), "float64"), empty(x, weight_shape)
    run = _kernel("conv2d_depthwise_backward_weight_parts", x, weight_shape)
    taps = 1 if weight_shape[2:] in KERNELS else weight_shape[2] * weight_shape[3]  # of which a block has one
    sizes = parts, length, pixels, groups, weight_shape[0] // groups, *x.shape[2:], *grad_output.shape[2:], *weight_shape[2:]
    grid = (parts * weight_shape[0] * taps,)
    run.launch(grid, (THREADS,), grad_output, x, sums, *sizes, *stride, *padding, *dilation)
    return cuda.sum_of_parts(sums, grad_weight)


def backward_bias(grad_output):
    """See ``reference.backward_bias``."""
    pixels, length, parts = _parts(grad_output)
    channels, plane = grad_output.shape[1], grad_output.shape[2] * grad_output.shape[3]
    sums, grad_bias = empty(grad_output, (parts, channels), "float64"), empty(grad_output, (channels,))
    run = kernel("conv2d_depthwise_backward_bias_parts", grad_output.dtype, KERNEL_H=0, KERNEL_W=0)
    run.launch((parts * channels,), (THREADS,), grad_output, sums, parts, length, pixels, channels, plane)
    return cuda.sum_of_parts(sums, grad_bias)


def _parts(grad_output):
    """Return how many pixels a channel has in all images, how many a part has, and how many parts there are."""
    pixels = grad_output.shape[0] * grad_output.shape[2] * grad_output.shape[3]
    wished = max(1, min(-(-ENOUGH // grad_output.shape[1]), pixels // PIXELS))
    length = max(1, -(-pixels // wished))
    return pixels, length, max(1, -(-pixels // length))


def _kernel(name, array, weight_shape):
    """Return a kernel for the size of the weights."""
    known = tuple(weight_shape[2:]) in KERNELS
    return kernel(name, array.dtype, KERNEL_H=weight_shape[2] if known else 0, KERNEL_W=weight_shape[3] if known else 0)


def _check(weight_shape, groups):
    """Raise where the algorithm, asked for by name, does not exist."""
    if weight_shape[1] != 1:
        expected = f"a group for each of the {weight_shape[1] * groups} input channels for algorithm 'cuda_depthwise'"
        raise ArgumentError("conv2d", "groups", expected, groups)


def _fits(input_shape, out_size, padding):
    """Return whether places in a padded plane fit ints."""
    padded = [2 * (input_shape[2 + i] + 2 * padding[i]) for i in (0, 1)]
    return max(*padded, input_shape[2] * input_shape[3], out_size[0] * out_size[1]) <= LONGEST
