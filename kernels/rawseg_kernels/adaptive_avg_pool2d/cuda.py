"""Adaptive average pooling in CUDA: a thread a bin forward, a thread an input pixel backward; see the ``.cu`` file."""

from __future__ import annotations

from .._cuda import Source, empty
from .._cuda.tables import uploaded
from .._pooling import bins

kernel = Source(__file__, "adaptive_avg_pool2d.cu").kernel


def forward(x, rows, columns):
    """See ``reference.forward``."""
    size = rows[0].size, columns[0].size
    out = empty(x, (*x.shape[:2], *size))
    tables = uploaded(x, *rows, *columns)
    kernel("adaptive_avg_pool2d_forward", x.dtype)(out.size, x, out, *tables, out.size, *x.shape[2:], *size)
    return out


def backward(grad_output, input_shape, rows, columns):
    """See ``reference.backward``."""
    grad_input = empty(grad_output, input_shape)
    (h, w), (out_h, out_w) = input_shape[2:], grad_output.shape[2:]
    tables = uploaded(grad_output, *rows, *columns, *bins(out_h, h), *bins(out_w, w))
    run = kernel("adaptive_avg_pool2d_backward", grad_output.dtype)
    run(grad_input.size, grad_output, grad_input, *tables, grad_input.size, h, w, out_h, out_w)
    return grad_input
