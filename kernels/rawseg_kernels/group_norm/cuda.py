"""Group normalisation in CUDA: sums in parts, a block of threads each, the rest a thread an element; see ``group_norm.cu``.

Sums are float64 but in another order than the loops', so that statistics and what follows from them have other last bits.
"""

from __future__ import annotations

from .._cuda import Source, empty, moments

kernel = Source(__file__, "group_norm.cu").kernel


def forward(x, weight, bias, eps):
    """See ``reference.forward``."""
    mean, inv_std, variance = moments.statistics(x, rows_of(x), eps)
    out = empty(x, x.shape)
    run = kernel("group_norm_forward", x.dtype)
    run(x.size, x, weight, bias, mean, inv_std, out, x.size, *x.shape[1:], weight.size)
    return out, mean, inv_std, variance


def backward(grad_output, x, weight, mean, inv_std):
    """See ``reference.backward``."""
    return backward_input(grad_output, x, weight, mean, inv_std), *_affine(grad_output, x, weight, mean, inv_std)


def backward_input(grad_output, x, weight, mean, inv_std):
    """Return the first result of `backward`."""
    rows, sizes = rows_of(x), (x.shape[1], max(weight.size, 1))
    partial = rows.partial(x), rows.partial(x)
    run = kernel("group_norm_backward_rows", x.dtype)
    rows.launch(run, grad_output, x, weight, mean, inv_std, *partial, *sizes)
    sums = rows.totals(partial[0]), rows.totals(partial[1])
    grad_input = empty(x, x.shape)
    run = kernel("group_norm_backward_input", x.dtype)
    run(x.size, grad_output, x, weight, mean, inv_std, *sums, grad_input, x.size, *x.shape[1:], weight.size)
    return grad_input


def rows_of(x):
    """Return the groups of numbers that are normalised."""
    rows, segments, length = x.shape
    return moments.Groups(number=rows, pieces=segments, length=length, stride=length, step=segments * length)


def _affine(grad_output, x, weight, mean, inv_std):
    """Return the gradients of weight and bias."""
    segments, length = x.shape[1:]
    images, plane = x.shape[0] * segments // max(weight.size, 1), weight.size * length
    channels = moments.Groups(number=weight.size, pieces=images, length=length, stride=plane, step=length)
    partial = channels.partial(x), channels.partial(x)
    run = kernel("group_norm_backward_channels", x.dtype)
    channels.launch(run, grad_output, x, mean, inv_std, *partial, segments)
    grad_weight, grad_bias = empty(x, (weight.size,)), empty(x, (weight.size,))
    run = kernel("group_norm_backward_affine", x.dtype)
    run(weight.size, channels.totals(partial[0]), channels.totals(partial[1]), grad_weight, grad_bias, weight.size)
    return grad_weight, grad_bias
