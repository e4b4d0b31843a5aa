"""Frames in CUDA: a thread an element of the output forward, of the input backward; see ``pad.cu``."""

from __future__ import annotations

import numpy as np

from .._arrays import FLOATING
from .._cuda import Source, empty
from .._cuda.tables import readers, uploaded

kernel = Source(__file__, "pad.cu").kernel


def forward(x, rows, columns, fill):
    """See ``reference.forward``."""
    out = empty(x, (x.shape[0], rows.size, columns.size))
    sizes = out.size, *x.shape[1:], *out.shape[1:]
    if x.dtype in FLOATING:
        kernel("pad_forward", x.dtype)(out.size, x, out, *uploaded(x, rows, columns), fill, *sizes)
        return out
    *tables, filled = uploaded(x, rows, columns, np.asarray(fill, x.dtype).reshape(1).view(np.uint8))
    source, target = (array.reshape(-1).view(np.uint8) for array in (x, out))
    run = kernel("pad_forward_bytes", np.float32)  # no element is read as a number
    run(out.size, source, target, *tables, filled, x.itemsize, *sizes)
    return out


def backward(grad_output, input_size, rows, columns):
    """See ``reference.backward``."""
    grad_input = empty(grad_output, (grad_output.shape[0], *input_size))
    tables = (table for size, sources in zip(input_size, (rows, columns)) for table in readers(size, sources))
    sizes = grad_input.size, *input_size, *grad_output.shape[1:]
    run = kernel("pad_backward", grad_output.dtype)
    run(grad_input.size, grad_output, grad_input, *uploaded(grad_output, *tables), *sizes)
    return grad_input
