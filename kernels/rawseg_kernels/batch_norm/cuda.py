"""Batch normalisation in CUDA: sums in parts, a block of threads each, the rest a thread an element; see ``batch_norm.cu``.

Sums are float64 but in another order than the loops', so that statistics and what follows from them have other last bits.
"""

from __future__ import annotations

import math

import numpy as np

from .._arrays import module_of
from .._cuda import Source, empty, moments

kernel = Source(__file__, "batch_norm.cu").kernel


def forward_train(x, weight, bias, eps):
    """See ``reference.forward_train``."""
    mean, inv_std, variance = statistics(x, eps)
    return normalise(x, weight, bias, mean, inv_std, -math.inf, math.inf), mean, inv_std, variance


def statistics(x, eps):
    """See ``reference.statistics``."""
    return moments.statistics(x, _channels(x), eps)


def moved_statistics(running_mean, running_var, mean, variance, momentum):
    """See ``reference.moved_statistics``."""
    xp = module_of(running_mean)
    with np.errstate(over="ignore", invalid="ignore"):
        out_mean, out_var = (
            ((1 - momentum) * running.astype(np.float64) + momentum * batch).astype(running.dtype)
            for running, batch in ((running_mean, mean), (running_var, variance))
        )
    usable = xp.isfinite(out_var)
    return xp.where(usable, out_mean, running_mean), xp.where(usable, out_var, running_var)


def normalise(x, weight, bias, mean, inv_std, low, high):
    """See ``reference.normalise``."""
    out = empty(x, x.shape)
    run = kernel("batch_norm_normalise", x.dtype)
    run(out.size, x, weight, bias, mean, inv_std, low, high, out, out.size, *x.shape[1:])
    return out


def forward_eval(x, weight, bias, running_mean, running_var, eps):
    """See ``reference.forward_eval``."""
    inv_std = _inverse_deviation(running_var, eps)
    return normalise(x, weight, bias, running_mean.astype(np.float64), inv_std, -math.inf, math.inf)


def backward_train(grad_output, x, weight, bias, mean, inv_std, low, high):
    """See ``reference.backward_train``."""
    bounds = low if low > -math.inf else math.nan, high if high < math.inf else math.nan  # nothing is below or above a NaN
    arrays = grad_output, x, weight, bias, mean, inv_std, *bounds
    sums, grad_weight, grad_bias = _affine(*arrays)
    grad_input = empty(x, x.shape)
    run = kernel("batch_norm_backward_train", x.dtype)
    run(x.size, *arrays, *sums, grad_input, x.size, max(_channels(x).count, 1), *x.shape[1:])
    return grad_input, grad_weight, grad_bias


def backward_eval(grad_output, x, weight, running_mean, running_var, eps):
    """See ``reference.backward_eval``."""
    mean, inv_std = running_mean.astype(np.float64), _inverse_deviation(running_var, eps)
    _, grad_weight, grad_bias = _affine(grad_output, x, weight, weight, mean, inv_std, math.nan, math.nan)
    grad_input = empty(x, x.shape)
    run = kernel("batch_norm_backward_eval", x.dtype)
    run(x.size, grad_output, weight, inv_std, grad_input, x.size, *x.shape[1:])
    return grad_input, grad_weight, grad_bias


def _channels(x):
    n, c, length = x.shape
    return moments.Groups(number=c, pieces=n, length=length, stride=c * length, step=length)


def _inverse_deviation(running_var, eps):
    return 1 / module_of(running_var).sqrt(running_var.astype(np.float64) + eps)


def _affine(grad_output, x, *rest):
    """Return the sums of the gradients and of their products with the normalised x, and the gradients of weight and bias."""
    channels = _channels(x)
    partial = channels.partial(x), channels.partial(x)
    channels.launch(kernel("batch_norm_backward_sums", x.dtype), grad_output, x, *rest, *partial)
    sums = channels.totals(partial[0]), channels.totals(partial[1])
    grad_weight, grad_bias = empty(x, (channels.number,)), empty(x, (channels.number,))
    run = kernel("batch_norm_backward_affine", x.dtype)
    run(channels.number, *sums, grad_weight, grad_bias, channels.number)
    return sums, grad_weight, grad_bias
