"""Cross entropy in CUDA: a thread a pixel, over all of its classes; see ``cross_entropy.cu``."""

from __future__ import annotations

import numpy as np

from .._arrays import module_of
from .._cuda import Source, empty

kernel = Source(__file__, "cross_entropy.cu").kernel


def forward(x, target, kept, sharp, smooth):
    """See ``reference.forward``."""
    losses, shifts = empty(x, target.shape), empty(x, target.shape, np.float64)
    run = kernel("cross_entropy_forward", x.dtype)
    arrays = x, target, kept, sharp, smooth, losses, shifts
    run(losses.size, *arrays, losses.size, *x.shape[1:], smooth.size > 0)
    return losses, shifts


def backward(grad_output, x, shifts, target, kept, sharp, smooth):
    """See ``reference.backward``."""
    grad_input = empty(x, x.shape)
    xp = module_of(grad_output)
    grad_output = xp.ascontiguousarray(xp.broadcast_to(grad_output, target.shape))
    run = kernel("cross_entropy_backward", x.dtype)
    arrays = grad_output, x, shifts, target, kept, sharp, smooth, grad_input
    run(target.size, *arrays, target.size, *x.shape[1:], smooth.size > 0)
    return grad_input
