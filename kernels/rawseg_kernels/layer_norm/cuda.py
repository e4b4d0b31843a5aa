"""Layer normalisation in CUDA: group normalisation with one number a channel, and sums over columns; see ``layer_norm.cu``.

Sums are float64 but in another order than the loops', so that statistics and what follows from them have other last bits.
"""

from __future__ import annotations

import numpy as np

from .._cuda import Source, empty
from ..group_norm import cuda as group_norm

kernel = Source(__file__, "layer_norm.cu").kernel

PART = 64  # rows of a part, where there are more
MOST_PARTS = 1024  # of the rows


def forward(x, weight, bias, eps):
    """See ``reference.forward``."""
    out, mean, inv_std, _ = group_norm.forward(x[:, :, None], weight, bias, eps)
    return out.reshape(x.shape), mean, inv_std


def backward(grad_output, x, weight, mean, inv_std):
    """See ``reference.backward``."""
    grad_input = group_norm.backward_input(grad_output[:, :, None], x[:, :, None], weight, mean, inv_std)
    rows, length = x.shape
    parts = max(1, min(MOST_PARTS, -(-rows // PART)))
    partial = empty(x, (parts, length), np.float64), empty(x, (parts, length), np.float64)
    run = kernel("layer_norm_backward_columns", x.dtype)
    run(parts * length, grad_output, x, mean, inv_std, *partial, rows, length, parts)
    grad_weight, grad_bias = empty(x, (length,)), empty(x, (length,))
    kernel("layer_norm_backward_affine", x.dtype)(length, *partial, grad_weight, grad_bias, length, parts)
    return grad_input.reshape(x.shape), grad_weight, grad_bias
