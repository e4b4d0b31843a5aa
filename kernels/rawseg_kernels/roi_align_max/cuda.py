"""The largest sample in CUDA: a thread an output forward, a thread a pixel of a map backward; see ``roi_align_max.cu``."""

from __future__ import annotations

import numpy as np

from .._cuda import Source, empty
from ..roi_align.cuda import boxes_of, by_image, readers

kernel = Source(__file__, "roi_align_max.cu").kernel


def forward(x, batch, rows, columns, row_weights, column_weights, output_size):
    """See ``reference.forward``."""
    shape = batch.size, x.shape[1], *output_size
    out, chosen = empty(x, shape), empty(x, shape, np.int64)
    arrays = x, batch, *rows, *columns, row_weights, column_weights, out, chosen
    run = kernel("roi_align_max_forward", x.dtype)
    run(out.size, *arrays, out.size, *x.shape[1:], *output_size, rows.low.size, columns.low.size)
    return out, chosen


def gather(x, chosen, batch, rows, columns, row_weights, column_weights):
    """See ``reference.gather``."""
    out = empty(x, chosen.shape)
    arrays = x, chosen, batch, *rows, *columns, row_weights, column_weights, out
    run = kernel("roi_align_max_gather", x.dtype)
    run(out.size, *arrays, out.size, *x.shape[1:], *chosen.shape[2:], rows.low.size, columns.low.size)
    return out


def backward_input(grad_output, chosen, input_shape, batch, rows, columns, row_weights, column_weights):
    """See ``reference.backward_input``."""
    grad_input = empty(grad_output, input_shape)
    boxes = by_image(batch, input_shape[0])
    reading = *readers(rows, input_shape[2]), *readers(columns, input_shape[3])
    arrays = grad_output, chosen, *boxes, *rows, *columns, row_weights, column_weights, *reading, grad_input
    run = kernel("roi_align_max_backward_input", grad_output.dtype)
    sizes = *input_shape[1:], *grad_output.shape[2:], rows.low.size, columns.low.size
    run(grad_input.size, *arrays, grad_input.size, *sizes)
    return grad_input


def backward_rows(grad_output, x, chosen, batch, rows, columns, column_weights):
    """See ``reference.backward_rows``."""
    grad_weights = empty(x, (2, rows.low.size))
    arrays = grad_output, x, chosen, batch, boxes_of(rows), *rows, *columns, column_weights, grad_weights
    run = kernel("roi_align_max_backward_rows", x.dtype)
    run(grad_weights.size, *arrays, *x.shape[1:], *grad_output.shape[2:], rows.low.size, columns.low.size)
    return grad_weights


def backward_columns(grad_output, x, chosen, batch, rows, columns, row_weights):
    """See ``reference.backward_columns``."""
    grad_weights = empty(x, (2, columns.low.size))
    arrays = grad_output, x, chosen, batch, boxes_of(columns), *rows, *columns, row_weights, grad_weights
    run = kernel("roi_align_max_backward_columns", x.dtype)
    run(grad_weights.size, *arrays, *x.shape[1:], *grad_output.shape[2:], rows.low.size, columns.low.size)
    return grad_weights
