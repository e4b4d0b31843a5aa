"""Resizing in CUDA: bilinear in ``resize.cu``; nearest neighbours are copied through tables as a frame is (``pad.cu``)."""

from __future__ import annotations

import numpy as np

from .._cuda import Source, empty
from .._cuda.tables import uploaded
from ..pad import cuda as copies

kernel = Source(__file__, "resize.cu").kernel


def forward_nearest(x, rows, columns):
    """See ``reference.forward_nearest``."""
    n, c, h, w = x.shape
    return copies.forward(x.reshape(n * c, h, w), rows, columns, 0).reshape(n, c, rows.size, columns.size)


def backward_nearest(grad_output, input_size, rows, columns):
    """See ``reference.backward_nearest``."""
    n, c, out_h, out_w = grad_output.shape
    return copies.backward(grad_output.reshape(n * c, out_h, out_w), input_size, rows, columns).reshape(n, c, *input_size)


def forward_bilinear(x, rows, columns):
    """See ``reference.forward_bilinear``."""
    out_size = rows[0].size, columns[0].size
    out = empty(x, (*x.shape[:2], *out_size))
    tables = uploaded(x, *rows[:2], *columns[:2], *rows[2:], *columns[2:])
    kernel("resize_forward_bilinear", x.dtype)(out.size, x, out, *tables, out.size, *x.shape[2:], *out_size)
    return out


def backward_bilinear(grad_output, input_size, rows, columns):
    """See ``reference.backward_bilinear``."""
    grad_input = empty(grad_output, (*grad_output.shape[:2], *input_size))
    readers = *_readers(input_size[0], *rows[:2]), *_readers(input_size[1], *columns[:2])
    tables = uploaded(grad_output, *rows[:2], *columns[:2], *readers, *rows[2:], *columns[2:])
    run = kernel("resize_backward_bilinear", grad_output.dtype)
    sizes = grad_input.size, *input_size, *grad_output.shape[2:]
    run(grad_input.size, grad_output, grad_input, *tables, *sizes)
    return grad_input


def _readers(size, first, second):
    """Return the first output that reads each input, and the one past the last: both tables rise, and lie at most 1 apart."""
    inputs = np.arange(size)
    return np.searchsorted(second, inputs, "left"), np.searchsorted(first, inputs, "right")
