"""RoIPool in CUDA: a thread an output, see ``roi_pool.cu``; backward every pixel fetches what chose it (``_cuda.scatter``)."""

from __future__ import annotations

import math

import numpy as np

from .._arrays import module_of
from .._cuda import Source, empty
from .._cuda.scatter import summed

kernel = Source(__file__, "roi_pool.cu").kernel


def forward(x, batch, first_row, last_row, first_column, last_column):
    """See ``reference.forward``."""
    output_size = first_row.shape[1], first_column.shape[1]
    shape = batch.size, x.shape[1], *output_size
    out, indices = empty(x, shape), empty(x, shape, np.int64)
    arrays = x, batch, first_row, last_row, first_column, last_column, out, indices
    kernel("roi_pool_forward", x.dtype)(out.size, *arrays, out.size, *x.shape[1:], *output_size)
    return out, indices


def backward(grad_output, indices, batch, input_shape):
    """See ``reference.backward``."""
    plane = input_shape[2] * input_shape[3]
    planes = batch[:, None] * input_shape[1] + module_of(batch).arange(input_shape[1])  # (K, C)
    places = indices + (planes * plane)[:, :, None, None]
    nowhere = module_of(indices).where(indices < 0, -1, places)  # before all places: nobody fetches it
    return summed(grad_output, nowhere, input_shape)


def gather(grad_grad_input, indices, batch):
    """See ``reference.gather``."""
    out = empty(grad_grad_input, indices.shape)
    sizes = *grad_grad_input.shape[:2], math.prod(grad_grad_input.shape[2:]), math.prod(indices.shape[2:])
    run = kernel("roi_pool_gather", grad_grad_input.dtype)
    run(out.size, grad_grad_input, indices, batch, out, out.size, *sizes)
    return out
