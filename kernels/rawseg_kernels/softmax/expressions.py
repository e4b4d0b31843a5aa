"""Softmax as expressions over whole arrays, for NumPy and CuPy alike."""

from __future__ import annotations

import numpy as np

from .._arrays import module_of


def forward(x, logarithm):
    """See ``reference.forward``."""
    xp = module_of(x)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, and that is the answer
        shifted = x.astype(np.float64) - x.max(1, keepdims=True)
        exponentials = xp.exp(shifted)
        total = exponentials.sum(1, keepdims=True)
        return (shifted - xp.log(total) if logarithm else exponentials / total).astype(x.dtype)


def backward(grad_output, out, logarithm):
    """See ``reference.backward``."""
    grad, wide = grad_output.astype(np.float64), out.astype(np.float64)
    if logarithm:
        return (grad - module_of(out).exp(wide) * grad.sum(1, keepdims=True)).astype(out.dtype)
    return ((grad - (grad * wide).sum(1, keepdims=True)) * wide).astype(out.dtype)
